#!/usr/bin/env bash
# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The playbooks loop_remediate and loop_tell, as the rulebook runs them, with what alerts may say.

set -eux

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${ANSIBLE_TEST_PYTHON_INTERPRETER:-$(command -v python3)}

"$python" loops.py "$work" "$python"
