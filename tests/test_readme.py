"""What the README tells a stranger to type works."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(fence: str) -> list[str]:
    """The README's code blocks that are fenced so."""
    return re.findall(rf"^```{fence}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(shutil.which("curl") is None, reason="this machine has no curl")
def test_the_curl_line_gets_an_answer(demo_url: str) -> None:
    (line,) = blocks("sh demo")
    run = subprocess.run(
        ["sh", "-c", line.replace("http://127.0.0.1:8000", demo_url)], capture_output=True, text=True, check=True
    )
    assert '"status":"completed"' in run.stdout


def test_the_openai_client_chains_and_streams_as_shown(demo_url: str) -> None:
    (code,) = blocks("python demo")
    code = code.replace("http://127.0.0.1:8000", demo_url)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "Ada" in run.stdout, run.stderr


def test_both_commands_are_targets_of_make() -> None:
    commands = re.findall(r"^make (\w+)", README, re.MULTILINE)
    assert commands == ["serve", "test"]
    run = subprocess.run(["make", "--dry-run", *commands], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_it_can_be_read_in_a_minute() -> None:
    assert len(README.splitlines()) <= 120
