/* Copyright (c) 2026, The kernelops.memfrag authors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
// ---- picture: incidents in time, by cause, and the nodes that had them
// Which nodes had an incident of a cause, be it their weightiest or not.
const HAD = new Map();
for (const [index, cause] of DATA.pictures.spans || []) {
  if (!HAD.has(DATA.strings[cause])) HAD.set(DATA.strings[cause], new Set());
  HAD.get(DATA.strings[cause]).add(index);
}
const hadCause = (index, cause) => HOSTS[index][CAUSE] >= 0 && DATA.strings[HOSTS[index][CAUSE]] === cause || HAD.has(cause) && HAD.get(cause).has(index);
/* The causes of each node, one after the other. */
const causesOfNodes = () => [...HAD].flatMap(([cause, nodes]) => Array(nodes.size).fill(cause)).concat(HOSTS.map((row, index) => row[CAUSE] >= 0 && !(HAD.has(DATA.strings[row[CAUSE]]) && HAD.get(DATA.strings[row[CAUSE]]).has(index)) && DATA.strings[row[CAUSE]]));
const LANE = 24, LANE_NODES = 10, LANE_SLOT = 6;
const TICKS = [900, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000, 7776000, 31536000];
// What is older than that is put at the edge, so that a clock that was wrong once does not squeeze all the rest.
const OLDEST = 90 * 86400;
function causeLanes(spans) {
  const lanes = new Map();
  for (const span of spans) {
    if (!lanes.has(span[1])) lanes.set(span[1], []);
    lanes.get(span[1]).push(span);
  }
  return [...lanes].map(([cause, own]) => ({ cause: DATA.strings[cause], own, nodes: [...new Set(own.map((span) => span[0]))] })).sort((a, b) => b.nodes.length - a.nodes.length);
}
function incidentsPicture(width) {
  const lanes = causeLanes(DATA.pictures.spans), spans = DATA.pictures.spans.map(([node, cause, first, last, count]) => [node, cause, Math.min(OLDEST, Math.max(0, first)), Math.min(OLDEST, Math.max(0, last)), count]);
  const from = Math.max(3600, ...spans.map((span) => span[2])) * 1.02, narrow = width < 560;
  // On a narrow screen the name of a lane stands above it.
  const left = narrow ? 4 : 300, plot = width - left - 10, lane = narrow ? 36 : LANE, base = narrow ? 33 : 20;
  const x = (age) => left + plot * (1 - Math.min(from, Math.max(0, age)) / from), parts = [];
  const each = Math.max(1, Math.floor(LANE_NODES / lanes.length));
  let top = 4;
  // The titles of the links say the whole of it, the texts may be cut.
  const label = (text, small, indent) => svg("text", { class: small ? "start small" : "start strong", x: left - (narrow ? 0 : 296) + indent, y: top + 14 }, fitted(text, narrow ? width : 288 - indent, small ? 6.8 : 7));
  for (const { cause, own, nodes } of lanes) {
    const slots = Math.floor(plot / LANE_SLOT), counts = Array.from({ length: slots }, () => new Set());
    for (const [node, , first, last] of own) {
      const slot = (age) => Math.max(0, Math.min(slots - 1, Math.floor((x(age) - left) / LANE_SLOT)));
      for (let place = slot(Math.min(from, first)); place <= slot(last); place++) counts[place].add(node);
    }
    const most = Math.max(...counts.map((set) => set.size)), words = causeWords(cause) + ": " + plural(nodes.length, "node") + ", " + plural(own.length, "incident") + ", from " + time(Math.max(...own.map((span) => span[2]))) + " to " + time(Math.min(...own.map((span) => span[3])));
    const bars = counts.map((set, place) => { const tall = set.size && Math.max(3, (base - (narrow ? 19 : 4)) * set.size / most); return tall ? "M" + (left + place * LANE_SLOT) + " " + (top + base - tall).toFixed(1) + "h" + (LANE_SLOT - 1) + "V" + (top + base) + "h-" + (LANE_SLOT - 1) + "z" : ""; }).join("");
    parts.push(svg("a", { href: address({ cause, node: "" }) }, svg("title", {}, words), label(causeWords(cause) + " (" + thousands(nodes.length) + ")", false, 0), svg("path", { class: "rule", d: "M" + left + " " + (top + base) + "h" + plot }), svg("path", { class: "bars", d: bars }), svg("rect", { class: "hit", x: 0, y: top, width, height: lane })));
    top += lane;
    for (const index of nodes.slice(0, each)) {
      const mine = own.filter((span) => span[0] === index), name = HOSTS[index][NAME];
      const told = name + ": " + mine.map((span) => thousands(span[4]) + (span[4] === 1 ? " time, " : " times, ") + time(span[2]) + (span[3] < span[2] - 59 ? " to " + time(span[3]) : "")).join("; ");
      parts.push(svg("a", { href: address({ node: name }) }, svg("title", {}, told), label(name, true, 12),
        mine.map((span) => { const start = x(span[2]), end = Math.max(x(span[3]), start + 1), middle = top + (narrow ? 22 : 11); return svg("path", { class: "span", d: "M" + start.toFixed(1) + " " + (middle - 4) + "v8m0 -4H" + end.toFixed(1) + "m0 -4v8" }); }),
        svg("rect", { class: "hit", x: 0, y: top, width, height: lane - 2 })));
      top += lane - 2;
    }
    if (nodes.length > each) { parts.push(label("and " + plural(nodes.length - each, "more node"), true, 12)); top += 20; }
    top += 4;
  }
  const step = TICKS.find((seconds) => from / seconds <= plot / 92) || TICKS[TICKS.length - 1], marks = [];
  for (let moment = Math.floor(NEWEST / 1000 / step) * step; NEWEST / 1000 - moment < from; moment -= step) {
    const age = NEWEST / 1000 - moment, at = x(age), words = time(age);
    if (at - left < 24 || width - at < 26) continue;
    marks.push(svg("path", { class: "rule faint", d: "M" + at.toFixed(1) + " 4V" + top }), svg("text", { class: "axis", x: at, y: top + 14 }, step < 86400 && words.slice(11, 16) !== "00:00" ? words.slice(11, 16) : words.slice(5, 10)));
  }
  return [svg("svg", { viewBox: "0 0 " + width + " " + (top + 20), width, height: top + 20, role: "group", "aria-label": "Incidents by cause and node" }, marks, parts),
    el("p", {}, el("small", {}, "From " + time(Math.round(from)) + " to " + time(0) + ". A cause leads to its nodes, a node to its page."))];
}
/* Text that is not wider than so many pixels, at about so many for a letter; cut between words where there are any. */
function fitted(text, pixels, letter) {
  const most = Math.max(1, Math.floor(pixels / letter) - 1);
  return text.length <= most + 1 ? text : text.slice(0, most).replace(/(?<=\S)\s+\S*$/, "") + " …";
}
