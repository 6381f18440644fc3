"""Node for the client tests comes from a wheel, its packages from a lock file."""

import json
import subprocess
from pathlib import Path


def test_a_script_finds_the_locked_openai_client(node: Path, node_project: Path) -> None:
    lock = json.loads((node_project / "package-lock.json").read_text())
    script = 'import { VERSION } from "openai/version"; console.log(VERSION)'
    run = subprocess.run(
        [node, "--input-type=module", "--eval", script], cwd=node_project, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == lock["packages"]["node_modules/openai"]["version"]
