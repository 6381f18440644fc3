"""A workflow with types, called in plain JSON: it takes an order, asks for an approval, and answers with a value.

Start it, order, and answer what it asks with the ids that you got:
curl -s http://127.0.0.1:8000/invocations -H "content-type: application/json" \
  -d '{"session_id": "ses_...", "responses": [{"request_id": "...", "approved": true}]}'

Run it:  .venv/bin/python samples/invocations.py
Try it:  curl -s http://127.0.0.1:8000/invocations -H "content-type: application/json" \
  -d '{"input": {"item": "kettle", "count": 2}}'
"""

import os
from dataclasses import dataclass

from agent_framework import Executor, Workflow, WorkflowBuilder, WorkflowContext, handler, response_handler

from agent_framework_hosting import AgentFrameworkHost
from agent_framework_hosting_invocations import InvocationsChannel


@dataclass
class Order:
    """What callers send as `input`; anything else is refused at its place."""

    item: str
    count: int = 1


@dataclass
class Bill:
    """What they get."""

    item: str
    pounds: int


class Shop(Executor):
    """Sells at thirty pounds each, after somebody has approved of it."""

    @handler
    async def order(self, order: Order, ctx: WorkflowContext[Order, Bill | str]) -> None:
        """Ask before anything is sold."""
        await ctx.request_info(order, bool)

    @response_handler
    async def decide(self, order: Order, approved: bool, ctx: WorkflowContext[Order, Bill | str]) -> None:  # noqa: FBT001 - Agent Framework passes it so
        """Do what was decided."""
        await ctx.yield_output(Bill(order.item, 30 * order.count) if approved else "Nothing was sold.")


def build() -> Workflow:
    """Make the workflow of one session."""
    return WorkflowBuilder(start_executor=Shop(id="shop"), name="shop").build()


host = AgentFrameworkHost(build, channels=[InvocationsChannel()])

if __name__ == "__main__":
    host.serve(port=int(os.environ.get("PORT", "8000")))
