"""Holds every rung of the floor to its duty: with it the proof goes through, and one rung lower it does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import msgspec
from agent_framework import AgentResponse, AgentResponseUpdate, AgentSession, Content, Message, ResponseStream
from starlette.types import Message as ASGIMessage

from ..answers import CHUNK, WrongAnswer
from .asking import PATH, STREAM, WHOLE, Asked, ask, scope
from .floor import RUNGS, Floor

_PATIENCE: Final = 10.0
_SHORT: Final = 0.02
_LONG: Final = 100
_FIELDS: Final[Mapping[str, Any]] = {
    "temperature": 0.5,
    "metadata": {"for": "a proof"},
    "instructions": "Be short.",
    "max_output_tokens": 16,
    "reasoning": {"effort": "low", "summary": None},
    "text": {"format": {"type": "text"}},
    "tool_choice": "none",
    "tools": [{"type": "function", "name": "look", "description": None, "parameters": {}, "strict": None}],
}
_WRONG: Final = (("temperature", 3), ("metadata", {"a": 1}), ("top_logprobs", 21), ("tools", [{"type": "function"}]))


class Noting:
    """An agent that notes what it is given, leaves a mark in its session, and answers when it may.

    Args:
        chunks: How many of them it says.
        response: More of what its answer has.
    """

    def __init__(self, *, chunks: int = 1, **response: Any) -> None:
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.fails = False
        self.said: list[Any] = []
        self.sessions: list[AgentSession] = []
        self.found: list[int] = []
        self.running = 0
        self.begun = asyncio.Event()
        self.ticks = 0
        self.ticks_between = 0
        self._chunks = chunks
        self._response = response

    def create_session(self, *, session_id: str | None = None) -> AgentSession:
        return AgentSession(session_id=session_id)

    def run(self, messages: Any, *, stream: bool, session: AgentSession) -> Any:
        self.said.append(messages)
        self.sessions.append(session)
        marks: list[int] = session.state.setdefault("marks", [])
        self.found.append(len(marks))
        marks.append(len(self.said))
        return ResponseStream(self._updates(), finalizer=self._whole) if stream else self._run()

    async def _run(self) -> AgentResponse[Any]:
        self.running += 1
        self.begun.set()
        try:
            await self.may_answer.wait()
        finally:
            self.running -= 1
        if self.fails:
            raise ValueError("It fails.")
        return await self._whole(())

    async def _updates(self) -> AsyncIterator[AgentResponseUpdate]:
        await self._run()
        before = self.ticks
        for _ in range(self._chunks):
            yield AgentResponseUpdate(contents=[Content.from_text(CHUNK)], role="assistant")
        self.ticks_between = self.ticks - before

    async def _whole(self, _: object) -> AgentResponse[Any]:
        return AgentResponse[Any](messages=[Message("assistant", [CHUNK * self._chunks])], **self._response)


async def prove(rung: str, *, rungs: int, patience: float = _PATIENCE) -> None:
    """Raise unless the floor of so many rungs does the duty of this one, within so many seconds.

    Raises:
        WrongAnswer: It does not.
    """
    proof = _PROOFS[rung]
    agent = Noting(chunks=_LONG, **_SAYS.get(rung, {}))
    floor = Floor(agent, rungs=rungs, patience=_SHORT, **_OPTIONS.get(rung, {}))
    try:
        async with asyncio.timeout(patience):
            await proof(floor, agent)
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


async def _guards(floor: Floor, agent: Noting) -> None:
    for headers, status in (
        ({b"host": b"evil.example"}, 421),
        ({b"origin": b"https://evil.example"}, 403),
        ({b"sec-fetch-site": b"cross-site"}, 403),
    ):
        got = await ask(floor, WHOLE, headers=headers)
        _require(got.status == status and not agent.said, f"{headers} was let in.")
    _require((await ask(floor, WHOLE, path="/elsewhere")).status == 404, "A path was answered that there is not.")
    _require((await ask(floor, WHOLE)).status == 200, "Who comes by the right way was not let in.")


async def _asks_who(floor: Floor, agent: Noting) -> None:
    refused = await ask(floor, WHOLE, key="afh_" + 64 * "1")
    _require(refused.status == 401 and not agent.said, "A stranger was let in.")
    _require((await ask(floor, WHOLE)).status == 200, "The key's owner was not let in.")


async def _checks_bodies(floor: Floor, agent: Noting) -> None:
    deep = b'{"input":"x","metadata":{"a":%b%b}}' % (40 * b"[", 40 * b"]")
    deeper = b'{"input":"x","tools":[{"type":"function","name":"f","parameters":{"a":%b%b}}]}' % (40 * b"[", 40 * b"]")
    wide = b'{"input":"x","metadata":{"a":"%b"}}' % (1_000_000 * b"x")
    wrong = ((deep, 400), (deeper, 400), (wide, 413), (b'{"input":1}', 400), (b'{"input":"x","inputs":"x"}', 400))
    for body, status in wrong:
        got = await ask(floor, body)
        _require(got.status == status and not agent.said, f"{body[:40]!r} was not refused.")
    plain = await ask(floor, WHOLE, headers={b"content-type": b"text/plain"})
    _require(plain.status == 415 and not agent.said, "What is no JSON was read as such.")
    _require((await ask(floor, WHOLE)).status == 200, "A right body was refused.")


async def _says_back(floor: Floor, _: Noting) -> None:
    for stream in (False, True):
        got = await ask(floor, msgspec.json.encode({"input": "x", "stream": stream, **_FIELDS}))
        said = _last(got)["response"] if stream else _object(got)
        _require({name: said[name] for name in _FIELDS} == _FIELDS, "Not all fields were said back.")
    for name, value in _WRONG:
        got = await ask(floor, msgspec.json.encode({"input": "x", name: value}))
        _require(got.status == 400, f"{name} may be {value}.")


async def _runs_once(floor: Floor, agent: Noting) -> None:
    named = {b"idempotency-key": b"one"}
    agent.may_answer.clear()
    async with asyncio.TaskGroup() as turns:
        asked = [turns.create_task(ask(floor, WHOLE, headers=named)) for _ in range(2)]
        await agent.begun.wait()
        agent.may_answer.set()
    asked_again = await ask(floor, WHOLE, headers=named)
    answers = {asked_again.right_body(), *(task.result().right_body() for task in asked)}
    _require(len(answers) == 1 and len(agent.said) == 1, "A key ran more than once.")
    other = await ask(floor, b'{"input":"Something else."}', headers=named)
    _require(other.status == 422, "A key was taken for another request.")
    agent.fails = True
    for _ in range(2):
        with suppress(ValueError):
            await ask(floor, WHOLE, headers={b"idempotency-key": b"two"})
    _require(len(agent.said) == 3, "What failed was not tried again.")


async def _makes_messages(floor: Floor, agent: Noting) -> None:
    parts = {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Say something."}]}]}
    for body in (WHOLE, msgspec.json.encode(parts)):
        await ask(floor, body)
        said = agent.said[-1][0]
        is_one = isinstance(said, Message) and said.message_id is not None and said.text == "Say something."
        _require(is_one, "The agent got no message.")
        _require(said.additional_properties["hosting"] == {"channel": "responses"}, "Nothing says where it came from.")
    ids = {said.message_id for [said] in agent.said}
    _require(len(ids) == 2, "Two messages have one id.")


async def _keeps_sessions(floor: Floor, agent: Noting) -> None:
    going_on = _going_on(await ask(floor, WHOLE))
    await ask(floor, going_on)
    first, second = agent.sessions
    _require(first.session_id == second.session_id and agent.found == [0, 1], "The next turn had another session.")
    unknown = msgspec.json.encode({"input": "And?", "previous_response_id": "resp_0"})
    _require((await ask(floor, unknown)).status == 400, "A session was found that nobody has.")
    agent.may_answer.clear()
    agent.begun.clear()
    async with asyncio.TaskGroup() as turns:
        asked = [turns.create_task(ask(floor, going_on)) for _ in range(17)]
        await agent.begun.wait()
        await asyncio.sleep(0)
        _require(agent.running == 1, "Two turns of a session ran at once.")
        agent.may_answer.set()
    statuses = sorted(str(task.result().status) for task in asked)
    _require(statuses == [*["200"] * 16, "429"], "A line has no end.")


async def _branches(floor: Floor, agent: Noting) -> None:
    going_on = _going_on(await ask(floor, WHOLE))
    second = await ask(floor, going_on)
    agent.fails = True
    with suppress(ValueError):
        await ask(floor, going_on)
    agent.fails = False
    await ask(floor, going_on)
    await ask(floor, _going_on(second))
    _require(agent.found == [0, 1, 1, 1, 2], "A turn found what others than those before it left.")


async def _tells_ends(floor: Floor, agent: Noting) -> None:
    used = {"input_tokens": 2, "output_tokens": 3, "total_tokens": 5}
    for body in (WHOLE, STREAM):
        got = await ask(floor, body)
        said = _object(got) if body is WHOLE else _last(got)["response"]
        _require(said["status"] == "incomplete", "What was cut short counts as complete.")
        _require(used.items() <= said["usage"].items(), "It was not told what was used.")
    agent.fails = True
    _require((await ask(floor, WHOLE)).status == 500, "A failure was not told.")
    _require(_last(await ask(floor, STREAM))["type"] == "response.failed", "A stream's failure was not told.")


async def _keeps_records(floor: Floor, _: Noting) -> None:
    for body in (WHOLE, STREAM):
        got = await ask(floor, body)
        said = _object(got) if body is WHOLE else _last(got)["response"]
        kept = await ask(floor, b"", method="GET", path=f"{PATH}/{said['id']}")
        _require(_object(kept) == said, "The record is not what was said.")
    unkept = _object(await ask(floor, b'{"input":"x","store":false}'))
    for name in ("resp_0", unkept["id"]):
        none = await ask(floor, b"", method="GET", path=f"{PATH}/{name}")
        _require(none.status == 404, "There is a record of nothing.")


async def _bounds_runs(floor: Floor, agent: Noting) -> None:
    async with _held(floor, agent), _held(floor, agent):
        _require((await ask(floor, WHOLE)).status == 429, "More ran at once than may.")
    _require((await ask(floor, WHOLE)).status == 200, "What has ended still takes a place.")


async def _keeps_deadlines(floor: Floor, agent: Noting) -> None:
    agent.may_answer.clear()
    async with asyncio.TaskGroup() as turns:
        asked = [turns.create_task(ask(floor, body)) for body in (WHOLE, WHOLE, STREAM)]
    *whole, stream = (task.result() for task in asked)
    _require([each.status for each in whole] == [504, 504], "A run went on behind its deadline.")
    _require(_last(stream)["type"] == "response.failed" and not agent.running, "A stream went on behind its deadline.")


async def _notices_leaving(floor: Floor, agent: Noting) -> None:
    agent.may_answer.clear()
    for body in (WHOLE, STREAM):
        agent.begun.clear()
        asked = Asked(body)
        answering = asyncio.create_task(floor(scope(body), asked.receive, asked.send))
        await agent.begun.wait()
        asked.leave()
        await answering
        _require(b"[DONE]" not in asked.body and agent.running == 0, "A run went on for a client who had left.")


async def _gives_way(floor: Floor, agent: Noting) -> None:
    asked = asyncio.create_task(ask(floor, STREAM))
    while not asked.done():
        agent.ticks += 1
        await asyncio.sleep(0)
    asked.result().right_body()
    _require(agent.ticks_between > 0, "Nobody else had a turn before the answer's end.")


async def _bounds_answers(floor: Floor, _: Noting) -> None:
    _require((await ask(floor, WHOLE)).status == 500, "An answer was larger than may be.")
    _require(_last(await ask(floor, STREAM))["type"] == "response.failed", "A stream was larger than may be.")

    async def send(message: ASGIMessage) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    await floor(scope(STREAM), Asked(STREAM).receive, send)


async def _breaks_silence(floor: Floor, agent: Noting) -> None:
    agent.may_answer.clear()
    asked = Asked(STREAM)
    answering = asyncio.create_task(floor(scope(STREAM), asked.receive, asked.send))
    try:
        await asked.has_got(b": \n\n")
    finally:
        agent.may_answer.set()
        await answering
    _require(asked.body.endswith(b"data: [DONE]\n\n"), "The stream did not go on behind its silence.")


async def _drains(floor: Floor, agent: Noting) -> None:
    async with _held(floor, agent):
        draining = asyncio.create_task(floor.drain())
        await asyncio.sleep(0)
        _require((await ask(floor, WHOLE)).status == 503, "Somebody was let in at the end.")
        _require(not draining.done(), "The end did not wait for what runs.")
    await draining


_PROOFS: Final[Mapping[str, Callable[[Floor, Noting], Awaitable[None]]]] = dict(
    zip(
        RUNGS,
        (
            _has_ids,
            _guards,
            _asks_who,
            _checks_bodies,
            _says_back,
            _runs_once,
            _makes_messages,
            _keeps_sessions,
            _branches,
            _tells_ends,
            _keeps_records,
            _bounds_runs,
            _keeps_deadlines,
            _notices_leaving,
            _gives_way,
            _bounds_answers,
            _breaks_silence,
            _drains,
        ),
        strict=True,
    )
)


def _of(proof: object) -> str:
    [rung] = (rung for rung, each in _PROOFS.items() if each is proof)
    return rung


_OPTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    _of(_bounds_runs): {"most": 2},
    _of(_keeps_deadlines): {"deadline": 2 * _SHORT},
    _of(_bounds_answers): {"largest": 500, "send_within": _SHORT},
    _of(_breaks_silence): {"silence": _SHORT},
}
"""What is smaller for a proof, so that it is quick."""
_SAYS: Final[Mapping[str, Mapping[str, Any]]] = {
    _of(_tells_ends): {
        "finish_reason": "length",
        "usage_details": {"input_token_count": 2, "output_token_count": 3, "total_token_count": 5},
    }
}
"""What the agent says more."""


@asynccontextmanager
async def _held(floor: Floor, agent: Noting) -> AsyncGenerator[None]:
    """Have a run that does not end before the block does."""
    agent.may_answer.clear()
    agent.begun.clear()
    answering = asyncio.create_task(ask(floor, WHOLE))
    try:
        await agent.begun.wait()
        yield
    finally:
        agent.may_answer.set()
        await answering


def _going_on(got: Asked) -> bytes:
    return msgspec.json.encode({"input": "And?", "previous_response_id": _object(got)["id"]})


def _object(got: Asked) -> dict[str, Any]:
    return msgspec.json.decode(got.right_body(), type=dict[str, Any])


def _last(got: Asked) -> dict[str, Any]:
    """Return what the last event of a stream says."""
    *_, last, done, rest = got.right_body().split(b"\n\n")
    _require(done == b"data: [DONE]" and not rest, "The stream has no end.")
    return msgspec.json.decode(last.partition(b"\ndata: ")[2], type=dict[str, Any])


def _require(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise WrongAnswer(otherwise)
