"""Serving on Hypercorn: readiness turns first, then the work in hand is finished or told, then the sockets close."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ._addresses import is_loopback
from .errors import ConfigurationError, Draining
from .limits import Limits
from .logs import logger, server_logger

if TYPE_CHECKING:
    from hypercorn.config import Config
    from starlette.types import ASGIApp

    from ._connections import BoundedConfig

INSTALL_HINT: Final = (
    'host.serve() needs Hypercorn, which is not installed. Install the "serve" extra of agent-framework-hosting, or '
    "give host.app to another ASGI server."
)
Told: TypeAlias = Callable[[Callable[[], None]], AbstractContextManager[None]]
"""Who tells a process to stop: calls the function it is given, for as long as its context lasts."""

_FLUSH_TIME: Final = 10.0
"""Seconds for readers to take what is left of their answers once all runs have ended."""
_LONGEST_PATH: Final = 103 if sys.platform == "darwin" else 107
"""Bytes of the path of a socket, as the system has it."""
_LAST_STEPS: Final = 5.0
"""Seconds for whoever served a connection to notice that it was cut."""


def configuration(
    *, bind: str, options: Mapping[str, Any], limits: Limits, patience: float = 0.0, is_shared: bool = False
) -> BoundedConfig:
    """Return Hypercorn's configuration.

    Args:
        bind: Where to serve, unless an option says so.
        options: Names and values of its configuration.
        limits: How long connections may be idle, and what may arrive on them.
        patience: Seconds that the start may take on top of what Hypercorn grants.
        is_shared: Whether other processes accept connections at the same sockets.

    Raises:
        ConfigurationError: Hypercorn is not installed, or knows no such option.
    """
    try:
        importlib.import_module("hypercorn.config")
    except ModuleNotFoundError as error:
        raise ConfigurationError(INSTALL_HINT) from error
    from ._connections import BoundedConfig, bounds

    config = BoundedConfig(limits, is_shared=is_shared)
    for name, value in options.items():
        if name.startswith("_") or not hasattr(config, name):
            raise ConfigurationError(f"serve() got the option {name!r}, which is no name of Hypercorn's configuration.")
        setattr(config, name, value)
    if "bind" not in options:
        config.bind = [bind]
    if "errorlog" not in options:
        # Otherwise its lines have a form of their own, and what exceptions say in them.
        config.errorlog = server_logger
    if "graceful_timeout" not in options:
        config.graceful_timeout = _FLUSH_TIME
    if "startup_timeout" not in options:
        config.startup_timeout += patience
    for name, value in bounds(limits).items():
        if name not in options:
            setattr(config, name, value)
    return config


def refuse_open_door(config: Config, *, authenticated: bool, allow_unauthenticated: bool) -> None:
    """Raise when strangers could reach the agent.

    Raises:
        ConfigurationError: An address is not loopback and nobody says who is calling.
    """
    if authenticated or allow_unauthenticated:
        return
    for address in (*config.bind, *config.insecure_bind, *config.quic_bind):
        if not _is_private(address):
            raise ConfigurationError(
                f"Serving on {address!r} would let anybody who can reach it use the agent: nothing says who is "
                "calling. Give the host auth=, for example ApiKeys.from_environment(); or serve on 127.0.0.1 behind "
                "something that authenticates; or pass allow_unauthenticated=True "
                "(on the command line --allow-unauthenticated)."
            )


def refuse_taken(addresses: Sequence[str]) -> None:
    """Raise when an address cannot be listened on, before anything is started for it.

    Hypercorn finds out when all has started, and says it in a hundred lines.

    Raises:
        ConfigurationError: Another process listens there, or there is no such address.
    """
    for address in addresses:
        if address.startswith("unix:"):
            _refuse_file(Path(address.removeprefix("unix:")), address)
            continue
        host, _, port = address.replace("[", "").replace("]", "").rpartition(":")
        if address.startswith("fd://") or not port.isdecimal():
            continue
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, int(port)))
            except (OSError, OverflowError) as error:
                reason = error.strerror if isinstance(error, OSError) else "a port is a number from 0 to 65535"
                raise ConfigurationError(
                    f"Nothing can be served on {address}: {reason}. Stop what listens there, or choose another port."
                ) from error


def _refuse_file(path: Path, address: str) -> None:
    folder = path.absolute().parent
    if not os.access(folder, os.W_OK | os.X_OK):
        reason = "this process may not write to" if folder.is_dir() else "there is no folder"
        raise ConfigurationError(f"Nothing can be served on {address}: {reason} {folder}. Make it, or choose another.")
    if len(os.fsencode(path)) > _LONGEST_PATH:
        reason = f"the path of a socket has at most {_LONGEST_PATH} bytes"
        raise ConfigurationError(f"Nothing can be served on {address}: {reason}. Choose a shorter one.")
    if path.exists() and not path.is_socket():
        raise ConfigurationError(
            f"Nothing can be served on {address}: what is there is no socket. Take it away, or choose another path."
        )


def address_of(host: str, port: int) -> str:
    """Return where to bind, as Hypercorn has it; a host `unix:PATH` has no port.

    Raises:
        ConfigurationError: It is a URL.
    """
    if host.startswith("unix:"):
        return host
    if "/" in host:
        raise ConfigurationError(f"host={host!r} is no address. Give it a name or an IP alone, such as '127.0.0.1'.")
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def _is_private(address: str) -> bool:
    if address.startswith("unix:"):  # a socket file has permissions of its own
        return True
    host = (address.rpartition(":")[0] or address).strip("[]")
    return host == "localhost" or is_loopback(host)


def refuse_running_loop() -> None:
    """Raise when there is an event loop already, as in a notebook.

    Raises:
        ConfigurationError: `serve` would have to block that loop.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise ConfigurationError(
        "serve() blocks, and an event loop is running here already (a notebook has one). Serve from a script, or give "
        "host.app to an ASGI server that this loop can await."
    )


