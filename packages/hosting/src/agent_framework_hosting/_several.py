"""One host, several processes: what the host itself has to do with it."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, TypeVar

from ._workers import location
from ._workers.report import reporting
from ._workers.worker import Share, is_worker, leave_interrupts_to_the_supervisor
from .errors import ConfigurationError

if TYPE_CHECKING:
    from ._state.port import StateStore

HostT = TypeVar("HostT")


def shared_location(host: object, *, workers: int, import_path: str | None, store: StateStore) -> str:
    """Return where other processes find the host.

    Raises:
        ConfigurationError: Several processes cannot serve it.
    """
    if workers < 1:
        raise ConfigurationError(f"serve(workers={workers}) cannot serve anything. Use 1 or more.")
    if is_worker():
        raise ConfigurationError(
            f"serve(workers={workers}) was called while one of the workers imported the program. Call it under "
            "`if __name__ == '__main__':`."
        )
    require_shared_state(store)
    return import_path or location.find(host)


def require_shared_state(store: StateStore) -> None:
    """See to it that several processes know the same sessions.

    Raises:
        ConfigurationError: They would not.
    """
    if not store.encodes:
        raise ConfigurationError(
            "Several workers need database=: without one, the order of turns and the ids of responses live in one "
            "process's memory, and the others would not know them, whatever session_store= keeps. Give the host one, "
            "for example database='sqlite:///./state/host.db', or serve with workers=1."
        )


def work(
    kind: type[HostT],
    serve: Callable[[HostT, Share, Callable[[str], None]], None],
    import_path: str,
    share: Share,
    reports: Connection,
) -> None:
    """Be one of the processes: import the host, and have it `serve` its share."""
    with reporting(reports) as on_up:
        leave_interrupts_to_the_supervisor()
        serve(location.load(import_path, kind=kind), share, on_up)
