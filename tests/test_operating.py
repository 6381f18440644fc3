"""The page about operating: its commands print what it shows."""

import asyncio
import re
import subprocess
from pathlib import Path

import pytest

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import ScriptedAgent
from agent_framework_hosting.types import ChannelRequest, ChannelSession, Principal

from .served import COMMANDS

PAGE = Path(__file__).parents[1] / "docs" / "operating.md"
SHOWN = re.findall(r"^```console\n\$ af-hosting (.*?)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a working directory with a host's database, in which a known and an unknown caller have talked."""
    asyncio.run(talk(tmp_path))
    return tmp_path


async def talk(folder: Path) -> None:
    agent = ScriptedAgent(every="ok")
    async with AgentFrameworkHost(agent, channels=[], database=f"sqlite:///{folder}/state/host.db") as host:
        for turn in ("1", "2"):
            for key, principal in (("hers", Principal(id="ada", kind="caller")), ("room", None)):
                session = ChannelSession(key, commit_as=key + turn)
                request = ChannelRequest(
                    channel="test", operation="message", input="hi", session=session, principal=principal
                )
                await host.run(request)


@pytest.mark.parametrize(("arguments", "printed"), SHOWN, ids=[arguments.split()[0] for arguments, _ in SHOWN])
def test_a_command_prints_what_the_page_shows(folder: Path, arguments: str, printed: str) -> None:
    run = subprocess.run(
        [COMMANDS / "af-hosting", *arguments.split()], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (run.stdout, run.stderr, run.returncode) == (printed, "", 0)


def test_the_page_shows_each_command() -> None:
    assert [arguments.split()[0] for arguments, _ in SHOWN] == ["migrate", "purge", "adopt"]
