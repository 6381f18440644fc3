"""Node for the client tests comes from a wheel, its packages from a lock file."""

import json
import subprocess
from pathlib import Path

from .conftest import scenarios_of


def test_a_script_finds_the_locked_openai_client(node: Path, node_project: Path) -> None:
    lock = json.loads((node_project / "package-lock.json").read_text())
    script = 'import { VERSION } from "openai/version"; console.log(VERSION)'
    run = subprocess.run(
        [node, "--input-type=module", "--eval", script], cwd=node_project, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == lock["packages"]["node_modules/openai"]["version"]


def test_every_scenario_has_its_test(node_project: Path) -> None:
    """A script in another folder would lie there unplayed."""
    scripts = {f"{path.parent.name}/{path.stem}" for path in (node_project / "scenarios").rglob("*.mjs")}
    assert scripts == {
        f"{folder}/{name}"
        for folder in ("openai", "chat", "agents", "ai", "ai_openai")
        for name in scenarios_of(folder)
    }


def test_the_lock_file_names_no_registry(node_project: Path) -> None:
    lock = json.loads((node_project / "package-lock.json").read_text())
    packages = [package for name, package in lock["packages"].items() if name]
    assert all("integrity" in package and "resolved" not in package for package in packages)
