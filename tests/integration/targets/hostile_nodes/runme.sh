#!/usr/bin/env bash
# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Nodes that answer whatever they like, beside honest ones that must not notice.

set -eux

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${ANSIBLE_TEST_PYTHON_INTERPRETER:-$(command -v python3)}

"$python" make_inventory.py "$work" "$python"

audit() {
    ANSIBLE_NOCOLOR=1 ANSIBLE_FORCE_COLOR=0 ansible-playbook kernelops.memfrag.audit -i "$work/$1.json" -f 4 \
        -e memfrag_run_id=r1 -e memfrag_records_dir="$work/$1" > "$work/$1.out" 2>&1 || { tail -n 50 "$work/$1.out"; exit 1; }
}

audit honest
audit all

if ansible-playbook poison.yml kernelops.memfrag.audit -i "$work/honest.json" -e memfrag_run_id=r1 -e elsewhere="$work/elsewhere" \
    > "$work/poisoned.out" 2>&1; then
    cat "$work/poisoned.out"
    exit 1
fi

"$python" check.py "$work"
