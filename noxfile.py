# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every check and test of the collection. ``make help`` lists the usual ways in.

The longest sessions come first: all together are run in this order, and so begins nothing long when the rest is done.
"""

# /// script
# dependencies = ["nox>=2026.10"]
# ///

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "tests" / "tools"))

import docs_inventory  # noqa: E402
import docs_site  # noqa: E402
import environment  # noqa: E402
import matrix  # noqa: E402
import programs  # noqa: E402
import system  # noqa: E402
import workcopy  # noqa: E402
from paths import CACHE  # noqa: E402

nox.needs_version = ">=2026.10"
nox.options.default_venv_backend = "venv"
nox.options.download_python = "never"
nox.options.reuse_venv = "yes"
nox.options.stop_on_first_error = False

NAME = "kernelops.memfrag"
GROUPS = nox.project.load_toml(ROOT / "pyproject.toml")

# Of the virtual machines, those that each "make test" looks at: one NUMA node, and two. "make molecule-kernels" takes all.
MACHINES = ["linux-6.1", "linux-6.12"]


def on(*cores: str) -> list[nox.param]:
    """Parameters that run a session with each of the ``cores``, on the oldest Python."""
    return [nox.param(matrix.first(matrix.CORES[core][0]), core, id=core) for core in sorted(set(cores))]


TOOLS_PYTHON = matrix.first(["3.12", "3.13", "3.11", "3.14", "3.10"])


def install(session: nox.Session, *requirements: str) -> None:
    """pip install, unless that was the last thing installed."""
    stamp = Path(session.virtualenv.location, "requirements")
    wanted = "\n".join(requirements) + "\n"
    if not stamp.exists() or stamp.read_text() != wanted:
        session.install("-qq", *requirements)
        stamp.write_text(wanted)


def group(*names: str) -> list[str]:
    """The packages of a dependency group of pyproject.toml."""
    return list(nox.project.dependency_groups(GROUPS, *names))


def checkout() -> dict[str, str]:
    """The variables by which Ansible and Python find the checkout as a collection."""
    return dict.fromkeys(("ANSIBLE_COLLECTIONS_PATH", "PYTHONPATH"), str(environment.collections()))


def cannot_run(session: nox.Session, reason: str) -> None:
    """A failure in CI; a person is told what is missing."""
    if os.environ.get("CI"):
        session.error(reason)
    session.skip(reason)


def require(session: nox.Session, commands: dict[str, str], purpose: str) -> None:
    """Make sure of ``{command: Debian packages}``, or give the session up."""
    try:
        system.require(commands, purpose)
    except system.Unavailable as missing:
        cannot_run(session, str(missing))


def run_all(session: nox.Session, *commands: list[str], **options: object) -> None:
    """Run every command, whatever becomes of the others."""
    failed = []
    for command in commands:
        try:
            session.run(*command, **options)
        except nox.command.CommandFailed:
            failed.append(Path(command[0]).name + (" " + command[1] if command[1:] else ""))
    if failed:
        session.error("failed: " + ", ".join(failed))


def ansible_test(session: nox.Session, core: str, command: str, *calls: list[str]) -> None:
    """Run ``ansible-test command`` once for each of the ``calls``, on a copy of the checkout."""
    install(session, matrix.requirement(core))
    folder = CACHE / "test" / core
    home = folder / "home"
    session.run("python", "tests/tools/ansible_test_home.py", str(home), silent=True)
    for name in (".cache", ".config"):
        # pip's cache and settings are the caller's, the rest of the home is ours.
        if not os.path.lexists(home / name):
            (home / name).symlink_to(Path.home() / name)
    session.chdir(workcopy.update(folder / command))
    run_all(session, *[["ansible-test", command, *call, *session.posargs] for call in calls], env={"HOME": str(home)})


def typed_packages(copy: str) -> list[str]:
    """What the controller runs, and its tests, as arguments of mypy."""
    arguments = []
    for tree in ("plugins", "tests.unit.plugins"):
        for kind in ("action", "filter", "plugin_utils", "test"):
            if any(Path(copy, *tree.split("."), kind).rglob("*.py")):
                arguments += ["--package", f"ansible_collections.{NAME}.{tree}.{kind}"]
    return arguments


@nox.session(python=TOOLS_PYTHON)
def kernels(session: nox.Session) -> None:
    """Audit, tuning and remediation in virtual machines with real, different kernels: those named, MACHINES, or all. Or another part."""
    require(session, programs.MACHINES, "virtual machines with real kernels")
    install(session, *group("molecule"))
    session.run("python", "molecule/kernels/run.py", *(session.posargs or MACHINES))


@nox.session(python=TOOLS_PYTHON)
def molecule(session: nox.Session) -> None:
    """The tuning role in containers; one scenario after the other, since they share images."""
    require(session, programs.CONTAINERS, "roles in containers")
    install(session, *group("molecule"))
    run_all(
        session,
        *[["molecule", "test", "--scenario-name", name, *session.posargs] for name in ("default", "alternative")],
        env={"ANSIBLE_COLLECTIONS_PATH": str(environment.collections()), "NO_COLOR": "1"},
    )


@nox.session(python=TOOLS_PYTHON, default=False)
def monitoring_role(session: nox.Session) -> None:
    """The monitoring role in containers with Debian's Prometheus and node_exporter; some minutes."""
    require(session, programs.CONTAINERS, "roles in containers")
    install(session, *group("molecule"))
    session.run(
        *["molecule", "test", "--scenario-name", "monitoring_role", *session.posargs],
        env={"ANSIBLE_COLLECTIONS_PATH": str(environment.collections()), "NO_COLOR": "1"},
    )


