"""Documents of channels, in a table of their own.

Rules of this file:
1. Whose a document is, is part of every look-up.
2. Documents go with the conversation of their session key. Those of a key that has no conversation go when they have
   not been written to for as long as a conversation may lie idle.
3. Those who add documents to a key do it one by one, so that numbers become visible in their order: a reader goes on
   behind the last number that it has seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from ...types import Owner
from ..documents import Document, NewDocument
from .alone import alone
from .driver import Driver
from .names import is_known_possibly, require_key
from .script import Script, all_of, do, one
from .turns import bytes_of

_OWN: Final = "tenant = :tenant AND is_named = :is_named AND owner = :owner AND kind = :kind"
_ADD: Final = """
INSERT INTO af_document (tenant, is_named, owner, kind, id, root, body, used_at)
VALUES (:tenant, :is_named, :owner, :kind, :id, :root, :body, {now})
ON CONFLICT (tenant, is_named, owner, kind, id) DO NOTHING RETURNING number
"""
_FIND: Final = f"SELECT kind, id, root, number, body FROM af_document WHERE {_OWN} AND id = :id"  # noqa: S608 - constants
_REPLACE: Final = f"UPDATE af_document SET body = :body, used_at = {{now}} WHERE {_OWN} AND id = :id RETURNING number"  # noqa: S608 - constants
_REMOVE: Final = f"DELETE FROM af_document WHERE {_OWN} AND id = :id RETURNING number"  # noqa: S608 - constants
_LIST: Final = f"""
SELECT kind, id, root, number, body FROM af_document WHERE {_OWN} AND root = :root AND number > :after
ORDER BY number LIMIT :limit
"""  # noqa: S608 - constants
_DISCARD: Final = f"DELETE FROM af_document WHERE {_OWN} AND root = :root AND number <= :until"  # noqa: S608 - constants
_FORGET: Final = "DELETE FROM af_document WHERE tenant = :tenant AND root = :root RETURNING number"
_SWEEP: Final = """
DELETE FROM af_document WHERE number IN (
  SELECT d.number FROM af_document d WHERE d.used_at < {now} - :ttl
    AND NOT EXISTS (SELECT 1 FROM af_session s WHERE s.tenant = d.tenant AND s.root = d.root) LIMIT :most
) RETURNING number
"""
_ALL: Final = 2**62


class _Taken(Exception):
    """There is such a document already."""


def add(owner: Owner, root: str, new: Sequence[NewDocument]) -> Script[None]:
    """Add documents to a session key, all or none of them."""
    require_key(owner[0], root)
    yield from alone("document", owner[0], root)
    for each in new:
        added = yield from one(_ADD, **_own(owner, each.kind), id=each.id, root=root, body=each.body)
        if added is None:
            # Raised, so that those before it are not made either.
            raise _Taken


def forget(*, tenant: str, root: str) -> Script[int]:
    """Forget all documents of a session key; returns how many."""
    return len((yield from all_of(_FORGET, tenant=tenant, root=root)))


def sweep(*, ttl: float, most: int) -> Script[int]:
    """Forget documents that have expired, `most` at a time; returns how many."""
    return len((yield from all_of(_SWEEP, ttl=ttl, most=most)))


class SqlDocuments:
    """See `DocumentStore`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def add(self, owner: Owner, root: str, new: Sequence[NewDocument]) -> bool:
        """See `DocumentStore`."""
        try:
            await self._driver.run(partial(add, owner, root, new), durable=True)
        except _Taken:
            return False
        return True

    async def find(self, owner: Owner, kind: str, id: str) -> Document | None:
        """See `DocumentStore`."""
        if not is_known_possibly(owner, id):
            return None
        return await self._driver.read(partial(_find, owner, kind, id))

    async def replace(self, owner: Owner, kind: str, id: str, body: bytes) -> bool:
        """See `DocumentStore`."""
        return is_known_possibly(owner, id) and await self._driver.run(
            partial(_happened, _REPLACE, **_own(owner, kind), id=id, body=body), durable=True, ahead=True
        )

    async def remove(self, owner: Owner, kind: str, id: str) -> bool:
        """See `DocumentStore`."""
        return is_known_possibly(owner, id) and await self._driver.run(
            partial(_happened, _REMOVE, **_own(owner, kind), id=id), durable=True, ahead=True
        )

    async def listed(self, owner: Owner, kind: str, root: str, *, after: int, limit: int) -> Sequence[Document]:
        """See `DocumentStore`."""
        if not is_known_possibly(owner, root):
            return []
        return await self._driver.read(partial(_list, **_own(owner, kind), root=root, after=after, limit=limit))

    async def discard(self, owner: Owner, kind: str, root: str, *, until: int | None = None) -> None:
        """See `DocumentStore`."""
        if not is_known_possibly(owner, root):
            return
        until = _ALL if until is None else until
        await self._driver.run(partial(do, _DISCARD, **_own(owner, kind), root=root, until=until), durable=True)


def _find(owner: Owner, kind: str, id: str) -> Script[Document | None]:
    row = yield from one(_FIND, **_own(owner, kind), id=id)
    return None if row is None else _document(row)


def _list(**values: Any) -> Script[list[Document]]:
    return [_document(row) for row in (yield from all_of(_LIST, **values))]


def _happened(text: str, **values: Any) -> Script[bool]:
    return (yield from one(text, **values)) is not None


def _document(row: tuple[Any, ...]) -> Document:
    kind, id, root, number, body = row
    return Document(kind, id, root, number, bytes_of(body))


def _own(owner: Owner, kind: str) -> dict[str, Any]:
    tenant, is_named, owner_id = owner
    return {"tenant": tenant, "is_named": int(is_named), "owner": owner_id, "kind": kind}
