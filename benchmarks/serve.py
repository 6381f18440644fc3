"""Serves one system in a process of its own, on one core, until its standard input ends: its parent's end is its own.

    python -m benchmarks.serve ours raw

prints the port, then serves.
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
from .targets import make_target

SYSTEMS: Final = ("ours", "starlette", "coalescing")


def make_app(system: str, agent: Any) -> ASGIApp:
    """Return the app of that name; imports nothing of the others."""
    if system == "ours":
        from .ours import hosted_app

        return hosted_app(agent)
    from .limits import coalescing_app, starlette_app

    return starlette_app(agent) if system == "starlette" else coalescing_app(agent)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("system", choices=SYSTEMS)
    parser.add_argument("target", choices=["raw", "agent"])
    parser.add_argument("--pause", type=float, default=0.0, help="seconds before each chunk")
    parser.add_argument("--server", choices=["uvicorn", "hypercorn"], default="uvicorn")
    asked = parser.parse_args()
    pin(0)
    app = make_app(asked.system, make_target(asked.target, pause=asked.pause))
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    threading.Thread(target=end_with_input, daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    serve = _serve_with_uvicorn if asked.server == "uvicorn" else _serve_with_hypercorn
    serve(app, listener)


def _serve_with_uvicorn(app: ASGIApp, listener: socket.socket) -> None:
    import uvicorn

    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listener])


def _serve_with_hypercorn(app: ASGIApp, listener: socket.socket) -> None:
    hypercorn = import_module("hypercorn.asyncio")
    config = import_module("hypercorn.config").Config()
    config.bind = [f"fd://{listener.detach()}"]
    asyncio.run(hypercorn.serve(app, config))


def end_with_input() -> None:
    """End this process when its standard input does."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
