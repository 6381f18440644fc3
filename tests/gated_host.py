"""A host whose answers wait at a gate: python gated_host.py PORT DRAIN_TIMEOUT [GRACEFUL_TIMEOUT]

A request with the input "quick" is answered at once; all others stop in the middle until somebody posts to /gate. One
with the input "deaf" stops there whatever is done to it.
/gate/reached/2 answers when two of them have come there.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent_framework_hosting.channel import ChannelContext, ChannelContribution
from agent_framework_hosting.door import Door
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import AgentRun, Gate, ScriptedAgent
from agent_framework_hosting_responses.channel import ResponsesChannel


class DeafGate(Gate):
    """Holds on to whoever waits, also against a cancellation."""

    async def wait(self) -> None:
        """Wait until it is opened."""
        while not self.is_open:
            try:
                await super().wait()
            except asyncio.CancelledError:
                continue


gate, deaf = Gate(), DeafGate()


def speak(run: AgentRun) -> list[str | Gate]:
    """Say half of the answer, wait, say the rest."""
    if run.messages[-1].text == "deaf":
        return ["begun, ", deaf]
    return ["begun, ", "ended"] if run.messages[-1].text == "quick" else ["begun, ", gate, "ended"]


class GateChannel:
    """Opens the gate, and tells who stands before it."""

    name = "gate"
    path = "/gate"

    def contribute(self, context: ChannelContext) -> ChannelContribution:
        async def open_gate(_: Request) -> Response:
            gate.open()
            return Response()

        async def reached(request: Request) -> Response:
            await gate.wait_reached(request.path_params["count"])
            return Response()

        return ChannelContribution(
            [Route("/", open_gate, methods=["POST"]), Route("/reached/{count:int}", reached, methods=["GET"])]
        )


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    port, drain_timeout, *graceful = sys.argv[1:]
    host = AgentFrameworkHost(
        ScriptedAgent(every=speak),
        channels=[ResponsesChannel(), GateChannel()],
        limits=Limits(drain_timeout=float(drain_timeout)),
        door=Door(public_url="https://agent.example.com"),
    )
    options: Any = {"graceful_timeout": float(graceful[0])} if graceful else {}
    host.serve(port=int(port), **options)
    print("served")  # noqa: T201 - `serve` has returned, and that is for the test to read
