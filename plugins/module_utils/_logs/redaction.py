# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Secrets that programs write into logs, replaced before anything leaves the node. The rest of the line stays readable.

A table: what a line must have in it (lower case; most lines have none, and no expression is compiled for them), the expression, and what
is put in its place. Every expression is linear: it starts at a literal or behind a character that it cannot go on with, and its repeats
cannot be read in two ways.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from .lazy import Lazy, contains_any

MARK = "[redacted]"

# Names whose value is a secret, wherever they stand in front of "=" or ":": db_password, AWS_SECRET_ACCESS_KEY, "identitytoken".
_NAMES = (
    r"(?:pass(?:word|wd|phrase|code)|pwd|secret|token|api[_-]?key|apikey|(?:access|secret|private|account|auth|signing|encryption|shared)"
    r"[_-]?(?:access[_-]?)?key(?![_-]?id)|credentials?|registry[_-]?auth)"
)
_NAMED = ("pass", "pwd", "secret", "token", "key", "credential", "auth")
# Words of messages that follow a name and a colon, and are no secret.
_PROSE = (
    r"(?:un\w*|den\w+|forbid\w*|invalid|expired|missing|empty|null|none|nil|true|false|required|incorrect|wrong|fail\w*|err\w*|"
    r"context|not|no|is|was|the|a|an|cannot|could|EOF|rpc|Post|Get|Put|Head|Patch|Delete|dial|read|open|exit|timeout|timed|bad|"
    r"access|secret|secrets|token|tokens|configmap|object|authentication|authorization|client|server|mount\w*|permission|illegal|malformed)"
)
# A value in quotes, in escaped quotes (JSON within JSON), or up to where it cannot go on.
_QUOTED = r"\"(?:[^\"\\]|\\.)*\"?|'[^']*'?|\\{1,7}\"[^\"\\]*"
_BARE = r"[^\s\"'\\&;,]+"


def _aws(found):
    """A key id, and the secret that may stand behind it."""
    return MARK + (found.group(1) + MARK if found.group(1) else "")


def _quoted(found):
    """The mark in the quotes that the value had, so that JSON stays JSON."""
    name = found.group(1)
    value = found.group()[len(name) :]
    quote = value[: len(value) - len(value.lstrip("\\\"'"))][: value.find('"') + 1 or 1]
    return name + quote + MARK + (quote if quote and len(value) > len(quote) and value.endswith(quote) else "")


