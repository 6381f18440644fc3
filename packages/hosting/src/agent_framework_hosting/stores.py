"""The port behind `database=`: what a store of your own has to be, and the values that it is given.

A store is one object with the methods of `StateStore`; each is one transaction. It is held to
`agent_framework_hosting.testing.contracts.StoreContract`, which the host's own stores pass as well.
"""

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
    "Encoded",
    "Finished",
    "LossReason",
    "Opened",
    "Place",
    "Replay",
    "SessionName",
    "StateStore",
    "StoredTurn",
    "TurnRequest",
    "Unfinished",
]
