"""What is served and measured: ours, and the limits beside it, each as a process of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

KEY: Final = "afh_" + 64 * "0"
"""The key of our host: it opens nothing else."""

Kind = Literal["ours", "starlette", "coalescing", "floor"]
Server = Literal["uvicorn", "hypercorn"]
Database = Literal["sqlite", "postgresql"]


@dataclass(frozen=True, slots=True)
class System:
    """An app on a server.

    Args:
        name: What it is called in reports.
        kind: Which app it is.
        server: What it runs on.
        database: What the host keeps its state in; memory when left out.
        workers: Processes that share a port, on any core: those of `host.serve`, which decides about the server itself,
            or uvicorn's; 0 for one process of `server` on a core of its own.
    """

    name: str
    kind: Kind
    server: Server = "uvicorn"
    database: Database | None = None
    workers: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """The agent that is served.

    Args:
        agent: `raw`, the bare stub, or `agent`, Agent Framework's own on a stub model.
        pause: Seconds before each chunk.
        chunks: Chunks of an answer.
        holds: Whether a stream stays open behind its last chunk, until its client leaves.
    """

    agent: Literal["raw", "agent"] = "raw"
    pause: float = 0.0
    chunks: int = 200
    holds: bool = False


OURS: Final = System("ours", "ours")
OURS_ON_HYPERCORN: Final = System("ours, Hypercorn", "ours", server="hypercorn")
OURS_ON_SQLITE: Final = System("ours, SQLite", "ours", database="sqlite")
OURS_ON_POSTGRESQL: Final = System("ours, PostgreSQL", "ours", database="postgresql")
STARLETTE: Final = System("Starlette route", "starlette")
COALESCING: Final = System("coalescing ASGI", "coalescing")
BY_HAND: Final = System("duties by hand", "floor")
COALESCING_ON_HYPERCORN: Final = System("coalescing ASGI, Hypercorn", "coalescing", server="hypercorn")
ONE_WORKER: Final = System("ours, 1 worker", "ours", database="sqlite", workers=1)
TWO_WORKERS: Final = System("ours, 2 workers", "ours", database="sqlite", workers=2)
ONE_WORKER_ON_POSTGRESQL: Final = System("ours, PostgreSQL, 1 worker", "ours", database="postgresql", workers=1)
TWO_WORKERS_ON_POSTGRESQL: Final = System("ours, PostgreSQL, 2 workers", "ours", database="postgresql", workers=2)
COALESCING_ONE_WORKER: Final = System("coalescing ASGI, 1 worker", "coalescing", workers=1)
COALESCING_TWO_WORKERS: Final = System("coalescing ASGI, 2 workers", "coalescing", workers=2)