@nox.session
@nox.parametrize("python,core", on(*matrix.CORES))
def units(session: nox.Session, core: str) -> None:
    """The unit tests on every Python here, with the oldest ansible-core that supports it, and with every ansible-core."""
    if os.environ.get("CI"):
        # A person without them has the tests skipped that need them.
        require(session, programs.LOGS, "the tests of the logs")
    # Some tests wait; the others go on meanwhile.
    common = ["--num-workers", str(os.cpu_count() or 1), "--controller", "origin:python=venv/default"]
    common += [] if core == matrix.newest_core() else ["--exclude", matrix.ONCE]
    calls = []
    for pythons, left_out in zip(matrix.for_units(core), ([], matrix.most_of_the_library()), strict=True):
        targets = [argument for python in pythons for argument in ("--target-python", f"venv/{python}")]
        if targets:
            calls.append([*common, *targets, *matrix.repeated("--exclude", left_out)])
    ansible_test(session, core, "units", *calls)


@nox.session
@nox.parametrize("python,core", on(list(matrix.CORES)[0], matrix.newest_core()))
def integration(session: nox.Session, core: str) -> None:
    """Modules on live targets: the oldest Pythons with the oldest ansible-core, the newest with the newest."""
    if os.environ.get("CI"):
        # The role's rules are checked before they are put in place. A person without it has that part left out.
        require(session, {"promtool": "prometheus"}, "the test of the monitoring role")
    targets = matrix.here(matrix.OLD_TARGETS)
    if core == matrix.newest_core() or not targets:
        targets = [[session.python, *matrix.here(matrix.CORES[core][0])][-1]]
    arguments = ["--continue-on-error", *matrix.unless_newest(core, "--exclude", matrix.LONG_TARGETS), "--venv"]
    calls = [
        [*arguments, *matrix.repeated("--exclude", matrix.not_for(python)), "--python", python] for python in targets
    ]
    ansible_test(session, core, "integration", *calls)


@nox.session
@nox.parametrize(
    "python,core",
    on(*(matrix.CORES if os.environ.get("EVERY_PYTHON") else [list(matrix.CORES)[0], matrix.newest_core()])),
)
def sanity(session: nox.Session, core: str) -> None:
    """ansible-test's static checks, by the oldest and the newest, or each; what depends on the Python, on every Python here."""
    left_out = matrix.unless_newest(core, "--skip-test", matrix.LONG_CHECKS)
    ansible_test(session, core, "sanity", [*left_out, "--venv", "--python", "default"])


