"""A hostile client of the Responses channel."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from agent_framework import Agent, CompactionProvider, InMemoryHistoryProvider, SlidingWindowStrategy

from agent_framework_hosting.errors import RequestTooLarge
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Answer, InMemoryDriver, ScriptedAgent, ScriptedChatClient, recall
from agent_framework_hosting_responses import ResponsesChannel
from agent_framework_hosting_responses._inbound.request import parse

PATH = "/responses"


def serve(agent: Any, *, limits: Limits | None = None, **channel: Any) -> InMemoryDriver:
    """Return a driver for an agent behind the channel."""
    return InMemoryDriver(AgentFrameworkHost(agent, channels=[ResponsesChannel(**channel)], limits=limits).app)


async def create(driver: InMemoryDriver, text: str = "hi", **body: Any) -> Answer:
    """Create a response."""
    return await driver.request("POST", PATH, json={"input": text, **body})


@pytest.mark.parametrize("limits", [Limits(max_response_bytes=2_500), Limits(max_buffered_bytes=2_500)])
async def test_a_stream_whose_end_finds_no_room_still_ends_as_its_turn_did(limits: Limits) -> None:
    """The turn is committed by then: the client gets the terminal event, and can continue from it."""
    async with serve(ScriptedAgent("a" * 3_000, "b"), limits=limits) as driver:
        events = (await create(driver, stream=True)).events()
        assert (events[-2].event, events[-1].data) == ("response.completed", "[DONE]")
        response_id = json.loads(events[-2].data)["response"]["id"]
        assert (await create(driver, previous_response_id=response_id)).status == 200


async def test_a_client_that_leaves_a_stream_while_the_run_hook_works_stops_the_hook() -> None:
    """Before the first byte a stream is watched as well as after it."""
    started, stopped = asyncio.Event(), asyncio.Event()

    async def hook(request: Any, **_: Any) -> Any:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return request

    async with serve(ScriptedAgent(), run_hook=hook) as driver:
        request = asyncio.create_task(create(driver, stream=True))
        await started.wait()
        request.cancel()
        await asyncio.wait_for(stopped.wait(), 30)


@pytest.mark.parametrize(
    "body",
    [
        {"previous_response_id": "r" * 100_000},
        {"input": [{"type": "function_call_output", "call_id": "r" * 100_000, "output": "x"}]},
    ],
    ids=["previous", "call"],
)
async def test_an_error_repeats_no_more_of_an_id_than_one_needs_to_know_it(body: dict[str, Any]) -> None:
    """Otherwise every error would send back what came in."""
    async with serve(ScriptedAgent()) as driver:
        answer = await driver.request("POST", PATH, json={"input": "x", **body})
        assert answer.status == 400
        assert len(answer.body) < 1_000


@pytest.mark.parametrize("value", ["[]", "{}", "1", '{"a":1}'])
@pytest.mark.parametrize("place", ['{{"input":[{0}]}}', '{{"input":"x","metadata":{{"a":[{0}]}}}}'])
def test_a_body_of_very_many_values_is_refused_before_it_is_decoded(place: str, value: str) -> None:
    """Decoding and walking it would hold up everybody else for seconds."""
    with pytest.raises(RequestTooLarge, match="JSON values"):
        parse(place.format(",".join([value] * 200_000)).encode())


def test_brackets_and_commas_in_texts_are_no_values() -> None:
    """A long listing of code is one value."""
    code = 'if (a[0]) { b("\\x", {}, []) }, ' * 50_000
    assert parse(json.dumps({"input": code}).encode()).messages[0].text == code


async def test_a_fork_does_not_lose_what_its_sibling_compacted() -> None:
    """Core's compaction marks messages in place; the mark stays in the branch that made it."""
    history = InMemoryHistoryProvider(skip_excluded=True)
    window = SlidingWindowStrategy(keep_last_groups=3)
    compaction = CompactionProvider(after_strategy=window, history_source_id=history.source_id)
    agent = Agent(ScriptedChatClient(every=recall), context_providers=[history, compaction])

    async with serve(agent) as driver:

        async def say(text: str, previous: str | None = None) -> tuple[str, str]:
            body = (await create(driver, text, previous_response_id=previous)).json()
            return body["id"], body["output"][0]["content"][0]["text"]

        first, _ = await say("one")
        second, _ = await say("two", first)
        assert (await say("fork", second))[1] == "one | two | fork"
        head = second
        for number in range(5):
            head, _ = await say(f"more {number}", head)
        assert (await say("fork", second))[1] == "one | two | fork"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_cancellation_that_nobody_asked_for_is_an_error_like_any_other(*, stream: bool) -> None:
    """A tool waits for a task that was cancelled: the client hears of it, and the host goes on."""

    def leaves(_run: Any) -> str:
        raise asyncio.CancelledError

    async with serve(ScriptedAgent(leaves, every="ok")) as driver:
        answer = await create(driver, stream=stream)
        if stream:
            assert answer.events()[-2].event == "response.failed"
        else:
            assert (answer.status, answer.json()["error"]["type"]) == (500, "server_error")
            assert "err_" in answer.json()["error"]["message"]
        assert (await create(driver)).status == 200


async def test_what_a_run_hook_adds_to_the_metadata_of_a_request_is_not_in_its_response() -> None:
    async def hook(request: Any, **_: Any) -> Any:
        request.metadata["caller"] = object()
        return request

    async with serve(ScriptedAgent(every="ok"), run_hook=hook) as driver:
        answers = [await create(driver, metadata=metadata) for metadata in ({}, {"a": "b"})]
    assert [(answer.status, answer.json().get("metadata")) for answer in answers] == [(200, {}), (200, {"a": "b"})]


async def test_an_agent_that_returns_what_no_channel_can_show_is_told_so(caplog: pytest.LogCaptureFixture) -> None:
    class Texting(ScriptedAgent):
        def run(self, *_: Any, **__: Any) -> Any:
            return "a text"

    async with serve(Texting()) as driver:
        answer = await create(driver)
    assert answer.status == 500
    assert "can show an AgentResponse or a WorkflowRunResult, not str" in answer.text + caplog.text
