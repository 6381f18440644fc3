"""Hypercorn in a thread of its own, for the loopback driver."""

from __future__ import annotations

import asyncio
import socket
import threading
from concurrent.futures import Future
from contextlib import AsyncExitStack
from importlib import import_module
from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import ConfigurationError
from ._asgi import Lifespan, logger

_GRACE = 1.0
"""Seconds that requests get to end once the server is told to stop; then they are cancelled."""


class ServerThread:
    """Serves an app on a listening socket, from `start` to `stop`, both called from another thread.

    The app's lifespan is run here and not by Hypercorn, so that an error at the start reaches the test.
    """

    def __init__(
        self,
        app: ASGIApp,
        lifespan: Lifespan | None,
        listener: socket.socket,
        errors: list[BaseException],
        *,
        timeout: float,
    ) -> None:
        self._app = app
        self._lifespan = lifespan
        self._listener = listener
        self._errors = errors
        # What is waited for inside has a guard of its own, which says more when it trips.
        self._timeout = timeout + 2 * _GRACE
        self._ready: Future[None] = Future()
        self._done: Future[None] = Future()
        self._requests: dict[asyncio.Task[Any], str] = {}
        self._thread = threading.Thread(target=self._run, name="loopback", daemon=True)

    def start(self) -> None:
        """Return once the app has started; raise what it raised instead."""
        self._thread.start()
        self._ready.result(self._timeout)

    def stop(self) -> None:
        """Return once everything has ended; raise what the app's shutdown raised."""
        self._loop.call_soon_threadsafe(self._begin_stop)
        self._done.result(self._timeout)
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._supervise())

    async def _supervise(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        serving = asyncio.ensure_future(self._serve())
        await asyncio.wait({serving})
        self._listener.close()
        waiter = self._done if self._ready.done() else self._ready
        if (error := serving.exception()) is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)

    async def _serve(self) -> None:
        try:
            hypercorn = import_module("hypercorn.asyncio")
            config = import_module("hypercorn.config").Config()
        except ImportError as error:
            raise ConfigurationError(
                "LoopbackDriver serves with Hypercorn, which is not installed; "
                "install the [serve] extra of agent-framework-hosting."
            ) from error
        config.errorlog = logger
        async with AsyncExitStack() as stack:
            if self._lifespan:
                await stack.enter_async_context(self._lifespan)
            # The socket listens already, so clients may come from now on.
            self._ready.set_result(None)
            config.bind = [f"fd://{self._listener.detach()}"]
            await hypercorn.serve(self._answer, config, shutdown_trigger=self._stop.wait, mode="asgi")

    def _begin_stop(self) -> None:
        self._stop.set()
        self._loop.call_later(_GRACE, self._cancel_requests)

    def _cancel_requests(self) -> None:
        for task, name in self._requests.items():
            logger.warning("Still running at the end of the test, cancelled: %s", name)
            task.cancel()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _agree(receive, send)
            return
        if self._lifespan:
            scope["state"] = dict(self._lifespan.state)
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._requests[task] = f"{scope.get('method', 'WebSocket')} {scope['path']}"
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            self._errors.append(error)
            raise
        finally:
            del self._requests[task]


async def _agree(receive: Receive, send: Send) -> None:
    for phase in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{phase}.complete"})
