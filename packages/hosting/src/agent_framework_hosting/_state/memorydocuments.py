"""Documents in memory: bounded by number, bytes and age, gone with the process."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from typing import TypeAlias

from msgspec.structs import replace

from ..types import Owner
from .documents import Document, NewDocument
from .memory import fitted

_Place: TypeAlias = tuple[Owner, str, str]
_Root: TypeAlias = tuple[str, str]


@dataclass(slots=True)
class _Group:
    used_at: float
    documents: dict[_Place, Document] = field(default_factory=dict[_Place, Document])


class MemoryDocuments:
    """See `DocumentStore`. The documents of a session key are forgotten together.

    Args:
        max_documents: How many are kept; beyond it those of the key that was used least recently go.
        max_bytes: Of their bodies together; beyond it the same happens.
        ttl: Seconds without use after which those of a key go.
        clock: Tells the time, in seconds.
    """

    def __init__(
        self,
        *,
        max_documents: int,
        ttl: float,
        max_bytes: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max = max_documents
        self._max_bytes = max_bytes
        self._size = 0
        self._ttl = ttl
        self._clock = clock
        self._numbers = count(1)
        self._groups: OrderedDict[_Root, _Group] = OrderedDict()
        self._roots: dict[_Place, _Root] = {}

    async def add(self, owner: Owner, root: str, new: Sequence[NewDocument]) -> bool:
        """See `DocumentStore`."""
        for each in new:
            if await self.find(owner, each.kind, each.id) is not None:
                return False
        name = (owner[0], root)
        group = self._used(name) or self._groups.setdefault(name, _Group(self._clock()))
        for each in new:
            place = (owner, each.kind, each.id)
            group.documents[place] = Document(each.kind, each.id, root, next(self._numbers), fitted(each.body))
            self._roots[place] = name
            self._size += len(each.body)
        self._trim()
        return True

    async def find(self, owner: Owner, kind: str, id: str) -> Document | None:
        """See `DocumentStore`."""
        place = (owner, kind, id)
        root = self._roots.get(place)
        group = self._used(root) if root is not None else None
        return group.documents[place] if group is not None else None

    async def replace(self, owner: Owner, kind: str, id: str, body: bytes) -> bool:
        """See `DocumentStore`."""
        known = await self.find(owner, kind, id)
        if known is None:
            return False
        self._groups[owner[0], known.root].documents[owner, kind, id] = replace(known, body=fitted(body))
        self._size += len(body) - len(known.body)
        self._trim()
        return True

    async def remove(self, owner: Owner, kind: str, id: str) -> bool:
        """See `DocumentStore`."""
        known = await self.find(owner, kind, id)
        if known is None:
            return False
        self._take_out((owner, kind, id))
        return True

    async def listed(self, owner: Owner, kind: str, root: str, *, after: int, limit: int) -> Sequence[Document]:
        """See `DocumentStore`."""
        group = self._used((owner[0], root))
        known = group.documents.items() if group is not None else ()
        fitting = (each for place, each in known if place[:2] == (owner, kind) and each.number > after)
        return list(islice(fitting, limit))

    async def discard(self, owner: Owner, kind: str, root: str, *, until: int | None = None) -> None:
        """See `DocumentStore`."""
        group = self._groups.get((owner[0], root))
        known = list(group.documents.items()) if group is not None else []
        for place, each in known:
            if place[:2] == (owner, kind) and (until is None or each.number <= until):
                self._take_out(place)

    def has_any(self, tenant: str, root: str) -> bool:
        """Whether a session key has documents."""
        return (tenant, root) in self._groups

    def forget(self, tenant: str, root: str) -> None:
        """Drop all documents of a session key, whoever's they are."""
        self._drop((tenant, root))

    def _used(self, root: _Root) -> _Group | None:
        """Return the documents of a key, which is in use from now on, once all that have expired are gone."""
        now = self._clock()
        while self._groups and next(iter(self._groups.values())).used_at < now - self._ttl:
            self._drop(next(iter(self._groups)))
        group = self._groups.get(root)
        if group is not None:
            group.used_at = now
            self._groups.move_to_end(root)
        return group

    def _trim(self) -> None:
        while len(self._roots) > self._max or self._size > self._max_bytes:
            self._drop(next(iter(self._groups)))

    def _take_out(self, place: _Place) -> None:
        root = self._roots.pop(place)
        group = self._groups[root]
        self._size -= len(group.documents.pop(place).body)
        if not group.documents:
            del self._groups[root]

    def _drop(self, root: _Root) -> None:
        group = self._groups.pop(root, None)
        for place, each in group.documents.items() if group is not None else ():
            del self._roots[place]
            self._size -= len(each.body)
