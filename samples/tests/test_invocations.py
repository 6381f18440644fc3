"""The invocations sample: an order is asked about, and a bill comes back as the value that it is."""

from __future__ import annotations

import pytest

from agent_framework_hosting.testing import LoopbackDriver

from .conftest import Load


@pytest.mark.parametrize(
    ("approved", "content"),
    [
        (True, {"type": "json", "value": {"item": "kettle", "pounds": 60}}),
        (False, {"type": "text", "text": "Nothing was sold."}),
    ],
)
async def test_an_order_is_sold_once_somebody_has_approved_of_it(
    sample: Load, approved: bool, content: dict[str, object]
) -> None:
    with LoopbackDriver(sample("invocations.py").host.app) as driver:
        ordered = {"input": {"item": "kettle", "count": 2}}
        asked = (await driver.request("POST", "/invocations", json=ordered)).json()
        (request,) = asked["requests"]
        answer = {"request_id": request["request_id"], "approved": approved}
        told = {"session_id": asked["session_id"], "responses": [answer]}
        sold = (await driver.request("POST", "/invocations", json=told)).json()
        again = await driver.request("POST", "/invocations", json=told)
    assert sold["status"] == "completed"
    assert sold["messages"][0]["content"] == [content]
    assert again.status == 400


async def test_what_is_no_order_is_refused_at_its_place(sample: Load) -> None:
    with LoopbackDriver(sample("invocations.py").host.app) as driver:
        body = {"input": {"item": "kettle", "count": "two"}}
        answer = await driver.request("POST", "/invocations", json=body)
    assert (answer.status, answer.json()["param"]) == (400, "input.count")
