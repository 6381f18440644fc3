"""What a server does for an app besides requests: its lifespan, and the scope of a request."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Self
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Scope

from ._driver import OutgoingRequest, in_time

logger = logging.getLogger("agent_framework.hosting.testing")


class Lifespan:
    """Starts an app when the block is entered, shuts it down when it is left.

    A start-up that fails raises the app's own exception. An app without a lifespan has to return or to start.
    """

    def __init__(self, app: ASGIApp, *, timeout: float) -> None:
        self.state: dict[str, Any] = {}
        """What the app put into its lifespan state; every request gets a copy."""
        self._app = app
        self._timeout = timeout
        self._phase: asyncio.Queue[Message] = asyncio.Queue()
        self._reported: asyncio.Queue[Message] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        self._task = asyncio.ensure_future(self._app(scope, self._phase.get, self._reported.put))
        try:
            await self._go("startup")
        except BaseException:
            self._task.cancel()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if not self._task.done():
            await self._go("shutdown")
        await in_time(self._task, self._timeout, "the app's lifespan to return")

    async def _go(self, phase: str) -> None:
        self._phase.put_nowait({"type": f"lifespan.{phase}"})
        report = asyncio.ensure_future(self._reported.get())
        try:
            await in_time(
                asyncio.wait({self._task, report}, return_when=asyncio.FIRST_COMPLETED),
                self._timeout,
                f"the app's {phase}",
            )
        finally:
            report.cancel()
        if not report.done():
            # The app has returned without a word, which means that it has no lifespan, or it has raised.
            self._task.result()
        elif report.result()["type"] == f"lifespan.{phase}.failed":
            # Whoever reports a failure raises it too, as a rule; the exception says more than the report.
            await in_time(self._task, self._timeout, f"the app's failed {phase} to return")
            raise RuntimeError(f"The app's {phase} failed: {report.result().get('message', '')}")


def http_scope(
    request: OutgoingRequest, *, base_url: str, client: tuple[str, int], spec_version: str, state: dict[str, Any]
) -> Scope:
    """Return the ASGI scope of a request."""
    path, _, query = request.target.partition("?")
    scheme, _, authority = base_url.partition("://")
    host, _, port = authority.partition(":")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": spec_version},
        "http_version": "1.1",
        "method": request.method,
        "scheme": scheme,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": request.headers,
        "client": client,
        "server": (host, int(port or (443 if scheme == "https" else 80))),
        "state": dict(state),
        "extensions": {},
    }
