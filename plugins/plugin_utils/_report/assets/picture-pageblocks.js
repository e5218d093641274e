/* Copyright (c) 2026, The kernelops.memfrag authors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
// ---- picture: what holds the pageblocks; where they lie, or their shares, of a node and across the fleet
// By the letters of a survey's map: [kind in facts.pageblock_survey, words]. Those in nobody's way come first.
const HOLDERS = { f: ["free", "free"], m: ["movable", "free or movable"], k: ["kernel", "kernel, other"], s: ["slab", "slab"], p: ["page_table", "page tables"], r: ["reserved", "reserved"],
  h: ["hugetlb", "hugetlb"], c: ["compound", "huge and compound"], u: ["unevictable", "unevictable"], o: ["offline", "offline or taken"], x: ["poisoned", "poisoned"], z: ["other", "other"] };
const HOLES = { ".": "a hole", "?": "not looked at" };
const SHOWN_LETTER = { z: "*", ".": "·" };
const letterOf = (kind) => Object.keys(HOLDERS).find((letter) => HOLDERS[letter][0] === kind) || "z";
const inTheWay = (letter) => letter !== "f" && letter !== "m";
const BLOCK = 15, SHARES = 200, HELD_GROUPS = 10;
const share = (part) => part > 0 && part < .001 ? "below 0.1 %" : (100 * part).toFixed(part < .1 ? 1 : 0) + " %";
/* {kind: pageblocks} as [[letter, share]], as HOLDERS has them. */
function shares(held) {
  const counts = new Map();
  let total = 0;
  for (const kind in held) { const letter = letterOf(kind); counts.set(letter, (counts.get(letter) || 0) + held[kind]); total += held[kind]; }
  return Object.keys(HOLDERS).filter((letter) => counts.get(letter)).map((letter) => [letter, counts.get(letter) / total]);
}
const sharesWords = (list) => list.map(([letter, part]) => HOLDERS[letter][1] + " " + share(part)).join(", ");
/* Cells of equal letters in a row are one path each, and every cell has its letter where there is room. */
function blockMap(letters, width, label) {
  const across = Math.max(8, Math.min(letters.length, Math.floor(width / BLOCK))), down = Math.ceil(letters.length / across), paths = {}, texts = [];
  [...letters].forEach((letter, place) => {
    const x = place % across * BLOCK, y = Math.floor(place / across) * BLOCK, known = Object.hasOwn(HOLDERS, letter) ? letter : Object.hasOwn(HOLES, letter) ? letter : "z";
    paths[known] = (paths[known] || "") + "M" + x + " " + y + "h" + (BLOCK - 1) + "v" + (BLOCK - 1) + "h-" + (BLOCK - 1) + "z";
    // A free block is blank and a movable one pale: what is named stands out.
    if (known !== "f") texts.push(svg("text", { class: "ob-" + (Object.hasOwn(HOLES, known) ? "q" : known), x: x + BLOCK / 2 - .5, y: y + 11 }, SHOWN_LETTER[known] || known));
  });
  return svg("svg", { class: "blocks", viewBox: "0 0 " + across * BLOCK + " " + down * BLOCK, width: across * BLOCK, height: down * BLOCK, role: "img", "aria-label": label },
    Object.keys(paths).map((letter) => svg("path", { class: "b-" + (letter === "." ? "hole" : letter === "?" ? "q" : letter), d: paths[letter] })), texts);
}
const holderKeys = (letters) => el("ul", { class: "keys" }, letters.map((letter) => el("li", {}, svg("svg", { viewBox: "0 0 14 14", width: 14, height: 14, "aria-hidden": "true" },
  svg("path", { class: "b-" + (letter === "." ? "hole" : letter === "?" ? "q" : letter), d: "M0 0h14v14h-14z" }), letter !== "f" && svg("text", { class: "ob-" + (Object.hasOwn(HOLES, letter) ? "q" : letter), x: 7, y: 11 }, SHOWN_LETTER[letter] || letter)), HOLES[letter] || HOLDERS[letter][1])));
