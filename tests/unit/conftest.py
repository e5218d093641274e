# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the unit tests share: captures as root trees, and modules run through their main()."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import importlib
import json
import os
import sys

import hypothesis
import pytest
from ansible.module_utils import basic

FIXTURES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fixtures")
sys.path.insert(0, FIXTURES)

import build_roots

CAPTURES = build_roots.names()


# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("busy")


def pytest_configure(config):
    """All tests in one process, as "make units" runs them. ansible-test forks for each of thousands, on every Python: three times the CPU."""
    forked = config.pluginmanager.getplugin("ansible_forked")
    if forked is not None:
        config.pluginmanager.unregister(forked)


@pytest.fixture(name="fixture_path")
def fixture_path_fixture():
    """-> path of a file below tests/fixtures"""

    def path(*parts):
        return os.path.join(FIXTURES, *parts)

    return path


@pytest.fixture(name="node_root")
def node_root_fixture(tmp_path):
    """-> a function that makes the root tree of a capture ("6.1.0-56-cloud-amd64/fragmented") and gives its path"""

    def make(name, without=()):
        return build_roots.build(name, str(tmp_path / name.replace("/", "-")), without)

    return make


@pytest.fixture(name="run_module")
def run_module_fixture(monkeypatch, capsys):
    """-> a function that runs a module's main() with options and gives what it returned, failures included"""

    def run(name, options=None, check_mode=False, diff=False):
        module = importlib.import_module("ansible_collections.kernelops.memfrag.plugins.modules." + name)
        arguments = dict(options or {}, _ansible_check_mode=check_mode, _ansible_diff=diff, _ansible_remote_tmp="/tmp")
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode("utf-8"))
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        # A module that runs where the controller's code has been imported would show its warnings, not return them.
        internal = sys.modules.get("ansible.module_utils._internal")
        if internal is not None:
            monkeypatch.setattr(internal, "is_controller", False, raising=False)
        capsys.readouterr()
        with pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    return run
