"""Spans and metrics: what there is, what is in it, and that docs/observability.md tells all of it."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from agent_framework import Agent, Content
from opentelemetry.trace import SpanKind, StatusCode
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from agent_framework_hosting._telemetry import names
from agent_framework_hosting._telemetry.instruments import instruments
from agent_framework_hosting._telemetry.telemetry import tracer
from agent_framework_hosting.channel import ChannelContext, Task
from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.logs import access_logger
from agent_framework_hosting.observability import Observability
from agent_framework_hosting.testing import Gate, InMemoryDriver, LoopbackDriver, ScriptedAgent, ScriptedChatClient
from agent_framework_hosting.types import ChannelRequest, ChannelSession, Principal

PAGE = (Path(__file__).parents[3] / "docs" / "observability.md").read_text()
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
USED = Content.from_usage({"input_token_count": 7, "output_token_count": 3})


def ask(**fields: Any) -> ChannelRequest:
    return ChannelRequest(channel="probe", operation="message", input="hi", **fields)


def asking(probe: Any, **fields: Any) -> Any:
    """Return an endpoint that runs a turn."""

    async def endpoint(_: Request) -> PlainTextResponse:
        return PlainTextResponse((await probe.context.run(ask(**fields))).result.text)

    return endpoint


def streaming(probe: Any) -> Any:
    """Return an endpoint that streams a turn."""

    async def endpoint(_: Request) -> StreamingResponse:
        stream = await probe.context.run_stream(ask(stream=True))

        async def texts() -> AsyncGenerator[str]:
            async for update in stream:
                yield update.text

        return StreamingResponse(texts(), media_type="text/event-stream")

    return endpoint


def rows(heading: str) -> dict[str, list[str]]:
    """Return what a table of the page says: every name in it, and the attributes of its last column."""
    section = PAGE.partition(f"## {heading}")[2].partition("\n## ")[0]
    found = re.findall(r"^\| `(af_hosting[^`]*)` \|.*\|([^|]*)\|$", section, re.MULTILINE)
    return {name: re.findall(r"`([a-z_]+\.[a-z_.]+)`", attributes) for name, attributes in found}


async def everything(make_probe: Any, collected: Any, database: str) -> dict[str, list[Any]]:
    """Return the metrics once a host has done all that it tells of.

    Turns that end well, fail, are refused and streamed, and accepted work.
    """
    said = iter(["fine", ValueError("bad"), "streamed", "worked"])
    client = ScriptedChatClient(every=lambda _: [next(said), USED])
    probe = make_probe()
    probe.routes = [
        Route("/", asking(probe, session=ChannelSession("room", commit_as="resp_1"))),
        Route("/stream", streaming(probe)),
    ]
    done = Gate()

    async def work(_: Task) -> None:
        done.open()

    host = AgentFrameworkHost(
        Agent(client),
        channels=[probe],
        database=database,
        observability=Observability(callers_in_metrics=True, watchdog=True),
    )
    probe.context.tasks.handle("work", work)
    async with InMemoryDriver(host.app) as driver:
        for path in ("/probe", "/probe", "/probe/stream", "/nowhere"):
            await driver.request("GET", path, headers={"x-request-id": "mine"})
        await probe.context.tasks.accept(kind="work", id="1", line="l", payload={})
        await done.wait()
        await host.drain()
        return collected.metrics()


async def test_the_page_tells_every_span_and_every_metric_with_every_attribute(
    make_probe: Any, make_database: Any, collected: Any
) -> None:
    """And nothing else; what is made is what the names in the code are."""
    metrics = await everything(make_probe, collected, make_database("sqlite"))
    told, spans = rows("Traces"), [span for span in collected.spans() if span.name.startswith("af_hosting")]
    assert {span.name for span in spans} == set(told)
    for span in spans:
        assert set(span.attributes or ()) <= set(told[span.name]), span.name
    told = rows("Metrics")
    ours = {name for name in metrics if name.startswith("af_hosting")}
    assert ours == set(told)
    for name in ours:
        assert {key for point in metrics[name] for key in point.attributes} <= set(told[name]), name
    documented = set(re.findall(r"`([a-z_]+\.[a-z_.]+)`", PAGE))
    assert {value for key, value in vars(names).items() if key.isupper() and key != "SCOPE"} <= documented


async def test_a_turns_spans_stand_below_its_request_and_the_agents_below_the_turn(
    make_probe: Any, collected: Any
) -> None:
    probe = make_probe()
    probe.routes = [Route("/", asking(probe, session=ChannelSession("room"))), Route("/stream", streaming(probe))]
    host = AgentFrameworkHost(Agent(ScriptedChatClient()), channels=[probe])
    for path in ("/probe", "/probe/stream"):
        async with InMemoryDriver(host.app) as driver:
            answer = await driver.request("GET", path, headers=CALLER)
        request, turn = collected.spans("af_hosting.request")[-1], collected.spans("af_hosting.turn")[-1]
        assert f"{request.context.trace_id:032x}" == TRACE
        assert request.kind is SpanKind.SERVER
        assert request.attributes["af_hosting.request.id"] == answer.headers["x-request-id"]
        assert turn.attributes["af_hosting.request.id"] == answer.headers["x-request-id"]
        assert turn.parent.span_id == request.context.span_id
        wait = collected.spans("af_hosting.wait")[-1]
        agents = [span for span in collected.spans() if span.name.startswith("invoke_agent")][-1]
        assert {wait.parent.span_id, agents.parent.span_id} == {turn.context.span_id}
    (commit,) = collected.spans("af_hosting.commit")
    assert commit.parent.span_id == collected.spans("af_hosting.turn")[0].context.span_id


async def test_inside_another_span_the_request_is_a_step_of_it(make_probe: Any, collected: Any) -> None:
    """As in an app that is instrumented itself: no second server span, and no second look at the headers."""
    probe = make_probe()
    probe.routes = [Route("/", asking(probe))]
    app = AgentFrameworkHost(ScriptedAgent(), channels=[probe]).app
    tracer = collected.tracer_provider.get_tracer("around")

    async def around(scope: Any, receive: Any, send: Any) -> None:
        with tracer.start_as_current_span("around"):
            await app(scope, receive, send)

    async with InMemoryDriver(around) as driver:
        await driver.request("GET", "/probe", headers=CALLER)
    (request,) = collected.spans("af_hosting.request")
    assert request.kind is SpanKind.INTERNAL
    assert request.parent.trace_id == request.context.trace_id
    assert f"{request.context.trace_id:032x}" != TRACE


@pytest.mark.parametrize("stream", [False, True])
async def test_a_failed_turn_is_marked_by_its_kind_and_nothing_else(connect: Any, collected: Any, stream: bool) -> None:
    context: ChannelContext = connect(ScriptedAgent(every=ValueError("hunter2")))
    with pytest.raises(ValueError, match="hunter2"):
        await (await context.run_stream(ask())).get_final_response() if stream else await context.run(ask())
    (turn,) = collected.spans("af_hosting.turn")
    assert (turn.status.status_code, turn.status.description) == (StatusCode.ERROR, None)
    assert turn.attributes["error.type"] == "ValueError"
    assert turn.events == ()
    (errors,) = collected.metrics()["af_hosting.errors"]
    assert (errors.value, errors.attributes["error.type"]) == (1, "ValueError")


async def test_a_turn_that_is_refused_is_one_error_of_its_code(make_probe: Any, collected: Any) -> None:
    """Counted once, although a turn and a request ended with it."""

    def hook(*_: Any, **__: Any) -> Any:
        raise InvalidRequest("hunter2", code="odd")

    probe = make_probe()

    async def endpoint(_: Request) -> PlainTextResponse:
        await probe.context.run(ask(), run_hook=hook)
        return PlainTextResponse("")

    probe.routes = [Route("/", endpoint)]
    async with InMemoryDriver(AgentFrameworkHost(ScriptedAgent(), channels=[probe]).app) as driver:
        assert (await driver.request("GET", "/probe")).status == 400
        assert (await driver.request("GET", "/nowhere")).status == 404
    errors = {point.attributes["error.type"]: point.value for point in collected.metrics()["af_hosting.errors"]}
    assert errors == {"invalid_request": 1, "not_found": 1}


async def test_what_the_door_refuses_is_an_error_of_its_code_in_metrics_and_log(
    make_probe: Any, collected: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger=access_logger.name)
    host = AgentFrameworkHost(ScriptedAgent(), channels=[make_probe(routes=[Route("/", asking(None))])])
    with LoopbackDriver(host.app) as driver:
        assert (await driver.request("GET", "/probe", headers={"host": "evil.example"})).status == 421
        assert (await driver.request("GET", "/probe", headers={"origin": "https://evil.example"})).status == 403
    errors = {point.attributes["error.type"]: point.value for point in collected.metrics()["af_hosting.errors"]}
    assert errors == {"misdirected_request": 1, "foreign_origin": 1}
    lines = [record.getMessage() for record in caplog.records if record.name == access_logger.name]
    assert [line.rpartition(", ")[2] for line in lines] == ["misdirected_request", "foreign_origin"]


async def test_tokens_are_counted_by_channel_and_by_caller_when_that_is_wanted(collected: Any, connect: Any) -> None:
    for observability in (None, Observability(callers_in_metrics=True)):
        client = ScriptedChatClient(every=["hello", USED])
        context: ChannelContext = connect(Agent(client), observability=observability)
        await context.run(ask(principal=Principal(id="ada", tenant="acme", kind="caller")))
    points = collected.metrics()["af_hosting.tokens"]
    assert {(point.attributes["gen_ai.token.type"], point.value) for point in points} == {("input", 7), ("output", 3)}
    assert {point.attributes.get("af_hosting.caller") for point in points} == {None, "ada"}
    assert {point.attributes["af_hosting.channel"] for point in points} == {"probe"}


async def test_levels_rise_and_come_back_to_zero(connect: Any, collected: Any) -> None:
    """Also of streams that are closed early, and of those that nobody ever pulls."""
    gate = Gate()
    context: ChannelContext = connect(ScriptedAgent(every=["begun", gate, "ended"]))
    session = ChannelSession("room")
    first = await context.run_stream(ask(session=session))
    assert (await anext(aiter(first))).text == "begun"
    second = await context.run_stream(ask(session=session))
    assert levels(collected) == (1, 1)
    await first.aclose()
    await second.aclose()
    abandoned = await context.run_stream(ask())
    assert levels(collected) == (1, 0)
    del abandoned
    assert levels(collected) == (0, 0)


def levels(collected: Any) -> tuple[int, int]:
    """Return how many turns wait, and how many run."""
    metrics = collected.metrics()
    (waiting,), (running,) = metrics["af_hosting.turns.waiting"], metrics["af_hosting.turns.running"]
    return waiting.value, running.value


def test_without_a_provider_nothing_is_made_and_no_turn_is_watched() -> None:
    """What is free is not called."""
    assert instruments() is None
    assert tracer() is None
    from agent_framework_hosting._telemetry.telemetry import Telemetry
    from agent_framework_hosting._telemetry.watching import watch

    assert watch(Telemetry(), ask()) is None
