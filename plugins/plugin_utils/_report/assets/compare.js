/* Copyright (c) 2026, The kernelops.memfrag authors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
// ---- any two of the runs, node by node (_runs.py has the form of DATA.compare)
const RUNS = DATA.compare ? DATA.compare.runs : [];
// As _comparison.py has them: a smaller change of the score is noise, and orders from here on come and go with every huge page.
const SCORE_STEP = 10, LAST_COMPARED = 9;
// In one go; the rest is a button away.
const COMPARED = 50;
const INCIDENT = /^MF1\d\d$/;
// Made anew by each report: the records of earlier runs have none to compare with.
const FORECAST = /^MF7\d\d$/;
const OUTCOME = { mended: "it helped", worse: "it was worse after that", no_better: "it did not help", held_off: "a guard held it off", failed: "it failed" };
const COMPARE_GROUPS = [["worse", "Worse"], ["better", "Better"], ["other", "Changed otherwise"], ["new", "Only in the later run"], ["gone", "Only in the earlier run"]];
const rank = (levelNumber) => ["low", "unknown", "medium", "high", "critical"].indexOf(DATA.levels[levelNumber]);

/* A node in a run: {age, mark, states, findings}, or nothing if it was not in it or not audited. */
function nodeIn(index, run) {
  const row = HOSTS[index], flat = DATA.compare.nodes[index];
  if (flat[0] === run) {
    const marks = columns(row), now = marks[marks.length - 1];
    return now.mark < 0 ? null : { age: now.age, mark: now.mark, states: row[STATES], findings: row[FINDINGS].map((number) => DATA.findings[number][0]).filter((id) => !FORECAST.test(id)) };
  }
  // A run that a node is in twice, in two directories: the later record.
  for (let past = (flat.length - 1) / 3 - 1; past >= 0; past--) if (flat[1 + 3 * past] === run) {
    const mark = row[PAST][2 * past + 1];
    return mark < 0 ? null : { age: row[PAST][2 * past], mark, states: DATA.strings[flat[2 + 3 * past]], findings: DATA.finding_lists[flat[3 + 3 * past]] };
  }
  return null;
}
const levelOf = (entry) => Math.floor(entry.mark / 1000) - 1;
function orderChanges(before, after) {
  const lost = [], gained = [], orders = Math.min(before.states.length, after.states.length);
  for (let order = 0; order < orders; order++) {
    const had = before.states[order] === "0", has = after.states[order] === "0";
    if (had && !has) lost.push(order);
    if (!had && has) gained.push(order);
  }
  return { lost, gained };
}
/* What is different, or nothing. */
function difference(index, from, to) {
  const before = nodeIn(index, from), after = nodeIn(index, to);
  if (!before && !after) return null;
  if (!before || !after) return { index, before, after, kind: after ? "new" : "gone", weight: after ? rank(levelOf(after)) : 0 };
  const { lost, gained } = orderChanges(before, after);
  const came = after.findings.filter((id) => !before.findings.includes(id)), went = before.findings.filter((id) => !after.findings.includes(id));
  const levels = levelOf(before) >= 0 && levelOf(after) >= 0 ? rank(levelOf(after)) - rank(levelOf(before)) : 0;
  const step = (entry) => Math.floor(entry.mark % 1000 / SCORE_STEP);
  const scores = levels ? 0 : step(after) - step(before);
  const orders = lost.filter((order) => order < LAST_COMPARED).length - gained.filter((order) => order < LAST_COMPARED).length;
  const verdict = levels || scores || (levelOf(after) < 0 ? orders : 0);
  if (!verdict && !orders && !came.length && !went.length) return null;
  return { index, before, after, lost, gained, came, went, kind: verdict > 0 ? "worse" : verdict < 0 ? "better" : "other",
    weight: 1000 * Math.abs(levels) + 10 * Math.abs(scores) + Math.abs(orders) };
}
function ranges(orders) {
  const parts = [];
  for (const order of orders) {
    const last = parts[parts.length - 1];
    if (last && last[1] === order - 1) last[1] = order; else parts.push([order, order]);
  }
  return parts.map(([first, last]) => first === last ? String(first) : first + (last > first + 1 ? " to " : ", ") + last).join(", ");
}
const titleOf = (id) => { const known = DATA.findings.find((each) => each[0] === id); return known ? known[2] : DATA.compare.titles[id] || id; };
const levelBadge = (entry) => { const name = DATA.levels[levelOf(entry)]; return name ? el("span", { class: "badge l-" + name }, el("i", {}, SIGN[name]), name, el("b", {}, entry.mark % 1000)) : el("span", { class: "badge l-none" }, "Not assessed"); };
const remediesOf = (index) => DATA.compare && DATA.compare.remedies[index] || [];
/* Ages go down with time: what was done after the one audit and not after the other. */
const doneBetween = (index, before, after) => remediesOf(index).filter(([age]) => age >= 0 && (!before || age < before.age) && (!after || age >= after.age));
const doneWords = ([age, action, outcome, reason]) => el("li", {}, el("b", {}, action === "reclaim_then_compact" ? "Reclaimed and compacted" : action === "compact" ? "Compacted" : "Remediation"), " " + time(age) + ": " + OUTCOME[outcome], reason && el("small", {}, " " + sentence(reason)));
const findingItem = (id, before) => el("li", {}, before + (INCIDENT.test(id) ? "incident: " : "finding: "), titleOf(id), " ", el("small", {}, id));
function changeItems({ index, before, after, lost = [], gained = [], came = [], went = [] }) {
  const sizes = (orders) => "order" + (orders.length === 1 ? " " : "s ") + ranges(orders) + " (" + blockSize(orders[0], pageSize(HOSTS[index])) + (orders.length > 1 ? " and more" : "") + ")";
  // Incidents first: they are what broke.
  const first = (ids) => [...ids].sort((a, b) => INCIDENT.test(b) - INCIDENT.test(a) || (a < b ? -1 : 1));
  return [lost.length ? el("li", {}, el("b", {}, "Lost"), " " + sizes(lost)) : null, gained.length ? el("li", {}, el("b", {}, "Gained"), " " + sizes(gained)) : null,
    first(came).map((id) => findingItem(id, "New ")), first(went).map((id) => findingItem(id, "Gone ")), doneBetween(index, before, after).map(doneWords)];
}
function compareRow(change) {
  const { index, before, after } = change;
  return el("tr", { role: "row" }, el("th", { scope: "row", role: "rowheader" }, el("a", { href: "#node=" + encodeURIComponent(HOSTS[index][NAME]) }, named(HOSTS[index]))),
    el("td", { role: "cell" }, before ? levelBadge(before) : "–", " → ", after ? levelBadge(after) : "–"), el("td", { role: "cell" }, el("ul", { class: "plainlist" }, changeItems(change))));
}
const runLabel = (run) => RUNS[run][1] < 0 ? RUNS[run][0] : time(RUNS[run][1]) + (/^\d{8}T\d{6}Z$/.test(RUNS[run][0]) ? "" : " · " + RUNS[run][0]);
/* The roles are for a narrow window, in which the cells of a row stand one below the other. */
function compareTable(title, found) {
  const body = el("tbody", { role: "rowgroup" }), note = el("p", {}, el("small", {}));
  const more = el("button", { type: "button", onclick: () => grow() }, "Show more");
  let count = 0;
  const grow = () => {
    body.append(...found.slice(count, count + COMPARED).map(compareRow));
    count = Math.min(found.length, count + COMPARED);
    note.firstChild.textContent = count < found.length ? thousands(count) + " of " + plural(found.length, "node") + " " : "";
    more.hidden = count === found.length;
  };
  note.append(more); grow();
  return el("section", { "aria-label": title }, el("h3", {}, title + ": " + plural(found.length, "node")), el("div", SCROLL, el("table", { class: "grid compared", role: "table" },
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ["Node", "Level and score", "What changed"].map((text) => el("th", { scope: "col", role: "columnheader" }, text)))), body)), note);
}
let compareBox = null, compareOutcome, compareInputs;
function compareRuns(from, to) {
  const found = {};
  for (let index = 0; index < HOSTS.length; index++) {
    const change = difference(index, from, to);
    if (change) (found[change.kind] = found[change.kind] || []).push(change);
  }
  const groups = COMPARE_GROUPS.filter(([kind]) => found[kind]);
  for (const [kind] of groups) found[kind].sort((a, b) => b.weight - a.weight || a.index - b.index);
  compareOutcome.replaceChildren(el("p", { role: "status" }, from === to ? "Choose two different runs." : groups.length ? groups.map(([kind, title]) => title + ": " + thousands(found[kind].length)).join(" · ") : "No node has changed."),
    ...groups.map(([kind, title]) => compareTable(title, found[kind])));
}
/* The address says which runs: #from=ID&to=ID; without, the last two. */
function syncCompare() {
  if (!compareBox) return;
  const asked = state.from || state.to, place = (id, otherwise) => { const at = RUNS.findIndex((run) => run[0] === id); return at < 0 ? otherwise : at; };
  if (asked) compareBox.open = true;
  if (!compareBox.open) return;
  const wanted = [place(state.from, RUNS.length - 2), place(state.to, RUNS.length - 1)];
  if (compareOutcome.dataset.shown === String(wanted)) return;
  compareOutcome.dataset.shown = String(wanted);
  compareInputs.forEach((input, side) => { input.value = String(wanted[side]); });
  compareRuns(...wanted);
}
function buildCompare() {
  if (RUNS.length < 2) return;
  const choose = () => go({ from: RUNS[compareInputs[0].value][0], to: RUNS[compareInputs[1].value][0], node: "" }, true);
  // The newest first, as one looks for them.
  const input = () => el("select", { onchange: choose }, RUNS.map((run, number) => option(String(number), runLabel(number))).reverse());
  compareInputs = [input(), input()];
  compareOutcome = el("div", { class: "outcome" });
  compareBox = el("details", { class: "card compare", id: "compare", ontoggle: syncCompare }, el("summary", {}, "Compare two of the " + RUNS.length + " runs, node by node"),
    el("div", { class: "tools" }, el("label", {}, el("span", {}, "From"), compareInputs[0]), el("label", {}, el("span", {}, "To"), compareInputs[1])), compareOutcome);
  $("nodes").before(compareBox);
}
/* For the page of a node: what has changed since the run before, one list per run, newest first as the table has them. */
function changesOfRuns(index) {
  if (!DATA.compare) return [];
  const flat = DATA.compare.nodes[index], runs = [];
  for (let at = 1; at < flat.length; at += 3) runs.push(flat[at]);
  runs.push(flat[0]);
  return runs.map((run, at) => {
    const entry = nodeIn(index, run), before = at && nodeIn(index, runs[at - 1]);
    if (!entry || !before) return null;
    return changeItems({ index, before, after: entry, ...orderChanges(before, entry),
      came: entry.findings.filter((id) => !before.findings.includes(id)), went: before.findings.filter((id) => !entry.findings.includes(id)) });
  }).reverse();
}
