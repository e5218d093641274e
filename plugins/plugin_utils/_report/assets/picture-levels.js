/* Copyright (c) 2026, The kernelops.memfrag authors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
// ---- picture: the levels of each run, as areas one upon the other, the worst at the bottom
const STANDING_WORDS = { none: "not assessed", missing: "not audited" };
/* A run of the picture: its numbers, and the way to what has changed since. */
function runMark([, , id], words, x, room, top, high) {
  const last = RUNS.length && RUNS[RUNS.length - 1][0], line = svg("path", { class: "run", d: "M" + x.toFixed(1) + " " + top + "v" + high });
  if (!RUNS.some((run) => run[0] === id) || id === last) return svg("g", {}, svg("title", {}, words), line);
  const open = (event) => { event.preventDefault(); go({ from: id, to: last, node: "" }); $("compare").scrollIntoView(); $("compare").querySelector("summary").focus({ preventScroll: true }); };
  const wide = Math.min(60, room);
  return svg("a", { href: address({ from: id, to: last, node: "" }), onclick: open }, svg("title", {}, words + ". Compare with the last run"), svg("rect", { class: "hit", x: (x - wide / 2).toFixed(1), y: top, width: wide.toFixed(1), height: high }), line);
}
function levelsPicture(width) {
  const runs = DATA.pictures.runs, names = DATA.pictures.standings, low = names.indexOf("low");
  const others = ([, counts]) => counts.reduce((sum, count, place) => place === low ? sum : sum + count, 0);
  // Where nearly all nodes are well, they would leave no room for the rest.
  const without = Math.max(...runs.map(others)) > 0 && Math.max(...runs.map((run) => others(run) / Math.max(1, others(run) + run[1][low]))) < .25;
  const used = names.map((name, place) => place).filter((place) => !(without && place === low) && runs.some((run) => run[1][place]));
  const left = 40, right = width < 480 ? 104 : 136, top = 8, high = width < 480 ? 150 : 190, bottom = 22, plot = width - left - right;
  const most = Math.max(1, ...runs.map(([, counts]) => used.reduce((sum, place) => sum + counts[place], 0)));
  const ages = runs.map((run) => run[0]), timed = ages.every((age, place) => age >= 0 && (!place || age < ages[place - 1]));
  const x = (place) => left + plot * (timed ? (ages[0] - ages[place]) / (ages[0] - ages[ages.length - 1]) : place / (runs.length - 1));
  const y = (count) => top + high * (1 - count / most);
  const base = runs.map(() => 0), areas = [], edges = [], labels = [];
  for (const place of used) {
    const floor = base.map((count, run) => [x(run), y(count)]);
    runs.forEach((run, number) => { base[number] += run[1][place]; });
    const roof = base.map((count, run) => [x(run), y(count)]);
    const points = (list) => list.map(([across, down]) => across.toFixed(1) + " " + down.toFixed(1)).join("L");
    areas.push(svg("path", { class: "a-" + names[place], d: "M" + points(roof) + "L" + points(floor.slice().reverse()) + "z" }));
    edges.push(svg("path", { class: "edge", d: "M" + points(roof) }));
    const now = runs[runs.length - 1][1][place];
    labels.push({ at: (roof[runs.length - 1][1] + floor[runs.length - 1][1]) / 2, text: (SIGN[names[place]] ? SIGN[names[place]] + " " : "") + thousands(now) + " " + (STANDING_WORDS[names[place]] || names[place]) });
  }
  // Labels keep their distance, from the bottom up.
  for (let number = 0, free = top + high; number < labels.length; number++) { labels[number].y = Math.min(labels[number].at, free); free = labels[number].y - 15; }
  const lift = Math.max(0, top + 4 - Math.min(...labels.map((label) => label.y)));
  const words = runs.map((run) => (run[0] < 0 ? "a run" : time(run[0]).slice(0, 10)) + ": " + used.map((place) => run[1][place] + " " + (STANDING_WORDS[names[place]] || names[place])).join(", "));
  let last = -Infinity;
  const dates = runs.map((run, number) => {
    if (run[0] < 0 || x(number) - last < 74 && number < runs.length - 1 || number < runs.length - 1 && number && x(runs.length - 1) - x(number) < 74) return null;
    last = x(number);
    return svg("text", { class: "axis", x: x(number), y: top + high + 16 }, time(run[0]).slice(0, 10));
  });
  const ticks = [...new Set([0, most > 3 ? Math.round(most / 2) : most, most])];
  return [svg("svg", { viewBox: "0 0 " + width + " " + (top + high + bottom), width, height: top + high + bottom, role: "group", "aria-label": "Oldest first. " + words.join("; ") },
    ticks.map((tick) => [svg("path", { class: "rule", d: "M" + left + " " + y(tick) + "h" + plot }), svg("text", { class: "axis end", x: left - 6, y: y(tick) + 4 }, thousands(tick))]), areas, edges,
    runs.map((run, number) => runMark(run, words[number], x(number), Math.max(8, Math.min(x(number) - x(Math.max(0, number - 1)), x(Math.min(runs.length - 1, number + 1)) - x(number)) || plot), top, high)),
    labels.map((label) => [svg("path", { class: "lead-line", d: "M" + (left + plot + 1) + " " + label.at.toFixed(1) + "L" + (left + plot + 9) + " " + (label.y + lift).toFixed(1) }), svg("text", { class: "start", x: left + plot + 12, y: label.y + lift + 4 }, label.text)]), dates),
    without && el("p", {}, el("small", {}, "Nodes that are well are not drawn: " + thousands(runs[runs.length - 1][1][low]) + " in the last run.")),
    RUNS.length > 1 && el("p", {}, el("small", {}, "A run leads to what has changed since, node by node."))];
}
