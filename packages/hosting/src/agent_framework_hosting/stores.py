"""The port behind `database=`: what a store of your own has to be, and the values that it is given.

A store is one object with the methods of `StateStore`, and its parts `documents`, `records`, `tasks` and `events`; each
method is one transaction. It is held to `agent_framework_hosting.testing.contracts.StoreContract`, which the host's own
stores pass as well.
"""

from ._state.documents import Document, DocumentStore, NewDocument
from ._state.events import Event, EventLog, RunName
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
from ._state.tasks import NewTask, TakenTask, TaskState, TaskStore
from ._state.turns import SessionName

__all__ = [
    "Claim",
    "Concurrency",
    "Document",
    "DocumentStore",
    "Encoded",
    "Event",
    "EventLog",
    "Finished",
    "LossReason",
    "NewDocument",
    "NewTask",
    "Opened",
    "Place",
    "RecordStore",
    "Replay",
    "RunName",
    "SessionName",
    "StateStore",
    "StoredTurn",
    "TakenTask",
    "TaskState",
    "TaskStore",
    "Told",
    "TurnRequest",
    "Unfinished",
]
