"""The port to all that must be true together: order, turns, what was answered, what was asked twice.

Each method is one transaction. A store that `encodes` gets snapshots as bytes and outlives this process; one that does
not keeps the objects as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from ..types import Owner
from .turns import SessionName

Concurrency: TypeAlias = Literal["queue", "reject", "interrupt"]
"""What a turn does when its session is busy: wait, be refused, or stop what runs and waits."""

LossReason: TypeAlias = Literal["interrupted", "lease_lost"]


class StoredTurn(msgspec.Struct, frozen=True):
    """A turn that was found: whose it is, where it stands, and the channel's sealed record.

    `point` is what a snapshot of it is loaded by. Two turns are the same when their points are equal. One that is not
    `is_finished` can be read, and not be continued.
    """

    owner: Owner
    id: str
    session: SessionName
    point: Any
    record: bytes
    is_finished: bool = True


class Claim(msgspec.Struct, frozen=True, gc=False):
    """An idempotency key in its scope, and a hash of what was asked under it."""

    channel: str
    key: str
    body_hash: bytes


class TurnRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a turn asks for when it is accepted.

    `answers` are ids of requests for approval that this turn answers: each can be answered once in a conversation,
    which `root` names where the key does not. `turn_id` is the id that the outcome is to have.
    """

    tenant: str
    owner: Owner
    key: str | None
    parent: str | None = None
    root: str | None = None
    turn_id: str | None = None
    concurrency: Concurrency = "queue"
    max_waiting: int = 64
    answers: Sequence[str] = ()
    claim: Claim | None = None

    @property
    def name(self) -> str:
        """What the turn is called in all of its attempts; empty without an idempotency key."""
        if self.claim is None:
            return ""
        scope = [*self.owner, self.claim.channel, self.claim.key]
        return hashlib.sha256(msgspec.json.encode(scope)).hexdigest()[:32]


class Replay(msgspec.Struct, frozen=True):
    """What an earlier request under the same idempotency key was answered."""

    record: bytes


class Opened(msgspec.Struct, frozen=True, gc=False):
    """A session at the moment at which a turn of it begins.

    `head` is the point of its newest turn, `version` grows with everything that is written to it.
    """

    name: SessionName
    version: int
    head: Any


class Finished(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How a turn ended that is part of the history from now on.

    `parent` is the point that the snapshot continues; `version` is the session's as the turn knew it.
    """

    session: SessionName
    version: int
    parent: Any
    owner: Owner
    turn_id: str | None
    snapshot: Any
    record: bytes


class Unfinished(msgspec.Struct, frozen=True, kw_only=True):
    """What a turn left behind that is no part of the history.

    `rest` is the state beside the messages, when it changed; `record` what was sent, to be read under `turn_id`.
    """

    session: SessionName
    version: int
    rest: bytes | None = None
    owner: Owner
    turn_id: str | None = None
    record: bytes | None = None
