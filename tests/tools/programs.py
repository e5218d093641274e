# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The programs that the sessions of noxfile.py need: ``{command, or absolute path of a file: Debian packages}``."""

CONTAINERS = {
    "podman": "podman netavark aardvark-dns iptables",
    "runc": "runc",
    "mmdebstrap": "mmdebstrap",
    "ssh-keygen": "openssh-client",
}
MONITORING = {
    "promtool": "prometheus",
    "prometheus": "prometheus",
    "prometheus-node-exporter": "prometheus-node-exporter",
    "npm": "npm",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
    "journalctl": "systemd",
    "/lib/systemd/systemd-journal-remote": "systemd-journal-remote",
}
MACHINES = {
    "qemu-system-x86_64": "qemu-system-x86",
    "mmdebstrap": "mmdebstrap",
    "genext2fs": "genext2fs",
    "resize2fs": "e2fsprogs",
    "ssh": "openssh-client",
    "setsid": "util-linux",
}
# The loop from an alert to a remediation and back. ansible-rulebook is from PyPI, and its rule engine is Java.
LOOP = {
    **MACHINES,
    "prometheus": "prometheus",
    "prometheus-node-exporter": "prometheus-node-exporter",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "java": "default-jre-headless",
}
BROWSER = {"chromium": "chromium", "npm": "npm"}
FLEET = {"sshd": "openssh-server", "ssh": "openssh-client", "ip": "iproute2"}
# One test asks the real journalctl. Python 2.7 leaves what is compressed to programs. Logs are read in the time of their node.
LOGS = {
    "journalctl": "systemd",
    "bzip2": "bzip2",
    "xz": "xz-utils",
    "/usr/share/zoneinfo/Europe/Berlin": "tzdata",
}
NAMESPACES = {"unshare": "util-linux", "mount": "mount", "git": "git"}
ODD_NODES = {"busybox": "busybox-static", "setpriv": "util-linux"}
