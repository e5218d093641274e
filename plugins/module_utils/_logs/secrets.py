# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The forms that secrets have in logs: a table, grouped by kind, and what else gives one away.

A row is what a line must have in it (one of these, lower case; most lines have none, and no expression is compiled for them), and the
expression, without regard to case. Its first group, if it has one, stays; the rest of what it finds is the secret. <WORDS> are pieces that
several have in common. Every expression is linear: it starts at a literal or behind a character that it cannot go on with, and its repeats
cannot be read in two ways.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

# Password in Chinese, Japanese, Korean, Russian, Spanish, French, Polish, Swedish, Turkish, Dutch, Czech, Norwegian, Danish and Finnish.
# To Python 2 an escape is one in texts of its own kind alone.
_ELSEWHERE = tuple(
    word.decode("unicode_escape")
    for word in (
        b"\\u5bc6\\u7801",
        b"\\u53e3\\u4ee4",
        b"\\u5bc6\\u78bc",
        b"\\u30d1\\u30b9\\u30ef\\u30fc\\u30c9",
        b"\\ube44\\ubc00\\ubc88\\ud638",
        b"\\u043f\\u0430\\u0440\\u043e\\u043b\\u044c",
        b"contrase\\xf1a",
        b"mot de passe",
        b"mot_de_passe",
        b"motdepasse",
        b"has\\u0142o",
        b"l\\xf6senord",
        b"\\u015fifre",
        b"wachtwoord",
        b"heslo",
        b"passord",
        b"adgangskode",
        b"salasana",
    )
)

# fmt: off
_PIECES = {
    # --- names whose value is a secret
    # Wherever they stand in front of "=" or ":": db_password, AWS_SECRET_ACCESS_KEY, "identitytoken".
    "NAME": r"(?:pass(?:words?|wd|[_-]?phrase|code|wort)|kennwort|senha|pwd|secret(?:[_-]?id)?|token|api[_-]?key|apikey|(?:access|secret|private|account|auth|"
            r"signing|encryption|shared|client|subscription|master|unseal|recovery|deploy)[_-]?(?:access[_-]?)?key(?![_-]?id)|"
            r"credentials?|registry[_-]?auth)(?:_(?:key_base|value|hash|v?\d{1,3})|-data)?",
    # Short for them, which is also the end of other words and a word of its own: only in front of "=", and in quotes.
    "SHORT": r"(?<!by)(?<!com)(?<!sur)(?<!tres)pass|(?:(?<![a-z0-9])|bind|root)pw|(?<![a-z0-9])(?:pswd|passwd|psk|otp|[a-z]{1,16}_cookie)",
    "ELSEWHERE": "|".join(_ELSEWHERE),
    # Words of messages that follow a name and a colon, and are no secret.
    "PROSE": r"(?:un\w*|den\w+|forbid\w*|invalid|expired|missing|empty|null|none|nil|true|false|required|incorrect|wrong|fail\w*|err\w*|"
             r"context|not|no|is|was|the|a|an|cannot|could|EOF|rpc|Post|Get|Put|Head|Patch|Delete|dial|read|open|exit|timeout|timed|bad|"
             r"access|secret|secrets|token|tokens|yes|configmap|object|authentication|authorization|client|server|mount\w*|permission|illegal|malformed)",
    # --- what stands between a name and its value
    "ASSIGNED": r"\s{0,4}(?:=>|:=|={1,2}(?![=>]))\s{0,4}",
    "WIDE": b"\\uff1a".decode("unicode_escape"),
    # What Go, shells and others put before a text, and lists.
    "TYPED": r"(?:[$bnu](?=')|\[(?=[\"'])|(?:\((?:string|len=\d{1,5})\)\s?){1,2}(?=\"))?",
    # Punctuation that is encoded, as often as it was passed on: in addresses, in JSON that is to be HTML, in HTML.
    "ENCODED": r"(?:%(?:25){0,3}|\\{1,7}u00|\\{1,7}x|&\#x)",
    "BLANKS": r"(?:\+|<ENCODED>20){0,2}",
    "MARKS": r"(?:(?:<ENCODED>5C){0,3}<ENCODED>2[27];?|&quot;|&\#3[49];)",
    # --- values
    # In quotes (a shell's go on with a quote of their own in between), in escaped quotes (JSON within JSON), or up to where it cannot go on.
    "QUOTED": r"\"(?:[^\"\\]|\\.)*\"?|'[^']*'?(?:\\''[^']*'?)*|(?P<escape>\\{1,7})\"(?:(?!(?<!\\)(?P=escape)\")[\s\S])*",
    "BARE": r"[^\s\"'\\&;,]+",
    # --- commands: an argument, what is between two of them, also where they are a list in JSON or auditd's, and the quotation mark or blank before one
    "ARGUMENT": r"(?![\s-]|\[redacted\])(?:<QUOTED>|[^\s\"',\\]{1,4096})",
    "NEXT": r"\\{0,7}[\"']?(?:\s{0,2},\s{0,2}|\s{1,2}(?:a\d{1,3}=)?)",
    "BEFORE": r"[\s\"'\\]",
    "QUOTE": r"\\{0,7}[\"']?",
}

