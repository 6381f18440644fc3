"""What channels keep, for the principal who is calling; see `kept`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from ._state.documents import Document, NewDocument
from ._state.records import read
from ._state.recordstore import Told
from ._state.store import Claim
from .isolation import current_principal
from .kept import KeptDocument, KeptRecord
from .types import JSON, IdempotencyKey, Owner, Principal

if TYPE_CHECKING:
    from ._state.parts import ClaimStore, DocumentStore, RecordStore
    from ._state.port import StateStore


class OwnDocuments:
    """See `ChannelDocuments`."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store

    async def add(
        self, kind: str, session_key: str, new: Sequence[tuple[str, JSON]], *, principal: Principal | None = None
    ) -> bool:
        """Make documents."""
        made = [NewDocument(kind, id, msgspec.json.encode(body)) for id, body in new]
        return await self._store.add(_owner(principal), session_key, made)

    async def find(self, kind: str, id: str, *, principal: Principal | None = None) -> KeptDocument | None:
        """Return a document."""
        found = await self._store.find(_owner(principal), kind, id)
        return None if found is None else _kept(found)

    async def replace(self, kind: str, id: str, body: JSON, *, principal: Principal | None = None) -> bool:
        """Give a document another body."""
        return await self._store.replace(_owner(principal), kind, id, msgspec.json.encode(body))

    async def remove(self, kind: str, id: str, *, principal: Principal | None = None) -> bool:
        """Drop a document."""
        return await self._store.remove(_owner(principal), kind, id)

    async def listed(
        self, kind: str, session_key: str, *, after: int = 0, limit: int, principal: Principal | None = None
    ) -> Sequence[KeptDocument]:
        """Return the documents of a session key."""
        found = await self._store.listed(_owner(principal), kind, session_key, after=after, limit=limit)
        return [_kept(each) for each in found]

    async def discard(
        self, kind: str, session_key: str, *, until: int | None = None, principal: Principal | None = None
    ) -> None:
        """Drop the documents of a session key."""
        await self._store.discard(_owner(principal), kind, session_key, until=until)


class OwnClaims:
    """See `ChannelClaims`."""

    def __init__(self, store: ClaimStore) -> None:
        self._store = store

    async def find(self, channel: str, named: IdempotencyKey, *, principal: Principal | None = None) -> JSON:
        """Return what a request was answered."""
        found = await self._store.find(_owner(principal), Claim(channel, named.key, named.fingerprint))
        return None if found is None else _answer(found, named.key)

    async def keep(
        self, channel: str, named: IdempotencyKey, answer: JSON, *, principal: Principal | None = None
    ) -> JSON:
        """Answer a request."""
        claim = Claim(channel, named.key, named.fingerprint)
        return _answer(await self._store.keep(_owner(principal), claim, msgspec.json.encode(answer)), named.key)

    async def forget(self, channel: str, key: str, *, principal: Principal | None = None) -> None:
        """Let a key be used again."""
        await self._store.forget(_owner(principal), Claim(channel, key, b""))


class OwnRecords:
    """See `ChannelRecords`."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    async def newest(self, session_key: str, *, principal: Principal | None = None) -> KeptRecord | None:
        """Return the newest record of a session."""
        tenant = (principal or current_principal()).tenant
        record = await self._store.newest(tenant, session_key)
        if record is None:
            return None
        place = f"the column record of the newest row of af_turn, key {session_key!r} of tenant {tenant!r}"
        return KeptRecord("", read(record or b"null", place=place), is_finished=True)

    async def told(
        self,
        session_key: str,
        *,
        start: str | None = None,
        newest_first: bool = False,
        limit: int,
        principal: Principal | None = None,
    ) -> Sequence[KeptRecord]:
        """Return what a conversation told."""
        told = await self._store.told(
            _owner(principal), session_key, start=start, newest_first=newest_first, limit=limit
        )
        return [KeptRecord(each.turn_id, _read(each), each.is_finished) for each in told]

    async def forget(self, turn_id: str, *, principal: Principal | None = None) -> bool:
        """Forget a turn's id and record."""
        return await self._store.forget(_owner(principal), turn_id)


def _owner(principal: Principal | None) -> Owner:
    return (principal or current_principal()).owner


def _answer(record: bytes, key: str) -> JSON:
    return read(record, place=f"the column record of af_claim, key {key!r}")


def _kept(document: Document) -> KeptDocument:
    place = f"the column body of the row {document.number} of af_document, id {document.id!r}"
    return KeptDocument(document.id, document.number, read(document.body, place=place))


def _read(told: Told) -> JSON:
    return read(told.record, place=f"the column record of af_turn, id {told.turn_id!r}")


class Kept:
    """All of it that a store has."""

    def __init__(self, store: StateStore) -> None:
        self.claims = OwnClaims(store.claims)
        self.documents = OwnDocuments(store.documents)
        self.records = OwnRecords(store.records)
