"""The port to what channels keep beside turns: small documents, each its owner's, in the order of their making."""

from __future__ import annotations

import msgspec


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