_ADDRESSES = (
    # https://user:password@host, also redis://:password@host; a token in place of the user.
    (("://",), r"(://[^\s/@:\"']{0,128}:)(?!\[redacted\]@)[^\s/\"']{1,512}(?=@)"),
    (("://",), r"(://)[^\s/@:\"']{20,512}(?=@)"),
    # With what should have been encoded in it, and cut short before its end. A port is neither; it ends before the next address.
    (("://",), r"(://[^\s/@:\"']{0,128}:)(?!\d{0,5}(?:[/?#\s\"',;)\]}]|$)|\[redacted\])"
               r"(?:[^\s@/\"']|/(?!/)|[\"'](?=[^\s,:;@)\]}\"'])){1,512}(?:(?=@)|$)"),
    (("jdbc:oracle:",), r"(jdbc:oracle:\w{1,8}:[^\s/@]{1,64}/)[^\s@]{1,256}(?=@)"),
    # Addresses that are the secret themselves: webhooks, and Telegram's bots.
    (("hooks.slack.com/", "discord.com/api/", "discordapp.com/api/", "webhook.office.com/"),
     r"((?:hooks\.slack\.com/(?:services|workflows|triggers)|discord(?:app)?\.com/api/(?:v\d{1,2}/)?webhooks|webhook\.office\.com/webhookb2)/)"
     r"[\w@%/.-]{8,}"),
    ((":aa",), r"(?<![0-9])\d{6,12}:AA[\w-]{30,}"),
    # Go's MySQL: user:password@tcp(host:3306)/base
    (("@tcp(", "@unix("), r"(?<![\w.:-])([\w.-]{1,64}:)[^\s/\"'@]{1,256}(?=@(?:tcp|unix)\()"),
)

_HEADERS = (
    (("authorization",),
     r"(authorization\\?[\"']?\]?(?:\s{0,2}[:=]\s{0,2}\[?\\?[\"']?(?:(?:bearer|basic|token|negotiate|apikey)\s{1,2})?|\s{1,2}(?:bearer|basic)\s{1,2}))"
     r"(?!\[?redacted\]|(?:bearer|basic|digest|token|negotiate|apikey)\b|plugin|webhook|mode|fail|denied|error|policy)[\w.~+/=:-]{6,}"),
    (("digest",),
     r"\b(digest\s{1,2})\w{1,32}=(?:\\{0,7}\"[^\"\\]{0,512}\\{0,7}\"|[^\s,\"]{1,512})"
     r"(?:,\s{0,2}\w{1,32}=(?:\\{0,7}\"[^\"\\]{0,512}\\{0,7}\"|[^\s,\"]{1,512})){2,16}"),
    (("bearer",), r"\b(bearer\s{1,2})(?=[a-z_.~+/=-]{0,256}[0-9]|[\w.~+/=-]{24})[\w.~+/=-]{8,}"),
    (("basic ",), r"\b(basic\s{1,2})(?=[a-z+/]{0,256}[0-9=])[a-z0-9+/]{8,}={0,2}"),
    (("cookie",), r"\b((?:set-)?cookie2?\\?[\"']?\s{0,2}:\s{0,2}\\?[\"']?)(?=[\w.-]{1,64}=)[^\"'\n\\]{1,4096}"),
    (("x-api-key", "x-auth-token", "x-vault-token", "x-amz-security-token", "x-registry-auth"),
     r"\b(x-(?:api-key|auth-token|vault-token|amz-security-token|registry-auth)\\?[\"']?\s{0,2}[:=]\s{0,2}\[?\\?[\"']?)(?!\[?redacted\])[\w.~+/=%-]{6,}"),
    (("sess", "sid=", "sid:", "code="), r"((?:(?<![a-z0-9])(?:[a-z]{0,16}sess(?:ion)?[_-]?id|(?:connect\.)?sid)[=:]|[?&]code=)\s?)[\w.%/+-]{16,}"),
    (("snmp", "community_string", "community-string"), r"(\bcommunity(?:[_-]?string)?\s{0,2}[=:]\s{0,2})<ARGUMENT>"),
)