@nox.session(python=TOOLS_PYTHON)
def browser(session: nox.Session) -> None:
    """The report in headless Chromium: search, sort, keyboard, themes, print, no script, hostile names, axe."""
    require(session, programs.BROWSER, "the tests of the report in a browser")
    install(session, matrix.requirement(matrix.newest_core()), *group("units"))
    session.run(
        *["python", "-m", "pytest", "tests/browser", *session.posargs],
        env={**checkout(), "AXE": str(axe(session))},
    )


def axe(session: nox.Session) -> Path:
    """axe-core, which looks for what keeps people from using a page, as tests/browser/package-lock.json has it."""
    return npm_packages(session, "browser", "axe-core/axe.min.js") / "axe-core" / "axe.min.js"


def npm_packages(session: nox.Session, name: str, there: str) -> Path:
    """The packages that tests/NAME/package-lock.json has, ``there`` is a file of them. -> their directory"""
    folder = CACHE / name
    folder.mkdir(parents=True, exist_ok=True)
    packages = folder / "node_modules"
    wanted = [ROOT / "tests" / name / file for file in ("package.json", "package-lock.json")]
    if (packages / there).exists() and all((folder / each.name).read_bytes() == each.read_bytes() for each in wanted):
        return packages
    for each in wanted:
        shutil.copy(each, folder)
    npm = ["npm", "ci", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
    session.run(*npm, external=True)
    return packages


@nox.session(python=TOOLS_PYTHON)
def monitoring(session: nox.Session) -> None:
    """Rules, alerts and dashboards on the captures, by promtool, a real node_exporter, a real Prometheus and Grafana's types."""
    require(session, programs.MONITORING, "the tests of rules, alerts and dashboards")
    install(session, matrix.requirement(matrix.newest_core()), *group("units"))
    session.run(
        *["python", "-m", "pytest", "tests/monitoring", *session.posargs],
        env={**checkout(), "GRAFANA_SCHEMA": str(npm_packages(session, "monitoring", "typescript/bin/tsc"))},
    )


@nox.session(python=TOOLS_PYTHON, default=False)
def series(session: nox.Session) -> None:
    """The series of virtual machines that the session "monitoring" plays, recorded anew. Five minutes a machine."""
    require(session, programs.MACHINES, "virtual machines with real kernels")
    install(session, "pyyaml")
    session.run("python", "tests/monitoring/recorder/record.py", *(session.posargs or ["linux-6.1", "linux-6.12"]))


@nox.session(python=TOOLS_PYTHON)
def package(session: nox.Session) -> None:
    """Build the collection, install it, and have Galaxy's importer look at it."""
    install(session, *group("package"))
    folder = CACHE / "test" / "package"
    dist = folder / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    copy = workcopy.update(folder)
    session.run("python", "tests/tools/tarball.py", copy, str(dist), silent=True)
    (tarball,) = dist.glob("*.tar.gz")
    session.chdir(copy)
    # Its status tells of some errors only. Its ansible-lint does not know where our playbooks are; the session "lint" does.
    variables = {"GALAXY_IMPORTER_RUN_ANSIBLE_LINT": "false"}
    said = str(session.run("python", "-m", "galaxy_importer.main", str(tarball), env=variables, silent=True))
    print(said)
    if re.search("^ERROR", said, re.MULTILINE):
        session.error("Galaxy's importer has errors")
    variables = {"ANSIBLE_COLLECTIONS_PATH": str(dist)}
    session.run("ansible-galaxy", "collection", "install", "--offline", "-p", str(dist), str(tarball), env=variables)
    for playbook in sorted(ROOT.glob("playbooks/*.yml")):
        session.run(
            *["ansible-playbook", f"{NAME}.{playbook.stem}", "--inventory", "localhost,", "--syntax-check"],
            env=variables,
        )
    # Templates, styles and scripts of the report come from where the collection is installed, which is not written to.
    here_only = ["--inventory", "localhost,", "--connection", "local", "-e", f"memfrag_records_dir={dist}/records"]
    session.run("chmod", "-R", "a-w", str(dist / "ansible_collections"), external=True)
    try:
        session.run("ansible-playbook", f"{NAME}.audit", *here_only, "-e", "memfrag_run_id=here", env=variables)
    finally:
        session.run("chmod", "-R", "u+w", str(dist / "ansible_collections"), external=True)
    if "</html>" not in (dist / "records" / "here" / "report.html").read_text(encoding="utf-8"):
        session.error("The installed collection makes no whole report")
    session.log(f"The collection: {tarball}")


@nox.session(python=TOOLS_PYTHON)
def fleet(session: nox.Session) -> None:
    """Three hosts over real ssh and one that nobody answers for; slices, one of them killed; nodes that audit themselves."""
    require(session, programs.FLEET, "hosts in network namespaces")
    if os.geteuid():
        cannot_run(session, "hosts in network namespaces: needs root")
    install(session, matrix.requirement(matrix.newest_core()))
    for script in ("fleet.py", "slices.py", "pull.py"):
        session.run("python", f"tests/fleet/{script}", env=checkout())


@nox.session(python=TOOLS_PYTHON, default=False)
def scale(session: nox.Session) -> None:
    """An execution environment of packages, 1,000 nodes in four of its containers, one of them killed; arguments go to slices.py."""
    require(session, programs.CONTAINERS, "slices in containers")
    if os.geteuid():
        cannot_run(session, "slices in containers: needs root")
    install(session, *group("scale"))
    variables = checkout()
    session.run("python", "tests/fleet/execution_environment.py", str(CACHE / "execution-environment"), env=variables)
    size = session.posargs or ["--hosts", "1000", "--canned"]
    session.run("python", "tests/fleet/slices.py", "--image", "localhost/memfrag-ee:latest", *size, env=variables)
    session.run("python", "tests/fleet/pull.py", env=variables)


@nox.session(python=TOOLS_PYTHON, default=False)
def peers(session: nox.Session) -> None:
    """The collection beside insights-core, hotsos and node_exporter, on the same logs and nodes; arguments go to bench_peers.py."""
    require(session, {"prometheus-node-exporter": "prometheus-node-exporter"}, "a comparison with node_exporter")
    session.run("python", "tests/benchmarks/peers/bench_peers.py", *session.posargs)


@nox.session(python=TOOLS_PYTHON)
def docs(session: nox.Session) -> None:
    """The documentation as a site, .cache/docs: nothing is fetched, no warning let through, and no link that leads nowhere."""
    install(session, *group("docs"))
    collections = CACHE / "test" / "docs"
    workcopy.update(collections)
    site = CACHE / "docs"
    shutil.rmtree(site, ignore_errors=True)
    rst = site / "rst"
    rst.mkdir(parents=True)
    # antsibull-docs insists that nobody else can write there.
    rst.chmod(0o755)
    common = ["--use-current", "--squash-hierarchy", "--fail-on-error", "--dest-dir"]
    for command in (["sphinx-init", *common, str(site)], ["collection", *common, str(rst)]):
        session.run("antsibull-docs", *command, NAME, env={"ANSIBLE_COLLECTIONS_PATH": str(collections)}, silent=True)
    docs_site.furnish(rst, site / "extra")
    docs_inventory.write(site / "ansible.inv", sorted(rst.rglob("*.rst")))
    with (site / "conf.py").open("a") as configuration:
        configuration.write(f"\nintersphinx_mapping = {{'ansible': ('{docs_inventory.URL}', '../ansible.inv')}}\n")
        configuration.write(f"html_extra_path = [{str(site / 'extra')!r}]\n")
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-c", str(site), str(rst), str(site / "html"))
    dead = docs_site.dead_links(site / "html") + docs_site.dead_links_of_markdown()
    if dead:
        session.error("links that lead nowhere:\n  " + "\n  ".join(dead))
    session.log(f"The site: {site}/html/index.html")


@nox.session(python=TOOLS_PYTHON, default=False)
def walkthrough(session: nox.Session) -> None:
    """What the documentation says to type, typed: from a bare environment, and on a node that may be broken. And old and odd nodes."""
    require(session, programs.NAMESPACES, "a node in a namespace")
    install(session, "pyyaml")
    commands = [["python", "tests/documentation/run.py", *session.posargs]]
    if not session.posargs and not os.geteuid():
        require(session, programs.ODD_NODES, "odd nodes")
        commands.append(["python", "tests/robustness/odd_nodes.py"])
    run_all(session, *commands)


@nox.session(python=TOOLS_PYTHON, default=False)
def screenshots(session: nox.Session) -> None:
    """The sample report made anew, and its screenshots, which README and documentation show: docs/examples/report, docs/screenshots."""
    require(session, {"chromium": "chromium"}, "screenshots")
    install(session, matrix.requirement(matrix.newest_core()), *group("screenshots"))
    session.run("python", "docs/examples/report/build.py")
    session.run("python", "tests/tools/screenshots.py")


@nox.session(python=TOOLS_PYTHON)
def lint(session: nox.Session) -> None:
    """Formatting, linters, types, licences, changelog and documentation."""
    install(session, *group("lint"))
    copy = workcopy.update(CACHE / "test" / "lint")
    session.env["NO_COLOR"] = "1"
    session.chdir(copy)
    try:
        run_all(
            session,
            ["ruff", "format", "--check", "--diff", "."],
            ["ruff", "check", "."],
            ["yamllint", "--strict", "."],
            ["mypy", *typed_packages(copy)],
            ["reuse", "lint", "--lines"],
            ["antsibull-changelog", "lint"],
            ["antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs=all", "."],
        )
    finally:
        # Not for antsibull-docs, which makes a copy to look at: where it finds this one as well, the random name of the copy's folder is in
        # each page, and markup if it ends in "_".
        session.run(
            "ansible-lint", "--offline", "--strict", env={"ANSIBLE_COLLECTIONS_PATH": str(CACHE / "test" / "lint")}
        )


@nox.session(python=TOOLS_PYTHON, default=False)
def quick(session: nox.Session) -> None:
    """The unit tests with the newest ansible-core and one Python; arguments go to pytest."""
    install(session, matrix.requirement(matrix.newest_core()), *group("units"))
    session.run("python", "-m", "pytest", *session.posargs, env=checkout())


@nox.session(python=TOOLS_PYTHON, default=False)
def release(session: nox.Session) -> None:
    """A release, rehearsed in a clone; with arguments (prepare, artifacts) for real. A minute."""
    install(session, *group("release"))
    session.run("python", "tests/tools/release.py", *session.posargs)


@nox.session(python=TOOLS_PYTHON, default=False)
def oracle(session: nox.Session) -> None:
    """20,000 reports of simulated machines, read back; the unit tests take a few hundred of them. A minute or two."""
    install(session, matrix.requirement(matrix.newest_core()))
    session.run("python", "tests/oracle/oracle.py", *session.posargs, env=checkout())


@nox.session(python=TOOLS_PYTHON, default=False)
def robustness(session: nox.Session) -> None:
    """Kills, races, failing system calls and lying nodes by the hundred; the unit tests take a few of each. Half an hour."""
    install(session, matrix.requirement(matrix.newest_core()))
    signals = ["--signals", "KILL", "TERM", "INT", "HUP"]
    run_all(
        session,
        ["python", "tests/robustness/failing_io.py"],
        ["python", "tests/robustness/interrupt.py", "--kills", "200", "--races", "200", *signals],
        ["python", "tests/robustness/hostile_answers.py", "--sample", "2"],
        env=checkout(),
    )


@nox.session(python=TOOLS_PYTHON, default=False)
def loop(session: nox.Session) -> None:
    """An alert about a virtual machine whose memory is fragmented, mended by ansible-rulebook, and the alert that is resolved. Minutes."""
    require(session, programs.LOOP, "an alert that mends a virtual machine")
    install(session, *group("molecule", "rulebook"))
    session.run("python", "molecule/monitoring/run.py", *session.posargs)


@nox.session(name="format", python=TOOLS_PYTHON, default=False)
def format_(session: nox.Session) -> None:
    """Lay out the Python code and mend what can be mended safely."""
    install(session, *group("lint"))
    session.run("ruff", "check", "--fix-only", ".")
    session.run("ruff", "format", ".")
