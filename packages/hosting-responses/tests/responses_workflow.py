"""A workflow that remembers what it hears."""

# No `from __future__ import annotations`: Agent Framework reads the types of handlers while their class is made.
from typing import Any

from agent_framework import Executor, Message, Workflow, WorkflowBuilder, WorkflowContext, handler, response_handler


class Notebook(Executor):
    """Writes down all that it hears, and says it back."""

    def __init__(self) -> None:
        super().__init__(id="notebook")
        self.heard: list[str] = []

    @handler
    async def hear(self, text: str, ctx: WorkflowContext[str, str]) -> None:
        """Hear one line."""
        self.heard.append(text)
        await ctx.yield_output(" ".join(self.heard))

    async def on_checkpoint_save(self) -> dict[str, Any]:
        """Return what is to be remembered."""
        return {"heard": self.heard}

    async def on_checkpoint_restore(self, state: dict[str, Any]) -> None:
        """Remember it."""
        self.heard = state["heard"]


class Clerk(Executor):
    """Asks before anything is paid."""

    def __init__(self) -> None:
        super().__init__(id="clerk")

    @handler
    async def hear(self, messages: list[Message], ctx: WorkflowContext[None, str]) -> None:
        """Ask whether that is to be paid."""
        await ctx.request_info(f"pay {messages[-1].text}?", bool)

    @response_handler
    async def decide(self, asked: str, answer: bool, ctx: WorkflowContext[None, str]) -> None:
        """Say what became of it."""
        await ctx.yield_output(f"{asked} {'yes' if answer else 'no'}")


def clerk() -> Workflow:
    """Return a workflow with a clerk in it."""
    return WorkflowBuilder(name="clerk", start_executor=Clerk()).build()
