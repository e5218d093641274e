# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What a node is held to: the policy's keys, their defaults and their ranges."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from .catalogue import FINDINGS

# key: (default, smallest, largest, meaning). A percentage is one of the memory of the node that is in no pool of huge
# pages, unless it says otherwise.
NUMBERS = {
    "spare_blocks": (16, 1, 1000000, "blocks of 256 kB that a machine of 4 to 16 GiB is to have to spare; see above"),
    "recent_hours": (24, 1, 8760, "age up to which an incident counts as going on"),
    "available_percent": (5, 0, 100, "MemAvailable below which the node is short of memory"),
    "unmovable_percent": (50, 1, 100, "share of unmovable pageblocks in a zone from which on they have spread"),
    "slab_percent": (25, 1, 100, "size of reclaimable or unreclaimable slab that is large"),
    "sparse_slab_percent": (50, 1, 100, "objects in use below which a slab cache is sparse"),
    "sparse_slab_mb": (64, 1, 1048576, "size in MiB from which on a sparse slab cache matters"),
    "pcp_percent": (10, 1, 100, "share of a zone's free memory on per-cpu lists that is much"),
    "pressure_percent": (10, 1, 100, "time that some task waits for memory (PSI some avg300) that is much"),
    "compaction_fail_percent": (50, 1, 100, "share of direct compactions that fail"),
    "compaction_stalls_per_hour": (10, 0, 1000000000, "direct compactions an hour from which on they matter"),
    "allocation_stalls_per_hour": (1000, 0, 1000000000, "direct reclaims an hour from which on they matter"),
    "thp_fallback_percent": (50, 1, 100, "share of huge page faults that fall back"),
    "drop_caches_per_day": (4, 1, 1000000, "writes to drop_caches a day from which on it is a habit"),
    "min_free_percent": (5, 1, 100, "min_free_kbytes from which on it is large; at the double it is dangerous"),
}
LARGEST_ORDER = 30


class PolicyError(ValueError):
    """A key or value of the policy that makes no sense. The message names it."""


def complete(policy):
    """-> the policy with all its keys: NUMBERS, target_orders (list of orders or None), ignore ({finding id: reason})."""
    policy = dict(policy or {})
    result = {"target_orders": None, "ignore": {}}
    result.update((name, row[0]) for name, row in NUMBERS.items())
    for name, value in policy.items():
        if name not in result:
            raise PolicyError("policy has no %s; it knows %s" % (name, ", ".join(sorted(result))))
        if name == "ignore":
            value = _ignore(value)
        elif name == "target_orders":
            value = None if value is None else _orders(value)
        else:
            value = _number("policy.%s" % name, value, *NUMBERS[name][1:3])
        result[name] = value
    return result


def _number(name, value, smallest, largest):
    try:
        number = int(str(value))
    except ValueError:
        number = None
    if isinstance(value, bool) or number is None or not smallest <= number <= largest:
        raise PolicyError("%s must be a whole number from %d to %d, not %r" % (name, smallest, largest, value))
    return number


def _orders(value):
    if not isinstance(value, (list, tuple)):
        raise PolicyError("policy.target_orders must be a list of orders, not %r" % (value,))
    return [_number("policy.target_orders", order, 0, LARGEST_ORDER) for order in value]


def _ignore(value):
    if not isinstance(value, dict):
        raise PolicyError(
            "policy.ignore must map finding ids to reasons, as in {MF504: 'by decision of the platform team'}"
        )
    for ident, reason in value.items():
        if ident not in FINDINGS:
            raise PolicyError("policy.ignore names %s, which is no finding; see the catalogue of findings" % ident)
        if not str(reason or "").strip():
            raise PolicyError("policy.ignore.%s must give a reason" % ident)
    return {ident: str(reason) for ident, reason in value.items()}
