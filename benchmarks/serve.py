"""Serves one system in a process of its own, on one core, until its standard input ends: its parent's end is its own.

    python -m benchmarks.serve ours raw

prints the port, then serves. Several workers are not kept to one core.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
import threading
from importlib import import_module
from typing import Any, Final

from starlette.types import ASGIApp

from .machine import pin
from .targets import make_target, tell_target

_BACKLOG: Final = 4096
_KEEP: Final = 600
"""Seconds that an idle connection stays open: a server waits while others are asked."""


def make_app(system: str, agent: Any, **options: Any) -> ASGIApp:
    """Return the app of that name; imports nothing of the others. `options` are those of our host."""
    if system == "ours":
        from .ours import make_host

        return make_host(agent, **options).app
    if system == "floor":
        from .profiles.floor import Floor

        return Floor(agent)
    from .limits import coalescing_app, starlette_app

    return starlette_app(agent) if system == "starlette" else coalescing_app(agent)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("system", choices=["ours", "starlette", "coalescing", "floor"])
    parser.add_argument("target", choices=["raw", "agent"])
    parser.add_argument("--pause", type=float, default=0.0, help="seconds before each chunk")
    parser.add_argument("--chunks", type=int, default=200, help="chunks of an answer")
    parser.add_argument("--holds", action="store_true", help="leave streams open behind their last chunk")
    parser.add_argument("--server", choices=["uvicorn", "hypercorn"], default="uvicorn")
    parser.add_argument("--workers", type=int, default=0, help="processes that share the port; 0 for one on one core")
    parser.add_argument("--database")
    parser.add_argument("--kept", type=int, help="sessions and turns that the host keeps in memory")
    asked = parser.parse_args()
    threading.Thread(target=end_with_input, daemon=True).start()
    if asked.workers:
        tell_target(asked.target, pause=asked.pause, chunks=asked.chunks)
        (_serve_ours_with_workers if asked.system == "ours" else _serve_the_limit_with_workers)(asked)
        return
    pin(0)
    agent = make_target(asked.target, pause=asked.pause, chunks=asked.chunks, holds=asked.holds)
    app = make_app(asked.system, agent, database=asked.database, kept=asked.kept)
    serve = _serve_with_uvicorn if asked.server == "uvicorn" else _serve_with_hypercorn
    serve(app, _listening())


def _listening() -> socket.socket:
    """Listen at a free port, and print it."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
    # asyncio sets it for sockets alone that were made for TCP by name; without it an answer in two parts takes 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(listener.getsockname()[1], flush=True)
    return listener


def _serve_with_uvicorn(app: ASGIApp | str, listener: socket.socket, *, workers: int = 1) -> None:
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    # What is measured is what is asked: nobody is turned away at the door, or because others are asked meanwhile.
    options: dict[str, Any] = {"backlog": _BACKLOG, "timeout_keep_alive": _KEEP, "access_log": False}
    config = uvicorn.Config(app, factory=isinstance(app, str), workers=workers, log_level="warning", **options)
    if workers == 1:
        uvicorn.Server(config).run(sockets=[listener])
    else:
        Multiprocess(config, sockets=[listener]).run()


def _serve_with_hypercorn(app: ASGIApp, listener: socket.socket) -> None:
    hypercorn = import_module("hypercorn.asyncio")
    config = import_module("hypercorn.config").Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.keep_alive_timeout = _KEEP
    asyncio.run(hypercorn.serve(app, config))


def _serve_the_limit_with_workers(asked: argparse.Namespace) -> None:
    _serve_with_uvicorn("benchmarks.limits:shared_coalescing_app", _listening(), workers=asked.workers)


def _serve_ours_with_workers(asked: argparse.Namespace) -> None:
    from .ours import DATABASE_VARIABLE, make_shared_host

    os.environ[DATABASE_VARIABLE] = asked.database
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    print(port, flush=True)
    options: dict[str, Any] = {"access_log": False, "keep_alive_timeout": _KEEP}
    path = "benchmarks.ours:make_shared_host"
    make_shared_host().serve(port=port, workers=asked.workers, import_path=path, **options)


def end_with_input() -> None:
    """End this process when its standard input does."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
