/* Copyright (c) 2026, The kernelops.memfrag authors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
// ---- picture: what each node, or group of nodes, can hand out of each order. It is the way to them, too.
// Pixels: a node's width, an order's height, what stands left of the columns, and between the bands that they are broken into.
const MAP = { node: 6, widest: 22, order: 11, label: 20, gap: 12 }, MAP_BANDS = 4, MAP_PARTS = 12;

/* The cells of one state are one path, and so are their signs: thousands of rectangles of their own would take seconds. */
function cells() {
  const fills = ["", "", "", "", ""], signs = ["", "", "", "", ""];
  return {
    add(state, x, y, width, height, step = MAP.node) {
      const kind = state in STATE ? Number(state) : 4, right = x + width, bottom = y + height;
      fills[kind] += "M" + x.toFixed(1) + " " + y + "h" + width.toFixed(1) + "v" + height + "h-" + width.toFixed(1) + "z";
      if (width < 2.5) return;
      // Without colour: a dash, a stroke, a cross, again after each step.
      for (let left = x; left < right - 1; left += step) {
        const end = Math.min(left + step - 1, right), wide = (end - left).toFixed(1);
        if (kind === 1) signs[kind] += "M" + (left + 1).toFixed(1) + " " + (y + height / 2) + "h" + Math.max(1, end - left - 2).toFixed(1);
        if (kind === 2 || kind === 3) signs[kind] += "M" + left.toFixed(1) + " " + bottom + "l" + wide + " " + -height;
        if (kind === 3) signs[kind] += "M" + left.toFixed(1) + " " + y + "l" + wide + " " + height;
      }
    },
    paths: () => [fills.map((path, kind) => path && svg("path", { class: "m" + kind, d: path })), signs.map((path, kind) => path && svg("path", { class: "n" + kind, d: path }))],
  };
}
/* "orders 0 to 3 at once, 4 and 5 after compaction, 6 to 10 not at all" */
function answerWords(states) {
  const parts = [];
  for (let first = 0, last; first < states.length; first = last + 1) {
    for (last = first; states[last + 1] === states[first]; last++);
    parts.push((last === first ? first : first + (last === first + 1 ? " and " : " to ") + last) + " " + (STATE[states[first]] || "unknown"));
  }
  return parts.length ? "orders " + parts.join(", ") : "nothing is known about its memory";
}
const standing = (row) => row[STATUS] ? statusWord(row) : [level(row) || "not assessed", row[SCORE] >= 0 && row[SCORE]].filter((each) => each !== false).join(" ");
/* rows: numbers of the nodes; open(number) is called for the one that is chosen. */
function nodeMap(rows, width, open) {
  // Nothing fits, and the list says so.
  if (!rows.length) return [];
  const room = Math.max(MAP.node, width - MAP.label);
  const step = Math.max(MAP.node, Math.min(MAP.widest, Math.floor(room / Math.max(1, rows.length)))), band = Math.floor(room / step);
  const high = ORDERS * MAP.order, bands = Math.max(1, Math.ceil(rows.length / band)), drawn = cells();
  const top = (place) => Math.floor(place / band) * (high + MAP.gap), left = (place) => MAP.label + place % band * step;
  let gaps = "";
  rows.forEach((index, place) => {
    const states = HOSTS[index][STATES];
    for (let order = 0; order < states.length; order++) drawn.add(states[order], left(place), top(place) + order * MAP.order, step - 1, MAP.order - 1, step);
    if (!states.length) gaps += "M" + (left(place) + (step - 1) / 2) + " " + (top(place) + 2) + "v" + (high - 5);
  });
  const labels = Array.from({ length: bands * ORDERS }, (each, number) => svg("text", { class: "axis end", x: MAP.label - 4, y: Math.floor(number / ORDERS) * (high + MAP.gap) + number % ORDERS * MAP.order + 9 }, number % ORDERS));
  const tall = bands * (high + MAP.gap) - MAP.gap, wide = MAP.label + Math.min(band, Math.max(1, rows.length)) * step;
  const mark = svg("rect", { class: "mark", width: step + 1, height: high + 1, visibility: "hidden" });
  const picture = svg("svg", { viewBox: "0 0 " + wide + " " + (tall + 2), width: wide, height: tall + 2, "aria-hidden": "true" }, drawn.paths(), gaps && svg("path", { class: "gap", d: gaps }), labels, mark);
  const heard = el("div", { role: "option", id: "map-node", "aria-selected": "true", class: "unseen" }), seen = el("p", { class: "readout", "aria-hidden": "true" });
  let at = -1;
  const words = (place) => [HOSTS[rows[place]][NAME], ": " + standing(HOSTS[rows[place]]) + "; " + answerWords(HOSTS[rows[place]][STATES])];
  const show = (place) => {
    at = place;
    mark.setAttribute("visibility", place < 0 ? "hidden" : "visible");
    if (place < 0) { seen.textContent = "Point at a column, or walk with the arrow keys; Return opens the node."; return; }
    mark.setAttribute("x", left(place) - 1); mark.setAttribute("y", top(place) - .5);
    const [name, rest] = words(place);
    seen.replaceChildren(el("b", {}, el("bdi", {}, name)), rest);
    heard.textContent = name + rest;
    heard.setAttribute("aria-posinset", place + 1); heard.setAttribute("aria-setsize", rows.length);
  };
  const under = (event) => {
    const box = picture.getBoundingClientRect(), scale = wide / box.width;
    const x = (event.clientX - box.left) * scale - MAP.label, y = (event.clientY - box.top) * scale;
    const place = Math.floor(y / (high + MAP.gap)) * band + Math.floor(x / step);
    return x >= 0 && x < band * step && y % (high + MAP.gap) < high && rows[place] !== undefined ? place : -1;
  };
  const map = el("div", { class: "map", role: "listbox", tabindex: "0", "aria-label": "Nodes, by what they can hand out", "aria-activedescendant": "map-node",
    onpointermove: (event) => show(under(event)), onpointerleave: () => { if (map !== document.activeElement) show(-1); },
    onfocus: () => { if (at < 0) show(0); }, onblur: () => show(-1),
    onclick: (event) => { const place = under(event); if (place >= 0) open(rows[place]); },
    onkeydown: (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: band, ArrowUp: -band, Home: -rows.length, End: rows.length }[event.key];
      if (by) { show(Math.max(0, Math.min(rows.length - 1, at + by))); event.preventDefault(); event.stopPropagation(); }
      else if ((event.key === "Enter" || event.key === " ") && at >= 0) { event.preventDefault(); open(rows[at]); }
    } }, picture, heard);
  show(-1);
  heard.textContent = words(0).join("");
  return [map, seen];
}
/* How many nodes stand in a map that is not taller than a window. */
const nodesInMap = (width) => MAP_BANDS * Math.floor((width - MAP.label) / MAP.node);
/* parts: [[name, numbers of its nodes]]; each cell is divided by how many of them can hand out the order. */
function partMap(parts, key, width, all, more) {
  const graded = parts.map(([name, rows]) => {
    const counts = Array.from({ length: ORDERS }, () => [0, 0, 0, 0, 0]), alike = new Map();
    let worse = 0;
    // Most nodes answer the same.
    for (const index of rows) alike.set(HOSTS[index][STATES], (alike.get(HOSTS[index][STATES]) || 0) + 1);
    for (const [states, many] of alike) for (let order = 0; order < states.length; order++) {
      const kind = states[order] in STATE ? Number(states[order]) : 4;
      counts[order][kind] += many;
      worse += (ORDERS - order) * kind * many;
    }
    return { name, nodes: rows.length, counts, worse: worse / rows.length };
  });
  graded.sort((a, b) => b.worse - a.worse || collator.compare(a.name, b.name));
  const shown = all ? graded : graded.slice(0, MAP_PARTS), high = 16;
  // What is left beside the names, in a table as wide as the card.
  const wide = Math.max(12, Math.min(64, Math.floor((width - Math.min(220, width * .34) - 50) / ORDERS)));
  const line = ({ name, nodes, counts }) => {
    const drawn = cells();
    counts.forEach((count, order) => {
      let x = order * wide;
      // The worst first; nodes that were not audited leave their share blank.
      for (const kind of [3, 2, 1, 4, 0]) {
        if (!count[kind]) continue;
        // One node among hundreds is to be seen, too.
        const share = Math.min(order * wide + wide - 2 - x, kind ? Math.max(4, count[kind] / nodes * (wide - 2)) : count[0] / nodes * (wide - 2));
        drawn.add(kind, x, 0, share, high);
        x += share;
      }
    });
    const words = counts.map((count, order) => [order, STATE.map((state, kind) => count[kind] ? count[kind] + " " + state : "").filter(Boolean).join(", ")]).filter(([, text], order, every) => !order || text !== every[order - 1][1]).map(([order, text]) => "from order " + order + ": " + (text || "nothing known")).join("; ");
    return el("tr", {}, el("th", { scope: "row" }, el("a", { href: address({ [key]: name, node: "" }), title: name, onclick: (event) => { event.preventDefault(); go({ [key]: name, node: "" }); } }, el("bdi", {}, name))), el("td", { class: "num" }, thousands(nodes)),
      el("td", {}, svg("svg", { viewBox: "0 0 " + ORDERS * wide + " " + high, width: ORDERS * wide, height: high, role: "img", "aria-label": words }, drawn.paths())));
  };
  const axis = svg("svg", { viewBox: "0 0 " + ORDERS * wide + " 12", width: ORDERS * wide, height: 12, role: "img", "aria-label": "Orders 0 to " + (ORDERS - 1) }, Array.from({ length: ORDERS }, (each, order) => svg("text", { class: "axis", x: order * wide + wide / 2 - 1, y: 10 }, order)));
  return [el("table", { class: "parts" }, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, key === "kernel" ? "Kernel" : "Group"), el("th", { scope: "col", class: "num" }, "Nodes"), el("th", { scope: "col" }, axis))),
    el("tbody", {}, shown.map(line))), graded.length > shown.length && el("p", {}, el("button", { type: "button", onclick: more }, "Show all " + thousands(graded.length)))];
}
const stateLegend = (missing) => el("ul", { class: "keys" }, STATE.map((words, kind) => { const drawn = cells(); drawn.add(kind, 0, 0, 17, 14); return el("li", {}, svg("svg", { viewBox: "0 0 17 14", width: 17, height: 14, "aria-hidden": "true" }, drawn.paths()), words); }),
  missing && el("li", {}, svg("svg", { viewBox: "0 0 17 14", width: 17, height: 14, "aria-hidden": "true" }, svg("path", { class: "gap", d: "M8 1v12" })), "not known"));
