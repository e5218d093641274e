# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual machines with real Debian kernels: ``lab.py build|up|down|status [--memory MIB] [NAME...]``.

The machines are the platforms of molecule.yml. Their images are made from Debian packages once and cached below
.cache/kernels; MEMFRAG_DEBIAN_MIRROR takes the place of http://deb.debian.org. The processor is emulated (QEMU's TCG), so
neither KVM nor root is needed to run them. A machine reaches nothing but the host, which reaches its port 22. MEMFRAG_LAB_MEMORY
does what --memory does.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
import typing as t
from pathlib import Path

import yaml

SCENARIO = Path(__file__).resolve().parent
CACHE = SCENARIO.parents[1] / ".cache" / "kernels"
MEMORY = "MEMFRAG_LAB_MEMORY"
MIRROR = os.environ.get("MEMFRAG_DEBIAN_MIRROR", "http://deb.debian.org").rstrip("/")

BOOT_SECONDS = 300
BOOT_ATTEMPTS = 3
# An emulated processor takes a real one.
BOOTS_AT_A_TIME = 2
# What a kernel says when it is done for. Under TCG that happens now and then, and is QEMU's fault.
DEAD = re.compile(rb"Kernel panic|Oops: |double fault|Unable to mount root")

PACKAGES = "systemd-sysv dbus udev kmod procps python3 openssh-server cron initramfs-tools".split()
# The kernel is what this package stands for. It says which and is not needed itself; mirrors that lag lose it first.
KERNEL = r"""
kernel=$(chroot "$1" apt-cache depends linux-image-cloud-amd64 | sed -n "s/^ *Depends: //p")
chroot "$1" env DEBIAN_FRONTEND=noninteractive apt-get -y --no-install-recommends install $kernel
"""
# Left out of the images: nobody reads documentation there.
UNPACKED_NOT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
# Units that do nothing for a machine that lives ten minutes, but cost it time when it boots.
MASKED = (
    "apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer "
    "logrotate.timer man-db.timer getty@tty1.service serial-getty@ttyS0.service systemd-networkd-wait-online.service "
    "systemd-timesyncd.service systemd-hwdb-update.service"
).split()

# Files of every machine. The network is that of QEMU's user mode; DHCP would only take longer.
FILES = {
    "etc/fstab": "/dev/vda / auto noatime 0 1\ndebugfs /sys/kernel/debug debugfs defaults 0 0\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/systemd/network/10-lab.network": (
        "[Match]\nName=e*\n\n[Network]\nAddress=10.0.2.15/24\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n"
    ),
    "etc/ssh/sshd_config.d/lab.conf": "UseDNS no\nUsePAM no\nPasswordAuthentication no\nMaxStartups 100\nMaxSessions 100\n",
}
LINKS = {
    "etc/systemd/system/multi-user.target.wants/systemd-networkd.service": "/lib/systemd/system/systemd-networkd.service",
    **{f"etc/systemd/system/{unit}": "/dev/null" for unit in MASKED},
}
# In the image before anything is installed: the initrd gets what finds the root file system, and nothing else.
SETUP = """
mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/etc/initramfs-tools/hooks" "$1/etc/apt/preferences.d"
printf 'MODULES=list\\nBUSYBOX=n\\nCOMPRESS=gzip\\n' > "$1/etc/initramfs-tools/conf.d/lab"
printf '%s\\n' '#!/bin/sh' '[ "$1" = prereqs ] && exit 0' '. /usr/share/initramfs-tools/hook-functions' \
    'force_load virtio_pci' 'force_load virtio_blk' > "$1/etc/initramfs-tools/hooks/lab"
chmod 755 "$1/etc/initramfs-tools/hooks/lab"
"""


class LabError(Exception):
    """Something that cannot go on, in words for a person."""


