"""What a channel keeps beside its turns, and its last word on a request before the turn runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from agent_framework_hosting.channel import ChannelContext, Replayed
from agent_framework_hosting.cli import main
from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.isolation import Calling
from agent_framework_hosting.testing import Gate, ScriptedAgent
from agent_framework_hosting.types import JSON, ChannelRequest, ChannelSession, IdempotencyKey, Principal

ADA, BOB = (Principal(id=name, kind="caller") for name in ("ada", "bob"))


@pytest.fixture
async def serve(make_probe: Any) -> AsyncGenerator[Callable[..., Any]]:
    """Return a function that starts a host and returns the context of its channel."""
    async with AsyncExitStack() as stack:

        async def serve(agent: Any, **options: Any) -> ChannelContext:
            probe = make_probe()
            await stack.enter_async_context(AgentFrameworkHost(agent, channels=[probe], **options))
            return probe.context

        yield serve


def asked(text: str, *, key: str | None = "room", commit_as: str | None = None) -> ChannelRequest:
    session = ChannelSession(key, commit_as=commit_as)
    return ChannelRequest(channel="probe", operation="say", input=text, session=session)


def sealed(_: Any) -> JSON:
    return 1


async def test_documents_are_those_of_whoever_is_calling(connect: Callable[..., ChannelContext]) -> None:
    context = connect(ScriptedAgent())
    with Calling(ADA):
        await context.documents.add("probe.note", "room", [("n1", {"text": "mine"}), ("n2", [1])])
        found = await context.documents.find("probe.note", "n1")
        assert found is not None
        assert found.body == {"text": "mine"}
        listed = await context.documents.listed("probe.note", "room", limit=9)
        assert [(each.id, each.body) for each in listed] == [("n1", {"text": "mine"}), ("n2", [1])]
        assert await context.documents.replace("probe.note", "n1", "other")
    with Calling(BOB):
        assert await context.documents.find("probe.note", "n1") is None
        assert not await context.documents.remove("probe.note", "n1")
    known = await context.documents.find("probe.note", "n1", principal=ADA)
    assert known is not None
    assert known.body == "other"
    await context.documents.discard("probe.note", "room", until=known.number, principal=ADA)
    assert [each.id for each in await context.documents.listed("probe.note", "room", limit=9, principal=ADA)] == ["n2"]
    assert await context.documents.remove("probe.note", "n2", principal=ADA)


async def test_records_are_told_in_order_and_forgotten_one_by_one(connect: Callable[..., ChannelContext]) -> None:
    context = connect(ScriptedAgent(every="ok"))
    for number in range(3):
        await context.run(asked("hi", commit_as=f"t{number}"), seal=lambda _, number=number: {"number": number})
    told = await context.records.told("room", limit=2, newest_first=True)
    assert [(each.turn_id, each.record) for each in told] == [("t2", {"number": 2}), ("t1", {"number": 1})]
    newest = await context.records.newest("room")
    assert newest is not None
    assert newest.record == {"number": 2}
    assert await context.records.forget("t2")
    assert not await context.records.forget("t2", principal=BOB)
    forgotten = await context.records.newest("room")
    assert forgotten is not None
    assert forgotten.record is None
    assert await context.records.newest("elsewhere") is None


@pytest.mark.parametrize("stream", [False, True])
async def test_a_channel_has_the_last_word_once_the_session_is_the_turns_alone(
    connect: Callable[..., ChannelContext], stream: bool
) -> None:
    gate, begun = Gate(), list[str]()
    agent = ScriptedAgent([gate, "one"], every="ok")
    context = connect(agent)

    async def begin(request: ChannelRequest) -> ChannelRequest:
        begun.append(request.input)
        return replace(request, input=f"{request.input}, changed")

    async def say(text: str) -> None:
        if stream:
            async for _ in await context.run_stream(asked(text), begin=begin):
                pass
        else:
            await context.run(asked(text), begin=begin)

    first = asyncio.ensure_future(say("a"))
    await gate.wait_reached()
    second = asyncio.ensure_future(say("b"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert begun == ["a"]
    gate.open()
    await asyncio.gather(first, second)
    assert agent.runs[1].seen == ["a, changed", "one", "b, changed"]


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_a_turn_that_is_refused_as_it_begins_has_never_been(
    serve: Any, make_database: Callable[[str], str], kind: str
) -> None:
    """It runs nothing, holds up nobody, and gives its idempotency key back."""
    agent = ScriptedAgent(every="ok")
    context = await serve(agent, database=None if kind == "memory" else make_database(kind))
    named = IdempotencyKey("k", b"hash")

    async def refuse(_: ChannelRequest) -> ChannelRequest:
        raise InvalidRequest("Not now.")

    with pytest.raises(InvalidRequest):
        await context.run(asked("a"), begin=refuse, idempotency=named)
    assert not agent.runs
    await context.run(asked("b", commit_as="t"), seal=sealed, idempotency=named)
    assert agent.runs[0].seen == ["b"]
    with pytest.raises(Replayed):
        await context.run(asked("b", commit_as="t"), seal=sealed, idempotency=named)


async def test_operators_forget_documents_and_give_them_an_owner(
    serve: Any, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    context = await serve(ScriptedAgent(every="ok"), database=database)

    async def command(*arguments: str) -> int:
        # In a thread, as in a process of its own: it may have to wait for what the host is in the middle of.
        assert await asyncio.to_thread(main, [arguments[0], database, *arguments[1:]]) == 0
        (line,) = [line for line in capsys.readouterr().out.splitlines() if line.endswith("documents")]
        return int(line.split()[0])

    async def ids(principal: Principal | None = None) -> list[str]:
        listed = [await context.documents.listed("note", key, limit=9, principal=principal) for key in ("room", "hall")]
        return [each.id for found in listed for each in found]

    await context.documents.add("note", "room", [("n1", 1)])
    await context.documents.add("note", "hall", [("n2", 1)])
    assert await command("adopt", "--to", "ada", "--session", "room", "--dry-run") == 1
    assert await command("adopt", "--to", "ada", "--session", "room") == 1
    assert (await ids(ADA), await ids()) == (["n1"], ["n2"])
    assert await command("adopt", "--to", "ada") == 1
    assert await ids(ADA) == ["n1", "n2"]
    await context.run(replace(asked("hi", commit_as="t"), principal=ADA), seal=sealed)
    await context.documents.add("note", "hall", [("n3", 1)], principal=BOB)
    assert await command("purge", "--session", "room", "--dry-run") == await command("purge", "--session", "room") == 1
    assert (await ids(ADA), await ids(BOB)) == (["n2"], ["n3"])
    assert await command("purge", "--older-than", "1h") == 0
    assert (
        await command("purge", "--principal", "ada", "--dry-run") == await command("purge", "--principal", "ada") == 1
    )
    assert (await ids(ADA), await ids(BOB)) == ([], ["n3"])


async def test_documents_in_a_shared_conversation_go_with_their_principal_alone(serve: Any, database: str) -> None:
    context = await serve(ScriptedAgent(every="ok"), database=database)
    for principal in (ADA, BOB):
        await context.run(replace(asked("hi"), principal=principal))
        await context.documents.add("note", "room", [(principal.id, 1)], principal=principal)
    assert await asyncio.to_thread(main, ["purge", database, "--principal", "ada"]) == 0
    assert await context.documents.find("note", "ada", principal=ADA) is None
    assert await context.documents.find("note", "bob", principal=BOB) is not None
