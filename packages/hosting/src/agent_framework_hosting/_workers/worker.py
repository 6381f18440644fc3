"""A process among several that serve one host: what it was handed, and how it is told to stop."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from socket import socket
from typing import Any, Final

from ..logs import LogFormat, logger

NAME: Final = "af-hosting worker"
"""How the processes of workers are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What a worker is handed: listening sockets, and the options of the server.

    `plain` are sockets without TLS beside others that have it.
    """

    sockets: tuple[socket, ...]
    plain: tuple[socket, ...]
    bind: str
    options: Mapping[str, Any]
    log_format: LogFormat | None = None
    access_log: bool = True

    def close(self) -> None:
        """Let go of the sockets; idempotent. Each process has its own hold on them."""
        for each in (*self.sockets, *self.plain):
            each.close()

    def taken(self) -> dict[str, Any]:
        """Return the server's options, with the sockets as what it has to bind; they are the server's from now on."""
        return {**self.options, "bind": _descriptors(self.sockets), "insecure_bind": _descriptors(self.plain)}


def is_worker() -> bool:
    """Whether this process was started as a worker; true already while it imports the program."""
    return multiprocessing.current_process().name.startswith(NAME)


def leave_interrupts_to_the_supervisor() -> None:
    """Do nothing about SIGINT, which a terminal sends to every process at once."""
    # A handler, not SIG_IGN: programs that the agent starts would inherit that.
    signal.signal(signal.SIGINT, _do_nothing)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextmanager
def told_by_supervisor(on_told: Callable[[], None]) -> Generator[None]:
    """Call `on_told` at SIGTERM, or when the supervisor is gone.

    A second SIGTERM means nothing: the supervisor sends one, and whoever stops a whole group of processes another one.
    """
    loop = asyncio.get_running_loop()
    parent = multiprocessing.parent_process()
    if parent is None:
        raise RuntimeError("Only a process that another one started has somebody who could be gone.")
    sentinel = int(parent.sentinel)

    def on_orphaned() -> None:
        loop.remove_reader(sentinel)
        logger.warning("The supervisor is gone: this process finishes what it has begun, and ends.")
        on_told()

    loop.add_signal_handler(signal.SIGTERM, on_told)
    loop.add_reader(sentinel, on_orphaned)
    try:
        yield
    finally:
        loop.remove_reader(sentinel)
        loop.remove_signal_handler(signal.SIGTERM)
        # The default would end the process before it has said goodbye.
        signal.signal(signal.SIGTERM, _do_nothing)


def _do_nothing(*_: object) -> None:
    """Handle a signal by doing nothing about it."""


def _descriptors(sockets: tuple[socket, ...]) -> list[str]:
    return [f"fd://{each.detach()}" for each in sockets]
