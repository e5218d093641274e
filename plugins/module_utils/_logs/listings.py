# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Source text that was pasted with a log: it names errors that nobody has had.

What a program says is the outcome of its format strings; the strings themselves, and the statements around them, are never said. So a
verb that only a format has (Go's %w, %q, %v), a literal that is an argument of a call, a statement, a comment or a test of a shell
tell that a line is source. An error that Python, Java or Rust print of themselves is a call with a literal as well: APIError("..."),
Err(Foo { message: "..." }); their names say what they are, and nobody calls them in the line.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from .lazy import Lazy

_ARGUMENTS = r"(?:[^\"`'()]|\([^\"`'()]{0,40}\)){0,80}"
_LITERAL = r"(?:\b[frbu])?[\"`']"
_SOURCE = tuple(
    Lazy(pattern)
    for pattern in (
        # Go's fmt: these verbs are of formats alone. %!v(MISSING) is what a format that was printed leaves behind.
        r"%(?:w|q|[+#]?v)(?![\w%])",
        # An exported function or a method of Go with a literal among its arguments: fmt.Errorf("...", err), t.Fatalf(
        r"[\w)]\.(?!\w{1,60}(?:Error|Exception)\()[A-Z]\w{0,60}\((?:" + _ARGUMENTS + r"[, ])?" + _LITERAL,
        # The loggers and the assertions of the other languages, and the macros of Rust.
        r"\b(?:log|logger|logging|LOG|console|self|assert|expect|pytest|re)\.\w{1,60}\((?:"
        + _ARGUMENTS
        + r"[, ])?"
        + _LITERAL,
        r"\b[a-z][a-z_]{2,40}!\((?:" + _ARGUMENTS + r"[, ])?" + _LITERAL,
        # Statements and declarations. C as GNU writes it has a blank before the bracket.
        r"^[\s+-]{0,80}(?:return|raise|throw|panic|defer|await) {0,2}(?:[\w&*.]{1,60}, ){0,4}[\w.:]{1,120}(?:\(| \(&?\w{1,40}, )",
        r"^[\s+-]{0,80}(?:pub |async |static |export ){0,3}(?:func|fn|def|function) {1,4}[(\w][^\n]{0,400}[({]",
        r"^[\s+-]{0,80}(?:(?:const|let|var|#define)\s{1,4}\w[^\n\"`']{0,80}|\w{1,60} := )" + _LITERAL,
        # A call with a format of C's among its arguments, and a test for a literal.
        r"\b[a-z]\w{1,60} ?\((?:" + _ARGUMENTS + r"[, ])?\"[^\"\n]{0,300}%[sdui]",
        r"^[\s+-]{0,80}(?:el)?if " + _LITERAL + r"[^\n]{1,300}[\"'] in \w",
        # A literal that a statement ends with or a compiler joins with the next one, a template of JavaScript, a row of a table.
        r"^[\s+-]{0,80}(?:[bfr][\"'][^\n]{1,1000}[\"'][ \\)+]{0,8}|[\"'][^\n]{1,1000}[\"'];)$",
        r"^[\s+-]{0,80}`[^`\n]{0,200}\$\{\w",
        r"^[\s+-]{0,80}\['(?!\d{1,40}')[^'\n]{0,1000}', ?'[^'\n]{0,200}'\](?:,|$)",
        # A line quoted as code in the middle of a sentence or of a table.
        r"^[\s|*+-]{0,80}`[^`\n]{1,1000}`[^`\n\w]{1,20}\w",
        # What a query looks for in a log: LogQL, PromQL, Perl, awk.
        r"(?:\|[=~]|[=!]~) {0,2}[\"'`/]",
        # Comments, and tests of shells.
        r"^[\s+-]{0,80}(?://|/\*)\s",
        r"^[\s+-]{0,80}(?:(?:el)?if |while |! ){0,2}\[\[? (?:! )?[\"']?\$",
    )
)


def is_listing(text):
    """Whether a text is a line of a program's source and not of its log."""
    for pattern in _SOURCE:  # noqa: SIM110
        if pattern.search(text):
            return True
    return False
