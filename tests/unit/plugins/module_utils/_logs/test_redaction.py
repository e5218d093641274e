# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets go, what looks like them and the rest of the line stay. All of them are made up, and put together here so that no scanner finds one."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re
import time

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import redaction, secrets

cpu_clock = getattr(time, "process_time", None) or time.clock

SECRET = "hunter" + "2Xy" + "Zzy9"
B64 = "dXNlcjpw" + "YXNzd29yZDEyMw=="
JWT = "eyJ" + "hbGciOiJSUzI1NiIsImtpZCI6IiJ9" + ".eyJ" + "zdWIiOiJzeXN0ZW0ifQ" + ".c2lnbmF0dXJl" + "LXZhbHVl_-x"
AWS_ID, AWS_SECRET = "AK" + "IAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY"

# The line, with X where the secret is; the secret; what is left must be the line with the mark in its place.
SECRETS = [
    ("pull https://bob:X@registry.example.com/v2/ failed: 401", SECRET),
    ("dial redis://:X@10.0.0.1:6379: timeout", SECRET),
    ("cannot reach amqp://guest:X@mq:5672/ now", "p%40ss:w0rd"),
    ("git clone https://X@github.com/a/b.git failed", "abcdefghij" + "klmnopqrst0123"),
    ("open root:X@tcp(10.0.0.2:3306)/app?timeout=5s: refused", SECRET),
    ("request had header Authorization: Bearer X and failed", JWT),
    ('"Authorization":"Basic X","Accept":"*/*"', B64),
    ("map[Accept:[*/*] Authorization:[Bearer X]] 403", "abc" + "def0123456789"),
    ("using bearer X for the registry", "0123456789abcdef"),
    ("auth was Basic X here", B64),
    ("sent Cookie: X", "session=" + SECRET + "; id=4"),
    ("X-Vault-Token: X denied", None),
    ("token review of X failed", JWT),
    ("cut at X", JWT[:60]),
    ("s3 denied for X today", AWS_ID),
    ("aws_secret_access_key=X region=eu", AWS_SECRET),
    ("AWS_SECRET_ACCESS_KEY: X", AWS_SECRET),
    ("gcp key X rejected", "AIza" + "SyA-0123456789abcdefghijklmnopqrstu"),
    ("gcp token X rejected", "ya29." + "a0AfH6SMBx0123456789-abc"),
    ("blob https://a.blob.core.windows.net/c/b?sv=2020&sig=X&se=1 404", "abc%2Fdef0123456789%3D"),
    ("conn DefaultEndpointsProtocol=https;AccountName=a;AccountKey=X;EndpointSuffix=x", "abc/def+0123456789=="),
    ("gh X bad credentials", "ghp_" + "0123456789abcdefghijklmnopqrstuvwxyz"),
    ("gl X bad", "glpat-" + "0123456789abcdefghij"),
    ("hub X bad", "dckr_pat_" + "0123456789abcdefghij-_"),
    ("vault X bad", "hvs." + "0123456789abcdefghijkl"),
    ("starting with password=X user=bob", SECRET),
    ("db_passwd=X, retry 3", SECRET),
    ("PGPASSWORD='X' psql -h db", "two words"),
    ('config {"user":"bob","password":"X","port":5432}', 'pa\\"ss word'),
    ('log "{\\"password\\":\\"X\\",\\"port\\":1}" end', SECRET),
    ("{'api_key': 'X', 'n': 1}", SECRET),
    ('apiKey: "X"', SECRET),
    ('"client_secret" : "X"', SECRET),
    ("env map[DB_PASSWORD:X PATH:/usr/bin]", SECRET),
    ("password: X", SECRET),
    ("password: X, user: bob", "correcthorse"),
    ("kubeadm join 10.0.0.1:6443 --token X --v=2", "abcdef" + ".0123456789abcdef"),
    ("exec mysql --password X -h db", SECRET),
    ('args: ["--db-password","X","--port","1"]', SECRET),
    ("docker login -u bob -p X registry", SECRET),
    ("curl -u bob:X https://x.example.com", SECRET),
    ('{"auths":{"r.example.com":{"auth":"X"}}}', B64),
    ('"identitytoken":"X"', SECRET),
    ("Env:[]EnvVar{EnvVar{Name:DB_PASSWORD,Value:X,ValueFrom:nil,},},", SECRET + " with a blank"),
    ('"env":[{"name":"API_TOKEN","value":"X"},{"name":"a"}]', SECRET),
    ('err="{\\"name\\":\\"DB_PASSWORD\\",\\"value\\":\\"X\\"}"', SECRET),
    ("- name: DB_PASSWORD\n  value: X", SECRET),
    ("<password>X</password>", SECRET),
    ("password => X, user", SECRET),
    ('password := "X"', SECRET),
    ('"password"   :   "X"', SECRET),
    ('log "{\\"password\\": \\"X\\", \\"port\\":1}" end', "a" + '\\\\\\"' + SECRET),
    ("DB_PASS=X user=bob", SECRET),
    ("SECRET_KEY_BASE=X RAILS_ENV=production", SECRET),
    ("mysql -uroot -pX db", SECRET),
    ("mysqldump --host=a -p X", None),
    ("sshpass -p X ssh a", SECRET),
    ("redis-cli -h a -a X ping", SECRET),
    ("ldapsearch -D cn=a -w X", SECRET),
    ("openssl rsa -passin pass:X", SECRET),
    ("htpasswd -bc /etc/f bob X", SECRET),
    ("curl -ubob:X https://x.example.com", SECRET),
    ("smbclient //h/s -U bob%X", SECRET),
    ("keytool -storepass X -list", SECRET),
    ("tool -password X -v", SECRET),
    ("tool --db-pass X -v", SECRET),
    ("pull https://bob:X@registry.example.com/v2/", "p/a" + SECRET),
    ("pull https://bob:X@registry.example.com/v2/", "p'a" + SECRET),
    ("jdbc:oracle:thin:bob/X@db:1521:x", SECRET),
    ("post https://hooks.slack.com/services/X failed", "T00000000/B00000000/" + "x" * 24),
    ("post https://discord.com/api/webhooks/X failed", "123456789/" + "aB3_" * 12),
    ("slack X bad", "xapp" + "-1-A111-222-" + "abcdef0123456789"),
    ("pypi X bad", "pypi" + "-AgEIcHlwaS5vcmcCJDEyMzQ1Njc4"),
    ("ai X bad", "sk" + "-proj-abcdefghij0123456789ABCDEFGHIJ"),
    ("mail X bad", "SG" + "." + "a" * 22 + "." + "B" * 43),
    ("cloud X bad", "dop" + "_v1_" + "a1b2" * 16),
    ("shop X bad", "shpat" + "_" + "a1b2" * 8),
    ("aliyun X bad", "LTAI" + "5tAbCdEfGhIjKlMnOpQr"),
    (".dockerconfigjson: X", "eyJhdXRocyI6" + "eyJyZWcuaW8iOnsiYXV0aCI6ImRY"),
    ("client-key-data: X", "LS0tLS1CRUdJTi" + "BSU0EgUFJJVkFURSBLRVktLS0tLQo="),
    ("b64 X sent", "ZXlK" + "aGJHY2lPaUpJVXpJMU5pSjkuZXlKemRXSWlP"),
    ("bootstrap token X expired", "abcdef" + ".0123456789abcdef"),
    (b"\\u5bc6\\u7801: X".decode("unicode_escape"), SECRET),
    ('Authorization: Digest X, uri="/"', None),
    ("Authorization: ApiKey X denied", B64),
    ('exec app --db-password "X" --port 80', "two words " + SECRET),
    ('args: ["redis-server","--requirepass","X"]', SECRET),
    ("mysqldump --user=root -p'X' db", SECRET),
    ('command: ["mysql","-uroot","-pX","-h","db"]', SECRET),
    ("sshpass -p'X' ssh a", SECRET),
    ("mongo -u root -p X --host h", SECRET),
    ("curl --proxy-user bob:X https://x.example.com", SECRET),
    ('command: ["curl","-u","bob:X","https://x.example.com"]', SECRET),
    ("rabbitmqctl add_user bob X", SECRET),
    ("sqlplus scott/X@orcl", SECRET),
    ("oracle image org/app@sha256:0123 and scott/X@orcl", SECRET),
    ("create --from-literal=key=X -n a", SECRET),
    ("requirepass X", SECRET),
    ("olcRootPW: X", SECRET),
    ("bind_psk=X", SECRET),
    ("PASSWORD='X' and more", "it'" + "\\''" + "s " + SECRET),
    ("TOKEN=$'X' b=1", SECRET),
    ('Password:(string) (len=14) "X"', SECRET),
    ("password : 'X'", SECRET),
    ("{password:X,user:u}", SECRET),
    ("userPassword:: X", B64),
    ("ansible_become_pass: X", SECRET),
    ("mount: password%3DX%26user%3Du", SECRET),
    ("%22password%22%3A%22X%22", SECRET),
    ("%2522password%2522%253A%2522X%2522", SECRET),
    ("PASSWORD\\u003dX\\u0026a=1", SECRET),
    ("\\u0022password\\u0022:\\u0022X\\u0022", SECRET),
    ("&quot;password&quot;:&quot;X&quot;", SECRET),
    ("the password is X", SECRET),
    ("user bob with password X failed", SECRET),
    ("admin password has been set to X", SECRET),
    ("machine a login bob password X", SECRET),
    ("temporary password is generated for root@localhost: X", SECRET),
    ("got token X from it", "abcdef0123456789" + "abcdef0123456789"),
    ("Unseal Key 1: X", "abcd1234" + "efgh5678"),
    ("create user u IDENTIFIED BY 'X'", SECRET),
    ("root X in mysql.user", "*6BB4837EB74329105EE4" + "568DDA7DC67ED2CA2AD9"),
    ("root:X:19000:0", "$6$" + "rounds=5000$saltsalt$abcdefghij0123456789./"),
    ("bob:X", "$apr1$" + "abcdefgh$abcdefghijklmnopqrstu."),
    ("hash X", "$argon2id$" + "v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2"),
    ("bob:{SSHA}X", "W6ph5Mm5Pz8GgiUL" + "bPgzG37mj9g="),
    ("https://h/cb?code=X&state=1", "4/0AX4XfWjabcdefghijk".replace("X", "x")),
    ("JSESSIONID=X;", "0123456789ABCDEF" + "0123"),
    ("pay X bad", "sk_" + "test_abcdefghijklmnopqrstuvwx"),
    ("git X bad", "glptt-" + "0123456789abcdefghij"),
    ("hook X bad", "whsec_" + "abcdefghijklmnopqrstuvwxyz012345"),
    ("old vault X bad", "s." + "abcdefghijklmnopqrstuvwx"),
    ("bricks X bad", "dapi" + "0123456789abcdef" * 2),
    ("flow code_verifier=X&a=1", SECRET),
    (b"\\u043f\\u0430\\u0440\\u043e\\u043b\\u044c: X".decode("unicode_escape"), SECRET),
    ("{:user=>1, 'password' => 'X'}", SECRET),
    ('{"user"=>{"password"=>"X"}}', SECRET),
    ("pw(user='bob', passwd=b'X')", SECRET),
    ('passwords=["X"]', SECRET),
    ("pass_phrase=X", SECRET),
    ('<wsse:Password Type="a#PasswordText">X</wsse:Password>', SECRET),
    ("write auth/approle/login role_id=abc secret_id=X", "1b2b0b82" + "-2cd1-5d6c-15b0-f00a08aa1122"),
    ("acl SecretID:         X", "1b2b0b82" + "-2cd1-5d6c-15b0-f00a08aa1122"),
    ("ERLANG_COOKIE=X", "ABCDEFGH" + "IJKLMNOPQRST"),
    ('argc=3 a0="x" a1="--password" a2="X"', "sunshine"),
    ("mysqlpassword X", "sunshine99"),
    ("AuthToken X", "0123456789abcdef" * 2),
    ("EnvVar{Name:REDIS_AUTH,Value:X,ValueFrom:nil,}", "sunshine"),
    ("join --control-plane --certificate-key X", "0123456789abcdef" * 4),
    ("Using certificate key:\nX", "0123456789abcdef" * 4),
    ("bob in pg_shadow as X", "md5" + "0123456789abcdef" * 2),
    ('10.0.0.1 : PSK "X"', "sunshine"),
    (b"wachtwoord: X, l\\xf6senord".decode("unicode_escape"), "sunshine"),
    # What no row knows, and is random.
    ("ENV GITHUB_PAT X", SECRET),
    ("postfix: AUTH PLAIN X", B64),
    ("APP_KEY=base64:X", B64),
    ("auth_pass X", SECRET),
    ("snmpwalk -u bob -A X -a SHA", SECRET),
    ("7z x a.7z X", "-p" + SECRET),
    ("credentials bob/X rejected", None),
    ("ACL SETUSER app on >X ~*", SECRET),
    (b"\\u5bc6\\u7801\\u4e3a X".decode("unicode_escape"), SECRET),
    ("-----BEGIN RSA PRIVATE KEY-----X and more", None),
    ("wget 'https://b.s3.amazonaws.com/k?X-Amz-Signature=X'", None),
]


