"""How much is under way at once, in all and of each caller, and what each caller uses up."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from agent_framework import Content
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from agent_framework_hosting._quotas import Quotas
from agent_framework_hosting.channel import ChannelContext, Task, VerifiedRoute
from agent_framework_hosting.errors import LimitReached, Overloaded, QuotaExceeded
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import (
    FakeClock,
    Gate,
    InMemoryDriver,
    LoopbackDriver,
    ScriptedAgent,
    SocketRefused,
)
from agent_framework_hosting.types import ANONYMOUS, ChannelRequest, Principal
from agent_framework_hosting.web.body import read_body

Connect = Callable[..., ChannelContext]
ADA, BOB = (Principal(id=name, kind="caller") for name in ("ada", "bob"))
USES = Content.from_usage({"input_token_count": 70, "output_token_count": 30, "total_token_count": 100})


def ask(principal: Principal = ADA, text: str = "hi") -> ChannelRequest:
    """Return a request of this principal."""
    return ChannelRequest(channel="test", operation="message", input=text, principal=principal)


async def whole(context: ChannelContext, principal: Principal = ADA) -> str:
    """Return what a run says in the end."""
    return (await context.run(ask(principal))).result.text


def test_alone_nobody_is_held_back_below_what_the_host_takes() -> None:
    """All anonymous callers are one principal."""
    limits = Limits()
    assert limits.max_runs_per_principal is limits.max_open_requests_per_principal is None
    assert limits.tokens_per_minute is limits.tokens_per_day is None


async def test_runs_beyond_the_whole_are_refused_and_room_comes_back(connect: Connect) -> None:
    gate = Gate()
    context = connect(ScriptedAgent(every=[gate, "ok"]), limits=Limits(max_concurrent_runs=2))
    first = asyncio.ensure_future(whole(context))
    streamed = await context.run_stream(ask(BOB))
    await gate.wait_reached()
    with pytest.raises(Overloaded, match="as many runs under way") as refused:
        await whole(context, ANONYMOUS)
    assert (refused.value.status, refused.value.retry_after) == (503, 1)
    gate.open()
    assert await first == "ok"
    await streamed.aclose()
    assert await asyncio.gather(whole(context), whole(context, BOB)) == ["ok", "ok"]


async def test_one_caller_cannot_take_the_room_of_others(connect: Connect) -> None:
    gate = Gate()
    context = connect(ScriptedAgent(every=[gate, "ok"]), limits=Limits(max_runs_per_principal=1))
    first = asyncio.ensure_future(whole(context))
    await gate.wait_reached()
    with pytest.raises(LimitReached, match="You have 1 runs under way") as refused:
        await whole(context)
    assert (refused.value.status, refused.value.code) == (429, "rate_limit_exceeded")
    other = asyncio.ensure_future(whole(context, BOB))
    await gate.wait_reached(2)
    gate.open()
    assert [await first, await other, await whole(context)] == ["ok"] * 3


@pytest.mark.parametrize("how", ["failed", "refused by its hook", "never pulled", "dropped in the middle"])
async def test_room_comes_back_however_a_run_ends(connect: Connect, how: str) -> None:
    context = connect(
        ScriptedAgent([ValueError(), "x"] if how == "failed" else ["a", "b"], every="ok"),
        limits=Limits(max_concurrent_runs=1),
    )

    def refuse(*_: Any, **__: Any) -> ChannelRequest:
        raise LimitReached("Not today.")

    if how == "failed":
        with pytest.raises(ValueError):  # noqa: PT011 - which one it is does not matter
            await whole(context)
    elif how == "refused by its hook":
        with pytest.raises(LimitReached, match="Not today"):
            await context.run(ask(), run_hook=refuse)
    else:
        stream = await context.run_stream(ask())
        if how == "dropped in the middle":
            await anext(aiter(stream))
        del stream
        gc.collect()
        # What was dropped is closed by the loop.
        for _ in range(5):
            await asyncio.sleep(0)
    assert await whole(context) in ("ok", "ab")


async def test_accepted_work_waits_for_room_and_is_never_lost(make_probe: Callable[[], Any]) -> None:
    probe, gate, done = make_probe(), Gate(), list[str]()
    limits = Limits(max_runs_per_principal=1, task_backoff=0.01, task_failures=1)
    host = AgentFrameworkHost(ScriptedAgent([gate, "first"], every="ok"), channels=[probe], limits=limits)
    everything_done = asyncio.Event()

    async def handler(task: Task) -> None:
        await probe.context.run(ask())
        done.append(task.id)
        if len(done) == 3:
            everything_done.set()

    probe.context.tasks.handle("probe.task", handler)
    async with host:
        for number in range(3):
            await probe.context.tasks.accept(
                kind="probe.task", id=str(number), line=str(number), payload=None, principal=ADA
            )
        await gate.wait_reached()
        gate.open()
        async with asyncio.timeout(30):
            await everything_done.wait()
    assert sorted(done) == ["0", "1", "2"]


@pytest.mark.parametrize("streamed", [False, True])
async def test_tokens_that_are_used_up_are_refused_until_they_have_come_back(connect: Connect, streamed: bool) -> None:
    context = connect(ScriptedAgent(every=["ok", USES]), limits=Limits(tokens_per_minute=90))

    async def say(principal: Principal) -> None:
        if streamed:
            _ = [update async for update in await context.run_stream(ask(principal))]
        else:
            await context.run(ask(principal))

    await say(ADA)
    with pytest.raises(QuotaExceeded, match=r"the 90 tokens that this server grants in a minute.*in \d sec") as refused:
        await say(ADA)
    assert (refused.value.status, refused.value.code) == (429, "quota_exceeded")
    # Ten more than there were, and one to begin with: they come back at one and a half a second, also meanwhile.
    assert refused.value.retry_after in (8, 7, 6, 5)
    await say(BOB)


async def test_whoever_leaves_in_the_middle_has_used_what_was_reported(connect: Connect) -> None:
    context = connect(ScriptedAgent(["a", USES, Gate()], every="ok"), limits=Limits(tokens_per_day=100))
    stream = await context.run_stream(ask())
    updates = aiter(stream)
    _ = [await anext(updates) for _ in range(2)]
    await stream.aclose()
    with pytest.raises(QuotaExceeded, match="in a day"):
        await whole(context)


def test_accounts_fill_evenly_and_up_to_the_grant_alone() -> None:
    clock = FakeClock()
    quotas = Quotas(Limits(tokens_per_minute=60, tokens_per_day=86_400), clock=clock.monotonic)
    quotas.charge(ADA.owner, 90)
    with pytest.raises(QuotaExceeded) as refused:
        quotas.check(ADA.owner)
    assert refused.value.retry_after == 32
    clock.advance(32)
    quotas.check(ADA.owner)
    clock.advance(10**6)
    quotas.charge(ADA.owner, 60)
    with pytest.raises(QuotaExceeded):
        quotas.check(ADA.owner)
    quotas.check(BOB.owner)


@given(st.lists(st.tuples(st.floats(0.1, 100.0), st.integers(1, 500)), min_size=1, max_size=50))
def test_over_any_time_nobody_uses_more_than_the_grant_and_one_run(steps: list[tuple[float, int]]) -> None:
    now, used, largest = 0.0, 0, 0
    quotas = Quotas(Limits(tokens_per_minute=100), clock=lambda: now)
    for passed, tokens in steps:
        now += passed
        try:
            quotas.check(ADA.owner)
        except QuotaExceeded as refused:
            now += refused.retry_after
            quotas.check(ADA.owner)
        quotas.charge(ADA.owner, tokens)
        used, largest = used + tokens, max(largest, tokens)
        assert used <= 100 + now * 100 / 60 + largest


class Door:
    """A route that holds its requests until it is opened."""

    def __init__(self) -> None:
        self.gate = Gate()

    async def wait(self, _: Request) -> Response:
        await self.gate.wait()
        return PlainTextResponse("ok")

    async def talk(self, socket: WebSocket) -> None:
        await socket.accept()
        await socket.receive()


async def by_header(request: HTTPConnection) -> Principal:
    """Say who is calling by a header; anybody may be anybody."""
    return Principal(id=request.headers.get("x-who", "nobody"), kind="caller")


@pytest.fixture
def door() -> Door:
    return Door()


def served(make_probe: Callable[..., Any], door: Door, **limits: Any) -> AgentFrameworkHost:
    probe = make_probe(
        routes=[Route("/", door.wait), WebSocketRoute("/talk", door.talk)],
        verified_routes=[VerifiedRoute(Route("/hook", door.wait), verifier="signature")],
    )

    return AgentFrameworkHost(ScriptedAgent(), channels=[probe], auth=by_header, limits=Limits(**limits))


async def test_requests_beyond_the_whole_are_refused_but_the_probe_answers(
    make_probe: Callable[..., Any], door: Door
) -> None:
    async with InMemoryDriver(served(make_probe, door, max_open_requests=2).app) as driver:
        waiting = [asyncio.ensure_future(driver.request("GET", "/probe")) for _ in range(2)]
        await door.gate.wait_reached(2)
        refused = await driver.request("GET", "/probe")
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["error"]["code"] == "overloaded"
        assert (await driver.request("GET", "/readiness")).status == 200
        door.gate.open()
        assert [(await each).status for each in waiting] == [200, 200]
        assert (await driver.request("GET", "/probe")).status == 200


async def test_requests_of_one_caller_leave_room_for_others_and_for_platforms(
    make_probe: Callable[..., Any], door: Door
) -> None:
    async with InMemoryDriver(served(make_probe, door, max_open_requests_per_principal=1).app) as driver:
        ada, bob = {"x-who": "ada"}, {"x-who": "bob"}
        waiting = [asyncio.ensure_future(driver.request("GET", "/probe", headers=who)) for who in (ada, bob)]
        # A platform has no name before its signature is checked, and delivers for many people.
        waiting += [asyncio.ensure_future(driver.request("GET", "/probe/hook")) for _ in range(3)]
        await door.gate.wait_reached(5)
        refused = await driver.request("GET", "/probe", headers=ada)
        assert (refused.status, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        assert refused.headers["retry-after"] == "1"
        door.gate.open()
        assert [(await each).status for each in waiting] == [200] * 5


async def test_websockets_are_counted_too(make_probe: Callable[..., Any], door: Door) -> None:
    host = served(make_probe, door, max_open_requests=1)
    async with LoopbackDriver(host.app) as driver, driver.websocket("/probe/talk"):
        with pytest.raises(SocketRefused):
            async with driver.websocket("/probe/talk"):
                pass
        assert (await driver.request("GET", "/probe")).status == 503


async def test_bodies_that_are_still_arriving_have_a_bound_in_all(make_probe: Callable[..., Any]) -> None:
    """What has arrived is counted no more, so that long answers to large questions hold nobody up."""
    arrived, more = Gate(), asyncio.Event()

    async def read(request: Request) -> Response:
        body = await read_body(request.scope, request.receive, limits=Limits())
        return PlainTextResponse(str(len(body)))

    async def slowly() -> AsyncIterator[bytes]:
        yield b"x" * 60
        yield b""
        arrived.open()
        await more.wait()
        yield b"x" * 10

    probe = make_probe(routes=[Route("/", read, methods=["POST"])])
    host = AgentFrameworkHost(ScriptedAgent(), channels=[probe], limits=Limits(max_buffered_bytes=100))
    async with InMemoryDriver(host.app) as driver:
        first = asyncio.ensure_future(driver.request("POST", "/probe", body=slowly()))
        await arrived.wait()
        refused = await driver.request("POST", "/probe", body=[b"y" * 50, b"y" * 50])
        assert (refused.status, refused.json()["error"]["code"]) == (503, "overloaded")
        more.set()
        assert (await first).text == "70"
        assert (await driver.request("POST", "/probe", body=[b"y" * 50, b"y" * 50])).text == "100"
