"""The port behind `database=`: what a store of your own has to be, and the values that it is given.

A store is one object with the methods of `StateStore`, and its parts `documents`, `records`, `tasks` and `events`; each
method is one transaction. It is held to `agent_framework_hosting.testing.contracts.StoreContract`, which the host's own
stores pass as well.
"""

from ._state.documents import Document, NewDocument
from ._state.encoded import Encoded
from ._state.events import Event, RunName
from ._state.parts import DocumentStore, EventLog, RecordStore, TaskStore
from ._state.port import Place, StateStore
from ._state.recordstore import Told
from ._state.store import (
    Claim,
    Concurrency,
    Finished,
    LossReason,
    Opened,
    Replay,
    StoredTurn,
    TurnRequest,
    Unfinished,
)
from ._state.tasks import NewTask, TakenTask, TaskState
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