/* Shares as so many cells, for surveys that do not say where the pageblocks lie; the largest remainders are rounded up. */
function sharesAsLetters(list, count) {
  const parts = list.map(([letter, part]) => ({ letter, cells: Math.floor(part * count), rest: part * count % 1 }));
  let missing = count - parts.reduce((sum, each) => sum + each.cells, 0);
  for (const each of parts.slice().sort((a, b) => b.rest - a.rest)) if (missing-- > 0) each.cells++;
  return parts.map((each) => each.letter.repeat(each.cells)).join("");
}
/* A zone may begin and end with holes, gigabytes of them: [holes before, cells between, holes behind]. */
function withoutHoles(cells) {
  const first = cells.search(/[^.]/), last = cells.length - cells.match(/\.*$/)[0].length;
  return first < 0 ? [cells.length, "", 0] : [first, cells.slice(first, last), cells.length - last];
}
function surveyedZone(row, zone, many, width) {
  const list = shares(zone.held_by || {}), name = zone.zone + (many ? " · NUMA " + zone.node : ""), map = zone.map, way = list.filter(([letter]) => inTheWay(letter)).sort((a, b) => b[1] - a[1]);
  const each = map ? map.cell_blocks : 0, [before, letters, behind] = map ? withoutHoles(map.cells) : [0, sharesAsLetters(list, Math.max(1, Math.min(SHARES, zone.blocks || SHARES))), 0];
  const gain = zone.gain;
  return el("div", { class: "surveyed" }, el("h4", {}, "Zone " + name),
    el("p", {}, el("small", {}, [plural(zone.blocks || 0, "pageblock") + (zone.sampled < zone.blocks ? ", " + thousands(zone.sampled) + " of them looked at" : ""),
      map ? "from the start of the zone to its end, a cell is " + (each === 1 ? "a pageblock" : plural(each, "pageblock") + ", by what most of them are held by") : "by share: where they lie is not known",
      before && plural(before * each, "pageblock") + " before it without memory", behind && plural(behind * each, "pageblock") + " behind it without memory"].filter(Boolean).join("; "))),
    letters && blockMap(letters, width, name + ": " + sharesWords(list)),
    el("p", {}, way.length ? ["In the way: ", el("b", {}, sharesWords(way)), "."] : "Nothing is in the way of compaction.",
      gain && " Of order " + gain.order + " (" + blockSize(gain.order, pageSize(row)) + "), " + thousands(gain.now) + " can be had now; one compaction would " + (gain.high > gain.now ? "make it " + thousands(gain.expected) + ", between " + thousands(gain.low) + " and " + thousands(gain.high) + "." : "not make more.")));
}
function pageblocksCard(index) {
  const row = HOSTS[index], detail = DATA.details[index], survey = detail && detail.survey;
  if (!survey || !survey.zones.length) return null;
  const zones = survey.zones, many = new Set(survey.zones.map((zone) => zone.node)).size > 1, width = Math.min(innerWidth, 1208) - (innerWidth > 600 ? 90 : 64);
  const last = survey.last_compaction, brought = (last && last.promised || []).filter((each) => each.obtained !== null);
  const used = new Set(zones.flatMap((zone) => zone.map ? [...withoutHoles(zone.map.cells)[1]] : shares(zone.held_by || {}).map(([letter]) => letter)));
  return card("Pageblocks, by what holds them", zones.map((zone) => part(() => surveyedZone(row, zone, many, width))),
    brought.length ? [el("h4", {}, "The last compaction, " + value(last.ended_at)), el("ul", { class: "plainlist" }, brought.map((each) => el("li", {},
      "Zone " + value(each.zone) + (many ? " · NUMA " + each.node : "") + ", order " + each.order + ": " + thousands(each.expected) + " free blocks were expected, between " + thousands(each.low) + " and " + thousands(each.high) + ", and " + thousands(each.obtained) + " were there (" + thousands(each.now) + " before).")))] : null,
    holderKeys([...Object.keys(HOLDERS), ...Object.keys(HOLES)].filter((letter) => used.has(letter))),
    survey.more_zones > 0 && el("p", {}, el("small", {}, plural(survey.more_zones, "more zone") + " in the record.")),
    (survey.callers || []).length ? [el("h4", {}, "Who holds the kernel's pages"), el("ul", { class: "plainlist" }, survey.callers.map((caller) => el("li", {}, el("code", {}, value(caller.name)), " " + size(caller.pages * pageSize(row) / 1024))))] : null);
}
/* Across the fleet: a bar for each group, of the share of its pageblocks by kind. */
let heldAll = false;
function heldPicture(width) {
  const { kinds } = DATA.pictures, held = heldAll ? DATA.pictures.held : DATA.pictures.held.slice(0, HELD_GROUPS + 1), label = Math.min(220, Math.floor(width * .34)), plot = width - label - 64, high = 20;
  const lines = held.map(([group, nodes, counts]) => ({ group, nodes, list: shares(Object.fromEntries(kinds.map((kind, place) => [kind, counts[place]]))) }));
  const used = new Set(lines.flatMap(({ list }) => list.map(([letter]) => letter)));
  const line = ({ group, nodes, list }) => {
    let x = 0;
    const drawn = list.slice().sort((a, b) => inTheWay(b[0]) - inTheWay(a[0])).map(([letter, part]) => {
      const wide = part * plot, at = x;
      x += wide;
      return [svg("rect", { class: "b-" + letter, x: at.toFixed(1), width: Math.max(.6, wide - 1).toFixed(1), height: high }, svg("title", {}, HOLDERS[letter][1] + " " + share(part))), wide > 13 && letter !== "f" && svg("text", { class: "ob-" + letter, x: at + wide / 2, y: 14 }, SHOWN_LETTER[letter] || letter)];
    });
    const way = list.reduce((sum, [letter, part]) => inTheWay(letter) ? sum + part : sum, 0);
    return el("tr", {}, el("th", { scope: "row" }, group ? el("a", { href: address({ group, node: "" }), title: group }, el("bdi", {}, group)) : "All", " ", el("small", {}, plural(nodes, "node"))),
      el("td", {}, svg("svg", { viewBox: "0 0 " + plot + " " + high, width: plot, height: high, role: "img", "aria-label": sharesWords(list) }, drawn)), el("td", { class: "num" }, share(way)));
  };
  return [el("table", { class: "parts" }, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Group"), el("th", { scope: "col" }, "Pageblocks by what holds them"), el("th", { scope: "col", class: "num" }, "In the way"))), el("tbody", {}, lines.map(line))),
    held.length < DATA.pictures.held.length && el("p", {}, el("button", { type: "button", onclick: () => { heldAll = true; drawPictures(); } }, "Show all " + thousands(DATA.pictures.held.length - 1))),
    holderKeys(Object.keys(HOLDERS).filter((letter) => used.has(letter)))];
}
