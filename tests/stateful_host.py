"""A host that keeps state: python stateful_host.py PORT FOLDER DRAIN_TIMEOUT STATE_GRACE

The folder gets the state, and the history that the agent's own provider keeps. The agent answers with every user
message that it sees; after "gated" it waits until somebody posts to /control/gate. A request's metadata names its room,
which is its session key. /control/rooms/ROOM tells the session id of a room, and resets it.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent_framework import Agent, FileHistoryProvider
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from agent_framework_hosting.channel import ChannelContext, ChannelContribution
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import ChatCall, Gate, ScriptedChatClient, recall
from agent_framework_hosting.types import ChannelRequest, ChannelSession
from agent_framework_hosting_responses.channel import ResponsesChannel

gate = Gate()


def speak(call: ChatCall) -> list[str | Gate]:
    """Recall everything, at the gate if asked to."""
    return [*([gate] if call.messages[-1].text == "gated" else []), *recall(call)]


def in_its_room(request: ChannelRequest, *, target: Any, protocol_request: Any) -> ChannelRequest:
    """Give the request the session key that its metadata names."""
    return replace(request, session=ChannelSession(protocol_request["metadata"]["room"]))


class ControlChannel:
    """Resets sessions, and tells what there is."""

    name = "control"
    path = "/control"

    def contribute(self, context: ChannelContext) -> ChannelContribution:
        async def open_gate(_: Request) -> Response:
            gate.open()
            return Response()

        async def reached(_: Request) -> Response:
            await gate.wait_reached()
            return Response()

        async def tell(request: Request) -> Response:
            asked = ChannelRequest("control", "message", "?", session=ChannelSession(request.path_params["room"]))
            session = (await context.run(asked)).session
            return JSONResponse(session and session.session_id)

        async def reset(request: Request) -> Response:
            if "async" in request.query_params:
                await context.areset_session(request.path_params["room"])
            else:
                context.reset_session(request.path_params["room"])
            if "die" in request.query_params:
                os.kill(os.getpid(), signal.SIGKILL)
            return PlainTextResponse("done")

        return ChannelContribution(
            [
                Route("/gate", open_gate, methods=["POST"]),
                Route("/gate", reached, methods=["GET"]),
                Route("/rooms/{room}", tell, methods=["GET"]),
                Route("/rooms/{room}", reset, methods=["DELETE"]),
            ]
        )


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    port, folder, drain_timeout, state_grace = sys.argv[1:]
    agent = Agent(
        ScriptedChatClient(every=speak), name="Recaller", context_providers=[FileHistoryProvider(Path(folder) / "said")]
    )
    host = AgentFrameworkHost(
        agent,
        channels=[ResponsesChannel(run_hook=in_its_room), ControlChannel()],
        state_dir=Path(folder) / "state",
        limits=Limits(drain_timeout=float(drain_timeout), state_grace=float(state_grace)),
    )
    host.serve(port=int(port))
    print("served")  # noqa: T201 - `serve` has returned, and that is for the test to read