# Tokens that one knows by their look.
_TOKENS = (
    # JSON web tokens and encrypted ones, also cut short.
    (("eyj",), r"(?<![\w-])eyJ[\w-]{10,}(?:\.[\w-]*){1,4}"),
    # The same once more in base64, any other JSON in it (the credentials of a registry in a Secret), and a key file (a kubeconfig).
    (("eyj", "zxlk", "ls0tls1crudjti"), r"(?<![\w/+-])(?:eyJ|ZXlK|LS0tLS1CRUdJTi)[\w/+=-]{20,}"),
    # The secret behind an id of AWS, and the id.
    (("akia", "asia"), r"(?<![A-Za-z0-9])(A(?:KI|SI)A[A-Z0-9]{16}[\s:,;/\"']{1,4})[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"),
    (("akia", "asia"), r"(?<![A-Za-z0-9])A(?:KI|SI)A[A-Z0-9]{16}(?![A-Za-z0-9])"),
    (("aiza",), r"(?<![\w-])AIza[\w-]{35}"),
    (("ya29.",), r"(?<![\w-])ya29\.[\w-]{20,}"),
    (("gocspx-",), r"(?<![\w-])GOCSPX-[\w-]{20,}"),
    (("sig=", "signature=", "x-amz-credential=", "code_verifier=", "samlresponse=", "assertion=", "auth="),
     r"((?:(?<![\w-])(?:sig|signature|x-(?:amz|goog)-(?:signature|credential)|code_verifier|samlresponse|(?:client_)?assertion)|[?&]auth)=)[\w%+/=.~-]{8,}"),
    (("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"), r"(?<!\w)(?:gh[pousr]|github_pat)_\w{20,}"),
    (("glpat-", "gldt-", "glrt-", "glptt-", "glft-", "glcbt-", "glimt-", "gloas-", "glsoat-", "glagent-", "glffct-"),
     r"(?<![\w-])gl(?:pat|dt|rt|ptt|ft|cbt|imt|oas|soat|agent|ffct)-[\w.-]{16,}"),
    (("dckr_pat_", "dckr_oat_", "npm_", "hvs.", "hvb.", "xoxb-", "xoxp-", "xoxa-", "xoxs-", "xoxe", "xapp-", "xoxr-", "k_live_", "k_test_"),
     r"(?<![\w-])(?:dckr_[po]at_|npm_|hv[sb]\.|xox[abprs]-|xoxe(?:\.xox[bp])?-|xapp-|[sr]k_(?:live|test)_)[\w-]{16,}"),
    (("pypi-", "sk-", "sg.", "dop_v1_", "doo_v1_", "shpat_", "shpss_", "shpca_", "ltai", "glsa_", "hf_", "nvapi-"),
     r"(?<![\w.-])(?:pypi-[\w-]{16,}|sk-(?:proj-|ant-|or-|svcacct-)?(?=[a-z_-]{0,256}[0-9])[\w-]{24,}|SG\.[\w-]{16,32}\.[\w-]{32,}"
     r"|do[op]_v1_\w{32,}|shp(?:at|ss|ca)_\w{24,}|LTAI[A-Za-z0-9]{12,24}(?!\w)|glsa_\w{24,}|hf_[A-Za-z0-9]{30,}|nvapi-[\w-]{30,})"),
    (("whsec_", "age-secret-key-", "pmak-", "lin_api_", "nrak-", "tfp_", "atatt3", "tskey-", "figd_", "gsk_", "xai-", "ntn_", "r8_", "nfp_", "pscale_",
      "sntrys_", "sntryu_", "rubygems_", "pul-", "dp.pt.", "ops_eyj", "sq0", "1//0"),
     r"(?<![\w.-])(?:whsec_[\w+/=]{20,}|AGE-SECRET-KEY-1[A-Z0-9]{20,}|PMAK-[\w-]{20,}|lin_api_\w{20,}|NRAK-[A-Z0-9]{20,}|ATATT3[\w=-]{20,}"
     r"|tskey-[a-z]{2,12}-[\w-]{16,}|(?:tfp|figd|gsk|ntn|r8|nfp|pscale_(?:tkn|pw|oauth)|sntrys|sntryu|rubygems|ops)_(?=[\w=+/-]{0,256}[0-9A-Z])"
     r"[\w=+/-]{20,}|xai-\w{40,}|pul-[a-f0-9]{40}|dp\.pt\.\w{30,}|sq0(?:atp|csp|idp)-[\w-]{20,}|1//0[\w-]{30,})"),
    ((".atlasv1.",), r"(?<![\w.-])[\w-]{0,32}\.atlasv1\.[\w-]{20,}"),
    # Databricks and Mailgun, and Vault's of before 1.10.
    (("dapi", "key-"), r"(?<![\w-])(?:dapi|key-)[a-f0-9]{32}(?:-\d)?(?!\w)"),
    ((" s.", '"s.', "=s.", ":s."), r"(?<![\w./-])s\.[A-Za-z0-9]{24}(?![\w.-])"),
)

