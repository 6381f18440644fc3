"""Sessions and turns, as stores speak of them."""

from __future__ import annotations

from typing import Any

import msgspec

from ..types import Owner


class SessionName(msgspec.Struct, frozen=True, gc=False):
    """One session inside a tenant. `key` is what requests are ordered by, `session_id` what the agent knows it by.

    `root` is the key of the session that this one branched off, its own key when it did not.
    """

    tenant: str
    key: str
    session_id: str
    root: str


class Turn(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A finished turn: whose it is, in which session, what to continue from, and the channel's sealed record.

    Two turns are the same only when they are one object; `id` is empty when it cannot be found by id.

    The record is encoded JSON: it is opaque here, and many thousands of kept objects would slow the garbage collector,
    which looks at none of the turns either: nothing that a snapshot leads to leads back to its turn.
    """

    owner: Owner
    id: str
    session: SessionName
    snapshot: Any
    record: bytes
    is_finished: bool = True
