"""A host that is told to stop: python draining_host.py FOLDER PORT serve|uvicorn|deaf WORKERS DRAIN_TIMEOUT

"deaf" is uvicorn with a host that does not hear signals, and a second of patience.

A request with the input "short" waits for the file FOLDER/open, one with the input "long" for ever, any other one for
the file that it names. Each says half of its answer before.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import AgentRun, ScriptedAgent
from agent_framework_hosting_responses.channel import ResponsesChannel

BETWEEN_LOOKS: Final = 0.01

folder, port, server, workers, drain_timeout = sys.argv[1:]


async def speak(run: AgentRun) -> AsyncGenerator[str]:
    """Say half of the answer, wait, say the rest."""
    yield "begun, "
    says = run.messages[-1].text
    awaited = Path(folder) / ("open" if says == "short" else says)
    while says == "long" or not awaited.exists():  # noqa: ASYNC110 - a test makes the file
        await asyncio.sleep(BETWEEN_LOOKS)
    yield "ended"


host = AgentFrameworkHost(
    ScriptedAgent(every=speak),
    channels=[ResponsesChannel()],
    database=f"sqlite:///{folder}/state/host.db",
    limits=Limits(drain_timeout=float(drain_timeout)),
    drain_on_signals=server == "uvicorn",
)
app = host.app

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    if server == "serve":
        host.serve(port=int(port), workers=int(workers))
    else:
        import uvicorn

        uvicorn.run(app, port=int(port), log_config=None, timeout_graceful_shutdown=1 if server == "deaf" else None)
    print("served")  # noqa: T201 - it has returned, and that is for the test to read
