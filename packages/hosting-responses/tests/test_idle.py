"""What a host has loaded that serves an agent, has answered, and was asked for nothing unusual."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

_PROGRAM: Final = """
import asyncio, sys
from agent_framework_hosting.auth import ApiKeys, hash_key
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting_responses.channel import ResponsesChannel

loaded = set(sys.modules)
from agent_framework_hosting.testing import InMemoryDriver, ScriptedAgent

async def main():
    before = set(sys.modules)
    keys = ApiKeys({"ada": hash_key("afh_" + 64 * "0")})
    host = AgentFrameworkHost(ScriptedAgent(["Hello."]), channels=[ResponsesChannel()], auth=keys)
    async with InMemoryDriver(host.app) as driver:
        headers = {"authorization": "Bearer afh_" + 64 * "0"}
        for stream in (False, True):
            asked = {"model": "m", "input": "Hi.", "stream": stream}
            answer = await driver.request("POST", "/responses", json=asked, headers=headers)
            assert answer.status == 200, answer
    return loaded | (set(sys.modules) - before)

print(*asyncio.run(main()), sep="\\n")
"""
_UNUSED: Final = (
    "_sqlite3",
    "difflib",
    "opentelemetry.propagate",
    # A character that source code writes by its name ("\N{...}") has it loaded whenever that is compiled.
    "unicodedata",
    "starlette.authentication",
    "starlette.middleware.cors",
    "agent_framework._compaction",
    "agent_framework._workflows",
    "opentelemetry.propagators.textmap",
    "agent_framework_hosting._contract",
    "agent_framework_hosting._hook_types",
    "agent_framework_hosting._kept",
    "agent_framework_hosting._proxies",
    "agent_framework_hosting._quantities",
    "agent_framework_hosting._quotas",
    "agent_framework_hosting._runs.service",
    "agent_framework_hosting._server",
    "agent_framework_hosting._sessions.apart",
    "agent_framework_hosting._several",
    "agent_framework_hosting._signals",
    "agent_framework_hosting._state.database",
    "agent_framework_hosting._state.disk_aliases",
    "agent_framework_hosting._state.encoded",
    "agent_framework_hosting._state.memorydocuments",
    "agent_framework_hosting._state.memoryevents",
    "agent_framework_hosting._state.memoryclaims",
    "agent_framework_hosting._state.memoryrecords",
    "agent_framework_hosting._state.memorytasks",
    "agent_framework_hosting._state.parts",
    "agent_framework_hosting._state.port",
    "agent_framework_hosting._state.private",
    "agent_framework_hosting._state.sql",
    "agent_framework_hosting._target.factory",
    "agent_framework_hosting._target.replay",
    "agent_framework_hosting._target.session_store",
    "agent_framework_hosting._target.snapshot_codec",
    "agent_framework_hosting._target.target",
    "agent_framework_hosting._target.unfinished",
    "agent_framework_hosting._target.workflow.key",
    "agent_framework_hosting._target.workflow.target",
    "agent_framework_hosting._tasks.running",
    "agent_framework_hosting._tasks.service",
    "agent_framework_hosting._telemetry.meters",
    "agent_framework_hosting._telemetry.turns",
    "agent_framework_hosting._telemetry.watchdog",
    "agent_framework_hosting._workers",
    "agent_framework_hosting.auth._accepted",
    "agent_framework_hosting.auth.tokens",
    "agent_framework_hosting.kept",
    "agent_framework_hosting.observability",
    "agent_framework_hosting.parsing.complaints",
    "agent_framework_hosting.parsing.media",
    "agent_framework_hosting.runs",
    "agent_framework_hosting.tasks",
    "agent_framework_hosting.web._types",
    "agent_framework_hosting_responses._accepted",
    "agent_framework_hosting_responses._background",
    "agent_framework_hosting_responses._compact",
    "agent_framework_hosting_responses._conversation",
    "agent_framework_hosting_responses._conversations",
    "agent_framework_hosting_responses._counting",
    "agent_framework_hosting_responses._document",
    "agent_framework_hosting_responses._following",
    "agent_framework_hosting_responses._inbound.approvals",
    "agent_framework_hosting_responses._inbound.compaction",
    "agent_framework_hosting_responses._inbound.decisions",
    "agent_framework_hosting_responses._inbound.hosted_items",
    "agent_framework_hosting_responses._inbound.media_parts",
    "agent_framework_hosting_responses._inbound.more_items",
    "agent_framework_hosting_responses._inbound.tools",
    "agent_framework_hosting_responses._outbound.event_words",
    "agent_framework_hosting_responses._outbound.item_words",
    "agent_framework_hosting_responses._outbound.provider_tools",
    "agent_framework_hosting_responses._outbound.replaying",
    "agent_framework_hosting_responses._outbound.tool_calls",
    "agent_framework_hosting_responses._outbound.vocabulary",
    "agent_framework_hosting_responses._reading",
    "agent_framework_hosting_responses._references",
    "agent_framework_hosting_responses._replay",
    "agent_framework_hosting_responses._sealed_thoughts",
    "agent_framework_hosting_responses._socket",
)


def test_what_an_idle_host_does_not_use_is_not_loaded(tmp_path: Path) -> None:
    """Each of them is memory and time at the start that whoever does not use it would pay for.

    All is compiled anew, as it is at each start of a container that cannot write beside its code.
    """
    # A variable of the tests' own that begins like the host's would be looked up among these.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AF_HOSTING_")}
    environment |= {"PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", _PROGRAM]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    loaded = set(shown.stdout.split())
    assert "agent_framework_hosting_responses._turns" in loaded
    assert [module for module in _UNUSED if module in loaded] == []
