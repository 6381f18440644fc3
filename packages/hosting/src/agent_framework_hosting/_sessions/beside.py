"""Turns that run side by side in one session: each is stored as a session of its own, and the agent knows one id.

The name under which such a turn is stored begins with the id that the agent knows, so that whoever continues the turn
finds that id again.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from .._state.turns import SessionName
from ..ids import mint

_MARK: Final = "#beside_"


def stored_beside(known: SessionName) -> SessionName:
    """Return a name under which nobody else's turn is stored."""
    own = mint(f"{known.session_id}{_MARK}")
    return replace(known, key=own, session_id=own)


def known_as(stored: SessionName) -> SessionName:
    """Return the session as the agent knows it."""
    session_id, mark, _ = stored.session_id.rpartition(_MARK)
    return replace(stored, session_id=session_id) if mark else stored
