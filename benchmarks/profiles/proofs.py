"""Holds every rung of the floor to its duty: with it the proof goes through, and one rung lower it does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
from agent_framework import AgentResponse, AgentSession, Message

from ..answers import WrongAnswer
from .asking import PATH, WHOLE, Asked, ask, scope
from .floor import RUNGS, Floor

_PATIENCE: Final = 10.0
_SHORT: Final = 0.05


class Noting:
    """An agent that notes what it is given, and answers when it may."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.said: list[Any] = []
        self.sessions: list[AgentSession] = []
        self.running = 0
        self.begun = asyncio.Event()

    def create_session(self, *, session_id: str | None = None) -> AgentSession:
        return AgentSession(session_id=session_id)

    async def run(self, messages: Any, *, stream: bool, session: AgentSession) -> AgentResponse[Any]:
        assert not stream
        self.said.append(messages)
        self.sessions.append(session)
        self.running += 1
        self.begun.set()
        try:
            await self.may_answer.wait()
        finally:
            self.running -= 1
        return AgentResponse[Any](messages=[Message("assistant", ["Done."])])


async def prove(rung: str, *, rungs: int, patience: float = _PATIENCE) -> None:
    """Raise unless the floor of so many rungs does the duty of this one, within so many seconds.

    Raises:
        WrongAnswer: It does not.
    """
    agent = Noting()
    floor = Floor(agent, rungs=rungs, most=2, deadline=_SHORT if _PROOFS[rung] is _keeps_deadlines else 2 * _PATIENCE)
    try:
        async with asyncio.timeout(patience):
            await _PROOFS[rung](floor, agent)
    except WrongAnswer:
        raise
    except Exception as error:
        raise WrongAnswer(f"{rung}: {error!r}") from error


async def prove_all() -> None:
    """Prove every rung on the floor that has it for the first time, and on the whole floor.

    Raises:
        WrongAnswer: One of them is there in name alone.
    """
    for number, rung in enumerate(RUNGS, start=1):
        await prove(rung, rungs=number)
        await prove(rung, rungs=len(RUNGS))


async def _has_ids(floor: Floor, _: Noting) -> None:
    names = {(await ask(floor, WHOLE)).headers.get(b"x-request-id") for _ in range(2)}
    _require(len(names) == 2 and None not in names, "Requests have no ids of their own.")


async def _asks_who(floor: Floor, agent: Noting) -> None:
    refused = await ask(floor, WHOLE, key="afh_" + 64 * "1")
    _require(refused.status == 401 and not agent.said, "A stranger was let in.")
    _require((await ask(floor, WHOLE)).status == 200, "The key's owner was not let in.")


async def _checks_bodies(floor: Floor, agent: Noting) -> None:
    deep = b'{"input":"x","metadata":{"a":%b%b}}' % (40 * b"[", 40 * b"]")
    wide = b'{"input":"x","metadata":{"a":"%b"}}' % (1_000_000 * b"x")
    for body, status in ((deep, 400), (wide, 413), (b'{"input":1}', 400), (b'{"input":"x","inputs":"x"}', 400)):
        got = await ask(floor, body)
        _require(got.status == status and not agent.said, f"{body[:40]!r} was not refused.")
    _require((await ask(floor, WHOLE)).status == 200, "A right body was refused.")


async def _makes_messages(floor: Floor, agent: Noting) -> None:
    await ask(floor, WHOLE)
    said = agent.said[0][0]
    is_one = isinstance(said, Message) and said.message_id is not None and said.text == "Say something."
    _require(is_one, "The agent got no message.")


async def _keeps_sessions(floor: Floor, agent: Noting) -> None:
    first = _object(await ask(floor, WHOLE))
    going_on = msgspec.json.encode({"input": "And?", "previous_response_id": first["id"]})
    await ask(floor, going_on)
    _require(agent.sessions[0] is agent.sessions[1], "The next turn had another session.")
    unknown = msgspec.json.encode({"input": "And?", "previous_response_id": "resp_0"})
    _require((await ask(floor, unknown)).status == 404, "A session was found that nobody has.")
    agent.may_answer.clear()
    agent.begun.clear()
    async with asyncio.TaskGroup() as turns:
        turns.create_task(ask(floor, going_on))
        turns.create_task(ask(floor, going_on))
        await agent.begun.wait()
        await asyncio.sleep(0)
        _require(agent.running == 1, "Two turns of a session ran at once.")
        agent.may_answer.set()


async def _keeps_records(floor: Floor, _: Noting) -> None:
    said = _object(await ask(floor, WHOLE))
    kept = await ask(floor, b"", method="GET", path=f"{PATH}/{said['id']}")
    _require(_object(kept) == said, "The record is not what was said.")
    _require(
        (await ask(floor, b"", method="GET", path=f"{PATH}/resp_0")).status == 404, "There is a record of nothing."
    )


async def _bounds_runs(floor: Floor, agent: Noting) -> None:
    async with _held(floor, agent), _held(floor, agent):
        _require((await ask(floor, WHOLE)).status == 429, "More ran at once than may.")
    _require((await ask(floor, WHOLE)).status == 200, "What has ended still takes a place.")


async def _keeps_deadlines(floor: Floor, agent: Noting) -> None:
    agent.may_answer.clear()
    async with asyncio.TaskGroup() as turns:
        asked = [turns.create_task(ask(floor, WHOLE)) for _ in range(2)]
    _require([task.result().status for task in asked] == [504, 504], "A run went on behind its deadline.")


async def _notices_leaving(floor: Floor, agent: Noting) -> None:
    agent.may_answer.clear()
    asked = Asked(WHOLE)
    answering = asyncio.create_task(floor(scope(WHOLE), asked.receive, asked.send))
    await agent.begun.wait()
    asked.leave()
    await answering
    _require(asked.status is None and agent.running == 0, "A run went on for a client who had left.")


_PROOFS: Final[Mapping[str, Callable[[Floor, Noting], Awaitable[None]]]] = dict(
    zip(
        RUNGS,
        (
            _has_ids,
            _asks_who,
            _checks_bodies,
            _makes_messages,
            _keeps_sessions,
            _keeps_records,
            _bounds_runs,
            _keeps_deadlines,
            _notices_leaving,
        ),
        strict=True,
    )
)


@asynccontextmanager
async def _held(floor: Floor, agent: Noting) -> AsyncGenerator[None]:
    """Have a run that does not end before the block does."""
    agent.may_answer.clear()
    agent.begun.clear()
    answering = asyncio.create_task(ask(floor, WHOLE))
    await agent.begun.wait()
    yield
    agent.may_answer.set()
    await answering


def _object(got: Asked) -> dict[str, Any]:
    return msgspec.json.decode(got.right_body(), type=dict[str, Any])


def _require(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise WrongAnswer(otherwise)
