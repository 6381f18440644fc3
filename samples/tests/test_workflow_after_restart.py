"""A workflow that waits for a decision outlives its process."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from .conftest import SAMPLES
from .processes import started
from .talk import text

NAME = "workflow_after_restart.py"


def order(url: str, item: str) -> dict[str, Any]:
    """Order something and return the call that asks for a decision."""
    (asked,) = send(url, item).json()["output"]
    assert (asked["type"], asked["name"]) == ("function_call", "request_info")
    assert item in asked["arguments"]
    return asked


def decide(url: str, asked: dict[str, Any], decision: str) -> httpx2.Response:
    return send(url, [{"type": "function_call_output", "call_id": asked["call_id"], "output": decision}])


def send(url: str, said: Any) -> httpx2.Response:
    return httpx2.post(f"{url}/responses", json={"input": said}, timeout=30)


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """Keep the key that seals the checkpoints away from that of whoever runs the tests."""
    return {"XDG_DATA_HOME": str(tmp_path / "data")}


def test_a_decision_is_asked_before_a_crash_and_taken_after_it(tmp_path: Path, settings: dict[str, str]) -> None:
    with started(NAME, log=tmp_path / "printed", settings=settings) as before:
        assert text(decide(before.url, order(before.url, "a kettle"), "true").json()) == "Bought so far: a kettle."
        asked = order(before.url, "a lamp")
        before.kill()
    with started(NAME, log=tmp_path / "printed", settings=settings) as after:
        assert decide(after.url, asked, "perhaps").status_code == 400
        assert text(decide(after.url, asked, "true").json()) == "Bought so far: a kettle, a lamp."
        assert decide(after.url, asked, "true").status_code == 400
        assert text(decide(after.url, order(after.url, "a crown"), "false").json()).endswith("a kettle, a lamp.")
        assert send(after.url, []).status_code == 400
        assert after.stop() == 0
        assert "Traceback" not in after.printed


def test_the_line_for_a_decision_works_as_it_is_printed(tmp_path: Path, settings: dict[str, str]) -> None:
    (body,) = re.findall(r"--json '(\{\"input\": \[.*\})'$", (SAMPLES / NAME).read_text(), re.MULTILINE)
    with started(NAME, log=tmp_path / "printed", settings=settings) as served:
        call_id = order(served.url, "a kettle")["call_id"]
        answer = httpx2.post(f"{served.url}/responses", content=body.replace("...", call_id), timeout=30)
        assert text(answer.json()) == "Bought so far: a kettle."
