"""What runs the scripts: the port to a database, and what its drivers share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias, TypeVar

from .lanes import Wake
from .script import Dialect, Row, Script, Statement

ResultT = TypeVar("ResultT")

Transaction: TypeAlias = Callable[[], Script[ResultT]]
"""Makes the script of one transaction; called again when the database asks for it to be tried again."""


class Driver(Protocol):
    """Runs scripts on one database."""

    @property
    def address(self) -> str:
        """Where other processes wake this one."""
        ...

    async def start(self, on_wake: Callable[[], None]) -> None:
        """Connect, and bring the schema up to date; `on_wake` is called when another process wakes this one."""
        ...

    async def stop(self) -> None:
        """Let go of all connections, once what is under way is done."""
        ...

    async def run(self, transaction: Transaction[ResultT], *, durable: bool, ahead: bool = False) -> ResultT:
        """Run one transaction; one that is `durable` has reached the disk when this returns.

        One that goes `ahead` keeps what has run, gives back what is held, or shows that this process is alive: where
        new work would be refused because too much is under way it still has its turn.

        Raises:
            StateUnavailable: The database does not answer; whether the transaction took place is not known.
        """
        ...

    async def read(self, transaction: Transaction[ResultT], *, ahead: bool = False) -> ResultT:
        """Run a transaction that only reads, and may read much; `ahead` as in `run`."""
        ...

    def run_now(self, transaction: Transaction[ResultT]) -> ResultT:
        """Run one durable transaction and wait for it without an event loop."""
        ...

    def wake(self, wakes: Sequence[Wake]) -> Awaitable[None] | None:
        """Wake other processes; a wake that is lost costs time only, since they look from time to time."""
        ...


def step_through(
    script: Script[ResultT], execute: Callable[[Dialect, Statement], list[Row]], dialect: Dialect
) -> ResultT:
    """Run a script by a plain function."""
    try:
        batch = next(script)
        while True:
            try:
                answers = [execute(dialect, statement) for statement in batch.statements]
            except BaseException as error:  # noqa: BLE001 - a script may have a word to say to it
                batch = script.throw(error)
            else:
                batch = script.send(answers)
    except StopIteration as end:
        return end.value