TABLE = (
    # Literals; expression; what it becomes.
    # https://user:password@host, also redis://:password@host; a token in place of the user.
    (("://",), r"(://[^\s/@:\"']{0,128}:)(?!\[redacted\]@)[^\s/\"']{1,512}@", r"\1" + MARK + "@"),
    (("://",), r"(://)[^\s/@:\"']{20,512}@", r"\1" + MARK + "@"),
    # Go's MySQL: user:password@tcp(host:3306)/base
    (("@tcp(", "@unix("), r"(?<![\w.:-])([\w.-]{1,64}:)[^\s/\"'@]{1,256}(?=@(?:tcp|unix)\()", r"\1" + MARK),
    # Headers.
    (
        ("authorization",),
        r"(authorization\\?[\"']?\]?(?:\s{0,2}[:=]\s{0,2}\[?\\?[\"']?(?:(?:bearer|basic|digest|token|negotiate|apikey)\s{1,2})?"
        r"|\s{1,2}(?:bearer|basic)\s{1,2}))"
        r"(?!bearer\b|basic\b|plugin|webhook|mode|fail|denied|error|policy)[\w.~+/=:-]{6,}",
        r"\1" + MARK,
    ),
    (("bearer",), r"\b(bearer\s{1,2})(?=[a-z_.~+/=-]{0,256}[0-9]|[\w.~+/=-]{24})[\w.~+/=-]{8,}", r"\1" + MARK),
    (("basic ",), r"\b(basic\s{1,2})(?=[a-z+/]{0,256}[0-9=])[a-z0-9+/]{8,}={0,2}", r"\1" + MARK),
    (
        ("cookie",),
        r"\b((?:set-)?cookie2?\\?[\"']?\s{0,2}:\s{0,2}\\?[\"']?)(?=[\w.-]{1,64}=)[^\"'\n\\]{1,4096}",
        r"\1" + MARK,
    ),
    (
        ("x-api-key", "x-auth-token", "x-vault-token", "x-amz-security-token", "x-registry-auth"),
        r"\b(x-(?:api-key|auth-token|vault-token|amz-security-token|registry-auth)"
        r"\\?[\"']?\s{0,2}[:=]\s{0,2}\[?\\?[\"']?)[\w.~+/=%-]{6,}",
        r"\1" + MARK,
    ),
    # JSON web tokens and encrypted ones, also cut short.
    (("eyj",), r"(?<![\w-])eyJ[\w-]{10,}(?:\.[\w-]*){1,4}", MARK),
    # The clouds and registries.
    (
        ("akia", "asia"),
        r"(?<![A-Za-z0-9])A(?:KI|SI)A[A-Z0-9]{16}(?![A-Za-z0-9])(?:([\s:,;/\"']{1,4})[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=]))?",
        _aws,
    ),
    (("aiza",), r"(?<![\w-])AIza[\w-]{35}", MARK),
    (("ya29.",), r"(?<![\w-])ya29\.[\w-]{20,}", MARK),
    (("gocspx-",), r"(?<![\w-])GOCSPX-[\w-]{20,}", MARK),
    (
        ("sig=", "signature=", "x-amz-credential="),
        r"([?&;](?:sig|signature|x-(?:amz|goog)-(?:signature|credential))=)[\w%+/=.~-]{8,}",
        r"\1" + MARK,
    ),
    (("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"), r"(?<!\w)(?:gh[pousr]|github_pat)_\w{20,}", MARK),
    (("glpat-", "gldt-", "glrt-"), r"(?<![\w-])gl(?:pa|d|r)t-[\w-]{16,}", MARK),
    (
        ("dckr_pat_", "dckr_oat_", "npm_", "hvs.", "hvb.", "xoxb-", "xoxp-", "xoxa-", "xoxs-", "sk_live_", "rk_live_"),
        r"(?<![\w-])(?:dckr_[po]at_|npm_|hv[sb]\.|xox[abps]-|[sr]k_live_)[\w-]{16,}",
        MARK,
    ),
    # Private keys, to their end or that of the text.
    (
        ("private key",),
        r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)(?:(?!-----END )[\s\S])*(?:-----END [A-Z0-9 ]{0,60}-----)?",
        r"\1" + MARK,
    ),
    # Registry credentials of a docker config, and Azure's and others' connection strings.
    (("auth",), r"((?<![\w-])auth\\{0,7}[\"']\s{0,2}:\s{0,2}\\{0,7}[\"'])[A-Za-z0-9+/=_-]{6,}", r"\1" + MARK),
    (
        ("accountkey=", "sharedaccesskey=", "sharedaccesssignature="),
        r"((?:AccountKey|SharedAccessKey|SharedAccessSignature)=)[^;\s\"']{4,}",
        r"\1" + MARK,
    ),
    # Options of commands: --password x, "--token","x", -u user:password (not the numeric user:group of a container).
    (
        ("--",),
        r"((?<![\w-])--[\w-]{0,64}"
        + _NAMES
        + r"\\?[\"']?(?:\s{0,2},\s{0,2}|\s{1,2})\\?[\"']?)(?![-\s])[^\s\"',\\]{1,4096}",
        r"\1" + MARK,
    ),
    (("-p ",), r"(\blogin\b[^\n]{0,256}?\s-p\s{1,2})[^\s\"']{1,4096}", r"\1" + MARK),
    (
        (" -u ", "--user "),
        r"(\s(?:-u|--user)\s{1,2}(?!\d{1,10}:\d{1,10}(?:\s|$))[^\s:\"']{1,64}:)[^\s\"']{1,512}",
        r"\1" + MARK,
    ),
    # name=value and "name": "value".
    (
        _NAMED,
        r"("
        + _NAMES
        + r"\s?=\s?)(?!(?:null|none|nil|true|false)\b|\[redacted\]|<nil>)(?<!pwd=)(?:"
        + _QUOTED
        + r"|"
        + _BARE
        + r")",
        _quoted,
    ),
    (("pwd=",), r"(pwd=)(?![/.~\"'\s]|\[redacted\])" + _BARE, r"\1" + MARK),
    (
        _NAMED,
        r"("
        + _NAMES
        + r"(?:\\{0,7}[\"']\s{0,2}:\s{0,2}|:\s{0,2}(?=[\"'\\])))(?!(?:null|true|false)\b)(?:"
        + _QUOTED
        + r"|"
        + _BARE
        + r")",
        _quoted,
    ),
    # name:value of Go's maps, name: value of YAML: a colon is punctuation, too.
    (_NAMED, r"(" + _NAMES + r":)(?![\s/\"'\\]|\[redacted\])[^\s\"'\\\])}]+", r"\1" + MARK),
    (
        _NAMED,
        r"("
        + _NAMES
        + r":\s{1,2})(?!"
        + _PROSE
        + r"\b|\[redacted\]|/)(?=[^\s0-9]{0,256}[0-9]|[^\s,;]{1,256}(?:[,;]|\s{0,4}$))[^\s\"'\\,;]{3,}",
        r"\1" + MARK,
    ),
)
_ROWS = [(literals, Lazy(pattern, re.IGNORECASE), becomes) for literals, pattern, becomes in TABLE]
_ANY = tuple(sorted({literal for literals, _pattern, _becomes in TABLE for literal in literals}))


# Texts without a secret, which events have in common: hosts, reasons, names of tasks.
_innocent, _MAX_INNOCENT = set(), 500


def redact(text):
    """The text with every secret that the table knows replaced by MARK."""
    if text in _innocent:
        return text
    lower = text.lower()
    if not contains_any(lower, _ANY):
        if len(_innocent) >= _MAX_INNOCENT:
            _innocent.clear()
        _innocent.add(text)
        return text
    for literals, pattern, becomes in _ROWS:
        if contains_any(lower, literals):
            text = pattern.sub(becomes, text)
    return text