_STORED = (
    # Passwords that are stored as a digest can be guessed: those of shadow and htpasswd files, of directories and databases.
    (("$1$", "$2a$", "$2b$", "$2x$", "$2y$", "$5$", "$6$", "$7$", "$y$", "$gy$", "$apr1$", "$argon2", "$scrypt$", "$pbkdf2"),
     r"\$(?:[1567y]|2[abxy]|gy|apr1|argon2\w{1,2}|scrypt|pbkdf2[\w-]{0,16})\$[\w./$=,+-]{16,}"),
    (("sha}", "sha256}", "sha512}", "smd5}"), r"(\{(?:S?SHA(?:256|512)?|SMD5)\})[A-Za-z0-9+/=]{16,}"),
    (("scram-sha-",), r"(SCRAM-SHA-\d{1,3}\$)[\w+/=:$]{16,}"),
    (("md5",), r"(?<!\w)md5[0-9a-f]{32}(?!\w)"),
    # Private keys, to their end or that of the text.
    (("private key",), r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)(?:(?!-----END )[\s\S])*(?:-----END [A-Z0-9 ]{0,60}-----)?"),
    # Registry credentials of a docker config, and Azure's and others' connection strings.
    (("auth",), r"((?<![\w-])auth\\{0,7}[\"']\s{0,2}:\s{0,2}\\{0,7}[\"'])[A-Za-z0-9+/=_-]{6,}"),
    (("accountkey=", "sharedaccesskey=", "sharedaccesssignature="), r"((?:AccountKey|SharedAccessKey|SharedAccessSignature)=)[^;\s\"']{4,}"),
)

