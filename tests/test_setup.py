"""`make` with a Python that is named: a `.venv` of another one is made anew, and of the same one is kept."""

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UV = re.search(r'"uv==([\d.]+)"', (ROOT / "pyproject.toml").read_text())


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose `.venv` is of the Python that runs this; what would fetch packages only says that it was called."""
    clone = tmp_path / "clone"
    (clone / "scripts").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "uv.lock", "scripts/setup"):
        shutil.copy(ROOT / name, clone / name)
    venv.create(clone / ".venv")
    assert UV is not None
    program(clone / ".venv/bin/uv", f'[ "$1" = --version ] && echo "uv {UV[1]}" || touch synced')
    program(clone / ".venv/bin/ruff", "exit 0")
    (clone / ".venv/.ready").touch()
    return clone


def another_python(clone: Path) -> Path:
    """A Python that says of itself that it is another one, and of a `.venv` only that it was to make it."""
    (clone / "another").mkdir()
    (clone / "another/sitecustomize.py").write_text('import sys\nsys.version += " (another)"\n')
    return program(
        clone / "another/python",
        f'[ "$1 $2" = "-m venv" ] && touch made && exit 1\nPYTHONPATH="{clone}/another" exec "{sys.executable}" "$@"',
    )


def make(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "PYTHON"}
    command = ["make", "lint", *arguments]
    return subprocess.run(command, cwd=clone, env=env, check=False, capture_output=True, text=True)


def test_without_a_name_what_is_there_is_used_as_it_is(clone: Path) -> None:
    done = make(clone)
    assert done.returncode == 0, done.stderr
    assert not (clone / "synced").exists()


def test_a_python_of_which_it_was_made_keeps_it(clone: Path) -> None:
    done = make(clone, f"PYTHON={sys.executable}")
    assert done.returncode == 0, done.stderr
    assert (clone / "synced").exists()
    assert (clone / ".venv/bin/ruff").exists()


def test_another_python_makes_it_anew(clone: Path) -> None:
    make(clone, f"PYTHON={another_python(clone)}")
    assert (clone / "made").exists()
    assert not (clone / "synced").exists()


def test_a_python_that_is_not_there_is_told_and_leaves_it_as_it_is(clone: Path) -> None:
    done = make(clone, f"PYTHON={clone}/nowhere/python")
    assert done.returncode != 0
    assert f"was found (looked for: {clone}/nowhere/python)" in done.stderr
    assert (clone / ".venv/bin/ruff").exists()
