"""What the garbage collector looks through while a host serves."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from weakref import ref

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from agent_framework_hosting._spared import spared, tidied_soon
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import Gate, ScriptedAgent


@pytest.fixture(autouse=True)
def nothing_spared() -> Generator[None]:
    """Begin with nothing spared, whoever did it, and hold that nothing stays so."""
    gc.unfreeze()
    usual = gc.get_threshold()
    yield
    assert not gc.get_freeze_count()
    gc.set_threshold(*usual)


def an_app() -> Starlette:
    return AgentFrameworkHost(ScriptedAgent(), channels=[]).app


class Circle:
    """What only the collector can end."""

    def __init__(self) -> None:
        self.itself = self


def left(*, lived_through: int, and_all: int = 0) -> ref[Circle]:
    """Leave a circle that the collector has seen alive; it has looked so often since it last looked at those."""
    circle = Circle()
    if and_all:
        gc.collect()
    for _ in range(and_all):
        gc.collect(1)
    for _ in range(lived_through):
        gc.collect(0)
    return ref(circle)


@asynccontextmanager
async def client_of(app: Starlette) -> AsyncGenerator[httpx.AsyncClient]:
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client,
    ):
        gc.collect()
        yield client


async def test_what_was_there_at_the_start_is_spared_for_as_long_as_a_host_serves_by_itself() -> None:
    app = an_app()
    async with app.router.lifespan_context(app):
        assert gc.get_freeze_count() > 10_000


async def test_of_two_hosts_in_one_process_the_last_one_to_end_spares_it() -> None:
    one, other = an_app(), an_app()
    async with AsyncExitStack() as first:
        await first.enter_async_context(one.router.lifespan_context(one))
        async with other.router.lifespan_context(other):
            await first.aclose()
            assert gc.get_freeze_count() > 10_000


async def test_the_process_of_an_app_that_mounts_a_host_is_left_as_it_is() -> None:
    host = AgentFrameworkHost(ScriptedAgent(), channels=[])
    around = Starlette(lifespan=host.lifespan)
    around.mount("/agent", host.app)
    async with around.router.lifespan_context(around):
        assert not gc.get_freeze_count()


async def test_what_came_later_is_still_collected() -> None:
    class Node:
        def __init__(self) -> None:
            self.itself = self

    app = an_app()
    async with app.router.lifespan_context(app):
        gc.collect()
        Node()
        assert gc.collect() >= 1


async def test_the_collector_comes_seldom_for_as_long_as_a_host_serves_by_itself() -> None:
    usual = gc.get_threshold()
    one, other = an_app(), an_app()
    async with AsyncExitStack() as first:
        await first.enter_async_context(one.router.lifespan_context(one))
        async with other.router.lifespan_context(other):
            await first.aclose()
            assert gc.get_threshold()[0] > usual[0]
    assert gc.get_threshold() == usual


async def test_a_collector_that_comes_more_seldom_or_never_is_left_so() -> None:
    app = an_app()
    for wanted in ((100_000, 5, 5), (0, 10, 10)):
        gc.set_threshold(*wanted)
        async with app.router.lifespan_context(app):
            assert gc.get_threshold() == wanted
        assert gc.get_threshold() == wanted


async def test_what_the_collector_is_told_while_a_host_serves_stays() -> None:
    app = an_app()
    async with app.router.lifespan_context(app):
        gc.set_threshold(900, 9, 9)
    assert gc.get_threshold() == (900, 9, 9)


async def test_what_the_collector_is_told_between_two_hosts_is_there_again_when_both_have_ended() -> None:
    one, other = an_app(), an_app()
    async with one.router.lifespan_context(one):
        gc.set_threshold(900, 9, 9)
        async with other.router.lifespan_context(other):
            assert gc.get_threshold()[0] > 900
    assert gc.get_threshold() == (900, 9, 9)


async def test_a_python_that_does_not_keep_all_figures_has_its_own_again_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """As those do whose collector knows two generations: 3.14 says that the last figure is none."""
    real = gc.get_threshold
    monkeypatch.setattr(gc, "get_threshold", lambda: (*real()[:2], 0))
    usual, app = gc.get_threshold(), an_app()
    async with app.router.lifespan_context(app):
        assert gc.get_threshold()[0] > usual[0]
    assert gc.get_threshold() == usual


async def test_what_was_left_in_circles_goes_when_nobody_waits_any_more(make_probe: type[Any]) -> None:
    """And not while somebody does: a look in the middle of a crowd goes through all that is open."""
    gate = Gate()

    async def wait(_: Request) -> PlainTextResponse:
        await gate.wait()
        return PlainTextResponse("done")

    app = AgentFrameworkHost(ScriptedAgent(), channels=[make_probe(routes=[Route("/wait", wait)])]).app
    async with client_of(app) as client:
        waiting = asyncio.create_task(client.get("/probe/wait"))
        await gate.wait_reached()
        circle = left(lived_through=9)
        await answered(client)
        assert circle() is not None
        gate.open()
        assert (await waiting).text == "done"
        await asyncio.sleep(0)
        assert circle() is None


async def test_the_collector_is_not_called_for_a_little() -> None:
    async with client_of(an_app()) as client:
        circle = left(lived_through=1)
        await answered(client)
        assert circle() is not None


async def test_all_is_looked_through_when_nobody_waits_and_much_has_come() -> None:
    async with client_of(an_app()) as client:
        circle = left(lived_through=9, and_all=9)
        stays: list[list[None]] = [[] for _ in range(40_000)]
        await answered(client)
        assert circle() is None
        # Next to nothing has come since.
        circle = left(lived_through=9, and_all=9)
        await answered(client)
        assert circle() is not None
        assert len(stays) == 40_000


async def test_what_an_earlier_host_kept_does_not_put_off_the_look_at_all() -> None:
    kept: list[list[None]] | None = [[] for _ in range(200_000)]
    async with client_of(an_app()) as client:
        stays: list[list[None]] = [[] for _ in range(200_000)]
        left(lived_through=9, and_all=9)
        await answered(client)
    assert len(kept or ()) == len(stays)
    del kept, stays
    async with client_of(an_app()) as client:
        circle = left(lived_through=9, and_all=9)
        await answered(client)
        assert circle() is None


def test_a_request_that_is_thrown_away_after_its_loop_has_ended_has_nobody_to_tell() -> None:
    """As those are that a server left behind which was stopped in a hurry; an error would hide what ended them."""
    with spared():
        circle = left(lived_through=9)
        tidied_soon()
        assert circle() is not None


async def test_a_collector_that_somebody_else_has_told_what_to_do_is_not_called() -> None:
    async with client_of(an_app()) as client:
        gc.disable()
        try:
            circle = left(lived_through=9)
            await answered(client)
            assert circle() is not None
        finally:
            gc.enable()
        gc.set_threshold(6_000, 20, 10)
        circle = left(lived_through=9)
        await answered(client)
        assert circle() is not None


async def test_the_collector_of_a_process_that_mounts_a_host_is_not_called() -> None:
    host = AgentFrameworkHost(ScriptedAgent(), channels=[])
    around = Starlette(lifespan=host.lifespan)
    around.mount("/agent", host.app)
    async with client_of(around) as client:
        circle = left(lived_through=9)
        assert (await client.get("/agent/livez")).text == "ok"
        await asyncio.sleep(0)
        assert circle() is not None


async def answered(client: httpx.AsyncClient) -> None:
    """Return once a request has been answered, and what is called after that has been."""
    assert (await client.get("/livez")).text == "ok"
    await asyncio.sleep(0)