_COMMANDS = (
    # --password x, "--token","x".
    (("--", "-pass", "storepass", "keypass"),
     r"((?<![\w-])-{1,2}(?:[\w-]{0,64}(?:<NAME>|-pass)|pass|storepass|keypass|requirepass)<NEXT>)<ARGUMENT>"),
    (("-p ",), r"(\blogin\b[^\n]{0,256}?\s-p\s{1,2})<ARGUMENT>"),
    (("mysql", "mariadb", "sshpass"),
     r"((?:\b(?:mysql\w{0,12}|mariadb[\w-]{0,12})\b[^\n]{0,256}?<BEFORE>-p|\bsshpass<NEXT><QUOTE>-p(?:<NEXT>)?))<ARGUMENT>"),
    (("redis-cli", "ldap", "openssl", "htpasswd", "rabbitmqctl"),
     r"(\bredis-cli\b[^\n]{0,256}?<BEFORE>-a<NEXT>|\bldap(?:search|modify|add|delete|passwd|whoami)\b[^\n]{0,256}?<BEFORE>-[wy]<NEXT>"
     r"|\bopenssl\b[^\n]{0,256}?\s-k\s{1,2}|\bopenssl\b[^\n]{0,256}?<BEFORE>pass:"
     r"|\brabbitmqctl\b[^\n]{0,128}?<BEFORE>(?:add_user|change_password|authenticate_user)<NEXT><QUOTE>[\w.@-]{1,64}<NEXT>"
     r"|\bhtpasswd\s{1,2}-\w{0,8}b\w{0,8}\s{1,2}\S{1,256}\s{1,2}\S{1,64}\s{1,2})<ARGUMENT>"),
    (("-u", "--user"), r"(\s(?:-U|--user)\s{0,2}[^\s:\"'%]{1,64}%)[^\s\"']{1,512}"),
    # -u user:password, but not the numeric user:group of a container.
    ((" -u", '"-u', "-user"),
     r"(<BEFORE>(?:-u|--(?:proxy-)?user)(?:=|<NEXT>)?<QUOTE>(?!\d{1,10}:\d{1,10}(?:[\s\"']|$))[^\s:\"'=]{1,64}:)[^\s\"'\\]{1,512}"),
    # -u bob -p password: of many programs, but of containers a user and a port.
    (("-u", "--user"),
     r"(<BEFORE>(?:-u|--user(?:name)?)(?:=|<NEXT>)?<QUOTE>[^\s\"',\\:]{1,64}<NEXT><QUOTE>-p(?:<NEXT>)?)"
     r"(?!<QUOTE>[\d.]{1,15}(?::\d|[\s\"',/]|$))<ARGUMENT>"),
    (("--from-literal",), r"(--from-literal(?:=|<NEXT>)<QUOTE>[\w.-]{1,128}=)<ARGUMENT>"),
    # Lines of configuration files: requirepass of Redis, bindpw of LDAP.
    (("requirepass", "masterauth", "bindpw", "rootpw", "wpa-psk"),
     r"((?:\b|olc)(?:requirepass|masterauth|bindpw|rootpw|wpa-psk)(?:<NEXT>|\s{0,2}[=:]\s{0,2}))<ARGUMENT>"),
)

_SENTENCES = (
    # In the words of people, where it does not look like a word of theirs.
    (("password ", "password\t", "passphrase ", "passwd "),
     r"((?:password|passphrase|passwd)[ \t]{1,2}(?:(?:\w{1,12}\s){0,4}(?:(?:is|was|of|to|as):?|for \S{1,64}:)\s{1,2})?<QUOTE>)"
     r"(?![/\[]|sha\d|md5|scram)(?=[^\s\"'\\]{0,256}[0-9])(?=[^\s\"'\\]{0,256}[a-z])[^\s\"'\\;)\]}]{6,}"),
    (("token ",), r"(token\s{1,2}<QUOTE>)(?=[\w.+/=]{0,256}[0-9])(?=[\w.+/=]{0,256}[a-z])[\w.+/=]{24,}(?![\w:-])"),
    # A key of 256 bits behind its name, of kubeadm and of Zabbix for example; a digest of that length says so.
    (("key", "psk", "secret"), r"((?:key|psk|secret)<QUOTE>[\s:=]{1,3}<QUOTE>)[0-9a-f]{64}(?!\w)"),
    # ipsec.secrets.
    (("psk", "eap", "xauth", "ntlm"), r"(:\s{1,2}(?:psk|eap|xauth|ntlm)\s{1,2})(?:\"[^\"\n]{1,512}\"?|0s[\w+/=]{8,})"),
    (("unseal",), r"(\bunseal[ _-]?key(?: \d{1,2})?:\s{1,2})[\w+/=]{8,}"),
    # SQL; the digest that MySQL keeps of a password; Oracle's user/password@base.
    (("identified ", "password(", "password ("),
     r"(\bidentified\s{1,2}(?:with\s{1,2}\S{1,64}\s{1,2})?(?:by|as)\s{1,2}(?:password\s{1,2})?|\bpassword\s?\(\s?)(?=[\"'\\])(?:<QUOTED>)"),
    (("*",), r"(?<![\w*])\*[0-9A-F]{40}(?!\w)"),
    (("sqlplus", "oracle", "expdp", "impdp", "sqlldr", "rman "),
     r"(\b(?:sqlplus|oracle|expdp|impdp|sqlldr|rman)\b[^\n]{0,128}?\s[\w$#]{1,64}/)[^\s/@\"']{1,128}(?=@(?!sha\d))"),
)

