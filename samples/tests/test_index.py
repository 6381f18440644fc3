"""What README.md and the first lines of the samples promise to a reader."""

from __future__ import annotations

import ast
import re
import runpy
import shlex
import shutil
import subprocess

import pytest
import uvicorn

from agent_framework_hosting import AgentFrameworkHost
from agent_framework_hosting.testing import LoopbackDriver

from .conftest import SAMPLES, Load

README = (SAMPLES / "README.md").read_text()
NAMES = sorted(
    path.relative_to(SAMPLES).as_posix()
    for path in SAMPLES.rglob("*.py")
    if "tests" not in path.relative_to(SAMPLES).parts
)
ANSWERS = {
    "chat_completions.py": "When can I come for tea?",
    "custom_channel.py": "Are you there?",
    "invocations.py": '"kind":"question","data":{"item":"kettle","count":2}',
    "hooks/drop_updates.py": '"delta":"It is "',
    "hooks/enforce_options.py": "max_tokens=500, temperature=0.2",
    "hooks/key_from_environment.py": "I am Ada",
    "hooks/key_from_login.py": "I am Ada",
    "hooks/key_from_route.py": '"text":"Hi"',
    "hooks/redact.py": "The key is [key], keep it.",
    "hooks/shape_workflow_input.py": "that will be 15 pounds",
    "mounted_in_fastapi.py": '"text":"Hi"',
}
"""What the samples that need no model answer to the line with which their readers try them."""

STARTED = {"deployment/app.py", "mounted_in_fastapi.py", "one_agent.py", "telegram.py", "workflow_after_restart.py"}
"""What other tests start as a process, as they do all providers' samples."""


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_USER_ID", "ada")


def line(name: str, label: str) -> str:
    """Return the command behind `Run it:` or `Try it:`."""
    docstring = ast.get_docstring(ast.parse((SAMPLES / name).read_text())) or ""
    (command,) = re.findall(rf"^{label}:  ((?:.*\\\n)*.*)$", docstring, re.MULTILINE)
    return command


def test_the_index_lists_every_sample_and_nothing_else() -> None:
    assert sorted(re.findall(r"^\| `([\w/]+\.py)` \|", README, re.MULTILINE)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_its_first_lines_say_how_to_run_and_to_try_it(name: str) -> None:
    assert f".venv/bin/python samples/{name}" in line(name, "Run it")
    assert line(name, "Try it").startswith(("curl ", ".venv/bin/python -m websockets ", "write to your bot"))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in STARTED and "providers/" not in name])
def test_it_serves_where_it_is_told_to(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ports: list[int] = []

    def serve(*_: object, port: int) -> None:
        ports.append(port)

    monkeypatch.setattr(AgentFrameworkHost, "serve", serve)
    monkeypatch.setattr(uvicorn, "run", serve)
    monkeypatch.setenv("PORT", "8001")
    runpy.run_path(str(SAMPLES / name), run_name="__main__")
    assert ports == [8001]


@pytest.mark.skipif(shutil.which("curl") is None, reason="this machine has no curl")
@pytest.mark.parametrize("name", ANSWERS)
def test_it_answers_to_the_line_that_tries_it(name: str, sample: Load) -> None:
    served = sample(name)
    with LoopbackDriver(getattr(served, "app", None) or served.host.app) as driver:
        command = line(name, "Try it").replace("http://127.0.0.1:8000", driver.base_url)
        run = subprocess.run(shlex.split(command), capture_output=True, text=True, check=True, timeout=30)
    heard = "".join(re.findall(r'"delta":"([^"]*)"', run.stdout)) if "redact" in name else run.stdout
    assert ANSWERS[name] in heard
