/* Copyright (c) 2026, The kernelops.memfrag authors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
// Everything in DATA is somebody else's text: it reaches the page as text nodes and attributes, never as markup.
const DATA = JSON.parse(document.getElementById("data").textContent);
// Places in a node's row (_as_html.py, Page._data) and in its measurements (Page._measured).
const NAME = 0, STATUS = 1, LEVEL = 2, SCORE = 3, WHY = 4, KERNEL = 5, MEMORY = 6, AGE = 7, FLAGS = 8, GROUPS = 9, FINDINGS = 10, PAST = 11,
  OUTLIERS = 12, INCIDENTS = 13, CAUSE = 14, STATES = 15, ACTION = 16, M = 17;
const ANSWERS = 0, NEEDS = 1, ZONES = 2, SIZES = 3, SLABS = 4, UNAVAILABLE = 5;
const HOSTS = DATA.hosts, CHANGES = ["", "worse", "better", "new", "lost"];
const SIGN = { critical: "▲", high: "◆", medium: "●", low: "✓", unknown: "?", info: "i" };
const CHANGE_WORDS = { worse: "↗ worse", better: "↘ better", new: "new" };
const STATE = ["at once", "after reclaim", "after compaction", "not at all"];
const STATE_SIGN = ["✓", "1", "2", "–"], STATE_HEAT = [0, 2, 3, 5];
// Up to here all rows stand in the page, so that the browser's own search finds them.
// Those that are not seen come one after the other, so that nobody waits for them.
const FEW = 300, AT_ONCE = 40, IN_ONE_GO = 6, SPARE = 12, STRIPS = 3;
const CELL = 28, ORDERS = HOSTS.reduce((most, row) => Math.max(most, row[STATES].length), 1);

// ---- small things
// What scrolls must be reached by the keyboard.
const SCROLL = { class: "scroll", tabindex: "0", role: "group", "aria-label": "Table" };
const todo = (row) => DATA.actions[row[ACTION]];
const $ = (id) => document.getElementById(id);
const isText = (value) => typeof value === "string" || typeof value === "number";
function el(tag, attributes, ...children) {
  const element = document.createElement(tag);
  return fill(element, attributes, children);
}
function svg(tag, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}
function fill(element, attributes, children) {
  for (const name in attributes || {}) {
    const value = attributes[name];
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(3)) if (child || child === 0) element.append(isText(child) ? String(child) : child);
  return element;
}
const thousands = (value) => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");
const plural = (count, noun) => thousands(count) + " " + noun + (count === 1 ? "" : "s");
function short(count) {
  if (count < 1000) return String(count);
  for (const unit of ["k", "M", "G", "T"]) {
    count /= 1000;
    if (count < 999.5 || unit === "T") return Math.round(count) + unit;
  }
}
function size(kilobytes) {
  const units = ["kB", "MB", "GB", "TB"];
  while (kilobytes >= 1000 && units.length > 1) { kilobytes /= 1024; units.shift(); }
  return (kilobytes < 10 && kilobytes % 1 ? kilobytes.toFixed(1) : Math.round(kilobytes)) + " " + units[0];
}
const quantity = (value, unit) => unit === "kB" ? size(value) : thousands(value) + (unit === "%" ? " %" : "");
function duration(seconds) {
  for (const [unit, length] of [["day", 86400], ["hour", 3600], ["minute", 60]])
    if (seconds >= 2 * length || (seconds >= length && unit !== "day")) return plural(Math.floor(seconds / length), unit);
  return plural(Math.floor(seconds), "second");
}
const NEWEST = DATA.newest ? Date.parse(DATA.newest) : 0;
const time = (age) => age < 0 ? "an unknown time" : new Date(NEWEST - 1000 * age).toISOString().slice(0, 16).replace("T", " ") + " UTC";
// Nothing from a record may break the page of a node: a part that is not of the expected shape says so.
function part(build) {
  try { return build(); } catch (error) { return el("p", { class: "odd" }, "This part of the record has an unexpected form and cannot be shown."); }
}

// ---- what the numbers mean
const named = (row) => el("bdi", {}, row[NAME]);
const level = (row) => DATA.levels[row[LEVEL]];
const kernel = (row) => DATA.kernels[row[KERNEL]];
const pageSize = (row) => kernel(row)[2];
const blockSize = (order, bytes) => size(bytes * 2 ** order / 1024);
const causeWords = (cause) => Object.hasOwn(DATA.causes, cause) ? DATA.causes[cause] : value(cause);
const stale = (row) => row[FLAGS] & 1, change = (row) => CHANGES[row[FLAGS] >> 1];
const statusWord = (row) => DATA.statuses[row[STATUS]];
/* Blocks of each order that the free blocks could be cut into, and the step of the colour scale: how much of the free memory they are. */
function heat(free) {
  const counts = new Array(free.length), steps = new Array(free.length);
  let pages = 0, usable = 0;
  free.forEach((count, order) => { pages += count * 2 ** order; });
  for (let order = free.length - 1; order >= 0; order--) {
    usable += free[order] * 2 ** order;
    const share = usable / pages;
    counts[order] = Math.floor(usable / 2 ** order);
    steps[order] = !usable ? 5 : share >= .75 ? 0 : share >= .5 ? 1 : share >= .25 ? 2 : share >= .05 ? 3 : 4;
  }
  return { counts, steps, pages };
}
function stripWords(name, counts) {
  const last = counts.reduce((found, count, order) => count ? order : found, -1);
  if (last < 0) return name + ": no free block";
  return name + ": blocks up to order " + last + (last < counts.length - 1 ? ", none from order " + (last + 1) + " on" : "") + "; of orders 0 to " + (counts.length - 1) + ": " + counts.join(", ");
}
function strip(free, name) {
  const { counts, steps } = heat(free), width = CELL, paths = ["", "", "", "", "", ""], texts = [];
  let hatch = "";
  steps.forEach((step, order) => {
    const x = order * width;
    paths[step] += "M" + x + " 0h" + (width - 1) + "v20h-" + (width - 1) + "z";
    if (step === 5) hatch += "M" + x + " 20l20 -20M" + (x + 12) + " 20l15 -15M" + x + " 8l8 -8";
    texts.push(svg("text", { x: x + width / 2, y: 14, class: "t" + step }, counts[order] ? short(counts[order]) : "–"));
  });
  return svg("svg", { viewBox: "0 0 " + Math.max(ORDERS, free.length) * width + " 20", preserveAspectRatio: "xMinYMid meet", role: "img", "aria-label": stripWords(name, counts) },
    paths.map((path, step) => path && svg("path", { class: "h" + step, d: path })),
    hatch && svg("path", { class: "hatch", d: hatch }), texts);
}
const zoneName = (zone, many) => DATA.strings[zone[1]] + (many ? " · NUMA " + zone[0] : "");
/* The same beside a strip, where a phone has room for "N1" only. */
const zoneLabel = (name, node, many) => el("span", {}, name, many && [" · N", el("i", {}, "UMA "), node]);
function badge(row) {
  if (row[STATUS]) return el("span", { class: "badge l-none" }, el("i", {}, "✕"), statusWord(row).replace(/^./, (letter) => letter.toUpperCase()));
  const name = level(row);
  if (!name) return el("span", { class: "badge l-none" }, "Not assessed");
  return el("span", { class: "badge l-" + name }, el("i", {}, SIGN[name]), name.replace(/^./, (letter) => letter.toUpperCase()), row[SCORE] >= 0 && el("b", {}, row[SCORE]));
}
const about = (row) => [kernel(row)[0], row[MEMORY] && size(row[MEMORY]), stale(row) && "stale: " + time(row[AGE])].filter(Boolean).join(" · ");
/* The runs of a node as columns: height is the score (or how many orders cannot be had at once), colour the level. */
function columns(row) {
  const marks = [], past = row[PAST];
  for (let index = 0; index < past.length; index += 2) marks.push({ age: past[index], mark: past[index + 1] });
  const n = row[STATES].length, first = [...row[STATES]].findIndex((state) => state !== "0");
  const height = row[SCORE] >= 0 ? row[SCORE] : n && first >= 0 ? Math.floor(100 * (n - first) / n) : 0;
  marks.push({ age: row[AGE], mark: row[STATUS] ? -1 : 1000 * (row[LEVEL] + 1) + height });
  return marks;
}
const markWords = (entry) => entry.mark < 0 ? "not audited" : (DATA.levels[Math.floor(entry.mark / 1000) - 1] || "not assessed") + " " + entry.mark % 1000;
function trend(row) {
  const marks = columns(row);
  if (marks.length < 2) return null;
  const step = Math.min(8, 92 / marks.length), from = 92 - step * marks.length;
  return svg("svg", { viewBox: "0 0 92 26", role: "img", "aria-label": "Earlier runs, oldest first: " + marks.map(markWords).join(", ") },
    marks.map((entry, index) => entry.mark < 0
      ? svg("path", { class: "gap", d: "M" + (from + index * step) + " 25.5h" + (step - 2) })
      : svg("rect", { class: "f-" + (DATA.levels[Math.floor(entry.mark / 1000) - 1] || "none"), x: (from + index * step).toFixed(1), width: (step - 2).toFixed(1), y: 24 - entry.mark % 1000 * .22, height: 2 + entry.mark % 1000 * .22 })));
}
