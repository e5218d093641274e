/* Copyright (c) 2026, The kernelops.memfrag authors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
// ---- the pictures of the fleet, each above the table that says the same (_html_pictures.py)
const PICTURES = { levels: levelsPicture, incidents: incidentsPicture, held: heldPicture };
let mapView = "", mapAll = false, drawnNodes = null, drawnWidth = 0, printing = false;
// Of a card on paper; what is as wide as the screen would be too small to read.
const PAPER = 640;
const widthOf = (box) => printing && box.clientWidth ? PAPER : Math.floor(box.clientWidth);
const drawing = (name) => $("picture-" + name) && $("picture-" + name).querySelector(".drawing");
/* Ways to divide the nodes at hand: [[name of the part, numbers of its nodes]]. */
function partsBy(view) {
  const parts = new Map();
  for (const index of shown) {
    const row = HOSTS[index];
    for (const name of view === "kernel" ? [kernel(row)[0]] : DATA.groups[row[GROUPS]]) {
      if (!name) continue;
      if (!parts.has(name)) parts.set(name, []);
      parts.get(name).push(index);
    }
  }
  return [...parts];
}
// What the fleet can be divided by at all.
const MANY_OF = { group: new Set(DATA.groups.flat()).size > 1, kernel: new Set(DATA.kernels.map((each) => each[0])).size > 1 };
const MAP_VIEWS = { nodes: "Nodes", group: "Groups", kernel: "Kernels" };
/* The map follows the filters of the list: a group that is chosen in it becomes a map of its nodes. */
function drawMap() {
  const box = drawing("orders"), width = box ? widthOf(box) : 0;
  if (!width) return;
  drawnNodes = shown;
  const held = box.contains(document.activeElement), fits = shown.length <= nodesInMap(width);
  const able = Object.keys(MAP_VIEWS).filter((view) => view === "nodes" || MANY_OF[view]);
  const best = fits || able.length === 1 ? "nodes" : able[1], view = able.includes(mapView) ? mapView : best;
  const rows = shown.slice(0, nodesInMap(width)), filtered = shown.length < HOSTS.length;
  const choose = (next) => { mapView = next; mapAll = false; drawMap(); };
  box.replaceChildren(...[
    el("div", { class: "views" }, able.length > 1 && el("div", { role: "group", "aria-label": "Divide the map by" }, able.map((each) => el("button", { type: "button", "data-view": each, "aria-pressed": String(each === view), onclick: () => { choose(each); box.querySelector("[data-view=" + each + "]").focus(); } }, MAP_VIEWS[each]))),
      el("span", {}, filtered ? thousands(shown.length) + " of " + plural(HOSTS.length, "node") : plural(HOSTS.length, "node"), view === "nodes" && rows.length < shown.length && ", the worst " + thousands(rows.length) + " drawn"),
      filtered && el("button", { type: "button", onclick: () => go(Object.assign({}, EMPTY, { sort: state.sort })) }, "Show all nodes")),
    // Whoever has found the group is to find what to do about it here.
    filtered && el("div", { class: "asked" }, commandsFor(shown)),
    ...(view === "nodes" ? nodeMap(rows, width, (index) => go({ node: HOSTS[index][NAME] })) : partMap(partsBy(view), view, width, mapAll, () => { mapAll = true; drawMap(); })),
    stateLegend(shown.some((index) => !HOSTS[index][STATES])),
  ].filter(Boolean));
  // What stands below has moved.
  drawRows();
  // Whoever came by the keyboard goes on from here.
  if (held && !box.contains(document.activeElement)) (box.querySelector(".map") || box.querySelector(".parts a") || box.querySelector("button")).focus({ preventScroll: true });
}
function drawPictures() {
  if (!$("pictures") || !$("pictures").clientWidth) return;
  drawMap();
  for (const name in PICTURES) {
    const box = drawing(name);
    if (box && box.clientWidth) box.replaceChildren(...[part(() => PICTURES[name](widthOf(box)))].flat().filter(Boolean));
  }
  drawRows();
}
/* Drawn for the width that there is, and anew for another. */
function watchPictures() {
  if (!$("pictures")) return;
  new ResizeObserver(() => {
    const width = $("pictures").clientWidth;
    if (width && width !== drawnWidth && !matchMedia("print").matches) { drawnWidth = width; drawPictures(); }
  }).observe($("pictures"));
}
addEventListener("beforeprint", () => { printing = true; drawPictures(); });
addEventListener("afterprint", () => { printing = false; drawPictures(); });
let mapDue = 0;
/* Not while somebody types: the list comes first. */
function mapLater() {
  clearTimeout(mapDue);
  // Drawn for these nodes already: whoever is pointing at one of them would lose it.
  mapDue = setTimeout(() => { if (drawnNodes !== shown) drawMap(); }, 60);
}
