"""What is kept of a streamed turn that did not finish: its record, which can be read and not be continued."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent_framework_hosting.channel import ChannelContext, ChannelContribution
from agent_framework_hosting.errors import UnknownId
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import Gate, InMemoryDriver, ScriptedAgent, events_from
from agent_framework_hosting_responses._record import body_of
from agent_framework_hosting_responses.channel import ResponsesChannel


class Reader:
    """A channel that reads records."""

    name, path = "reader", "/reader"
    context: ChannelContext

    def contribute(self, context: ChannelContext) -> ChannelContribution:
        self.context = context
        return ChannelContribution()


@pytest.fixture(params=["memory", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    return None if request.param == "memory" else f"sqlite:///{tmp_path}/state/host.db"


def serving(agent: Any, database: str | None, **options: Any) -> tuple[InMemoryDriver, Reader]:
    reader = Reader()
    host = AgentFrameworkHost(agent, channels=[ResponsesChannel(), reader], database=database, **options)
    return InMemoryDriver(host.app), reader


def said(record: Any) -> str:
    return "".join(part["text"] for item in record["output"] for part in item["content"])


async def test_a_stream_that_failed_can_be_read_as_it_was_sent_and_not_be_continued(database: str | None) -> None:
    agent = ScriptedAgent(["half a ", RuntimeError("the model is gone")], "hello")
    driver, reader = serving(agent, database)
    async with driver:
        answer = await driver.request("POST", "/responses", json={"input": "hi", "stream": True})
        sent = events_from(answer.body)[-2].json()["response"]
        record: Any = await reader.context.read_record(sent["id"])
        again = await driver.request("POST", "/responses", json={"input": "more", "previous_response_id": sent["id"]})
    assert body_of(record) == sent
    assert (record["status"], said(record)) == ("failed", "half a ")
    assert (again.status, again.json()["error"]["code"]) == (400, "previous_response_not_found")
    assert "did not finish" in again.json()["error"]["message"]


async def test_a_stream_whose_reader_left_can_be_read_as_cancelled(database: str | None) -> None:
    gate = Gate()
    agent = ScriptedAgent(["half a ", gate], every="hello")
    driver, reader = serving(agent, database)
    async with driver:
        async with driver.stream("POST", "/responses", json={"input": "hi", "stream": True}) as answer:
            created = await anext(answer.events())
            await gate.wait_reached()
        response_id = created.json()["response"]["id"]
        async with asyncio.timeout(30):
            record: Any = await _read(reader.context, response_id)
    assert (record["status"], said(record)) == ("cancelled", "half a ")


async def test_the_turn_before_one_that_failed_is_continued_as_if_nothing_had_been(database: str | None) -> None:
    agent = ScriptedAgent("one", ["half", RuntimeError("gone")], "three")
    driver, _ = serving(agent, database)
    async with driver:
        first = (await driver.request("POST", "/responses", json={"input": "a"})).json()
        for text, stream in (("b", True), ("c", False)):
            await driver.request(
                "POST", "/responses", json={"input": text, "stream": stream, "previous_response_id": first["id"]}
            )
    assert agent.runs[2].seen == ["a", "one", "c"]


async def _read(context: ChannelContext, response_id: str) -> Any:
    while True:
        try:
            return await context.read_record(response_id)
        except UnknownId:
            await asyncio.sleep(0)
