"""What channels need that accept requests now and run them later: checks that claim nothing, and keys without a run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from agent_framework import Content

from agent_framework_hosting.channel import ChannelContext, Replayed
from agent_framework_hosting.errors import AnsweredAlready, IdempotencyConflict, NotForkable, UnknownParent
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import Gate, ScriptedAgent
from agent_framework_hosting.types import ChannelRequest, ChannelSession, IdempotencyKey, Principal

from .workflow_parts import notebook

ADA, BOB = (Principal(id=name, kind="caller") for name in ("ada", "bob"))


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def database(request: pytest.FixtureRequest, make_database: Callable[[str], str]) -> str | None:
    return None if request.param == "memory" else make_database(request.param)


@pytest.fixture
async def context(database: str | None, make_probe: Callable[[], Any]) -> AsyncGenerator[ChannelContext]:
    probe = make_probe()
    async with AgentFrameworkHost(ScriptedAgent(every="ok"), channels=[probe], database=database):
        yield probe.context


def turn(said: Any, key: str | None = None, *, by: Principal = ADA, **session: Any) -> ChannelRequest:
    return ChannelRequest(
        channel="probe", operation="m", input=said, session=ChannelSession(key, **session), principal=by
    )


def named(key: str, body: bytes = b"body") -> IdempotencyKey:
    return IdempotencyKey(key, body)


async def test_what_a_run_would_be_refused_for_is_known_before_it_and_nothing_is_claimed(
    context: ChannelContext,
) -> None:
    call = Content.from_function_call("call-1", "pay", arguments="{}")
    answer = Content.from_function_approval_response(True, "request-1", call)
    await context.run(turn("pay", commit_as="a"))
    for _ in range(2):
        await context.check(turn(answer, parent="a", commit_as="b"))
    with pytest.raises(UnknownParent):
        await context.check(turn("more", parent="a", by=BOB))
    await context.run(turn(answer, parent="a", commit_as="b"))
    for parent in ("a", "b"):
        with pytest.raises(AnsweredAlready):
            await context.check(turn(answer, parent=parent, commit_as="c"))
    await context.check(turn("something else", parent="a", commit_as="c"))


async def test_a_check_of_a_connection_knows_the_turns_of_the_connection(context: ChannelContext) -> None:
    connection = context.connection()
    await connection.run(turn("hi", commit_as="own"))
    await connection.check(turn("more", parent="own", commit_as="next"))
    with pytest.raises(UnknownParent):
        await context.check(turn("more", parent="own", commit_as="next"))
    connection.close()


async def test_a_point_that_cannot_be_continued_is_known_before_a_run(make_probe: Callable[[], Any]) -> None:
    """As long as it is the newest one it can be."""
    probe = make_probe()
    async with AgentFrameworkHost(notebook, channels=[probe]):
        await probe.context.run(turn("1", commit_as="a"))
        await probe.context.check(turn("2", parent="a", commit_as="b"))
        await probe.context.run(turn("2", parent="a", commit_as="b"))
        with pytest.raises(NotForkable):
            await probe.context.check(turn("3", parent="a", commit_as="c"))


async def test_a_key_that_is_answered_without_a_run_is_no_key_for_a_run(context: ChannelContext) -> None:
    claims = context.claims
    assert await claims.find("probe", named("k"), principal=ADA) is None
    assert await claims.keep("probe", named("k"), {"id": 1}, principal=ADA) == {"id": 1}
    assert await claims.keep("probe", named("k"), {"id": 2}, principal=ADA) == {"id": 1}
    assert await claims.find("probe", named("k"), principal=ADA) == {"id": 1}
    for asking in (claims.find("probe", named("k", b"other"), principal=ADA),
                   claims.keep("probe", named("k", b"other"), None, principal=ADA),
                   context.run(turn("hi"), idempotency=named("k", b"other"))):  # fmt: skip
        with pytest.raises(IdempotencyConflict, match="another request"):
            await asking
    with pytest.raises(Replayed) as replayed:
        await context.run(turn("hi"), idempotency=named("k"))
    assert replayed.value.record == {"id": 1}
    assert await claims.find("probe", named("k"), principal=BOB) is None
    assert await claims.find("elsewhere", named("k"), principal=ADA) is None
    await claims.forget("probe", "k", principal=ADA)
    await context.run(turn("hi"), idempotency=named("k", b"other"))


async def test_a_key_of_a_run_is_no_key_for_an_answer_without_one(
    database: str | None, make_probe: Callable[[], Any]
) -> None:
    """Neither while it runs nor afterwards; and it is not let go here."""
    gate, probe = Gate(), make_probe()
    async with AgentFrameworkHost(ScriptedAgent([gate, "ok"]), channels=[probe], database=database):
        context: ChannelContext = probe.context
        stream = await context.run_stream(
            turn("hi", commit_as="t"), idempotency=named("k"), seal=lambda _: {"said": "ok"}
        )
        for body, why in ((b"body", "still running"), (b"other", "another request")):
            with pytest.raises(IdempotencyConflict, match=why):
                await context.claims.find("probe", named("k", body), principal=ADA)
            with pytest.raises(IdempotencyConflict, match=why):
                await context.claims.keep("probe", named("k", body), None, principal=ADA)
        gate.open()
        await stream.get_final_response()
        await context.claims.forget("probe", "k", principal=ADA)
        assert await context.claims.keep("probe", named("k"), None, principal=ADA) == {"said": "ok"}
