#!/usr/bin/env bash
# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# A fleet in one audit, and the same fleet in two at the same time: the merged report must equal the unsliced one.

set -eux

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${ANSIBLE_TEST_PYTHON_INTERPRETER:-$(command -v python3)}

"$python" make_inventory.py "$work" "$python"

audit() {
    ansible-playbook kernelops.memfrag.audit -i "$work/inventory.json" -f 4 -e memfrag_run_id=r1 -e memfrag_records_dir="$work/$1" "${@:2}"
}

audit whole
audit slices/one --limit one &
audit slices/two --limit two
wait $!

ansible-playbook kernelops.memfrag.report -i "$work/inventory.json" -e @report.yml -e work="$work"

"$python" compare.py "$work/whole/r1/report.json" "$work/merged/report.json"
