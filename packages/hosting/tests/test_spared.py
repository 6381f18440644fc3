"""What the garbage collector looks through while a host serves."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import AsyncExitStack

import pytest
from starlette.applications import Starlette

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import ScriptedAgent


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
