"""The install line of the README, run as written, with plain pip in a clean environment."""

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from agent_framework_hosting import __version__
from agent_framework_hosting_responses._foreign import INSTALL

pytestmark = [pytest.mark.network, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[1]
Shell: TypeAlias = Callable[[str], subprocess.CompletedProcess[str]]

IMPORT_BOTH = """
import importlib.metadata, sys
import agent_framework_hosting as base, agent_framework_hosting_responses as channel, hypercorn
for module, name in ((base, "agent-framework-hosting"), (channel, "agent-framework-hosting-responses")):
    assert module.__file__.startswith(sys.prefix), module.__file__
    print(module.__version__, importlib.metadata.version(name))
"""


def documented_line() -> str:
    lines = re.findall(r"^pip install .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(lines) == 1, "the README has one install line"
    return lines[0]


def make_shell(folder: Path) -> Shell:
    """Return a function that runs a shell line in a clone, with a new environment active."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    hidden = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= {"VIRTUAL_ENV": str(folder), "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}

    def shell(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", line], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )

    return shell


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A shell in which the documented line has been run."""
    shell = make_shell(tmp_path_factory.mktemp("install") / "venv")
    run = shell(documented_line())
    assert run.returncode == 0, run.stdout + run.stderr
    return shell


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel of another project's `agent-framework-hosting` 9.9.9."""
    folder = tmp_path_factory.mktemp("foreign")
    info = "agent_framework_hosting-9.9.9.dist-info"
    files = {
        "agent_framework_hosting/__init__.py": 'raise RuntimeError("the foreign package ran")\n',
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: agent-framework-hosting\nVersion: 9.9.9\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / "agent_framework_hosting-9.9.9-py3-none-any.whl", "w") as wheel:
        for name, text in (files | {f"{info}/RECORD": record}).items():
            wheel.writestr(name, text)
    return folder


def test_the_import_guard_and_the_readme_name_the_same_line() -> None:
    assert documented_line() == INSTALL


def test_the_line_installs_both_packages_in_one_version(shell: Shell) -> None:
    run = shell(f"python -W error -c '{IMPORT_BOTH}'")
    assert run.stdout.split() == [__version__] * 4, run.stderr


def test_the_line_leaves_nothing_missing_or_in_conflict(shell: Shell) -> None:
    run = shell("pip check")
    assert run.returncode == 0, run.stdout


def test_all_other_channels_are_installed_in_the_same_way(shell: Shell) -> None:
    channels = [path.name for path in (ROOT / "packages").glob("hosting-*") if path.name != "hosting-responses"]
    assert len(channels) == 3
    assert all(f"`./packages/{channel}`" in (ROOT / "README.md").read_text() for channel in channels)
    run = shell(f"pip install ./packages/hosting {' '.join(f'./packages/{each}' for each in channels)} && pip check")
    assert run.returncode == 0, run.stdout + run.stderr
    for module in (f"agent_framework_{channel.replace('-', '_')}" for channel in channels):
        run = shell(f"python -W error -c 'import {module}; print({module}.__version__)'")
        assert run.stdout.split() == [__version__], run.stderr


def test_a_foreign_package_elsewhere_on_the_path_is_explained(shell: Shell, foreign: Path) -> None:
    wheel = next(foreign.glob("*.whl"))
    run = shell(f"PYTHONPATH={wheel} python -c 'import agent_framework_hosting_responses'")
    assert run.returncode == 1
    assert f"file:    {wheel / 'agent_framework_hosting/__init__.py'}" in run.stderr
    assert "version: 9.9.9" in run.stderr
    assert INSTALL in run.stderr


def test_an_upgrade_from_an_index_with_a_foreign_release_keeps_ours(shell: Shell, foreign: Path) -> None:
    run = shell(f"pip install --no-index --find-links {foreign} --upgrade --pre agent-framework-hosting")
    assert run.returncode == 0, run.stderr
    assert "already satisfied" in run.stdout
    assert shell("pip show agent-framework-hosting").stdout.splitlines()[1] == f"Version: {__version__}"


def test_the_pin_of_a_channel_is_never_met_by_a_foreign_release(shell: Shell, foreign: Path) -> None:
    pin = f"agent-framework-hosting=={__version__}"
    run = shell(f"pip install --dry-run --ignore-installed --no-index --find-links {foreign} '{pin}'")
    assert run.returncode == 1
    assert "No matching distribution" in run.stderr


def test_the_line_mends_an_environment_into_which_a_foreign_release_was_forced(shell: Shell, foreign: Path) -> None:
    shell(f"pip install --no-index --no-deps --find-links {foreign} agent-framework-hosting==9.9.9")
    refused = shell("python -c 'import agent_framework_hosting_responses'")
    assert "version: 9.9.9" in refused.stderr
    shell(documented_line())
    run = shell(f"python -c '{IMPORT_BOTH}'")
    assert run.stdout.split() == [__version__] * 4, run.stderr
