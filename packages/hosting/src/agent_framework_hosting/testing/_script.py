"""Scripts: what a fake does in each of its turns, step by step."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from agent_framework import AgentResponseUpdate, ChatResponseUpdate, Content

from ._gate import Gate
from ._iterate import each
from ._record import Record, RecordT

FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True)
class Finish:
    """A step that says why the model stopped: `Finish("length")`."""

    reason: FinishReason


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A last step that says that the provider is still at work; with its token the run is gone on with."""

    token: Mapping[str, Any] = field(default_factory=lambda: {"job": "job_1"})


UpdateT = TypeVar("UpdateT", AgentResponseUpdate, ChatResponseUpdate)

Step: TypeAlias = (
    str | Content | UpdateT | Finish | Unfinished | Gate | asyncio.Event | BaseException | type[BaseException]
)
"""One thing that a fake does: text and contents are sent, updates are sent untouched, gates and events are waited
for, exceptions are raised."""

Steps: TypeAlias = Step[UpdateT] | Iterable[Step[UpdateT]] | AsyncIterable[Step[UpdateT]]

Turn: TypeAlias = Steps[UpdateT] | Callable[[RecordT], Steps[UpdateT] | Awaitable[Steps[UpdateT]]]
"""What a fake does when it is called once: a step, the steps in a row, or a function from the record to them."""


class ScriptExhausted(AssertionError):
    """A fake was called more often than its script has turns."""


class Script(Generic[UpdateT, RecordT]):
    """The turns of one fake, and how their steps become updates.

    Args:
        turns: Turn i is played by call i.
        every: What the calls beyond the turns play; without it they fail.
        update_type: What text, contents, `Finish` and `Unfinished` become.
        defaults: What every such update says besides (its author, its model).
    """

    def __init__(
        self,
        turns: Sequence[Turn[UpdateT, RecordT]],
        *,
        every: Turn[UpdateT, RecordT] | None,
        update_type: type[UpdateT],
        defaults: Mapping[str, Any],
    ) -> None:
        self._turns = turns
        self._every = every
        self._update_type = update_type
        self._defaults = defaults

    async def updates(self, record: RecordT) -> AsyncGenerator[UpdateT]:
        """Play the turn of this record."""
        steps = await _steps_of(self._turn(record), record)
        async with aclosing(each(_in_a_row(steps))) as row:
            async for step in row:
                if isinstance(step, BaseException | type):
                    raise step
                if isinstance(step, Gate | asyncio.Event):
                    await step.wait()
                else:
                    yield self._update(step)

    def _turn(self, record: RecordT) -> Turn[UpdateT, RecordT]:
        if record.index < len(self._turns):
            return self._turns[record.index]
        if self._every is None:
            raise ScriptExhausted(
                f"The script has {len(self._turns)} turn(s), but this is call number {record.index + 1}. "
                "Add a turn, or say with every=... what all further calls do."
            )
        return self._every

    def _update(self, step: str | Content | UpdateT | Finish | Unfinished) -> UpdateT:
        if isinstance(step, self._update_type):
            return step
        match step:
            case str():
                return self._made(contents=[Content.from_text(step)])
            case Content(type="function_result"):
                return self._made(contents=[step], role="tool")
            case Content():
                return self._made(contents=[step])
            case Finish():
                return self._made(finish_reason=step.reason)
            case Unfinished():
                return self._made(continuation_token=step.token)
            case _:
                # A script may come from untyped code: what is no step is told here, not by whoever reads the answer.
                raise TypeError(
                    f"A step is text, Content, {self._update_type.__name__}, Finish, Unfinished, a Gate, an "
                    f"asyncio.Event or an exception, not {type(step).__name__}."
                )

    def _made(self, *, role: Literal["assistant", "tool"] = "assistant", **parts: Any) -> UpdateT:
        return self._update_type(role=role, **{**self._defaults, **parts})


async def _steps_of(turn: Turn[UpdateT, RecordT], record: RecordT) -> Steps[UpdateT]:
    # An exception class can be called as well, but it is a step.
    if isinstance(turn, type) or not callable(turn):
        return turn
    steps = turn(record)
    return await steps if inspect.isawaitable(steps) else steps


def _in_a_row(steps: Steps[UpdateT]) -> Iterable[Step[UpdateT]] | AsyncIterable[Step[UpdateT]]:
    if isinstance(steps, Iterable | AsyncIterable) and not isinstance(steps, str):
        return steps
    return [steps]


def echo(record: Record) -> list[str]:
    """Answer with the last user message, word by word; what a fake without a script does."""
    spoken = [message.text for message in record.messages if message.role == "user"]
    return _words(f"echo: {spoken[-1] if spoken else ''}")


def recall(record: Record) -> list[str]:
    """Answer with every user message that the fake could see, oldest first, as `a | b | c`."""
    return _words(" | ".join(m.text for m in [*record.history, *record.messages] if m.role == "user"))


def _words(text: str) -> list[str]:
    return re.findall(r"\s*\S+|\s+", text)
