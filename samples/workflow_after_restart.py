"""A workflow that asks a person, and goes on with the answer after a restart, a day or a deploy later.

Every session's workflow is kept in sealed checkpoints. What it asks is a function call in the answer; the caller sends
the decision as that call's output. Start it, order, stop it, start it again, and decide with the call id that you got:
curl -s http://127.0.0.1:8000/responses \
  --json '{"input": [{"type": "function_call_output", "call_id": "...", "output": "true"}]}'

Run it:  .venv/bin/python samples/workflow_after_restart.py
Try it:  curl -s http://127.0.0.1:8000/responses --json '{"input": "a new kettle"}'
"""

import os
from dataclasses import replace
from typing import Any

from agent_framework import Executor, Workflow, WorkflowBuilder, WorkflowContext, handler, response_handler

from agent_framework_hosting import AgentFrameworkHost, ChannelRequest, ChannelSession
from agent_framework_hosting_responses import ResponsesChannel


class Buyer(Executor):
    """Buys what somebody approves of."""

    def __init__(self) -> None:
        super().__init__(id="buyer")
        self.bought: list[str] = []

    @handler
    async def order(self, item: str, ctx: WorkflowContext[str, str]) -> None:
        """Ask before anything is bought."""
        await ctx.request_info({"item": item}, bool)

    @response_handler
    async def decide(self, asked: dict[str, str], approved: bool, ctx: WorkflowContext[str, str]) -> None:  # noqa: FBT001 - Agent Framework passes it so
        """Do what was decided."""
        self.bought += [asked["item"]] if approved else []
        await ctx.yield_output(f"Bought so far: {', '.join(self.bought) or 'nothing'}.")

    async def on_checkpoint_save(self) -> dict[str, Any]:
        """Return what a restart must not lose."""
        return {"bought": self.bought}

    async def on_checkpoint_restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.bought = state["bought"]


def build() -> Workflow:
    """Make the workflow of one session; its name is how its checkpoints are found again."""
    return WorkflowBuilder(start_executor=Buyer(), name="buyer").build()


def at_the_desk(request: ChannelRequest, **_: Any) -> ChannelRequest:
    """Take text as an order and leave decisions as they are, all in one session; the recipes for keys show others."""
    decides = any(message.role == "tool" for message in request.input)
    text = "\n".join(message.text for message in request.input)
    return replace(request, input=request.input if decides else text, session=ChannelSession("desk"))


host = AgentFrameworkHost(
    build, channels=[ResponsesChannel(run_hook=at_the_desk)], checkpoint_location="state/checkpoints"
)

if __name__ == "__main__":
    host.serve(port=int(os.environ.get("PORT", "8000")))
