"""Hosts in processes of their own on one database, and what their runs have noted."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar

import anyio
import httpx2
from sqlalchemy import Engine, NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

from .served import Served, free_port, starting

_PATIENCE: Final = 150.0
"""Seconds that another process gets; much, since the machine may be busy, and the test has its own bound."""
_BETWEEN_LOOKS: Final = 0.01
_TRANSACTIONS: Final = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    AND xact_start IS NOT NULL
"""


class Reachable(Protocol):
    """What serves somewhere."""

    @property
    def url(self) -> str:
        """Where it serves."""
        ...


ServedT = TypeVar("ServedT", bound=Reachable)


@dataclass
class Replicas(Generic[ServedT]):
    """Several hosts on one database; a single one may consist of several workers."""

    folder: Path
    served: list[ServedT]

    def url(self, number: int = 0) -> str:
        """Return the address of one of them, in turns."""
        return self.served[number % len(self.served)].url

    def notes(self, tag: str = "") -> list[dict[str, Any]]:
        """Return what all runs whose texts begin with `tag` have noted, in the order of time."""
        path = self.folder / "runs"
        notes = _lines(path)
        return [each for each in notes if str(each.get("began", each.get("ended"))).startswith(tag)]

    def begun(self, tag: str = "") -> list[dict[str, Any]]:
        """Return what such runs saw when they began."""
        return [each for each in self.notes(tag) if "began" in each]

    def tasks(self) -> list[dict[str, Any]]:
        """Return what all tasks have noted, in the order of time."""
        path = self.folder / "tasks"
        return _lines(path)

    def ended(self, id: str) -> list[str]:
        """Return how a task ended, each time that it did."""
        return [each["outcome"] for each in self.tasks() if each.get("ended") == id]

    async def reached(self, gate: str) -> None:
        """Wait until a run stands at this gate."""
        await until((self.folder / f"{gate}.reached").exists, f"a run at the gate {gate}")

    def open(self, gate: str) -> None:
        """Let whoever stands, or will stand, at this gate go on."""
        (self.folder / f"{gate}.open").touch()


async def until(met: Callable[[], bool], waiting_for: str) -> None:
    """Wait until a condition that another process brings about is met.

    Raises:
        AssertionError: It did not come in time.
    """
    give_up = time.monotonic() + _PATIENCE
    while not met():
        assert time.monotonic() < give_up, f"Waited for {waiting_for}, in vain."
        await anyio.sleep(_BETWEEN_LOOKS)


def connecting(database: str, **how: Any) -> Engine:
    """Return what connects to a database anew each time."""
    return create_engine(database.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool, **how)


def has_transactions(database: str) -> bool:
    """Whether anybody is in the middle of a transaction that writes; what stands still in one, all others wait for."""
    if database.startswith("sqlite"):
        with connecting(database, connect_args={"timeout": 0}).connect() as connection:
            try:
                connection.execute(text("BEGIN IMMEDIATE"))
            except OperationalError:
                return True
        return False
    with connecting(database).connect() as connection:
        return connection.execute(text(_TRANSACTIONS)).scalar_one() > 0


async def in_line(database: str, count: int) -> None:
    """Wait until so many turns stand in lines, as the database has it."""
    engine = connecting(database)

    def met() -> bool:
        with engine.connect() as connection:
            counted: Any = connection.execute(text("SELECT count(*) FROM af_ticket")).scalar_one()
        return counted == count

    await until(met, f"{count} turns in the line")


@contextmanager
def replicas(
    folder: Path,
    database: str,
    count: int,
    *,
    concurrency: str = "queue",
    workers: int = 1,
    agent: str = "core",
    lease: float = 15.0,
) -> Generator[Replicas[Served]]:
    """Serve one database by several hosts."""
    rest = [database, concurrency, agent, str(workers), json.dumps({"lease": lease})]
    with ExitStack() as stack:
        served = [stack.enter_context(replica(folder, rest, log=folder / f"printed{each}")) for each in range(count)]
        for each in served:
            each.wait_for_readiness(200)
        yield Replicas(folder, served)


@contextmanager
def replica(folder: Path, rest: Sequence[str], *, log: Path) -> Generator[Served]:
    """Start one of them; `rest` is what its script is told besides the folder and the port."""
    with free_port() as port:
        command = [sys.executable, Path(__file__).with_name("replica_host.py"), folder, str(port), *rest]
        with starting(command, port=port, log=log) as served:
            yield served


async def say(client: httpx2.AsyncClient, url: str, said: str, **asked: Any) -> httpx2.Response:
    """Post a turn to the plain channel."""
    return await client.post(f"{url}/plain", json={"text": said, **asked})


def responses_body(said: str, **fields: Any) -> Mapping[str, Any]:
    """Return the body of a request to the Responses channel."""
    return {"model": "m", "input": said, **fields}


def _lines(path: Path) -> list[dict[str, Any]]:
    # What is being written may be seen in part.
    whole = path.read_text().rpartition("\n")[0] if path.exists() else ""
    return [json.loads(line) for line in whole.splitlines()]
