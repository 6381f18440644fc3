"""The port behind `database=`: what a store of your own has to be, and the values that it is given.

A store is one object with the methods of `StateStore`, and its parts, such as `documents` and `records`; each method is
one transaction. It is held to `agent_framework_hosting.testing.contracts.StoreContract`, which the host's own stores
pass as well.
"""

from ._state.documents import Document, DocumentStore, NewDocument
from ._state.recordstore import RecordStore, Told
from ._state.store import (
    Claim,
    Concurrency,
    Encoded,
    Finished,
    LossReason,
    Opened,
    Place,
    Replay,
    StateStore,
    StoredTurn,
    TurnRequest,
    Unfinished,
)
from ._state.turns import SessionName

__all__ = [
    "Claim",
    "Concurrency",
    "Document",
    "DocumentStore",
    "Encoded",
    "Finished",
    "LossReason",
    "NewDocument",
    "Opened",
    "Place",
    "RecordStore",
    "Replay",
    "SessionName",
    "StateStore",
    "StoredTurn",
    "Told",
    "TurnRequest",
    "Unfinished",
]
