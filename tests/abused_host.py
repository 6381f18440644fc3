"""A host of four channels that tells how it is: python abused_host.py PORT TELEGRAM_URL SECRET

The agent floods who says "flood", never ends for who says "wait", and otherwise says how much it heard. What the host
takes comes from the environment.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from agent_framework import AgentResponse, AgentResponseUpdate, AgentSession, Content, ResponseStream
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent_framework_hosting.channel import ChannelContext, ChannelContribution
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.types import Principal
from agent_framework_hosting_chat_completions.channel import ChatCompletionsChannel
from agent_framework_hosting_invocations.channel import InvocationsChannel
from agent_framework_hosting_responses.channel import ResponsesChannel
from agent_framework_hosting_telegram.channel import TelegramChannel
from agent_framework_hosting_telegram.testing import BOT_TOKEN


class Parrot:
    """An agent that keeps nothing of what it hears."""

    id = name = "parrot"
    description = None

    def create_session(self, *, session_id: str | None = None, **_: Any) -> AgentSession:
        return AgentSession(session_id=session_id)

    def get_session(self, service_session_id: str, **_: Any) -> AgentSession:
        return AgentSession(service_session_id=service_session_id)

    def run(self, messages: Any = None, *, stream: bool = False, **_: Any) -> Any:
        said: Any = ResponseStream(speak(messages[-1].text), finalizer=AgentResponse.from_updates)
        return said if stream else whole(said)


async def whole(said: Any) -> AgentResponse[Any]:
    return await said.get_final_response()


async def speak(heard: str) -> AsyncIterator[AgentResponseUpdate]:
    match heard:
        case "flood":
            while True:
                yield update("f" * 4000)
                await asyncio.sleep(0)
        case "wait":
            yield update("begun")
            await asyncio.Event().wait()
        case _:
            yield update(f"heard {len(heard)}")


def update(text: str) -> AgentResponseUpdate:
    return AgentResponseUpdate(contents=[Content.from_text(text)], role="assistant")


def memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def files() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


async def who(request: HTTPConnection) -> Principal:
    """Take whoever calls for whom they say they are."""
    return Principal(id=request.headers.get("x-who", "somebody"), kind="caller")


class Health:
    """Tells what the process holds."""

    name = "health"
    path = "/health"

    def contribute(self, context: ChannelContext) -> ChannelContribution:
        async def health(_: Request) -> Response:
            gc.collect()
            # What is free goes back to the system, so that only what is held counts.
            ctypes.CDLL(None).malloc_trim(0)
            return JSONResponse(
                {
                    "tasks": len(asyncio.all_tasks()),
                    "bytes": memory(),
                    "files": files(),
                    "held": context.buffers.held,
                }
            )

        return ChannelContribution([Route("/", health, methods=["GET"])])


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    port, telegram, secret = sys.argv[1:]
    host = AgentFrameworkHost(
        Parrot(),
        auth=who,
        channels=[
            ResponsesChannel(),
            InvocationsChannel(),
            ChatCompletionsChannel(),
            TelegramChannel(bot_token=BOT_TOKEN, open=True, mode="webhook", secret_token=secret, api_base_url=telegram),
            Health(),
        ],
    )
    host.serve(port=int(port))
