"""How the contract of stores takes turns."""

from __future__ import annotations

from typing import Any, Final

from ..._state.encoded import Encoded
from ..._state.port import Place, StateStore
from ..._state.store import Claim, Finished, Opened, Replay, TurnRequest
from ...types import Owner

ADA: Final[Owner] = ("default", 1, "ada")
BOB: Final[Owner] = ("default", 1, "bob")
CLAIM: Final = Claim("responses", "key-1", b"hash")


def asked(key: str | None = "k", **changes: Any) -> TurnRequest:
    values: dict[str, Any] = {"tenant": "default", "owner": ADA, "key": key, **changes}
    return TurnRequest(**values)


async def placed(store: StateStore, key: str | None = "k", **changes: Any) -> Place:
    place = await store.accept(asked(key, **changes))
    assert not isinstance(place, Replay)
    return place


def done(store: StateStore, opened: Opened, *, turn_id: str | None = None, **changes: Any) -> Finished:
    snapshot = Encoded(b'"added"', b'"rest"') if store.encodes else object()
    values: dict[str, Any] = {
        "owner": ADA,
        "record": b'{"said":1}',
        "parent": opened.head,
        "snapshot": snapshot,
        **changes,
    }
    return Finished(session=opened.name, version=opened.version, turn_id=turn_id, **values)


async def said(store: StateStore, key: str = "k", *, turn_id: str | None = None, **changes: Any) -> Any:
    """Take a whole turn, and return its point."""
    place = await placed(store, key)
    return await place.commit(done(store, await place.open(), turn_id=turn_id, **changes))
