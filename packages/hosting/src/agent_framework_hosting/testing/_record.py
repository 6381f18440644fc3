"""What a fake remembers of each time that it was called."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from agent_framework import Message

from ._gate import TIMEOUT, Bell

Outcome: TypeAlias = Literal["called", "running", "finished", "failed", "cancelled", "closed"]


@dataclass(kw_only=True, eq=False, repr=False)
class Record:
    """One call of a fake: what it got, what it saw, how it ended.

    `outcome` goes from `called` (nobody has pulled yet) over `running` to one of `finished`, `failed` (an exception,
    kept in `error`), `cancelled` (its task was cancelled while it worked) or `closed` (its stream was closed before
    its end).
    """

    index: int
    messages: list[Message]
    """What the caller gave for this call."""
    stream: bool = False
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    kwargs: dict[str, Any] = field(default_factory=dict[str, Any])
    """Every other keyword that came along."""
    history: list[Message] = field(default_factory=list[Message])
    """What the session held when the call began to run."""
    seen: list[str] = field(default_factory=list[str])
    """The texts of all messages that the call could see, history first; complete once it runs."""
    started: bool = False
    outcome: Outcome = "called"
    error: BaseException | None = None
    bell: Bell = field(default_factory=Bell)

    @property
    def finished(self) -> bool:
        """Whether the script was played to its end."""
        return self.outcome == "finished"

    @property
    def failed(self) -> bool:
        """Whether the call ended in an exception of its own, which is in `error`."""
        return self.outcome == "failed"

    @property
    def cancelled(self) -> bool:
        """Whether the task was cancelled while the call ran in it."""
        return self.outcome == "cancelled"

    @property
    def closed(self) -> bool:
        """Whether the stream was closed before its end."""
        return self.outcome == "closed"

    @property
    def stopped(self) -> bool:
        """Whether the call was stopped from outside, by cancelling or by closing."""
        return self.cancelled or self.closed

    @property
    def ended(self) -> bool:
        """Whether the call is over, in whichever way."""
        return self.outcome not in {"called", "running"}

    async def wait_ended(self, *, timeout: float = TIMEOUT) -> None:
        """Wait until the call is over, in whichever way."""
        await self.bell.until(lambda: self.ended, waiting_for=f"{self!r} to end", timeout=timeout)

    def close_unstarted(self) -> None:
        """Note that the stream was closed before anybody pulled from it."""
        if not self.started:
            self.outcome = "closed"
            self.bell.ring()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.index} {self.outcome} stream={self.stream} seen={self.seen}>"


RecordT = TypeVar("RecordT", bound=Record)


class Ledger(Generic[RecordT]):
    """All records of a fake in the order of the calls, and how many of them run."""

    def __init__(self) -> None:
        self.records: list[RecordT] = []
        self.active = 0
        self.most_active = 0
        self.bell = Bell()

    @contextmanager
    def playing(self, record: RecordT) -> Generator[None]:
        """Count the record as running inside the block, and note how the block was left."""
        record.started, record.outcome = True, "running"
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        self.bell.ring()
        try:
            yield
        except GeneratorExit:
            record.outcome = "closed"
            raise
        except asyncio.CancelledError:
            record.outcome = "cancelled"
            raise
        except BaseException as error:
            record.error, record.outcome = error, "failed"
            raise
        else:
            record.outcome = "finished"
        finally:
            self.active -= 1
            self.bell.ring()

    async def wait_started(self, count: int, *, timeout: float) -> None:
        """Wait until so many calls have begun to run."""
        await self.bell.until(
            lambda: sum(record.started for record in self.records) >= count,
            waiting_for=f"{count} call(s) to start; so far: {self.records}",
            timeout=timeout,
        )


def texts(messages: Sequence[Message]) -> list[str]:
    """Return the text of each message."""
    return [message.text for message in messages]
