/* Copyright (c) 2026, The kernelops.memfrag authors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
// ---- the page of one node: the verdict, what to do, the proof; the rest is folded
/* A card that is folded; its title says what is in it. */
const folded = (title, ...children) => el("section", { class: "card", "aria-label": title }, el("details", {}, el("summary", {}, el("h3", {}, title)), children));
function scoreParts(findings) {
  const { base, weight, highest } = DATA.score, known = findings.filter((finding) => Object.hasOwn(base, finding[1]));
  if (!known.length) return null;
  const gravest = known.reduce((worst, finding) => base[finding[1]] > base[worst[1]] ? finding : worst);
  const others = known.filter((finding) => finding !== gravest && weight[finding[1]]);
  return { gravest, others, start: base[gravest[1]], more: others.map((finding) => weight[finding[1]]), most: highest[gravest[1]] };
}
/* What the score is made of, where it stands. */
function scoreView(row, findings) {
  const parts = row[SCORE] >= 0 && scoreParts(findings);
  if (!parts) return null;
  const { gravest, others, start, more, most } = parts, sum = more.reduce((all, each) => all + each, start);
  return el("details", { class: "score" }, el("summary", {}, "Why " + row[SCORE] + " of 100?"),
    el("table", { class: "grid" }, el("tbody", {},
      el("tr", {}, el("td", { class: "num" }, start), el("td", {}, "the gravest finding is " + gravest[1] + ": " + gravest[0])),
      others.map((finding, place) => el("tr", {}, el("td", { class: "num" }, "+ " + more[place]), el("td", {}, "one more that is " + finding[1] + ": " + finding[0]))),
      sum > most && el("tr", {}, el("td", { class: "num" }, "at most " + most), el("td", {}, "as long as none is graver")))),
    el("p", {}, el("small", {}, "Findings of severity info add nothing. The score compares nodes; it is no probability.")));
}
function remediationView(row, remediation, why) {
  const action = todo(row);
  if (!action) return null;
  const target = targetOf(places.get(row[NAME]));
  const reason = remediation && remediation.reason ? sentence(remediation.reason) : "";
  // The reason often ends in what the card says anyway.
  const helps = action[2] && !reason.toLowerCase().includes(action[2].toLowerCase()) ? sentence(action[2]) : "";
  return el("section", { class: "card do", "aria-label": "What to do" }, el("h3", {}, action[1]),
    el("p", {}, [reason === why ? "" : reason, helps, action[3]].filter(Boolean).join(" ")),
    action[4].length && target ? command(action[4].join(target)) : null);
}
/* What mends a node that could not be audited, as the list of failures at the top has it. */
function mendView(index) {
  const mend = DATA.mends[DATA.unseen[index]];
  if (!mend) return null;
  const [title, advice, around] = mend, target = targetOf(index);
  return el("section", { class: "card do", "aria-label": "What to do" }, el("h3", {}, title), el("p", {}, advice), around.length && target ? command(around.join(target)) : null);
}
function pastView(index) {
  const row = HOSTS[index], marks = columns(row), changes = changesOfRuns(index);
  if (marks.length < 2) return null;
  const meter = (score) => svg("svg", { class: "meter", width: 120, height: 10, role: "img", "aria-label": score + " of 100" }, svg("rect", { width: 120, height: 10, rx: 2 }), svg("rect", { width: 1.2 * score, height: 10, rx: 2 }));
  const rows = marks.reverse().map((entry, place) => el("tr", {}, el("th", { scope: "row" }, time(entry.age)), el("td", {}, entry.mark < 0 ? "not audited" : levelBadge(entry)),
    el("td", {}, entry.mark >= 0 && meter(entry.mark % 1000)), el("td", {}, changes[place] && changes[place].flat().some(Boolean) ? el("ul", { class: "plainlist" }, changes[place]) : null)));
  return folded("Earlier runs", el("div", SCROLL, el("table", { class: "grid past" },
    el("thead", {}, el("tr", {}, ["When", "Level and score", "", "What had changed"].map((text) => text ? el("th", { scope: "col" }, text) : el("td", {})))), el("tbody", {}, rows))));
}
const plainList = (items) => el("ul", { class: "plainlist" }, items.map((item) => el("li", {}, item)));
function peersView(row) {
  return folded("Unlike its peers: " + row[OUTLIERS].map(([metric]) => DATA.metrics[metric][0].toLowerCase()).join(", "),
    el("p", {}, "Compared with the median of the nodes with the same kernel and about the same memory."),
    plainList(row[OUTLIERS].map(([metric, here, median, peers]) => [el("b", {}, DATA.metrics[metric][0] + ": " + quantity(here, DATA.metrics[metric][1])),
      "; the median of " + thousands(peers) + " nodes is " + quantity(median, DATA.metrics[metric][1]) + (median ? " (" + (here / median).toFixed(1) + " times)" : "") + "."])));
}
function memoryView(row, detail) {
  const names = ["Free", "Available", "Reclaimable slab", "Unreclaimable slab"];
  const sizes = names.map((name, place) => [name, row[M][SIZES][place]]).filter((each) => typeof each[1] === "number");
  if (!sizes.length) return null;
  return folded("Memory and slab caches", el("div", { class: "pair" },
    el("table", { class: "grid" }, el("tbody", {}, sizes.map(([name, kilobytes]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", { class: "num" }, size(kilobytes)))))),
    row[M][SLABS].length ? slabTable(row, detail) : null));
}
function settingsView(detail) {
  return folded("Settings and counters", el("div", { class: "pair" },
    el("div", {}, el("h4", {}, "sysctl"), pairs(DATA.settings[detail.settings].sysctl), el("h4", {}, "Kernel"), pairs(DATA.settings[detail.settings].kernel)),
    el("div", {}, el("h4", {}, "Counters since start, other than 0"), pairs(detail.counters), detail.pressure && [el("h4", {}, "Memory pressure"), pairs(detail.pressure)],
      Object.keys(detail.unparsed_lines).length ? [el("h4", {}, "Lines not understood"), pairs(detail.unparsed_lines)] : null)));
}
/* Log lines beside the free memory that they speak of. */
function proofView(index, detail) {
  const profile = part(() => profileCard(index));
  const broke = !detail || !detail.searched.length && !detail.incidents.length ? null
    : part(() => card("What broke", detail.incidents.length ? detail.incidents.map((incident) => part(() => incidentView(HOSTS[index], incident))) : el("p", {}, "Nothing that the logs tell of."), searched(detail.searched)));
  return broke && profile && detail.incidents.length ? el("div", { class: "pair proof" }, broke, profile) : [broke, profile];
}
function findingsView(row, detail, said) {
  if (detail && detail.findings.length) return card("Findings", detail.findings.map((finding) => part(() => findingView(finding, said))));
  return !detail && row[FINDINGS].length ? card("Findings", plainList(row[FINDINGS].map((number) => [DATA.findings[number][2] + " ", el("small", {}, DATA.findings[number][0])]))) : null;
}
function nodeHead(index, detail) {
  const row = HOSTS[index], place = shown.indexOf(index);
  const step = (by, label) => place >= 0 && shown[place + by] !== undefined && el("a", { href: address({ node: HOSTS[shown[place + by]][NAME] }) }, label);
  return [
    el("nav", { class: "nav", "aria-label": "Nodes" }, el("a", { href: address({ node: "" }), onclick: (event) => { event.preventDefault(); go({ node: "" }); } }, "← All nodes"), el("span", {}, step(-1, "↑ Worse"), " ", step(1, "Next ↓"))),
    el("h2", { tabindex: "-1", "aria-level": "1" }, named(row)),
    el("p", {}, badge(row), change(row) && el("small", {}, " " + ({ worse: "worse than before", better: "better than before", new: "new in this report", lost: "answered last time" })[change(row)])),
    el("p", { class: "lead" }, row[CAUSE] >= 0 && [el("b", {}, causeWords(DATA.strings[row[CAUSE]]) + "."), " "], DATA.strings[row[WHY]]),
  ];
}
function nodeView(index) {
  const row = HOSTS[index], measured = row[M], detail = DATA.details[index], many = measured && new Set(measured[ZONES].map((zone) => zone[0])).size > 1;
  // The top of the page has the name and the verdict of a node that is alone.
  const alone = HOSTS.length === 1;
  const facts = [kernel(row)[0] && ["Kernel", kernel(row)[0] + " " + kernel(row)[1]], row[MEMORY] && ["Memory", size(row[MEMORY])], measured && ["Page", size(pageSize(row) / 1024)], detail && typeof detail.uptime === "number" && ["Up", duration(detail.uptime)],
    row[AGE] >= 0 && [row[STATUS] ? "Tried" : "Audited", time(row[AGE]) + (stale(row) ? " (stale)" : "")], DATA.groups[row[GROUPS]].length && ["Groups", DATA.groups[row[GROUPS]].join(", ")]].filter(Boolean);
  const said = new Set(), unavailable = measured ? DATA.unavailable[measured[UNAVAILABLE]] : {}, why = DATA.strings[row[WHY]];
  return [
    alone ? null : nodeHead(index, detail),
    part(() => scoreView(row, detail ? detail.findings : [])),
    el("p", { class: "facts" }, facts.map(([name, text]) => el("span", {}, name + " ", el("b", {}, text)))),
    alone ? null : part(() => mendView(index) || remediationView(row, detail && detail.remediation, why)),
    proofView(index, detail),
    part(() => findingsView(row, detail, said)),
    detail && detail.ignored.length ? part(() => card("Ignored by policy", plainList(detail.ignored.map(([id, title, reason]) => [value(id) + ": " + sentence(title) + " ", el("small", {}, "Reason: " + value(reason))])))) : null,
    measured && part(() => card("What it can hand out", row[STATES].length ? answerTable(row) : el("p", {}, "This is not known."))),
    part(() => pageblocksCard(index)),
    part(() => watchCard(index)),
    measured && part(() => folded("Free memory by zone and order", measured[ZONES].map((zone, number) => part(() => zoneTable(row, zone, detail && detail.zones[number], many))))),
    measured && part(() => memoryView(row, detail)),
    row[OUTLIERS].length ? part(() => peersView(row)) : null,
    part(() => pastView(index)),
    Object.keys(unavailable).length ? part(() => folded("Could not be read: " + Object.keys(unavailable).join(", "), plainList(Object.keys(unavailable).map((name) => [el("b", {}, name), ": ", value(unavailable[name])])))) : null,
    detail && part(() => settingsView(detail)),
    measured && !detail && el("p", {}, el("small", {}, "The page has the details of the worst " + thousands(Object.keys(DATA.details).length) + " nodes that need a look, and not of one with more than 500 kB of them; those of the others are in their records and in report.json.")),
  ].flat(2);
}
