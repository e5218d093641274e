/* Copyright (c) 2026, The kernelops.memfrag authors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
// ---- picture: a zone's free memory in blocks of each order, by migratetype; one for each zone of each NUMA node
// The letters are the kernel's own (mm/page_alloc.c, show_migration_types()).
const MIGRATE = { Unmovable: "U", Reclaimable: "E", Movable: "M", HighAtomic: "H", CMA: "C", Isolate: "I" };
const PROFILES = 16, PROFILE = { wide: 300, high: 190, left: 50, top: 16, plot: 120 };
const migrateLetter = (name) => Object.hasOwn(MIGRATE, name) ? MIGRATE[name] : "?";
/* Orders that the node's reports of failed allocations were about. */
function failedOrders(detail) {
  const found = new Map();
  for (const incident of detail ? detail.incidents : []) for (const event of incident.events || [])
    if (Number.isInteger(event.order) && (/_(failure|stall)$/.test(event.kind) || event.kind === "oom_kill" && event.order > 0)) found.set(event.order, (found.get(event.order) || 0) + 1);
  return found;
}
// Words of a zone's own states, as digits of STATE; "r" is kept for others by the zone's lowmem reserve.
const ZONE_STATES = { ok: "0", needs_reclaim: "1", needs_compaction: "2", exhausted: "3", reserved: "r" };
const zoneStates = (more) => more && Array.isArray(more.states) ? more.states.map((word) => ZONE_STATES[word] || "?").join("") : null;
const stateClass = (state, kind) => state === "r" ? (kind === "h" ? "b-o" : "ob-o") : kind + (STATE_HEAT[state] ?? 2);
/* Pages that have to be free for a block of each order: one mark for all, or half of it for each further order (Linux before 4.4). */
const marksOf = (pages, scaled, orders) => Array.from({ length: orders }, (each, order) => scaled ? Math.floor(pages / 2 ** order) : pages);
function profilePicture(row, zone, more, about) {
  const free = zone.slice(3), orders = free.length, bytes = pageSize(row), types = more && more.migratetypes || {}, { left, top, plot, wide, high } = PROFILE;
  const column = (wide - left - 4) / orders, bar = column - 4, pages = free.map((count, order) => count * 2 ** order), total = pages.reduce((sum, each) => sum + each, 0);
  const marks = more && more.watermarks || {}, most = Math.max(about.most, 1), y = (amount) => top + plot * (1 - Math.min(1, amount / most)), amount = (count) => size(count * bytes / 1024);
  const x = (order) => left + order * column + 2, known = Object.keys(types), parts = [], letters = [];
  pages.forEach((here, order) => {
    let base = 0;
    const words = [];
    for (const name of known) {
      const own = (types[name][order] || 0) * 2 ** order;
      if (!own) continue;
      const floor = y(base), roof = y(base + own);
      parts.push(svg("rect", { class: "g-" + migrateLetter(name).replace("?", "o"), x: x(order), y: roof, width: bar, height: Math.max(.5, floor - roof) }));
      if (floor - roof > 12) letters.push(svg("text", { class: "og-" + migrateLetter(name).replace("?", "o"), x: x(order) + bar / 2, y: (floor + roof) / 2 + 4 }, migrateLetter(name)));
      base += own;
      words.push(name + " " + amount(own));
    }
    parts.push(svg("rect", { class: known.length ? "whole" : "whole g-o", x: x(order), y: y(here), width: bar, height: Math.max(0, top + plot - y(here)) },
      svg("title", {}, "Order " + order + " (" + blockSize(order, bytes) + "): " + amount(here) + (words.length ? ", of it " + words.join(", ") : ""))));
  });
  let rest = total, line = "";
  pages.forEach((here, order) => { line += (order ? "V" : "M" + (x(order) - 2) + " ") + y(rest).toFixed(1) + "h" + column.toFixed(1); rest -= here; });
  const level = (count, name) => {
    if (typeof count !== "number") return null;
    const path = marksOf(count, about.scaled, orders).map((mark, order) => (order ? "V" : "M" + (x(order) - 2) + " ") + y(mark).toFixed(1) + "h" + column.toFixed(1)).join("");
    // Not over what the axis says.
    const at = y(about.scaled ? 0 : count), free = [most, most / 2].every((tick) => Math.abs(y(tick) - at) > 11);
    return [svg("path", { class: "watermark", d: path }), name && free && svg("text", { class: "end tiny", x: left - 4, y: at + 3 }, name)];
  };
  const rows = top + plot + 13, state = (order) => about.states[order];
  const feet = pages.map((each, order) => { const middle = x(order) + bar / 2; return [svg("text", { class: "axis", x: middle, y: rows }, order),
    state(order) !== undefined && [svg("rect", { class: stateClass(state(order), "h"), x: x(order), y: rows + 5, width: bar, height: 15, rx: 2 }), svg("text", { class: stateClass(state(order), "t"), x: middle, y: rows + 16.5 }, STATE_SIGN[state(order)] || (state(order) === "r" ? "R" : "?"))],
    (about.needs[order] || []).length > 0 && svg("text", { class: "needed", x: middle, y: rows + 33 }, "▲"), about.failed.has(order) && svg("text", { class: "failed", x: middle, y: rows + 47 }, "✕")]; });
  const several = (list) => list.length ? list.join(", ") : "none";
  const words = about.name + ": " + amount(total) + " free. By order: " + pages.map((here, order) => order + " " + amount(here)).join(", ") + ". Watermarks: min " + (typeof marks.min === "number" ? amount(marks.min) : "unknown") + ", low " + (typeof marks.low === "number" ? amount(marks.low) : "unknown") +
    ". Needed orders: " + several(pages.map((each, order) => order).filter((order) => (about.needs[order] || []).length)) + ". Failed orders: " + several([...about.failed.keys()]) + ". Orders that cannot be had at once: " + several([...about.states].map((each, order) => order).filter((order) => about.states[order] !== "0")) + ".";
  return el("figure", { class: "profile" }, el("figcaption", {}, el("b", {}, about.name), " " + amount(total) + " free"),
    svg("svg", { viewBox: "0 0 " + wide + " " + (high + (about.failed.size ? 14 : 0)), role: "img", "aria-label": words },
      [most, most / 2].map((tick) => [svg("path", { class: "rule faint", d: "M" + left + " " + y(tick) + "H" + wide }), svg("text", { class: "axis end", x: left - 4, y: y(tick) + 4 }, amount(tick))]),
      parts, letters, svg("path", { class: "at-least", d: line }), level(marks.min, "min"), level(marks.low, typeof marks.low === "number" && Math.abs(y(marks.low) - y(marks.min)) > 10 && !about.scaled && "low"),
      svg("path", { class: "rule", d: "M" + left + " " + (top + plot) + "H" + wide }), feet));
}
function profileCard(index) {
  const row = HOSTS[index], measured = row[M], detail = DATA.details[index];
  if (!measured || !measured[ZONES].length) return null;
  // The zone that holds most of the memory first, as it is the one that requests are served from; a small DMA zone last.
  const zones = worstZones(measured[ZONES], PROFILES).sort((a, b) => b[2] - a[2] || a[0] - b[0]), many = new Set(measured[ZONES].map((zone) => zone[0])).size > 1, answers = new Map(measured[ANSWERS] || []);
  const settings = detail && DATA.settings[detail.settings], needs = DATA.needs[measured[NEEDS]], failed = failedOrders(detail), scaled = settings && settings.kernel.watermark_check === "scaled";
  const more = (zone) => detail ? detail.zones[measured[ZONES].indexOf(zone)] : null, total = (zone) => zone.slice(3).reduce((sum, count, order) => sum + count * 2 ** order, 0);
  // Zones of one name are drawn to one scale, so that the NUMA nodes can be compared.
  const most = new Map();
  for (const zone of zones) most.set(zone[1], Math.max(most.get(zone[1]) || 0, total(zone), ((more(zone) || {}).watermarks || {}).low || 0));
  const used = [...new Set(zones.flatMap((zone) => { const types = (more(zone) || {}).migratetypes || {}; return Object.keys(types).filter((name) => types[name].some(Boolean)); }))];
  const key = (draw, words) => el("li", {}, svg("svg", { viewBox: "0 0 18 14", width: 18, height: 14, "aria-hidden": "true" }, draw), words);
  return card("Free memory by order", el("p", {}, el("small", {}, "A bar is the free memory in blocks of that order. The line is what is free in blocks of that order or larger: where it ends, the kernel has nothing to give, however much is free.")),
    el("div", { class: "profiles" }, zones.map((zone) => part(() => profilePicture(row, zone, more(zone), { name: zoneName(zone, many), most: most.get(zone[1]), states: zoneStates(more(zone)) || answers.get(String(zone[0])) || row[STATES], needs, failed, scaled })))),
    el("ul", { class: "keys" }, used.map((name) => key([svg("rect", { class: "g-" + migrateLetter(name).replace("?", "o"), width: 18, height: 14 }), svg("text", { class: "og-" + migrateLetter(name).replace("?", "o"), x: 9, y: 11 }, migrateLetter(name))], name)),
      key(svg("path", { class: "at-least", d: "M0 3h9v8h9" }), "free in blocks of at least this order"), detail && key(svg("path", { class: "watermark", d: "M0 7h18" }), "watermarks min and low"),
      STATE.map((words, digit) => key([svg("rect", { class: "h" + STATE_HEAT[digit], width: 18, height: 14, rx: 2 }), svg("text", { class: "t" + STATE_HEAT[digit], x: 9, y: 11 }, STATE_SIGN[digit])], words)),
      zones.some((zone) => (zoneStates(more(zone)) || "").includes("r")) && key([svg("rect", { class: "b-o", width: 18, height: 14, rx: 2 }), svg("text", { class: "ob-o", x: 9, y: 11 }, "R")], "kept in reserve for others"),
      key(svg("text", { class: "needed", x: 9, y: 12 }, "▲"), "needed on this kernel"), failed.size > 0 && key(svg("text", { class: "failed", x: 9, y: 12 }, "✕"), "failed, by the logs")),
    zones.length < measured[ZONES].length && el("p", {}, el("small", {}, "The worst " + zones.length + " of " + measured[ZONES].length + " zones.")));
}
