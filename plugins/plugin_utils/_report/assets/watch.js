/* Copyright (c) 2026, The kernelops.memfrag authors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
// ---- who fragments a node, where the audit was asked to watch: facts.watch
function watchCard(index) {
  const watch = DATA.details[index] && DATA.details[index].watch;
  if (!watch) return null;
  const rows = watch.fragmenters.slice(0, 12), more = watch.fragmenters.length - rows.length;
  const said = [plural(watch.events, "allocation") + " took a block of another migratetype in " + Math.round(watch.seconds) + " s", watch.overrun && thousands(watch.overrun) + " more were lost", watch.stopped_early && "ended early: there was more than a watch can take"].filter(Boolean).join("; ");
  return card("Who breaks up its memory", el("p", {}, el("small", {}, said + ".")),
    rows.length ? el("div", SCROLL, el("table", { class: "grid" },
      el("thead", {}, el("tr", {}, [["Task"], ["Function"], ["Where"], ["From, for"], ["Pageblocks", "num"]].map(([text, kind]) => el("th", { scope: "col", class: kind }, text)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, el("th", { scope: "row" }, row.pollutes ? el("b", {}, value(row.comm)) : value(row.comm)), el("td", {}, el("code", {}, value(row.function))),
        el("td", {}, value(row.container ? String(row.container).slice(0, 12) : row.cgroup)), el("td", {}, value(row.fallback_migratetype) + " → " + value(row.alloc_migratetype)), el("td", { class: "num" }, thousands(row.pageblocks))))))) : null,
    rows.some((row) => row.pollutes) && el("p", {}, el("small", {}, "In bold, who put pages that stay where there were pages that move: that is what fragments for good.")),
    more > 0 && el("p", {}, el("small", {}, thousands(more) + " more in the record.")));
}
