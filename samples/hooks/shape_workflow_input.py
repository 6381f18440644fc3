"""Chat text that becomes the typed input of a workflow.

A workflow's start executor takes a type of its own, and the host passes the input on unchanged: turning what somebody
wrote into that type is the run hook's work. What cannot be understood is refused with words that say how to mend it,
before anything has run.

Run it:  .venv/bin/python samples/hooks/shape_workflow_input.py
Try it:  curl -s http://127.0.0.1:8000/responses --json '{"input": "3 kettles"}'
"""

import os
import re
from dataclasses import dataclass, replace
from typing import Any

from agent_framework import Executor, Workflow, WorkflowBuilder, WorkflowContext, handler

from agent_framework_hosting import AgentFrameworkHost, ChannelRequest
from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting_responses import ResponsesChannel

ORDER = re.compile(r"(?P<count>[0-9]{1,3}) +(?P<item>.+)")


@dataclass
class Order:
    """What somebody wants, and how many of it."""

    item: str
    count: int


class Shop(Executor):
    """Takes orders."""

    @handler
    async def take(self, order: Order, ctx: WorkflowContext[Order, str]) -> None:
        """Confirm an order."""
        await ctx.yield_output(f"{order.count} of {order.item}: that will be {order.count * 5} pounds.")


def order_from_text(request: ChannelRequest, **_: Any) -> ChannelRequest:
    """Return the request with the order that its last message holds."""
    said = request.input[-1].text if request.input else ""
    order = ORDER.fullmatch(said.strip())
    if order is None:
        raise InvalidRequest("Say how many of what you want, for example '3 kettles'.", param="input")
    return replace(request, input=Order(item=order["item"], count=int(order["count"])))


def build() -> Workflow:
    """Make the workflow of one session."""
    return WorkflowBuilder(start_executor=Shop(id="shop"), name="shop").build()


host = AgentFrameworkHost(build, channels=[ResponsesChannel(run_hook=order_from_text)])

if __name__ == "__main__":
    host.serve(port=int(os.environ.get("PORT", "8000")))
