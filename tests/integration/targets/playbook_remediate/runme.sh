#!/usr/bin/env bash
# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The playbook remediate with both hooks: relative and absolute paths, a collection that nobody may write to, interrupted runs.
# Here it is killed at a few points; "killed.py DIRECTORY PYTHON 36" takes more of them.

set -eux

work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
python=${ANSIBLE_TEST_PYTHON_INTERPRETER:-$(command -v python3)}

"$python" scenarios.py "$work/scenarios" "$python"
"$python" killed.py "$work/killed" "$python" 6 2
