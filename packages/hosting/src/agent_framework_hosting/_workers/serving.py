"""Serving with several processes, as the host asks for it."""

from __future__ import annotations

import asyncio
import logging
import pickle
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from socket import socket
from typing import TYPE_CHECKING, Any

from .._server import refuse_taken
from ..errors import ConfigurationError, StartFailed
from ..logs import LogFormat, server_logger
from .process import Work, WorkerProcess
from .supervisor import OnUp, Supervisor
from .worker import Share

if TYPE_CHECKING:
    from hypercorn.config import Config


def supervise(
    config: Config,
    options: Mapping[str, Any],
    *,
    work: Work,
    location: str,
    count: int,
    on_up: OnUp,
    drain: float,
    log_format: LogFormat | None = None,
    access_log: bool = True,
) -> None:
    """Serve with `count` processes until this one is told to stop; then let all finish or tell what runs.

    Args:
        config: Hypercorn's; its addresses are bound here, once.
        options: What the configuration of a worker is made of; they travel to other processes.
        work: What a worker does.
        location: Where a worker finds the host.
        count: How many workers there are.
        on_up: Called when all serve.
        drain: Seconds that the runs of a worker get to finish.
        log_format: How a worker says its log.
        access_log: Whether a worker says a line about each request.

    Raises:
        ConfigurationError: An address is taken.
        StartFailed: No worker could be started.
    """
    refuse_taken((*config.bind, *config.insecure_bind))
    sockets = config.create_sockets()
    share = Share(
        # Hypercorn names them by whether there is TLS: what it binds is "insecure" without it.
        sockets=_to_share(sockets.secure_sockets if config.ssl_enabled else sockets.insecure_sockets),
        plain=_to_share(sockets.insecure_sockets if config.ssl_enabled else ()),
        bind=", ".join(config.bind),
        options=options,
        log_format=log_format,
        access_log=access_log,
    )
    # What a worker may take in all, as its own bounds have it, and a little more.
    patience = drain + config.graceful_timeout + config.shutdown_timeout + 10.0
    start = partial(_start, work=work, location=location, share=share)
    try:
        # Whichever loop the program has chosen for what it serves: some keep the signals of children to themselves.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(_supervise(start, count, on_up, patience, share.close))
    except StartFailed as error:
        # Raised anew: the way through the supervisor tells whoever called nothing.
        raise StartFailed(error.message) from None
    finally:
        share.close()


def check_options(options: Mapping[str, Any], config: Config) -> None:
    """Refuse what several processes cannot share.

    Raises:
        ConfigurationError: An option cannot be sent to another process, or there is QUIC.
    """
    if config.quic_bind:
        raise ConfigurationError(
            "quic_bind cannot be served by several processes: the packets of one connection would reach any of them. "
            "Leave it out, or serve with workers=1."
        )
    for name, value in options.items():
        try:
            pickle.dumps(value)
        except Exception as error:
            raise ConfigurationError(
                f"The option {name!r} cannot be sent to other processes ({error}). Give a plain value, or a name of a "
                "module; or serve with workers=1."
            ) from error


def silence_addresses() -> None:
    """Keep Hypercorn from saying in every process where it runs; the supervisor says it once."""
    server_logger.addFilter(_tells_no_address)


def _tells_no_address(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Running on ")


def _to_share(listening: Iterable[socket]) -> tuple[socket, ...]:
    # As they are in this process, only its loop knows what to do with them.
    return tuple(socket(fileno=each.detach()) for each in listening)


async def _supervise(
    start: partial[WorkerProcess], count: int, on_up: OnUp, patience: float, on_stop: Callable[[], None]
) -> None:
    await Supervisor(start, count=count, on_up=on_up, patience=patience, on_stop=on_stop).run()


def _start(number: int, *, work: Work, location: str, share: Share) -> WorkerProcess:
    return WorkerProcess.start(number, work=work, location=location, share=share)
