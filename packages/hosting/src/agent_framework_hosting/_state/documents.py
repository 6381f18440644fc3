"""The port to what channels keep beside turns: small documents, each its owner's, in the order of their making."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from ..types import Owner


class Document(msgspec.Struct, frozen=True):
    """One document. It belongs to a session key (`root`), and goes with that conversation.

    `number` grows with every document that is made. `body` is encoded JSON.
    """

    kind: str
    id: str
    root: str
    number: int
    body: bytes


class NewDocument(msgspec.Struct, frozen=True):
    """A document that is to be made."""

    kind: str
    id: str
    body: bytes


class DocumentStore(Protocol):
    """Keeps documents. Each method is one transaction; a document of somebody else's is one that is not there."""

    async def add(self, owner: Owner, root: str, new: Sequence[NewDocument]) -> bool:
        """Make documents, in this order: all of them, or none when the owner has one of that kind and id already.

        Returns whether they were made.
        """
        ...

    async def find(self, owner: Owner, kind: str, id: str) -> Document | None:
        """Return a document; unknown, expired and another owner's are the same `None`."""
        ...

    async def replace(self, owner: Owner, kind: str, id: str, body: bytes) -> bool:
        """Give a document another body; says whether there is one."""
        ...

    async def remove(self, owner: Owner, kind: str, id: str) -> bool:
        """Drop a document; says whether there was one."""
        ...

    async def listed(self, owner: Owner, kind: str, root: str, *, after: int, limit: int) -> Sequence[Document]:
        """Return the documents of a session key that were made after the one with that number, the oldest first."""
        ...

    async def discard(self, owner: Owner, kind: str, root: str, *, until: int | None = None) -> None:
        """Drop the documents of a session key, up to the one with that number."""
        ...