@pytest.mark.parametrize("line,secret", [row for row in SECRETS if row[1]])
def test_a_secret_goes_and_the_rest_stays(line, secret):
    assert line.count("X") == 1 or secret is None
    text = line.replace("X", secret)
    assert redaction.redact(text) == line.replace("X", redaction.MARK)
    again = redaction.redact(text)
    assert redaction.redact(again) == again


@pytest.mark.parametrize(
    "text,gone",
    [
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\ndef=\n-----END RSA PRIVATE KEY-----\nafter", "MIIEabc"),
        ("key is -----BEGIN PRIVATE KEY-----MIIEabcdef", "MIIE"),
        ("X-Vault-Token: s.0123456789abcdef denied", "0123456789abcdef"),
        ('Authorization: Digest username="u", realm="r", nonce="n", uri="/", response="6629fae49393"', "6629fae49393"),
        ("get https://b.s3.amazonaws.com/k?X-Amz-Signature=0123456789abcdef&x=1", "0123456789abcdef"),
        (AWS_ID + ":" + AWS_SECRET, AWS_SECRET),
        ("cut at https://bob:" + SECRET, SECRET),
        ("telegram " + "12345678:" + "AA" + "Hdq_x-9" * 5, "Hdq_x"),
        ("Signature=" + "0123456789abcdef", "0123456789abcdef"),
        ("password=" + SECRET[:5], SECRET[:5]),
        ('"password":"' + SECRET[:5], SECRET[:5]),
    ],
)
def test_a_secret_that_is_cut_or_has_lines(text, gone):
    assert gone not in redaction.redact(text)
    assert redaction.MARK in redaction.redact(text)


