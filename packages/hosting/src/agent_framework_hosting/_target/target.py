"""The port to whatever is served: how the pipeline runs it, and what a session keeps for it.

A target makes the states of its sessions, and gets no others than those that it made. What a snapshot is made of is
the target's business alone: sessions and stores pass it on and never look inside.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

from agent_framework import AgentResponseUpdate, AgentSession

from .._state.encoded import Encoded
from .._state.turns import SessionName
from ..types import ChannelRequest


class AnswerStore(Protocol):
    """Remembers which requests for approval were answered."""

    async def mark_answered(self, session: SessionName, request_ids: Sequence[str]) -> None:
        """Mark requests of a conversation as answered; it has reached the disk, if there is one, when this returns."""
        ...

    async def answered(self, session: SessionName) -> Sequence[str]:
        """Return the requests of a conversation that were answered."""
        ...


class SessionState(Protocol):
    """What one session holds for its target. One turn at a time uses it."""

    @property
    def session(self) -> AgentSession | None:
        """The session as hooks and channels see it; `None` where the target has no such thing."""
        ...

    async def settle(self, *, named: bool) -> Any:
        """Make what the turn did part of the history; returns a snapshot of it when the turn is `named`."""
        ...

    async def rewind(self) -> None:
        """Take what an unfinished turn did out of the history; what it used up stays used up."""
        ...

    def remains(self) -> bytes | None:
        """Return what is left beside the history, to be stored; `None` when there is nothing to store."""
        ...


class TargetStream(Protocol):
    """A running target.

    One task pulls `updates`, then what there is `more` of them until there is none: what the run has come to is `final`
    then. It calls `close` whatever happened.
    """

    @property
    def updates(self) -> AsyncIterator[AgentResponseUpdate]:
        """The updates, as the target has them; mostly that is all of them."""
        ...

    async def more(self) -> AsyncIterator[AgentResponseUpdate] | None:
        """Return those that follow, of a run that had to be taken up again; `None` when it is over."""
        ...

    @property
    def final(self) -> Any:
        """What the run has come to, once there is no `more` of it."""
        ...

    async def close(self) -> None: ...


class Target(Protocol):
    """What is served, as the pipeline sees it."""

    @property
    def name(self) -> str:
        """What to call it in logs and in answers."""
        ...

    @property
    def served(self) -> Any:
        """The object that channels and hooks see."""
        ...

    @property
    def accepts_options(self) -> bool:
        """Whether a run takes options."""
        ...

    @property
    def forkable(self) -> bool:
        """Whether conversations can be continued from older turns than their newest."""
        ...

    @property
    def is_well(self) -> bool:
        """Whether it can serve requests at all; once it cannot, only a restart helps."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What operators should know of it, for the start line."""
        ...

    @property
    def needs_start(self) -> bool:
        """Whether it can only be run between `start` and `stop`."""
        ...

    async def start(self) -> None:
        """Make it ready to run."""
        ...

    async def stop(self) -> None:
        """Let go of everything that `start` took."""
        ...

    async def fresh(self, name: SessionName, *, is_new: bool) -> SessionState:
        """Return the state of a session that is not in memory; one that `is_new` starts from nothing."""
        ...

    async def branch(self, name: SessionName, snapshot: Any) -> SessionState:
        """Return the state of a new session that looks as another one did when the snapshot was taken."""
        ...

    async def resume(self, name: SessionName, snapshot: Any) -> SessionState:
        """Return the state of a session that was stored, as it was when the snapshot was taken."""
        ...

    def encode(self, snapshot: Any) -> Encoded:
        """Return a snapshot as bytes, as the difference to the one before.

        Raises:
            RunError: It holds something that cannot be stored.
        """
        ...

    def decode(self, chain: Sequence[Encoded], rest: bytes | None) -> Any:
        """Return the snapshot that a chain of encoded ones ends with; `rest` stands in for the chain's own."""
        ...

    def can_branch(self, snapshot: Any, head: Any) -> bool:
        """Whether `branch` can be done, when `head` is the newest snapshot of that session, or `None`."""
        ...

    def check(self, request: ChannelRequest) -> None:
        """Raise when a request can never be run, whatever its session holds: before anything of an answer is sent.

        Raises:
            InvalidRequest: Its input is none for this target.
        """
        ...

    async def run(self, request: ChannelRequest, state: Any) -> Any:
        """Run to the end; `state` is one that this target made, or `None`."""
        ...

    async def stream(self, request: ChannelRequest, state: Any) -> TargetStream:
        """Start a run whose updates come one by one."""
        ...

    def apart(self, answers: AnswerStore) -> Target:
        """Return the same target for sessions of which nothing may be kept but the states that it makes.

        Args:
            answers: Where to mark what is answered in them.
        """
        ...