class Platform(t.NamedTuple):
    """A machine of molecule.yml."""

    name: str
    suite: str
    memory: int
    kernel_suite: str | None = None
    numa_nodes: int = 1

    @property
    def run(self) -> Path:
        """Where the running machine leaves its traces."""
        return CACHE / "run" / self.name

    def sources(self) -> list[str]:
        suites = {f"{MIRROR}/debian": [self.suite], f"{MIRROR}/debian-security": [f"{self.suite}-security"]}
        if self.kernel_suite:
            suites[f"{MIRROR}/debian"].append(self.kernel_suite)
        return [f"deb {url} {suite} main" for url, names in suites.items() for suite in names]


def platforms() -> dict[str, Platform]:
    described = yaml.safe_load((SCENARIO / "molecule.yml").read_text(encoding="utf-8"))["platforms"]
    return {one["name"]: Platform(**one) for one in described}


# --- images -------------------------------------------------------------------------------------------------------


def key() -> Path:
    """The private key that opens every machine of this checkout."""
    path = CACHE / "id"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with open(CACHE / "id.lock", "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                fresh = CACHE / "id.new"
                for leftover in (fresh, fresh.with_suffix(".new.pub")):
                    leftover.unlink(missing_ok=True)
                subprocess.run(
                    ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "memfrag-kernels", "-f", str(fresh)],
                    check=True,
                )
                os.replace(f"{fresh}.pub", f"{path}.pub")
                os.replace(fresh, path)
    return path


def overlay(platform: Platform, authorized: str) -> bytes:
    """The machine's own files, as a tar."""
    files = dict(
        FILES, **{"etc/hostname": platform.name.replace(".", "-") + "\n", "root/.ssh/authorized_keys": authorized}
    )
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in files.items():
            about = tarfile.TarInfo(name)
            about.size, about.mode = len(text.encode()), 0o600 if "authorized_keys" in name else 0o644
            tar.addfile(about, io.BytesIO(text.encode()))
        for name, target in LINKS.items():
            about = tarfile.TarInfo(name)
            about.type, about.linkname = tarfile.SYMTYPE, target
            tar.addfile(about)
    return packed.getvalue()


def build(platform: Platform) -> Path:
    """The folder of the machine's image, made if it is not there: root.ext2, vmlinuz, initrd.img, release."""
    files = overlay(platform, Path(f"{key()}.pub").read_text(encoding="utf-8"))
    setup = SETUP
    if platform.kernel_suite:
        setup += f"printf 'Package: linux-*\\nPin: release n={platform.kernel_suite}\\nPin-Priority: 900\\n'"
        setup += ' > "$1/etc/apt/preferences.d/lab"\n'
    recipe = repr((platform.sources(), PACKAGES, KERNEL, UNPACKED_NOT, setup, hashlib.sha256(files).hexdigest()))
    image = CACHE / "images" / f"{platform.name}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    image.parent.mkdir(parents=True, exist_ok=True)
    with open(image.parent / f"{platform.name}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not image.exists():
            for old in image.parent.glob(f"{platform.name}-*"):
                shutil.rmtree(old)
            fresh = image.parent / f".{platform.name}"
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
            _bootstrap(platform, fresh, setup, files)
            fresh.rename(image)
    return image


def _bootstrap(platform: Platform, folder: Path, setup: str, files: bytes) -> None:
    started = time.monotonic()
    say(platform, f"building the image ({platform.kernel_suite or platform.suite})")
    (folder / "files.tar").write_bytes(files)
    command = [
        *("mmdebstrap", "--variant=minbase", "--format=ext2", f"--include={','.join(PACKAGES)}"),
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in UNPACKED_NOT),
        f"--setup-hook={setup}",
        f"--customize-hook={KERNEL}",
        f"--customize-hook=tar-in {folder}/files.tar /",
        '--customize-hook=chmod 700 "$1/root/.ssh"',
        f"--customize-hook=copy-out /boot {folder}",
        platform.suite,
        str(folder / "root.ext2"),
        *platform.sources(),
    ]
    log = folder.parent / f"{platform.name}.log"
    with open(log, "wb") as stream:
        if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, check=False).returncode:
            raise LabError(f"{platform.name}: mmdebstrap failed, see {log}\n{_tail(log)}")
    kernels = sorted(path.name.partition("-")[2] for path in (folder / "boot").glob("vmlinuz-*"))
    if len(kernels) != 1:
        raise LabError(f"{platform.name}: expected one kernel in the image, found {kernels}")
    (folder / "boot" / f"vmlinuz-{kernels[0]}").rename(folder / "vmlinuz")
    (folder / "boot" / f"initrd.img-{kernels[0]}").rename(folder / "initrd.img")
    (folder / "release").write_text(kernels[0] + "\n", encoding="utf-8")
    shutil.rmtree(folder / "boot")
    (folder / "files.tar").unlink()
    # genext2fs leaves hardly any room, and the machine writes its journal there.
    with open(folder / "root.ext2", "r+b") as disk:
        disk.truncate(1024**3)
    subprocess.run(["resize2fs", str(folder / "root.ext2")], check=True, capture_output=True)
    say(platform, f"Linux {kernels[0]}, image built in {time.monotonic() - started:.0f} s")


