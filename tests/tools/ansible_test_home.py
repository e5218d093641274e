# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prepares a home folder for ansible-test: ``ansible_test_home.py HOME``, run by an environment with ansible-core.

ansible-test bootstraps its environments with a get-pip.py from a server of its own, of one pip version per Python,
unless it finds the file in its cache. Put there, the one below does the same with that version from the package index.
For Python 2.7 it wants a virtualenv that this Python can import: the user's own packages are the place.
"""

import pathlib
import subprocess
import sys

from ansible_test._internal import python_requirements
from ansible_test._internal.host_configs import VirtualPythonConfig
from ansible_test._util.target.common import constants

PYTHONS = constants.CONTROLLER_PYTHON_VERSIONS + constants.REMOTE_ONLY_PYTHON_VERSIONS
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]

# Runs on every Python that ansible-test supports.
GET_PIP = """\
import runpy
import sys

wheel = {wheel!r}
sys.path.insert(0, wheel)
sys.argv = ['pip', 'install', '--upgrade', wheel] + [
    argument for argument in sys.argv[1:] if argument not in ('--no-setuptools', '--no-wheel')
]
runpy.run_module('pip', run_name='__main__', alter_sys=True)
"""


def main(home):
    quieten_pip(home / ".pip" / "pip.conf")
    provide_pip(home / ".ansible" / "test" / "cache")
    if "2.7" in PYTHONS:
        provide_virtualenv(home / ".local" / "lib" / "python2.7" / "site-packages")


def quieten_pip(settings):
    """Errors only: ansible-test shows everything that pip says."""
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text("[global]\nquiet = 2\n")


def provide_pip(cache):
    cache.mkdir(parents=True, exist_ok=True)
    for version in sorted(
        {python_requirements.get_venv_packages(VirtualPythonConfig(version=p))["pip"] for p in PYTHONS}
    ):
        script = cache / "get_pip_{}.py".format(version.replace(".", "_"))
        if not script.exists():
            subprocess.check_call([*PIP, "download", "-qq", "--no-deps", "--dest", str(cache), "pip==" + version])
            (wheel,) = cache.glob("pip-{}-*.whl".format(version))
            script.write_text(GET_PIP.format(wheel=str(wheel)))


def provide_virtualenv(packages):
    if not (packages / "virtualenv.py").exists():
        wanted = "virtualenv==" + python_requirements.VIRTUALENV_VERSION
        subprocess.check_call([*PIP, "install", "-qq", "--no-deps", "--target", str(packages), wanted])


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
