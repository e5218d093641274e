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
    r"(?:pass(?:word|wd|phrase|code|wort)|kennwort|senha|pwd|secret|token|api[_-]?key|apikey|(?:access|secret|private|account|auth|signing|"
    r"encryption|shared|client)[_-]?(?:access[_-]?)?key(?![_-]?id)|credentials?|registry[_-]?auth)(?:_(?:key_base|value|hash|v?\d{1,3})|-data)?"
)
# Password, in Chinese, and the colon that goes with it. To Python 2 an escape is one in texts of its own kind alone.
_IN_CHINESE = tuple(word.decode("unicode_escape") for word in (b"\\u5bc6\\u7801", b"\\u53e3\\u4ee4"))
_WIDE_COLON = b"\\uff1a".decode("unicode_escape")
_NAMED = ("pass", "pw=", "kennwort", "senha", "pwd", "secret", "token", "key", "credential", "auth")
# Short for them, which is also the end of other words and a word of its own: only in front of "=", and in quotes.
_SHORT = r"(?<!by)(?<!com)(?<!sur)(?<!tres)pass|(?<![a-z0-9])(?:pw|pswd|passwd)"
# What stands between a name and its value in assignments.
_ASSIGNED = r"\s{0,4}(?:=>|:=|={1,2}(?![=>]))\s{0,4}"
# Words of messages that follow a name and a colon, and are no secret.
_PROSE = (
    r"(?:un\w*|den\w+|forbid\w*|invalid|expired|missing|empty|null|none|nil|true|false|required|incorrect|wrong|fail\w*|err\w*|"
    r"context|not|no|is|was|the|a|an|cannot|could|EOF|rpc|Post|Get|Put|Head|Patch|Delete|dial|read|open|exit|timeout|timed|bad|"
    r"access|secret|secrets|token|tokens|configmap|object|authentication|authorization|client|server|mount\w*|permission|illegal|malformed)"
)
# A value in quotes, in escaped quotes (JSON within JSON), or up to where it cannot go on.
_QUOTED = r"\"(?:[^\"\\]|\\.)*\"?|'[^']*'?|(?P<escape>\\{1,7})\"(?:(?!(?<!\\)(?P=escape)\")[\s\S])*"
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
    # With what should have been encoded in it, and cut short before its end. A port is neither; it ends before the next address.
    (
        ("://",),
        r"(://[^\s/@:\"']{0,128}:)(?!\d{0,5}(?:[/?#\s\"',;)\]}]|$)|\[redacted\])(?:[^\s@/\"']|/(?!/)|[\"'](?=[^\s,:;@)\]}\"'])){1,512}(?:@|$)",
        r"\1" + MARK + "@",
    ),
    (("jdbc:oracle:",), r"(jdbc:oracle:\w{1,8}:[^\s/@]{1,64}/)[^\s@]{1,256}(?=@)", r"\1" + MARK),
    # Addresses that are the secret themselves: webhooks, and Telegram's bots.
    (
        ("hooks.slack.com/", "discord.com/api/webhooks/", "discordapp.com/api/webhooks/", "webhook.office.com/"),
        r"((?:hooks\.slack\.com/(?:services|workflows|triggers)|discord(?:app)?\.com/api/webhooks|webhook\.office\.com/webhookb2)/)[\w@%/.-]{8,}",
        r"\1" + MARK,
    ),
    ((":aa",), r"(?<![0-9])\d{6,12}:AA[\w-]{30,}", MARK),
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
    # The same once more in base64, any other JSON in it (the credentials of a registry in a Secret), and a key file (a kubeconfig).
    (("eyj", "zxlk", "ls0tls1crudjti"), r"(?<![\w/+-])(?:eyJ|ZXlK|LS0tLS1CRUdJTi)[\w/+=-]{20,}", MARK),
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
        r"((?<![\w-])(?:sig|signature|x-(?:amz|goog)-(?:signature|credential))=)[\w%+/=.~-]{8,}",
        r"\1" + MARK,
    ),
    (("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"), r"(?<!\w)(?:gh[pousr]|github_pat)_\w{20,}", MARK),
    (("glpat-", "gldt-", "glrt-"), r"(?<![\w-])gl(?:pa|d|r)t-[\w-]{16,}", MARK),
    (
        (
            "dckr_pat_",
            "dckr_oat_",
            "npm_",
            "hvs.",
            "hvb.",
            "xoxb-",
            "xoxp-",
            "xoxa-",
            "xoxs-",
            "xoxe",
            "xapp-",
            "sk_live_",
            "rk_live_",
        ),
        r"(?<![\w-])(?:dckr_[po]at_|npm_|hv[sb]\.|xox[abps]-|xoxe(?:\.xox[bp])?-|xapp-|[sr]k_live_)[\w-]{16,}",
        MARK,
    ),
    (
        ("pypi-", "sk-", "sg.", "dop_v1_", "doo_v1_", "shpat_", "shpss_", "shpca_", "ltai", "glsa_", "hf_", "nvapi-"),
        r"(?<![\w.-])(?:pypi-[\w-]{16,}|sk-(?:proj-|ant-|or-|svcacct-)?(?=[a-z_-]{0,256}[0-9])[\w-]{24,}|SG\.[\w-]{16,32}\.[\w-]{32,}"
        r"|do[op]_v1_\w{32,}|shp(?:at|ss|ca)_\w{24,}|LTAI[A-Za-z0-9]{12,24}(?!\w)|glsa_\w{24,}|hf_[A-Za-z0-9]{30,}|nvapi-[\w-]{30,})",
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
        ("--", "-pass", "storepass", "keypass"),
        r"((?<![\w-])-{1,2}(?:[\w-]{0,64}(?:"
        + _NAMES
        + r"|-pass)|pass|storepass|keypass)\\?[\"']?(?:\s{0,2},\s{0,2}|\s{1,2})\\?[\"']?)(?![-\s])[^\s\"',\\]{1,4096}",
        r"\1" + MARK,
    ),
    (("-p ",), r"(\blogin\b[^\n]{0,256}?\s-p\s{1,2})[^\s\"']{1,4096}", r"\1" + MARK),
    (
        ("mysql", "mariadb", "sshpass"),
        r"(\b(?:mysql\w{0,12}|mariadb[\w-]{0,12})\b[^\n]{0,256}?\s-p|\bsshpass\s{1,2}-p\s{0,2})(?![\s-])[^\s\"']{1,4096}",
        r"\1" + MARK,
    ),
    (
        ("redis-cli", "ldap", "openssl", "htpasswd"),
        r"(\bredis-cli\b[^\n]{0,256}?\s-a\s{1,2}|\bldap(?:search|modify|add|delete|passwd)\b[^\n]{0,256}?\s-[wy]\s{1,2}"
        r"|\bopenssl\b[^\n]{0,256}?\s-k\s{1,2}|\bopenssl\b[^\n]{0,256}?\spass:|\bhtpasswd\s{1,2}-\w{0,8}b\w{0,8}\s{1,2}\S{1,256}\s{1,2}\S{1,64}\s{1,2})"
        r"[^\s\"']{1,4096}",
        r"\1" + MARK,
    ),
    (("-u", "--user"), r"(\s(?:-U|--user)\s{0,2}[^\s:\"'%]{1,64}%)[^\s\"']{1,512}", r"\1" + MARK),
    (
        (" -u", "--user "),
        r"(\s(?:-u|--user)\s{0,2}(?!\d{1,10}:\d{1,10}(?:\s|$))[^\s:\"']{1,64}:)[^\s\"']{1,512}",
        r"\1" + MARK,
    ),
    # name=value and "name": "value".
    (
        _NAMED,
        r"((?:"
        + _NAMES
        + r"|"
        + _SHORT
        + r")"
        + _ASSIGNED
        + r")(?!(?:null|none|nil|true|false)\b|\[redacted\]|<nil>)(?<!pwd=)(?:"
        + _QUOTED
        + r"|"
        + _BARE
        + r")",
        _quoted,
    ),
    (("pwd=",), r"(pwd=)(?![/.~\"'\s]|\[redacted\])" + _BARE, r"\1" + MARK),
    (
        _NAMED,
        r"((?:"
        + _NAMES
        + r"|"
        + _SHORT
        + r")(?:\\{0,7}[\"']\s{0,8}:\s{0,8}|:\s{0,2}(?=[\"'\\])))(?!(?:null|true|false)\b)(?:"
        + _QUOTED
        + r"|"
        + _BARE
        + r")",
        _quoted,
    ),
    # A name and its value as fields of their own: variables of a container in the words of the kubelet, in JSON, YAML and XML.
    (
        ("value",),
        r"("
        + _NAMES
        + r"[\w-]{0,40}\\{0,7}[\"']?(?:[,;]|\\n|\s)\s{0,16}\\{0,7}[\"']?value\\{0,7}[\"']?\s{0,2}[:=]\s{0,2}\\{0,7}[\"']?)[^,;}\n\"'\\]{1,4096}",
        r"\1" + MARK,
    ),
    (_NAMED, r"(<[\w:.-]{0,32}" + _NAMES + r">)[^<\n]{1,4096}", r"\1" + MARK),
    (_IN_CHINESE, r"((?:" + "|".join(_IN_CHINESE) + r")\s?[:=" + _WIDE_COLON + r"]\s?)[^\s\"',;]+", r"\1" + MARK),
    (("bootstrap token",), r"(bootstrap token\s{1,2})[\w.]{16,}", r"\1" + MARK),
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