# --- machines -----------------------------------------------------------------------------------------------------


def up(platform: Platform) -> dict[str, t.Any]:
    """Boot the machine, again if it fails; -> its state, as Molecule wants it."""
    image = build(platform)
    for attempt in range(1, BOOT_ATTEMPTS + 1):
        down(platform)
        started = time.monotonic()
        state = _start(platform, image)
        failure = _wait(platform, state)
        if failure is None:
            say(platform, f"Linux {state['release']} is up after {time.monotonic() - started:.0f} s (boot {attempt})")
            return state
        say(platform, f"boot {attempt} failed: {failure}")
        if (platform.run / "console.log").exists():
            shutil.copy(platform.run / "console.log", platform.run.parent / f"{platform.name}.boot-{attempt}.log")
    raise LabError(f"{platform.name}: did not boot in {BOOT_ATTEMPTS} attempts; see {platform.run}/console.log")


def _start(platform: Platform, image: Path) -> dict[str, t.Any]:
    shutil.rmtree(platform.run, ignore_errors=True)
    platform.run.mkdir(parents=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    share = platform.memory // platform.numa_nodes
    numa = []
    for node in range(platform.numa_nodes if platform.numa_nodes > 1 else 0):
        numa += ["-object", f"memory-backend-ram,id=m{node},size={share}M"]
        numa += ["-numa", f"node,nodeid={node},cpus={node},memdev=m{node}"]
    command = [
        "qemu-system-x86_64",
        # One thread for both processors and no cmpxchg16b: what else makes kernels die under QEMU 7's TCG, now and then.
        *("-accel", "tcg,thread=single,tb-size=256", "-cpu", "max,-cx16", "-smp", "2"),
        # Memory above 4 GiB begins at 128 MiB, so that there is a zone Normal.
        *("-machine", "pc,max-ram-below-4g=128M", "-m", str(platform.memory), *numa),
        *("-nodefaults", "-no-user-config", "-display", "none", "-serial", f"file:{platform.run}/console.log"),
        *("-kernel", str(image / "vmlinuz"), "-initrd", str(image / "initrd.img")),
        *("-append", "root=/dev/vda rw console=ttyS0 net.ifnames=0 loglevel=4 oops=panic mitigations=off psi=1"),
        # Changes are kept until the machine is gone: they outlive a reboot, but not the test.
        *("-drive", f"file={image}/root.ext2,if=none,id=root,format=raw,snapshot=on"),
        *("-device", "virtio-blk-pci,drive=root", "-device", "virtio-rng-pci"),
        *("-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22"),
        *("-device", "virtio-net-pci,netdev=net,romfile="),
    ]
    with open(platform.run / "qemu.log", "wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "TMPDIR": str(platform.run)},
        )
    state = {
        "instance": platform.name,
        "address": "127.0.0.1",
        "port": port,
        "user": "root",
        "identity_file": str(key()),
        "pid": process.pid,
        "start_time": _start_time(process.pid),
        "release": (image / "release").read_text(encoding="utf-8").strip(),
    }
    (platform.run / "state.json").write_text(json.dumps(state), encoding="utf-8")
    return state


def _wait(platform: Platform, state: dict[str, t.Any]) -> str | None:
    """None once the machine has finished booting, or why it will not."""
    deadline = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < deadline:
        failure = dead(platform)
        if failure:
            return failure
        if _answers(state["port"]):
            said = ssh(state, "systemctl is-system-running --wait", max(10.0, deadline - time.monotonic()))
            if said in ("running", "degraded"):
                return None
        time.sleep(0.5)
    return f"not up after {BOOT_SECONDS} s"


def _answers(port: int) -> bool:
    """Whether sshd is there; QEMU itself takes the connection before."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.settimeout(5)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def ssh(state: dict[str, t.Any], command: str, seconds: float) -> str:
    """What ``command`` says on the machine."""
    options = ("UserKnownHostsFile=/dev/null", "StrictHostKeyChecking=no", "LogLevel=ERROR", "ConnectTimeout=20")
    argv = ["ssh", "-F", "/dev/null", "-p", str(state["port"]), "-i", state["identity_file"], "-l", state["user"]]
    argv += [word for option in options for word in ("-o", option)] + [state["address"], command]
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False, text=True
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout.strip()


def dead(platform: Platform) -> str | None:
    """Why the machine does not run any more, None if it does: the emulator's end or the kernel's."""
    console = platform.run / "console.log"
    said = DEAD.search(console.read_bytes()) if console.exists() else None
    if said:
        return f"the console says {said.group().decode()!r}"
    if _pid(platform) is None:
        return f"qemu has ended: {_tail(platform.run / 'qemu.log')}"
    return None


def _start_time(pid: int) -> str | None:
    """When the process began, in the kernel's clock ticks: with the pid it names a process for good. None for a dead one."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def _pid(platform: Platform) -> int | None:
    """The emulator's process, if it still runs."""
    try:
        state = json.loads((platform.run / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return state["pid"] if state["start_time"] and _start_time(state["pid"]) == state["start_time"] else None


def down(platform: Platform) -> None:
    """End the machine, at once: there is nothing on it to save."""
    pid = _pid(platform)
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
        while _pid(platform) is not None:
            time.sleep(0.05)


def _tail(path: Path, lines: int = 5) -> str:
    try:
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except OSError as error:
        return str(error)


def say(platform: Platform, text: str) -> None:
    print(f"{platform.name}: {text}", flush=True)


def up_all(wanted: list[Platform]) -> None:
    """Boot the machines, BOOTS_AT_A_TIME of them at a time, and write down where they are."""
    with concurrent.futures.ThreadPoolExecutor(BOOTS_AT_A_TIME) as pool:
        booting = [pool.submit(up, platform) for platform in wanted]
    states = [boot.result() for boot in booting]
    fresh = CACHE / "instances.new"
    fresh.write_text(yaml.safe_dump(states), encoding="utf-8")
    fresh.replace(CACHE / "instances.yml")


def main() -> int:
    machines = platforms()
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("command", choices=("build", "up", "down", "status"))
    parser.add_argument("names", metavar="NAME", nargs="*", help=", ".join(machines))
    parser.add_argument(
        "--memory",
        metavar="MIB",
        type=int,
        default=os.environ.get(MEMORY),
        help="boot them with so much memory in place of their own",
    )
    asked = parser.parse_intermixed_args()
    unknown = sorted(set(asked.names) - set(machines))
    if unknown:
        parser.error(f"no machine {', '.join(unknown)}; there are {', '.join(machines)}")
    wanted = [machines[name] for name in asked.names or machines]
    if asked.memory:
        wanted = [machine._replace(memory=asked.memory) for machine in wanted]
    try:
        if asked.command == "up":
            up_all(wanted)
        for platform in wanted:
            if asked.command == "build":
                print(build(platform))
            elif asked.command == "down":
                down(platform)
            elif asked.command == "status":
                say(platform, dead(platform) or "runs")
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
