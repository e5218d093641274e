# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role's defaults, specification, README and the library's tables say the same."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.kernelops.memfrag.plugins.module_utils import _schedule, _tuning
from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction import target

ROLE = Path(__file__).resolve().parents[3] / "roles" / "memfrag_tuning"
PREFIX = "memfrag_tuning_"
JOB = PREFIX + "compaction_"


def load(path: str) -> t.Any:
    return yaml.safe_load((ROLE / path).read_text())


DEFAULTS = load("defaults/main.yml")
OPTIONS = load("meta/argument_specs.yml")["argument_specs"]["main"]["options"]


def test_every_default_is_specified_with_the_same_value() -> None:
    assert list(DEFAULTS) != []
    assert set(DEFAULTS) == set(OPTIONS)
    assert {name: about["default"] for name, about in OPTIONS.items()} == DEFAULTS


@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_every_variable_is_in_the_readme_with_its_default(name: str) -> None:
    default = DEFAULTS[name]
    shown = default if isinstance(default, str) and default else json.dumps(default)
    readme = (ROLE / "README.md").read_text()
    assert f"\n### `{name}`\n\nDefault `{shown}`" in readme
    assert readme.count(f"### `{name}`\n") == 1


def test_the_readme_has_no_other_variable() -> None:
    assert set(re.findall(r"^### `(.*)`$", (ROLE / "README.md").read_text(), re.MULTILINE)) == set(DEFAULTS)


@pytest.mark.parametrize("about", _tuning.SETTINGS, ids=lambda about: about["name"])
def test_every_setting_is_a_variable_and_its_range_is_documented(about: dict[str, t.Any]) -> None:
    text = " ".join(OPTIONS[PREFIX + about["name"]]["description"])
    assert f"vm.{about['name']}" in text
    assert f"from {about['min']} to {about['max'] or '5 % of'}" in text.replace("a number ", "")
    assert ("V(auto)" in text) is about["auto"]
    assert DEFAULTS[PREFIX + about["name"]] in ("leave", "auto")
    assert _tuning.check({about["name"]: DEFAULTS[PREFIX + about["name"]]})


@pytest.mark.parametrize("name", sorted(set(target.OPTIONS) - {"force"}))
def test_every_option_of_the_policy_is_a_variable_with_the_librarys_default_and_range(name: str) -> None:
    about, option = target.OPTIONS[name], OPTIONS[JOB + name]
    default = DEFAULTS[JOB + name]
    assert (default or None if name == "window" else default) == about["default"]
    # A number or a word is text to whoever checks types alone.
    assert option["type"] == ("str" if "words" in about else about["type"])
    assert option.get("choices") == about.get("choices")
    if about["type"] in ("int", "float") and name != "order":
        assert f"from {about['min']} to {about['max']}" in " ".join(option["description"])


def test_every_variable_of_the_job_reaches_the_library() -> None:
    internal = load("vars/main.yml")
    assert set(internal["__memfrag_tuning_settings"]) == set(_tuning.NAMES)
    assert set(internal["__memfrag_tuning_policy"]) == set(target.OPTIONS) - {"force"}
    assert set(internal["__memfrag_tuning_schedule"]) == {"scheduler"} | {field[0] for field in _schedule.FIELDS}
    used = "".join(path.read_text() for folder in ("tasks", "templates", "vars") for path in (ROLE / folder).iterdir())
    assert [name for name in DEFAULTS if name not in used] == []


def test_the_scheduler_has_the_librarys_choices() -> None:
    assert OPTIONS[JOB + "scheduler"]["choices"] == list(_schedule.SCHEDULERS)
