"""The `encrypted_content` of a reasoning item: what the model's provider sealed, and the provider's own id for it.

OpenAI accepts a seal only together with the id under which it was made, and the clients of other providers fail over a
seal that is not theirs. So the id travels in the seal, and a seal of another form was not made for this server.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

_SEAL: Final = re.compile(r"af1\.(?P<length>0|[1-9][0-9]{0,3})\.(?P<rest>.+)", re.DOTALL)
_LONGEST_ID: Final = 9999


class Thought(msgspec.Struct, frozen=True):
    """What a provider needs to have its thought back; the id is empty where it has none."""

    id: str
    protected: str


def seal(thought: Thought) -> str:
    """Return the `encrypted_content` for a client.

    Example:
        >>> seal(Thought("rs_7", "gAAAAB"))
        'af1.4.rs_7gAAAAB'
    """
    known = thought.id if len(thought.id) <= _LONGEST_ID else ""
    return f"af1.{len(known)}.{known}{thought.protected}"


def unseal(encrypted: str) -> Thought | None:
    """Return what `seal` was given; nothing for a seal of another's.

    Example:
        >>> unseal("af1.4.rs_7gAAAAB")
        Thought(id='rs_7', protected='gAAAAB')
    """
    match = _SEAL.fullmatch(encrypted)
    if match is None:
        return None
    length, rest = int(match["length"]), match["rest"]
    return Thought(rest[:length], rest[length:]) if length < len(rest) else None
