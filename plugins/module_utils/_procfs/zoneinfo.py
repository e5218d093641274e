# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""/proc/zoneinfo (mm/vmstat.c, zoneinfo_show_print())."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ._lines import MOST_ORDERS, MOST_ZONES, is_number, zone_of


def parse_zoneinfo(text):
    """-> ([{node, zone, protection: [pages] or None, pcp_pages, pcp_high: [pages], <name>: number}], unparsed lines).

    <name> is the kernel's word for a line with one number, in pages unless it says otherwise: free, min, low, high,
    boost (5.17+), spanned, present, managed (3.10+), cma, nr_free_cma, nr_zone_inactive_file and so on. What stands
    under "per-node stats" (4.9+) is kept in the zone that the kernel prints it in. pcp_pages is the sum over the per-cpu
    lists, None where none are printed, and pcp_high what each of them may grow to before it gives some back.
    protection is the zone's lowmem_reserve per class of request.
    """
    zones, unparsed, zone, there = [], 0, None, set()
    for line in text.splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] == "Node":
            key = zone_of(words) if len(words) == 4 else None
            # A zone that is there twice would count twice.
            if key and key not in there and len(zones) < MOST_ZONES:
                there.add(key)
                zone = {
                    "node": key[0],
                    "zone": key[1],
                    "protection": None,
                    "pcp_pages": None,
                    "pcp_high": [],
                }
                zones.append(zone)
            else:
                zone = None
                unparsed += 1
            continue
        if zone is None:
            unparsed += 1
        elif words[0] == "protection:":
            pages = _protection(line)
            if pages:
                zone["protection"] = pages
            else:
                unparsed += 1
        elif words[0] == "count:" and len(words) == 2 and is_number(words[1]):
            zone["pcp_pages"] = (zone["pcp_pages"] or 0) + int(words[1])
        elif words[0] == "high:" and len(words) == 2 and is_number(words[1]):
            zone["pcp_high"].append(int(words[1]))
        elif is_number(words[-1]) and len(words) > 1:
            # "pages free 3583", "min 35", "vm stats threshold: 8", "cpu: 0": the last name counts, the first value stays.
            zone.setdefault(words[-2].rstrip(":"), int(words[-1]))
        elif words != ["pagesets"] and words != ["per-node", "stats"]:
            unparsed += 1
    return zones, unparsed


def _protection(line):
    """[pages] of "        protection: (0, 2953, 15842)", None if it is another."""
    values = line.partition(":")[2].strip()
    if values[:1] != "(" or values[-1:] != ")":
        return None
    words = values[1:-1].split(",", MOST_ORDERS)
    words[1:] = [word.lstrip() for word in words[1:]]
    return [int(word) for word in words] if len(words) <= MOST_ORDERS and all(map(is_number, words)) else None
