# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The blocks of code of the documentation, Markdown and reStructuredText, with what a comment before them says of running them.

``not run: REASON``     it cannot be run here, or another test does
``exits: 1 2``          statuses other than 0 that are as well
``with: ARGUMENTS``     what is added to the ``ansible-playbook`` of a block that is a playbook
``installs: NAME``      a collection that is not there before, and is after the block
"""

from __future__ import annotations

import re
import textwrap
import typing as t
from pathlib import Path

MARKS = ("not run", "exits", "with", "installs")
SHELLS = ("console", "shell", "shell-session", "bash", "sh")

_RST_BLOCK = re.compile(r"^( *)\.\. code-block:: *(\S+)\n((?:\1 +:\S.*\n)*)\n((?:\1 +.*\n|\n)+)", re.MULTILINE)
_MD_BLOCK = re.compile(r"^( *)```(\S+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_NAMES = "|".join(MARKS)
_RST_MARK = re.compile(rf"^ *\.\. ((?:{_NAMES}): .*(?:\n +\S.*)*)\n\s*\Z", re.MULTILINE)
_MD_MARK = re.compile(rf"<!-- ((?:{_NAMES}): [^>]*?) -->\s*\Z")
# "$ " is the user and "# " is root; a line that ends with a backslash goes on, anything else is what was printed.
_PROMPT = re.compile(r"[$#] ")
# A file that the reader is to make.
_FILE = re.compile(r"# ([\w.-]+\.(?:yml|yaml|ini|cfg))$")


class Block(t.NamedTuple):
    path: Path
    line: int
    language: str
    text: str
    marks: dict[str, str]

    @property
    def file(self) -> str | None:
        """Its name, if the block is the content of a file."""
        found = _FILE.match(self.text.split("\n", 1)[0])
        return found.group(1) if found else None

    @property
    def script(self) -> str:
        """What is typed."""
        if self.language in ("shell", "bash", "sh"):
            return self.text
        typed, going_on = [], False
        for line in self.text.splitlines():
            if going_on or _PROMPT.match(line):
                typed.append(line if going_on else line[2:])
                going_on = line.endswith("\\")
            else:
                going_on = False
        return "\n".join(typed) + "\n"


def of(path: Path) -> list[Block]:
    """The blocks of a file, in its order."""
    text = path.read_text(encoding="utf-8")
    markdown = path.suffix == ".md"
    blocks = []
    for found in (_MD_BLOCK if markdown else _RST_BLOCK).finditer(text):
        body = found.group(3 if markdown else 4)
        before = text[: found.start()]
        marks = {}
        while mark := (_MD_MARK if markdown else _RST_MARK).search(before):
            name, value = " ".join(mark.group(1).split()).split(": ", 1)
            marks[name] = value
            before = before[: mark.start()]
        line = text.count("\n", 0, found.start()) + 1
        blocks.append(Block(path, line, found.group(2), textwrap.dedent(body).strip("\n") + "\n", marks))
    return blocks
