"""One of several hosts on one database, whose runs are seen and held through files.

python replica_host.py FOLDER PORT DATABASE CONCURRENCY AGENT WORKERS LIMITS

LIMITS is a JSON object of what `Limits` takes.
AGENT is "core" for Agent Framework's own agent, or "scripted" for one without anything around the script. The former
has a tool that pays once somebody lets it, "pay 5", and writes what it paid into FOLDER/paid.
Each run writes what it sees into FOLDER/runs, and when it has ended. One whose text ends with a name in brackets,
"hello [slow]", says the first half of its answer, makes the file FOLDER/slow.reached, and waits for FOLDER/slow.open.
Each task writes into FOLDER/tasks when it begins and when it is done; one whose text ends with "die" kills its process
once it has run.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from agent_framework import Agent, Content, tool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent_framework_hosting.channel import ChannelContext, ChannelContribution, Replayed, Task
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import AgentRun, ChatCall, ScriptedAgent, ScriptedChatClient
from agent_framework_hosting.types import ChannelRequest, ChannelSession, IdempotencyKey
from agent_framework_hosting_responses.channel import ResponsesChannel

BETWEEN_LOOKS: Final = 0.01


def note(folder: Path, file: str = "runs", /, **said: Any) -> None:
    """Add one line to a file; appending is one step, whoever else does it."""
    descriptor = os.open(folder / file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, json.dumps({"pid": os.getpid(), **said}).encode() + b"\n")
    os.close(descriptor)


def payer(folder: Path) -> Any:
    """Return a tool that leaves one line for each time that it ran; the line has reached the disk when it returns."""

    @tool(approval_mode="always_require")
    def pay(number: int) -> str:
        """Pay."""
        descriptor = os.open(folder / "paid", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, f"{number}\n".encode())
        os.fsync(descriptor)
        os.close(descriptor)
        return f"paid {number}"

    return pay


def speaker(folder: Path) -> Callable[[Any], AsyncGenerator[str | Content]]:
    """Return what the agent does in each run."""

    async def speak(run: AgentRun | ChatCall) -> AsyncGenerator[str | Content]:
        text = run.messages[-1].text
        if text.startswith("pay ") and text[4:].isdigit():
            yield Content.from_function_call(f"call_{text[4:]}", "pay", arguments=json.dumps({"number": int(text[4:])}))
            return
        note(folder, began=text, seen=run.seen)
        try:
            yield f"<{text}"
            if text.endswith("]"):
                gate = text.rpartition("[")[2].removesuffix("]")
                (folder / f"{gate}.reached").touch()
                await opened(folder / f"{gate}.open")
            yield ">"
        finally:
            note(folder, ended=text)

    return speak


async def opened(gate: Path) -> None:
    """Wait for a file that another process makes."""
    while not gate.exists():  # noqa: ASYNC110, ASYNC240 - no event says so, and a look takes microseconds
        await asyncio.sleep(BETWEEN_LOOKS)


class PlainChannel:
    """Runs what it is posted, with the session and the idempotency key that it is told."""

    name = "plain"
    path = "/plain"

    def contribute(self, context: ChannelContext) -> ChannelContribution:
        async def run(request: Request) -> Response:
            asked = await request.json()
            wanted = ChannelRequest(
                channel=self.name,
                operation="message",
                input=asked["text"],
                session=ChannelSession(asked.get("key"), commit_as=asked.get("commit_as"), parent=asked.get("parent")),
            )
            key = asked.get("idempotency")
            named = IdempotencyKey(key, asked["text"].encode()) if key else None
            try:
                result = await context.run(wanted, seal=lambda made: {"said": made.result.text}, idempotency=named)
            except Replayed as replayed:
                return JSONResponse(replayed.record, headers={"idempotent-replayed": "true"})
            return JSONResponse({"said": result.result.text})

        async def reset(request: Request) -> Response:
            await context.areset_session((await request.json())["key"])
            return Response()

        return ChannelContribution([Route("/", run, methods=["POST"]), Route("/reset", reset, methods=["POST"])])


class DeferredChannel:
    """Accepts what it is posted, and runs it later, as a task: in the session of its line, once for each id."""

    name = "deferred"
    path = "/deferred"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def contribute(self, context: ChannelContext) -> ChannelContribution:
        async def accept(request: Request) -> Response:
            asked = await request.json()
            is_new = await context.tasks.accept(
                kind=self.name, id=asked["id"], line=asked["line"], payload={"text": asked["text"]}
            )
            return JSONResponse({"is_new": is_new}, status_code=202)

        async def cancel(request: Request) -> Response:
            asked = await request.json()
            return JSONResponse({"was_open": await context.tasks.cancel(kind=self.name, id=asked["id"])})

        async def do(task: Task) -> None:
            text = task.payload["text"]
            note(self._folder, "tasks", began=task.id, attempt=task.attempt)
            wanted = ChannelRequest(self.name, "message", text, session=ChannelSession(task.line))
            try:
                await context.run(wanted, idempotency=IdempotencyKey(task.id, text.encode()))
                outcome = "done"
            except Replayed:
                outcome = "replayed"
            if text.endswith("die"):
                os.kill(os.getpid(), signal.SIGKILL)
            note(self._folder, "tasks", ended=task.id, attempt=task.attempt, outcome=outcome)

        async def give_up(task: Task) -> None:
            note(self._folder, "tasks", ended=task.id, attempt=task.attempt, outcome="given up")

        context.tasks.handle(self.name, do, on_give_up=give_up)
        return ChannelContribution([Route("/", accept, methods=["POST"]), Route("/cancel", cancel, methods=["POST"])])


def made(folder: Path, database: str, concurrency: Any, agent: str, limits: Limits) -> AgentFrameworkHost:
    """Return the host."""
    speak: Any = speaker(folder)
    target: Any = (
        ScriptedAgent(every=speak)
        if agent == "scripted"
        else Agent(ScriptedChatClient(every=speak), name="scripted", tools=[payer(folder)])
    )
    return AgentFrameworkHost(
        target,
        channels=[ResponsesChannel(), PlainChannel(), DeferredChannel(folder)],
        database=database,
        concurrency=concurrency,
        limits=limits,
        trust_isolation_headers=True,
    )


limits = replace(Limits(drain_timeout=20, max_waiting=2_000, task_backoff=0.1), **json.loads(sys.argv[7]))
host = made(Path(sys.argv[1]), sys.argv[3], sys.argv[4], sys.argv[5], limits)

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    host.serve(port=int(sys.argv[2]), workers=int(sys.argv[6]))
    print("served")  # noqa: T201 - `serve` has returned, and that is for the test to read