@contextmanager
def told_by_signals(on_told: Callable[[], None], *, at_once: Callable[[], None] | None = None) -> Generator[None]:
    """Call `on_told` at SIGTERM or SIGINT; a second signal ends the process at once, after `at_once`."""
    loop = asyncio.get_running_loop()
    is_told = False

    def on_signal() -> None:
        nonlocal is_told
        if is_told:
            logger.warning("A second signal came while draining: ending at once.")
            if at_once is not None:
                at_once()
            os._exit(1)
        is_told = True
        logger.info("Told to stop: no new work is taken, and what runs is finished or told.")
        on_told()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def run(serving: Coroutine[Any, Any, None], *, failure: Callable[[], Exception | None]) -> None:
    """Serve on an event loop of its own.

    Args:
        serving: What `serve` returns.
        failure: Why the app could not start. Hypercorn makes one text of it, traceback and all; whoever serves is told
            what was wrong.
    """
    try:
        asyncio.run(serving)
    except Exception:
        failed = failure()
        if failed is None:
            raise
        if not isinstance(failed, Draining):
            raise failed from None
        logger.info("%s", failed)


async def serve(
    app: ASGIApp,
    config: BoundedConfig,
    *,
    limits: Limits,
    told: Told = told_by_signals,
    on_told: Callable[[], None],
    drain: Callable[[], Awaitable[bool]],
) -> None:
    """Serve until the process is told to stop, then drain.

    Args:
        app: What to serve.
        config: Hypercorn's.
        limits: How long connections may keep the server waiting.
        told: Who tells the process to stop: signals, when left out.
        on_told: Called as soon as it is told, which may be before the app has started.
        drain: Called once the app has started; tells whether nothing runs any more. Otherwise the process ends by
            force: it would wait for ever for a run that ignores its cancellation, and keep its state from the next one.
    """
    from ._connections import bound_connections

    is_told = asyncio.Event()
    cut = bound_connections(limits, is_told=is_told.is_set)
    # Looked up, not imported by name: its signature speaks of types of Hypercorn's own that say nothing here.
    hypercorn_serve: Any = importlib.import_module("hypercorn.asyncio").serve

    def tell() -> None:
        is_told.set()
        on_told()

    async def shutdown_trigger() -> None:
        await is_told.wait()
        if not await drain():
            logger.error(
                "Some runs go on although they were cancelled; in %g s the process ends without them.",
                config.graceful_timeout,
            )
            asyncio.get_running_loop().call_later(config.graceful_timeout, os._exit, 1)
        await config.cease_listening()
        # Hypercorn's own time would not do: from Python 3.12 on it begins when all connections are closed, and a task
        # that it cancels waits on for its reader.
        asyncio.get_running_loop().call_later(config.graceful_timeout, cut)
        config.graceful_timeout += _LAST_STEPS

    with told(tell):
        await hypercorn_serve(app, config, shutdown_trigger=shutdown_trigger)
