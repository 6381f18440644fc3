"""The official JavaScript client against the served demo: one test for each script in `node/scenarios`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

SCENARIOS = sorted(path.stem for path in (Path(__file__).parent / "node" / "scenarios").glob("*.mjs"))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_javascript_client(node: Path, node_project: Path, demo: str, scenario: str) -> None:
    run = subprocess.run(
        [node, "run.mjs", scenario, demo], cwd=node_project, capture_output=True, text=True, timeout=45, check=False
    )
    assert (run.returncode, run.stdout) == (0, "passed\n"), run.stderr
