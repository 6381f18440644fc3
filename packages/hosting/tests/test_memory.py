"""What an idle process holds."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

_START = """
import asyncio
from pathlib import Path
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import ScriptedAgent

def pages():
    return int(Path("/proc/self/statm").read_text().split()[1])

async def main():
    host = AgentFrameworkHost(ScriptedAgent(), channels=[])
    used = [bytes(1000) for _ in range(40_000)]
    stays = used.pop()
    used.clear()
    before = pages()
    async with host:
        print(before - pages())

asyncio.run(main())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps what was freed, and has a way to ask")
def test_a_host_that_has_started_gives_back_what_start_up_took_for_a_moment() -> None:
    said = subprocess.run([sys.executable, "-c", _START], check=True, capture_output=True, text=True).stdout
    assert int(said) * os.sysconf("SC_PAGE_SIZE") > 30_000_000