_NAMED = ("pass", "pw=", "_cookie", "psk", "otp", "kennwort", "senha", "pwd", "secret", "token", "key", "credential", "auth")
_NAMES = (
    (("%3", "%2", "\\u00", "\\x", "&#", "&quot;"),
     r"((?:<NAME>)(?:<MARKS>\s{0,2}[=:]\s{0,2}|<MARKS>?<BLANKS>(?:<ENCODED>3[AD];?|&\#(?:58|61);)<BLANKS>)<MARKS>?)"
     r"(?!\[redacted\])(?:[^\s&%\"'\\\[]|%(?!(?:25){0,3}(?:2[267C]|7D|3B|5C))){1,1024}"),
    # name=value and "name": "value".
    (_NAMED, r"((?:<NAME>|<SHORT>)<QUOTE><ASSIGNED><TYPED>)(?!(?:null|none|nil|true|false)\b|\[redacted\]|<nil>)(?<!pwd=)(?:<QUOTED>|<BARE>)"),
    (("pwd=",), r"(pwd=)(?![/.~\"'\s]|\[redacted\])<BARE>"),
    (_NAMED, r"((?:<NAME>|<SHORT>)(?:\\{0,7}[\"'](?:\s{0,8}:\s{0,8}(?=[\"'\\0-9])|:\s{0,8}(?!<PROSE>\b))|\s{0,2}:\s{0,2}<TYPED>(?=[\"'\\])))"
             r"(?!(?:null|true|false)\b|\[redacted\])(?:<QUOTED>|<BARE>)"),
    # A name and its value as fields of their own: variables of a container in the words of the kubelet, in JSON, YAML and XML.
    (("value",), r"((?:<NAME>|[_-]auth)[\w-]{0,40}<QUOTE>(?:[,;]|\\n|\s)\s{0,16}<QUOTE>value<QUOTE>\s{0,2}[:=]\s{0,2}<QUOTE>)[^,;}\n\"'\\]{1,4096}"),
    (_NAMED, r"(<[\w:.-]{0,32}<NAME>(?:\s[^<>\n]{0,256})?>)[^<\n]{1,4096}"),
    (_ELSEWHERE, r"((?:<ELSEWHERE>)\s?[:=<WIDE>]\s?)[^\s\"',;]+"),
    (("bootstrap token",), r"(bootstrap token\s{1,2})[\w.]{16,}"),
    # name:value of Go's maps, name: value of YAML: a colon is punctuation, too.
    (_NAMED, r"(<NAME>:)(?![\s/\"'\\:]|\((?:string|len=)|chauthtok|\[redacted\])(?:(?!,\w{1,32}:)[^\s\"'\\\])}])+"),
    (_NAMED, r"((?:<NAME>|\w_pass)::?\s{1,16})(?!\s|<PROSE>\b|\[redacted\]|/)(?=[^\s0-9]{0,256}[0-9]|[^\s,;]{1,256}(?:[,;]|\s{0,4}$))[^\s\"'\\,;]{3,}"),
)
# fmt: on

# What is random is a secret if one of these is not far before it, in whatever words, or if it is what an option of one letter is given.
NEAR = _ELSEWHERE + (
    "pass", "pwd", "secret", "token", "key", "psk", "auth", "login", "cred", "_pat", "crypt", "community", "createuser", "setuser", "/user:", "echo ",
)  # fmt: skip
OPTION = r"(?:^|\s)-[A-Za-z][\s\"']{0,2}(?:[^\s\"':]{1,64}:)?$"


def _spelled(expression):
    """The expression with the pieces that it names in their place."""
    return re.sub(r"<([A-Z]+)>", lambda found: _spelled(_PIECES[found.group(1)]), expression)


TABLE = tuple(
    (literals, _spelled(expression))
    for kind in (_ADDRESSES, _HEADERS, _TOKENS, _STORED, _COMMANDS, _SENTENCES, _NAMES)
    for literals, expression in kind
)
