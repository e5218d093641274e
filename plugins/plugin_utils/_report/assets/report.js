/* Copyright (c) 2026, The kernelops.memfrag authors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
// ---- state: what is asked for stands in the address
const EMPTY = { q: "", level: "", status: "", finding: "", group: "", kernel: "", cause: "", change: "", action: "", sort: "", from: "", to: "", node: "" };
let state = Object.assign({}, EMPTY), shown = [];
function readState() {
  const asked = new URLSearchParams(location.hash.slice(1));
  return Object.fromEntries(Object.keys(EMPTY).map((key) => [key, asked.get(key) || ""]));
}
function address(changes) {
  const next = Object.assign({}, state, changes);
  return "#" + Object.keys(EMPTY).filter((key) => next[key]).map((key) => key + "=" + encodeURIComponent(next[key].toWellFormed ? next[key].toWellFormed() : next[key])).join("&");
}
function go(changes, replace) {
  const next = address(changes);
  // An empty fragment would jump to the top of the page.
  history[replace ? "replaceState" : "pushState"](null, "", next === "#" ? location.pathname + location.search : next);
  update();
}

// ---- the list
/* What nodes share is searched once for a word, however many of them have it. */
function finder(word) {
  const seen = [new Map(), new Map(), new Map(), new Map(), new Map()];
  const has = (table, key, text) => {
    if (!seen[table].has(key)) seen[table].set(key, text().toLowerCase().includes(word));
    return seen[table].get(key);
  };
  return (row) => row[NAME].toLowerCase().includes(word) || has(0, row[WHY], () => DATA.strings[row[WHY]]) || has(1, row[KERNEL], () => kernel(row).join(" ")) ||
    has(2, row[GROUPS], () => DATA.groups[row[GROUPS]].join("\n")) || row[CAUSE] >= 0 && has(0, row[CAUSE], () => DATA.strings[row[CAUSE]]) ||
    todo(row) && has(3, row[ACTION], () => actionWords(todo(row))) || (level(row) || "").includes(word) || statusWord(row).includes(word) ||
    row[FINDINGS].some((number) => has(4, number, () => DATA.findings[number][0] + " " + DATA.findings[number][2]));
}
const SORTS = {
  "": ["Worst first", null],
  name: ["Name", (a, b) => collator.compare(HOSTS[a][NAME], HOSTS[b][NAME])],
  memory: ["Most memory", (a, b) => HOSTS[b][MEMORY] - HOSTS[a][MEMORY]],
  kernel: ["Kernel", (a, b) => collator.compare(kernel(HOSTS[a])[0], kernel(HOSTS[b])[0])],
  incidents: ["Most incidents", (a, b) => HOSTS[b][INCIDENTS] - HOSTS[a][INCIDENTS]],
  oldest: ["Oldest record", (a, b) => HOSTS[b][AGE] - HOSTS[a][AGE]],
};
const collator = new Intl.Collator("en", { numeric: true });
function select() {
  const wanted = state.q.toLowerCase().split(/\s+/).filter(Boolean).map(finder), levels = state.level ? state.level.split(",") : null;
  const finding = state.finding && DATA.findings.findIndex((each) => each[0] === state.finding);
  const found = [];
  for (let index = 0; index < HOSTS.length; index++) {
    const row = HOSTS[index];
    if (levels && !(row[STATUS] === 0 && levels.includes(level(row) || "none"))) continue;
    if (state.status && !(state.status === "stale" ? stale(row) : statusWord(row) === state.status)) continue;
    if (state.finding && !row[FINDINGS].includes(finding)) continue;
    if (state.group && !DATA.groups[row[GROUPS]].includes(state.group)) continue;
    if (state.kernel && kernel(row)[0] !== state.kernel) continue;
    if (state.cause && !hadCause(index, state.cause)) continue;
    if (state.action && !(todo(row) && todo(row)[0] === state.action)) continue;
    if (state.change && change(row) !== state.change) continue;
    if (wanted.length && !wanted.every((has) => has(row))) continue;
    found.push(index);
  }
  const order = SORTS[state.sort] && SORTS[state.sort][1];
  // Sorting is stable, so that equals stay worst first.
  return order ? found.sort(order) : found;
}
function rowElement(index, place) {
  const row = HOSTS[index], measured = row[M], zones = measured ? measured[ZONES] : [];
  const many = new Set(zones.map((zone) => zone[0])).size > 1;
  const worst = worstZones(zones, STRIPS), rest = zones.length - worst.length;
  const line = el("a", { class: "row", href: address({ node: row[NAME] }), "data-index": index },
    el("div", { class: "level" }, badge(row), CHANGE_WORDS[change(row)] && el("small", {}, " ", el("br"), CHANGE_WORDS[change(row)])),
    el("div", { class: "text" }, el("div", { class: "who" }, el("b", {}, named(row)), el("small", {}, about(row))),
      el("div", { class: "why", title: DATA.strings[row[WHY]] }, row[CAUSE] >= 0 && [el("b", {}, causeWords(DATA.strings[row[CAUSE]]) + "."), " "], DATA.strings[row[WHY]])),
    el("div", { class: "strips" }, worst.map((zone) => el("div", { class: "strip" }, zoneLabel(DATA.strings[zone[1]], zone[0], many), strip(zone.slice(3), zoneName(zone, many)))),
      rest > 0 && el("small", { class: "rest" }, "The worst " + worst.length + "; " + plural(rest, "zone") + " not shown")),
    el("div", { class: "act" }, todo(row) && [el("b", {}, todo(row)[1]), todo(row)[2] && el("small", {}, todo(row)[2])]),
    el("div", { class: "trend" }, trend(row)));
  const item = el("div", { class: "item", role: "listitem", "aria-setsize": shown.length, "aria-posinset": place + 1 }, line);
  item.style.top = place * rowHeight + "px";
  return item;
}
const actionWords = (action) => action[1] + (action[2] ? ": " + action[2] : "");
/* Zones that stop at the lowest order first; those of less than a 64th of the memory (DMA) last, since hardly anybody is served from them. */
function worstZones(zones, most) {
  const total = zones.reduce((sum, zone) => sum + zone[2], 0);
  const graded = zones.map((zone, place) => {
    const { counts, steps } = heat(zone.slice(3));
    let last = counts.length - 1;
    while (last >= 0 && !counts[last]) last--;
    return { zone, place, small: total > 0 && 64 * zone[2] < total, last, heat: steps.reduce((sum, step) => sum + step, 0) };
  });
  graded.sort((a, b) => a.small - b.small || a.last - b.last || b.heat - a.heat || b.zone[2] - a.zone[2]);
  return graded.slice(0, most).sort((a, b) => a.place - b.place).map((each) => each.zone);
}
let rowHeight = 88;
const drawn = new Map();
/* The rows from first to last, in the order of the list between those that stand there already. */
function drawBetween(first, last) {
  let before = null;
  for (let place = last; place < shown.length && drawn.size && !before; place++) before = drawn.get(place) || null;
  for (let place = last - 1; place >= first; place--) {
    let element = drawn.get(place);
    if (!element) { element = rowElement(shown[place], place); drawn.set(place, element); list.insertBefore(element, before); }
    before = element;
  }
}
function drawRows(all) {
  if (state.node && pageOf(state.node) >= 0) return;
  const box = list.getBoundingClientRect();
  let first = 0, last = shown.length;
  if (!all && shown.length > AT_ONCE) {
    first = Math.min(shown.length, Math.max(0, Math.floor(-box.top / rowHeight) - SPARE));
    last = Math.max(first, Math.min(shown.length, Math.ceil((innerHeight - box.top) / rowHeight) + SPARE));
  }
  if (all) last = Math.min(shown.length, all);
  if (all || shown.length > FEW)
    for (const [place, element] of drawn) if ((place < first || place >= last) && element.firstChild !== document.activeElement) { element.remove(); drawn.delete(place); }
  drawBetween(first, last);
}
/* The rest of a list that is not long, while nobody waits for anything. */
let filling = 0;
const whenIdle = self.requestIdleCallback ? (step) => requestIdleCallback(step, { timeout: 500 }) : (step) => setTimeout(step, 40);
function fillList() {
  const mine = ++filling;
  if (shown.length <= AT_ONCE || shown.length > FEW) return;
  let place = 0;
  whenIdle(function step() {
    // The page of a node stands in the list's place; the way back starts this again.
    if (mine !== filling || opened >= 0) return;
    for (let count = 0; place < shown.length && count < IN_ONE_GO; place++) if (!drawn.has(place)) { drawBetween(place, place + 1); count++; }
    if (place < shown.length) whenIdle(step);
  });
}
function drawList() {
  for (const element of drawn.values()) element.remove();
  drawn.clear();
  rowHeight = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row")) || 88;
  list.style.height = (shown.length ? shown.length * rowHeight : 96) + "px";
  empty.hidden = shown.length > 0; list.hidden = !shown.length;
  drawRows();
  fillList();
}
function option(value, label) { return el("option", { value }, label || value); }
function choice(name, label, options) {
  const input = el("select", { "data-key": name, onchange: () => go({ [name]: input.value, node: "" }, true) }, options);
  // A choice between all and all is none; not every node has a finding or a cause, though.
  return options.length > (name === "finding" || name === "cause" ? 1 : 2) ? el("label", {}, el("span", {}, label), input) : null;
}
function counted(values) {
  const counts = new Map();
  for (const value of values) if (value) counts.set(value, (counts.get(value) || 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || collator.compare(a[0], b[0])).slice(0, 200).map(([value, count]) => option(value, value + " (" + thousands(count) + ")"));
}
let search, tools, chips, list, empty, count, node, fleet, notice, printed, asked;
const TITLE = document.title;
function build() {
  search = el("input", { type: "search", "data-key": "q", placeholder: "Name, kernel, cause …", autocomplete: "off", spellcheck: "false",
    oninput: () => go({ q: search.value, node: "" }, true) });
  const levelCounts = DATA.levels.map((name, number) => [name, HOSTS.filter((row) => row[STATUS] === 0 && row[LEVEL] === number).length]).filter((each) => each[1]);
  const levels = levelCounts.map(([name, number]) => option(name, name + " (" + thousands(number) + ")"));
  if (levels.length) levels.splice(0, 0, levelCounts.filter((each) => each[0] === "critical" || each[0] === "high").length > 1 ? option("critical,high", "critical and high") : null);
  tools = el("div", { class: "tools", role: "search" },
    el("label", {}, el("span", {}, "Search ", el("kbd", { "aria-hidden": "true" }, "/")), search),
    choice("level", "Level", [option("", "All"), ...levels.filter(Boolean)]),
    choice("action", "What to do", [option("", "All"), ...DATA.actions.map(([key, title, helps], number) => option(key, actionWords(DATA.actions[number]) + " (" + thousands(HOSTS.filter((row) => row[ACTION] === number).length) + ")"))]),
    choice("status", "Status", [option("", "All"), ...counted(HOSTS.map(statusWord)), HOSTS.some(stale) && option("stale")].filter(Boolean)),
    choice("finding", "Finding", [option("", "All"), ...DATA.findings.map((finding, number) => option(finding[0], finding[0] + " (" + thousands(HOSTS.filter((row) => row[FINDINGS].includes(number)).length) + ")"))]),
    choice("cause", "Cause", [option("", "All"), ...counted(causesOfNodes())]),
    choice("group", "Group", [option("", "All"), ...counted(HOSTS.flatMap((row) => DATA.groups[row[GROUPS]]))]),
    choice("kernel", "Kernel", [option("", "All"), ...counted(HOSTS.map((row) => kernel(row)[0]))]),
    choice("sort", "Sort by", Object.keys(SORTS).map((key) => option(key, SORTS[key][0]))));
  count = el("span", { role: "status" });
  chips = el("div", { class: "chips" }, count, el("button", { type: "button", hidden: true, onclick: () => go(Object.assign({}, EMPTY, { sort: state.sort })) }, "Show all nodes"));
  notice = el("p", { class: "notice", role: "status", hidden: true });
  empty = el("p", { class: "empty", hidden: true }, "No node fits. ", el("button", { type: "button", onclick: () => go(EMPTY) }, "Show all nodes"));
  printed = el("p", { class: "printed" });
  asked = el("div", { class: "asked", role: "group", "aria-label": "What to do about the nodes that fit" });
  list = el("div", { class: "list", role: "list", "aria-label": "Nodes" });
  const axis = svg("svg", { viewBox: "0 0 " + ORDERS * CELL + " 20", preserveAspectRatio: "xMinYMid meet" },
    Array.from({ length: ORDERS }, (each, order) => svg("text", { class: "axis", x: order * CELL + CELL / 2, y: 14 }, order)));
  const head = el("div", { class: "head row", "aria-hidden": "true" }, el("span", {}, "Level"), el("span", {}, "Node and reason"), el("span", { class: "act" }, "What to do"), el("div", { class: "strips" }, el("div", { class: "strip" }, el("span", {}, "Order"), axis)), el("span", { class: "trend" }, "Trend"));
  fleet = el("div", {}, notice, tools, chips, asked, printed, head, list, empty);
  const label = HOSTS.some((row) => row[M] && row[M][ZONES].some((zone) => zone[0])) ? 104 : 64;
  document.body.style.setProperty("--label", label + "px");
  fleet.style.setProperty("--strips", Math.min(label + ORDERS * CELL, 440) + "px");
  document.body.style.setProperty("--orders", ORDERS);
  node = el("div", { class: "node", hidden: true });
  $("app").append(fleet, node);
  $("static").remove();
  buildCompare();
  buildKeyHelp();
  for (const each of document.querySelectorAll(".command")) each.append(copyButton(each.firstChild.textContent));
  if (!HOSTS.some((row) => row[PAST].length)) fleet.classList.add("no-trend");
  // Where no node could be audited there are no strips, and nothing to say how to read them.
  if (!HOSTS.some((row) => row[M])) document.documentElement.classList.add("no-strips");
}

// ---- one node
const places = new Map(HOSTS.map((row, index) => [row[NAME], index]));
/* A link may have a node's name as it is: here what nobody would see in it stands as in U+202E. */
function pageOf(name) {
  if (!places.has(name)) {
    const either = Array.from(name, (one) => "(?:" + one.replace(/[\\^$.*+?()[\]{}|/]/, "\\$&") + "|U\\+" + one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0") + ")");
    const asked = new RegExp("^" + either.join("") + "$", "u");
    places.set(name, HOSTS.findIndex((row) => asked.test(row[NAME])));
  }
  return places.get(name);
}
function copyButton(text) {
  const button = el("button", { type: "button", onclick: async () => {
    let done = false;
    try { await navigator.clipboard.writeText(text); done = true; } catch (error) {
      const area = el("textarea", { class: "unseen" });
      area.value = text; document.body.append(area); area.select();
      try { done = document.execCommand("copy"); } catch (failed) { /* nothing else to try */ }
      area.remove(); button.focus();
    }
    button.textContent = done ? "Copied" : "Select and copy";
    setTimeout(() => { button.textContent = "Copy"; }, 1600);
  } }, "Copy");
  return button;
}
const command = (text) => el("div", { class: "command" }, el("code", { tabindex: text.length > 120 && "0" }, text), copyButton(text));
/* A command has its limits, as in _actions.py. */
const MOST_IN_COMMAND = 100;
/* For some of the nodes what the cards at the top are for all: the command of each action, for the worst of them that can be named. */
function commandsFor(rows) {
  const nodes = DATA.actions.map(() => []);
  // Worst first, whatever the list is sorted by.
  for (const index of rows.slice().sort((a, b) => a - b)) if (todo(HOSTS[index])) nodes[HOSTS[index][ACTION]].push(index);
  return DATA.actions.map((action, number) => {
    const names = nodes[number].slice(0, MOST_IN_COMMAND).map(targetOf).filter(Boolean);
    if (!action[4].length || !names.length) return null;
    const covered = names.length < nodes[number].length ? ", the worst " + names.length : "";
    return el("div", { class: "command" }, el("b", {}, action[1] + ": " + plural(nodes[number].length, "node") + covered), el("code", {}, action[4].join(names.join(action[5]))), copyButton(action[4].join(names.join(action[5]))));
  }).filter(Boolean);
}
/* A node as a word of a command, or nothing if it cannot be named in one. */
const targetOf = (index) => DATA.targets[index] === undefined ? HOSTS[index][NAME] : DATA.targets[index];
/* "command    # what is to be said about it" */
function remedy(text) {
  const parts = String(text).split(/\s{2,}#\s*/);
  return [command(parts[0]), parts.length > 1 && el("p", {}, el("small", {}, parts.slice(1).join(" ")))];
}
const inUnits = (text) => String(text).replace(/(^|[^\w.])(?:(\d{1,15}) of )?(\d{4,15}) kB\b/g, (all, before, one, other) => before + (one ? size(Number(one)) + " of " : "") + size(Number(other)));
const sentence = (text) => { text = inUnits(value(text)); return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : "."); };
function value(any, name) {
  if (typeof any === "number" && /(^|_)kb$/.test(name || "")) return size(any);
  if (any === null || any === undefined) return "–";
  if (Array.isArray(any)) return any.map(value).join(", ");
  if (typeof any === "object") return Object.keys(any).map((key) => key + ": " + value(any[key], key)).join(", ");
  return typeof any === "number" && Number.isInteger(any) ? thousands(any) : String(any);
}
const pairs = (object) => el("div", SCROLL, el("table", { class: "grid" }, el("tbody", {}, Object.keys(object).map((key) => el("tr", {}, el("th", { scope: "row" }, key), cell(object[key], key))))));
const isRecord = (any) => any !== null && typeof any === "object" && !Array.isArray(any);
/* Evidence is of any shape: a number, text, a list of things with the same fields. */
function cell(any, name) {
  if (!Array.isArray(any) || !any.length || !any.every(isRecord)) return el("td", { class: typeof any === "number" ? "num" : null }, typeof any === "string" ? inUnits(any) : value(any, name));
  const fields = Object.keys(any[0]);
  return el("td", {}, el("table", { class: "grid" }, el("thead", {}, el("tr", {}, fields.map((field) => el("th", { scope: "col" }, field)))),
    el("tbody", {}, any.map((each) => el("tr", {}, fields.map((field) => el("td", {}, value(each[field], field))))))));
}
const card = (title, ...children) => el("section", { class: "card", "aria-label": title }, el("h3", {}, title), children);
function stateMark(digit) {
  const known = STATE[digit];
  return el("span", { class: "state s" + digit }, el("span", { class: "h" + (known ? STATE_HEAT[digit] : 2) }, known ? STATE_SIGN[digit] : "?"), known || "unknown");
}
function answerTable(row) {
  const measured = row[M], nodes = measured[ANSWERS] || [], needs = DATA.needs[measured[NEEDS]];
  return el("div", SCROLL, el("table", { class: "grid answer" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Order"), el("th", { scope: "col" }, "Block"), el("th", { scope: "col" }, "Can be had"),
      nodes.map(([name]) => el("th", { scope: "col" }, "NUMA " + name)), el("th", { scope: "col" }, "Who asks for it"))),
    el("tbody", {}, [...row[STATES]].map((state, order) => el("tr", {}, el("th", { scope: "row" }, order), el("td", {}, blockSize(order, pageSize(row))),
      el("td", {}, stateMark(state)), nodes.map(([, states]) => el("td", {}, stateMark(states[order]))), el("td", {}, (needs[order] || []).join("; ")))))));
}
function zoneTable(row, zone, more, many) {
  const free = zone.slice(3), { counts, steps, pages } = heat(free), bytes = pageSize(row);
  const line = (label, cells, group) => el("tr", { class: group ? "group" : null }, el("th", { scope: "row" }, label), cells.map((cell) => el("td", {}, cell)));
  const thousandths = (all) => all.map((each) => each === -1000 ? "–" : (each / 1000).toFixed(3));
  const marks = more && more.watermarks, types = more && more.migratetypes || {}, blocks = more && more.pageblocks || {};
  const total = Object.values(blocks).reduce((sum, each) => sum + each, 0);
  return el("div", SCROLL, el("h4", {}, "Zone " + zoneName(zone, many)),
    el("p", {}, el("small", {}, [size(pages * bytes / 1024) + " free" + (zone[2] ? " of " + size(zone[2] * bytes / 1024) : ""),
      marks && marks.min !== null && "watermarks: min " + size(marks.min * bytes / 1024) + ", low " + size(marks.low * bytes / 1024) + ", high " + size(marks.high * bytes / 1024),
      total && "page blocks: " + Object.keys(blocks).filter((name) => blocks[name]).map((name) => name.toLowerCase() + " " + Math.round(100 * blocks[name] / total) + " %").join(", "),
      more && more.index_source && "indices " + (more.index_source === "debugfs" ? "from debugfs" : "computed")].filter(Boolean).join(" · "))),
    el("table", { class: "zone" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Order"), free.map((each, order) => el("th", { scope: "col" }, order, el("br"), blockSize(order, bytes))))),
      el("tbody", {}, line("Free blocks (buddyinfo)", free.map(thousands)),
        el("tr", {}, el("th", { scope: "row" }, "Blocks that can be cut"), counts.map((each, order) => el("td", { class: "h" + steps[order] }, each ? thousands(each) : "–"))),
        more && more.extfrag_index && line("Fragmentation index", thousandths(more.extfrag_index)),
        more && more.unusable_index && line("Unusable share", thousandths(more.unusable_index)),
        Object.keys(types).filter((name) => types[name].some(Boolean)).map((name, index) => line((index ? "" : "Free: ") + name, types[name].map(thousands), !index)))));
}
const clock = (text) => String(text || "").replace("T", " ").replace("Z", " UTC");
const several = (all, most) => all.slice(0, most).join(", ") + (all.length > most ? " and " + (all.length - most) + " more" : "");
function eventView(row, event) {
  const where = [clock(event.time || event.time_raw), event.source && event.source + (event.line ? ":" + event.line : "")].filter(Boolean).join(" · ");
  const about = [event.order !== undefined && "order " + event.order + " (" + blockSize(event.order, pageSize(row)) + ")", event.gfp_flags && event.gfp_flags.join("|"), event.call_site && "from " + event.call_site + (event.call_module ? " [" + event.call_module + "]" : ""),
    event.cache && "cache " + event.cache, event.usage_kb && event.limit_kb && size(event.usage_kb) + " used of a limit of " + size(event.limit_kb), event.victim_comm && "killed " + event.victim_comm].filter(Boolean).join(" · ");
  const zones = (event.zones || []).filter((zone) => Array.isArray(zone.free_blocks));
  return [el("div", { class: "log" }, where && el("small", {}, where), event.message || event.error || event.kind), about && el("p", {}, el("small", {}, about)),
    event.trace && event.trace.length ? el("details", {}, el("summary", {}, "Call trace"), el("div", { class: "log" }, event.trace.join("\n"))) : null,
    zones.length ? el("div", { class: "strips" }, el("small", {}, "Free memory at that moment"),
      zones.map((zone) => el("div", { class: "strip" }, zoneLabel(zone.zone, zone.node, zones.some((other) => other.node !== zones[0].node)), strip(zone.free_blocks, String(zone.zone))))) : null];
}
function incidentView(row, incident) {
  return el("div", { class: "incident" }, el("h4", {}, causeWords(incident.cause)), el("p", {}, sentence(incident.reason)),
    el("p", { class: "facts" }, [[incident.count, incident.count === 1 ? "time" : "times"], [null, [incident.first_time, incident.last_time].filter((each, index, all) => each && each !== all[index - 1]).map(clock).join(" to ")], ["Confidence", incident.confidence],
      (incident.pods || []).length && ["Pods", several(incident.pods.map(value), 4)], (incident.containers || []).length && ["Containers", several(incident.containers.map((each) => String(value(each)).slice(0, 12)), 4)]]
      .filter((each) => each && each[1]).map(([name, text]) => el("span", {}, name !== null && name + " ", typeof name === "number" ? text : el("b", {}, text)))),
    (incident.events || []).map((event) => part(() => el("div", {}, eventView(row, event)))),
    incident.more_events ? el("p", {}, el("small", {}, plural(incident.more_events, "more event") + " in the record.")) : null,
    (incident.rejected || []).length ? el("details", {}, el("summary", {}, "What it is not"), el("ul", { class: "plainlist" }, incident.rejected.map((each) => el("li", {}, causeWords(each.cause) + ": " + inUnits(value(each.why)))))) : null);
}
/* said: commands that stand on the page already; a node with three findings is restarted once. */
function findingView([id, level, title, evidence, about], said) {
  const [command, variable, docs] = DATA.abouts[about];
  const severity = SIGN[level] ? level : "unknown";
  return el("div", { class: "incident" }, el("p", {}, el("span", { class: "badge l-" + severity }, el("i", {}, SIGN[severity]), severity), " ", el("b", {}, sentence(title)), " ", el("small", {}, /^https:\/\//.test(docs) ? el("a", { href: docs, rel: "noopener noreferrer" }, id) : id)),
    command && !said.has(command) && said.add(command) && remedy(command), variable && el("p", {}, el("small", {}, "For good: ", el("code", {}, variable), " of the role memfrag_tuning.")),
    evidence && Object.keys(evidence).length ? el("details", {}, el("summary", {}, "Evidence"), pairs(evidence)) : null);
}
/* Whether the logs were read at all decides what it means that nothing was found in them. */
const searched = (sources) => sources.length > 0 && el("p", {}, el("small", {}, "Logs: ", sources.map(([name, status, lines, reason]) => name + " (" + (status === "read" ? plural(lines || 0, "line") + " of interest" : [status, reason].filter(Boolean).join(": ")) + ")").join(", ")));
function slabTable(row, detail) {
  const caches = detail ? detail.slabs : row[M][SLABS].map(([name, kilobytes]) => [DATA.strings[name], kilobytes]);
  const most = Math.max(1, ...caches.map(([, kilobytes]) => kilobytes));
  return el("div", SCROLL, el("table", { class: "grid" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Cache"), el("th", { scope: "col", class: "num" }, "Size"), el("td", {}), detail && [el("th", { scope: "col", class: "num" }, "In use"), el("th", { scope: "col", class: "num" }, "Order")])),
    el("tbody", {}, caches.map(([name, kilobytes, used, order]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", { class: "num" }, size(kilobytes)),
      el("td", {}, svg("svg", { class: "meter", width: 80, height: 10, "aria-hidden": "true" }, svg("rect", { width: 80, height: 10, rx: 2 }), svg("rect", { width: Math.max(1, 80 * kilobytes / most), height: 10, rx: 2 }))),
      detail && [el("td", { class: "num" }, value(used) + " %"), el("td", { class: "num" }, value(order))])))));
}
// ---- putting it together
/* Links to what this report does not have say so. */
function lostLinks(index) {
  const lost = [];
  if (state.node && index < 0) lost.push("This report has no node " + state.node + ".");
  if (state.finding && !DATA.findings.some((each) => each[0] === state.finding)) lost.push("This report has no finding " + state.finding + ".");
  for (const run of [state.from, state.to]) if (run && !RUNS.some((each) => each[0] === run)) lost.push("This report has no run " + run + ".");
  if (state.action && !DATA.actions.some((each) => each[0] === state.action)) lost.push("No node of this report is to be mended like this: " + state.action + ".");
  return lost.join(" ");
}
let opened = -1, scrolled = 0, key = "";
function update() {
  const before = state;
  state = readState();
  const filters = address({ node: "", from: "", to: "" });
  syncCompare();
  if (filters !== key || !key) { key = filters; shown = select(); if (search) { syncTools(); drawList(); mapLater(); } }
  const index = state.node ? pageOf(state.node) : HOSTS.length === 1 ? 0 : -1;
  const lost = lostLinks(index);
  notice.hidden = !lost; notice.textContent = lost;
  document.title = index >= 0 && HOSTS.length > 1 ? HOSTS[index][NAME] + " – memory fragmentation" : TITLE;
  if (index === opened) return;
  if (index >= 0) {
    if (opened < 0) scrolled = scrollY;
    opened = index;
    node.replaceChildren(...nodeView(index).filter(Boolean));
    // The name of the node is the heading of the page, unless it is alone and stands at the top.
    if (HOSTS.length > 1) for (const heading of node.querySelectorAll("h3, h4")) heading.setAttribute("aria-level", heading.tagName[1] - 1);
    node.hidden = false; fleet.hidden = true; $("nodes-title").hidden = true;
    // The page of one node among many is about that node alone.
    document.body.classList.toggle("one", HOSTS.length > 1);
    if (state.node) { scrollTo(0, 0); node.querySelector("h2").focus({ preventScroll: true }); }
  } else {
    const from = before.node;
    opened = -1;
    node.hidden = true; node.replaceChildren(); fleet.hidden = false; $("nodes-title").hidden = false;
    document.body.classList.remove("one");
    scrollTo(0, scrolled); drawRows(); fillList();
    for (const { firstChild: row } of drawn.values()) if (HOSTS[row.dataset.index][NAME] === from) row.focus({ preventScroll: true });
  }
}
function syncTools() {
  for (const input of tools.querySelectorAll("[data-key]")) if (input !== document.activeElement || input.tagName === "SELECT") {
    input.value = state[input.dataset.key];
    // A state of the address that the menu does not offer, such as two levels.
    if (input.tagName === "SELECT" && input.value !== state[input.dataset.key]) { input.append(option(state[input.dataset.key])); input.value = state[input.dataset.key]; }
  }
  const filtered = ["q", "level", "status", "finding", "group", "kernel", "cause", "change", "action"].some((name) => state[name]);
  count.textContent = filtered ? thousands(shown.length) + " of " + plural(HOSTS.length, "node") + (state.change ? ", " + state.change : "") : plural(HOSTS.length, "node");
  chips.querySelector("button").hidden = !filtered;
  asked.replaceChildren(...(filtered ? commandsFor(shown) : []));
}
const onRow = () => document.activeElement.matches(".list .row");
function move(by) {
  const rows = [...drawn].sort((a, b) => a[0] - b[0]).map((each) => each[1].firstChild), at = rows.indexOf(document.activeElement);
  const next = at < 0 ? rows.find((row) => row.getBoundingClientRect().bottom > 0) : rows[at + by];
  if (next) { next.focus({ preventScroll: true }); next.scrollIntoView({ block: "nearest" }); drawRows(); }
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.key === "/" && !typing) { event.preventDefault(); if (state.node) go({ node: "" }); search.focus(); search.select(); }
  else if (event.key === "?" && !typing) { event.preventDefault(); toggleKeyHelp(); }
  else if (event.key === "Escape" && state.node) go({ node: "" });
  else if (event.key === "Escape" && typing && search.value) { search.value = ""; go({ q: "" }, true); }
  else if (!typing && opened < 0 && (event.key === "j" || event.key === "ArrowDown" && onRow())) { event.preventDefault(); move(1); }
  else if (!typing && opened < 0 && (event.key === "k" || event.key === "ArrowUp" && onRow())) { event.preventDefault(); move(-1); }
  else if (!typing && state.node && (event.key === "j" || event.key === "k")) { const place = shown.indexOf(opened) + (event.key === "j" ? 1 : -1); if (shown[place] !== undefined) go({ node: HOSTS[shown[place]][NAME] }); }
});
// The address is for the state of the list; a jump within the page must not replace it.
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); (opened < 0 ? search : node.querySelector("h2")).focus(); });
let waiting = false;
addEventListener("scroll", () => { if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; drawRows(); }); } }, { passive: true });
addEventListener("resize", () => drawList());
addEventListener("hashchange", () => { update(); if (!state.node && /[#&]?(level|status|finding|change|group|kernel|cause|action)=/.test(location.hash)) $("nodes").scrollIntoView(); });
addEventListener("popstate", update);
build();
update();
watchPictures();