INNOCENT = [
    "runc:[1:CHILD]: page allocation failure: order:5, mode:0x10c0d0(GFP_KERNEL|__GFP_COMP), nodemask=(null)",
    "Memory cgroup out of memory: Killed process 1234 (java) total-vm:123kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB",
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,mems_allowed=0,oom_memcg=/kubepods/podabc",
    'MountVolume.SetUp failed for volume "default-token-abcde" : secret "default-token-abcde" not found',
    "failed to fetch anonymous token: unexpected status: 401 Unauthorized",
    "failed to authorize: failed to fetch oauth token: Post https://auth.docker.io/token: dial tcp: i/o timeout",
    "invalid username or password: authentication failed",
    "error getting credentials: exit status 1",
    'couldn\'t find key password in Secret default/db: secret "db" not found',
    "Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed.",
    "basic authentication is not enabled",
    "the bearer token is not valid",
    "token expired",
    "authorization required for this resource",
    "next token: EOF",
    "secretName: db-credentials-x",
    "password_file=/etc/x tokens=42",
    "http://10.0.0.1:8080/path@sha256:abcdef",
    "registry.example.com:5000/app@sha256:0123456789abcdef",
    "https://registry.example.com:5000/v2/app/manifests/1.0",
    "exec user process caused: docker run -u 1000:1000 app",
    "cd pwd=/home/bob",
    'getting the final child\'s pid from pipe caused "EOF": unknown',
    "/var/lib/kubelet/pods/95387fa4-1f2e-11ea-9bd4-0cda411dcb87/volumes/kubernetes.io~secret/token:/var/run/secrets:ro",
    "password=null token=false",
    "AKIAIOSFODNN7",
    "eyJ is how they begin",
    "monkey: 5 donkey=7",
    "http://10.0.0.1:8080",
    "dial https://registry.example.com:5000, retrying",
    "https://registry.example.com:443/v2/app@sha256:0123456789abcdef",
    "bypass=1 compass=n",
    "first pass: 3 of 5",
    "Name:POD_NAME,Value:,ValueFrom:&EnvVarSource{",
    "robot 12345678: AA",
    "task-manager sk-learn",
    "memory value: 5 token bucket",
    "key: value keyboard=us",
    'MountVolume.SetUp failed for volume "db-secret" : secret "db-password" not found',
    'error looking up "db-password": secrets "db-password" is forbidden',
    'MountVolume.SetUp failed for volume "kube-api-access-x2x5z" : failed to fetch token: context deadline exceeded',
    "Failed password for root from 10.0.0.1 port 22 ssh2",
    "password changed for user2 on host3, key-3 of 7",
    "password expired 3 days ago, token default-token-x2x5z missing",
    "PASS: test_1 passed=12 sid=12 session id 4711",
    "code=exited status=203/EXEC, digest sha256:3f1b2c3d4e5f60718293a4b5c6d7e8f90123456789abcdef0123456789abcdef",
    "mongo exporter on port 9216, mysql -h db -P 3306, docker run -p 8080:80, mkdir -p /var/lib/abcdef, ssh -p 2222 host",
    "exec user process caused: docker run --user 1000:1000 app",
    "echo $1 $2$3 {sha} token%20bucket%20empty http %3D 404",
    "Access denied for user 'bob'@'10.0.0.1' (using password: YES)",
    "pam_unix(passwd:chauthtok): password changed for alice",
    # Random, but nobody says that it is a secret; said to be one, but a name, a date, an id, a digest or a fingerprint.
    "checkpoint AbC3dE4fG5hI6jK7 written",
    "Accepted publickey for bob from 10.0.0.1 port 4222: RSA SHA256:" + "AbC3dE4fG5" * 4,
    'pod "secret-operator-7d9c5c6b5-x2x5z" uid 95387fa4-1f2e-11ea-9bd4-0cda411dcb87 at 2020-07-01T00:45:31.123456789Z',
    "secret-init container " + "9f86d081884c7d65" * 4 + " exited",
    "com.x.auth.JwtTokenProvider.validate(JwtTokenProvider.java:42) OAuth2AuthorizationRequestRedirectFilter loaded for login",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 key exchange, user Max2000Mustermann authenticated",
]


@pytest.mark.parametrize("text", INNOCENT)
def test_what_only_looks_like_one_stays(text):
    assert redaction.redact(text) == text


@pytest.mark.parametrize("number", range(len(secrets.TABLE)))
def test_no_text_takes_long(number):
    literals, pattern = secrets.TABLE[number]
    compiled = re.compile(pattern, re.IGNORECASE)
    words = list(literals)[:1] + re.findall(r"[A-Za-z0-9:/@=._-]{2,}", pattern)[:2]
    slowest = 0.0
    for word in set(words):
        for filler in ("a1", " ", "-", "=a", '\\"'):
            for part in (filler, word + filler):
                text = (word + part * (65536 // len(part)))[:65536]
                started = cpu_clock()
                compiled.sub("", text)
                slowest = max(slowest, cpu_clock() - started)
    # A machine of its own needs a tenth of it.
    assert slowest < 1.0
