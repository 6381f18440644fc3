"""Workflows that the tests serve."""

# No `from __future__ import annotations`: Agent Framework reads the types of handlers while their class is made.
import threading
from dataclasses import dataclass
from typing import Any

from agent_framework import (
    Executor,
    Workflow,
    WorkflowBuilder,
    WorkflowContext,
    handler,
    register_checkpoint_type,
    response_handler,
)

from agent_framework_hosting.types import ChannelRequest, ChannelSession, HostedRunResult
from agent_framework_hosting.workflows import WorkflowAnswers, pending_requests


@dataclass
class Order:
    """What somebody wants how many of."""

    item: str
    count: int


register_checkpoint_type(Order)


class Notebook(Executor):
    """Writes down all that it hears and says it back; a few words make it do something else."""

    def __init__(self, gate: Any = None) -> None:
        super().__init__(id="notebook")
        self.heard: list[str] = []
        self.gate = gate

    @handler
    async def hear(self, text: str, ctx: WorkflowContext[str, str]) -> None:
        """Hear one line."""
        self.heard.append(text)
        if text == "fail":
            raise ValueError("what went wrong is nobody's business")
        if text == "loop":
            await ctx.send_message("loop")
            return
        if text == "wait":
            await self.gate.wait()
        if text.startswith("ask "):
            wanted: dict[str, type] = {"flag": bool, "text": str, "order": Order, "count": int}
            await ctx.request_info(text, wanted[text.removeprefix("ask ")])
            return
        await ctx.yield_output(" ".join(self.heard))

    @response_handler
    async def take_text(self, asked: str, answer: str, ctx: WorkflowContext[str, str]) -> None:
        """Take a text."""
        if answer == "fail":
            raise ValueError("after the answer was taken")
        await ctx.yield_output(f"text {answer}")

    @response_handler
    async def take_order(self, asked: str, answer: Order, ctx: WorkflowContext[str, str]) -> None:
        """Take an order."""
        await ctx.yield_output(f"{answer.count} {answer.item}")

    @response_handler
    async def take_count(self, asked: str, answer: int, ctx: WorkflowContext[str, str]) -> None:
        """Take a number or a flag, which Agent Framework does not tell apart."""
        await ctx.yield_output(f"{'flag' if isinstance(answer, bool) else 'count'} {answer}")

    async def on_checkpoint_save(self) -> dict[str, Any]:
        """Keep what was heard."""
        return {"heard": list(self.heard)}

    async def on_checkpoint_restore(self, state: dict[str, Any]) -> None:
        """Know again what was heard."""
        self.heard = list(state["heard"])


class Locked(Notebook):
    """A notebook that cannot be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class Forgetful(Notebook):
    """A notebook that a failure leaves broken for good: it cannot be brought back to where it was."""

    async def on_checkpoint_restore(self, state: dict[str, Any]) -> None:
        """Refuse."""
        raise OSError("gone")


class Broken(Locked, Forgetful):
    """Neither can be copied nor brought back."""


def notebook(executor: Executor | None = None, *, gate: Any = None, name: str | None = "notebook") -> Workflow:
    """Return a workflow of one executor."""
    start = executor or Notebook(gate)
    return WorkflowBuilder(start_executor=start, name=name, max_iterations=5).add_edge(start, start).build()


def say(value: Any, key: str | None = "room", **session: Any) -> ChannelRequest:
    """Return a request with this input, in the session of this key."""
    wanted = ChannelSession(key, **session) if key is not None or session else None
    return ChannelRequest(channel="test", operation="message", input=value, session=wanted)


def answer(value: Any, *, to: HostedRunResult[Any], key: str = "room") -> ChannelRequest:
    """Return a request that answers all that a result asks."""
    return say(WorkflowAnswers(dict.fromkeys(pending_requests(to.result), value)), key)


def said(result: HostedRunResult[Any]) -> list[Any]:
    """Return a result's outputs."""
    return result.result.get_outputs()
