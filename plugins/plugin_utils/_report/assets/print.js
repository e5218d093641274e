/* Copyright (c) 2026, The kernelops.memfrag authors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
// ---- on paper: nothing folded but the tables that say what a picture says, nothing cut, and as many nodes as somebody reads
const PRINTED = 100;
const unfolded = [];
function preparePrint() {
  for (const each of document.querySelectorAll("details:not([open])")) if (!each.closest(".picture")) { each.open = true; unfolded.push(each); }
  if (opened >= 0) return;
  drawRows(PRINTED);
  list.style.height = "auto";
  const fit = shown.length < HOSTS.length ? " that fit" : "";
  printed.textContent = (shown.length > PRINTED ? "The first " + PRINTED + " of " + plural(shown.length, "node") + fit + ", worst first" : plural(shown.length, "node") + fit) +
    (shown.length < HOSTS.length ? ", out of " + thousands(HOSTS.length) : "") + (shown.length > PRINTED ? "; report.csv has all." : ".");
  if (state.sort && SORTS[state.sort]) printed.textContent = printed.textContent.replace("worst first", "by " + SORTS[state.sort][0].toLowerCase());
}
function afterPrint() {
  for (const each of unfolded.splice(0)) each.open = false;
  drawList();
}
addEventListener("beforeprint", preparePrint);
addEventListener("afterprint", afterPrint);
