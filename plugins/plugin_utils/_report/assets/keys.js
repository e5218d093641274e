/* Copyright (c) 2026, The kernelops.memfrag authors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
// ---- what the keyboard can do, on the page itself
const KEYS = [["/", "search"], ["j, k", "next and previous node"], ["Return", "open the node"], ["Esc", "back to all nodes, or clear the search"], ["← ↑ → ↓", "walk through the map of nodes"], ["?", "this help"]];
let keyHelp;
function buildKeyHelp() {
  keyHelp = el("details", { class: "keyhelp" }, el("summary", {}, "Keys"),
    el("ul", { "aria-label": "Keys" }, KEYS.map(([keys, words]) => el("li", {}, el("kbd", {}, keys), " " + words))));
  chips.append(keyHelp);
}
function toggleKeyHelp() {
  if (state.node) go({ node: "" });
  keyHelp.open = !keyHelp.open;
  keyHelp.firstChild.focus();
  if (keyHelp.open) keyHelp.scrollIntoView({ block: "nearest" });
}
