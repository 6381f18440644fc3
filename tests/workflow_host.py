"""Serves a workflow that asks, until it is told to stop. Arguments: a folder for checkpoints, and a port."""

# No `from __future__ import annotations`: Agent Framework reads the types of handlers while their class is made.
import sys
from dataclasses import replace
from typing import Any

from agent_framework import Executor, Workflow, WorkflowBuilder, WorkflowContext, handler, response_handler

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.types import ChannelRequest
from agent_framework_hosting_responses.channel import ResponsesChannel


class Refunds(Executor):
    """Pays refunds back; large ones only when somebody says so."""

    def __init__(self) -> None:
        super().__init__(id="refunds")
        self.paid: list[str] = []

    @handler
    async def pay(self, amount: str, ctx: WorkflowContext[str, str]) -> None:
        """Pay, or ask."""
        if len(amount) > 3:
            await ctx.request_info({"pay": amount}, bool)
        else:
            self.paid.append(amount)
            await ctx.yield_output(f"paid {' '.join(self.paid)}")

    @response_handler
    async def go_on(self, asked: dict[str, str], agreed: bool, ctx: WorkflowContext[str, str]) -> None:
        """Pay, if it was agreed to."""
        if agreed:
            self.paid.append(asked["pay"])
        await ctx.yield_output(f"paid {' '.join(self.paid)}")

    async def on_checkpoint_save(self) -> dict[str, Any]:
        """Keep what was paid."""
        return {"paid": list(self.paid)}

    async def on_checkpoint_restore(self, state: dict[str, Any]) -> None:
        """Know again what was paid."""
        self.paid = list(state["paid"])


def refunds() -> Workflow:
    """Return the workflow."""
    return WorkflowBuilder(start_executor=Refunds(), name="refunds").build()


def take_text(request: ChannelRequest, *, target: Any, protocol_request: Any) -> ChannelRequest:
    """Give the workflow text; answers are messages with function results, and stay what they are."""
    last = request.input[-1]
    return request if last.contents[0].type == "function_result" else replace(request, input=last.text)


if __name__ == "__main__":
    host = AgentFrameworkHost(
        refunds,
        channels=[ResponsesChannel(run_hook=take_text)],
        checkpoint_location=sys.argv[1],
        trust_isolation_headers=True,
    )
    host.serve(port=int(sys.argv[2]))
