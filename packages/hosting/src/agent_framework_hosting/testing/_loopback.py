"""A driver over real sockets: Hypercorn serves the app in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Self

from starlette.types import ASGIApp

from ._asgi import Lifespan
from ._driver import Driver, OutgoingRequest, StreamedAnswer
from ._gate import TIMEOUT
from ._server import ServerThread
from ._socket import Socket


class LoopbackDriver(Driver):
    """Serves an app on a free port of 127.0.0.1, with Hypercorn, until it is left.

    The server runs in its own thread and event loop, so any client may talk to `base_url`: the methods of this
    driver, another library, a blocking client (then as a plain `with`), another process. Needs the `[serve]` extra.

    Args:
        app: The ASGI app.
        lifespan: Whether to run the app's lifespan.
        send_buffer: Size of the kernel's send buffer for each connection; a small one makes an app feel a stalled
            reader soon.
        timeout: Guards every wait, in seconds.

    Example:
        >>> from urllib.request import urlopen
        >>> from starlette.applications import Starlette
        >>> from starlette.responses import PlainTextResponse
        >>> from starlette.routing import Route
        >>> from agent_framework_hosting.testing import LoopbackDriver
        >>> app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("hello"))])
        >>> with LoopbackDriver(app) as driver, urlopen(driver.base_url) as answer:
        ...     print(answer.read())
        b'hello'
    """

    def __init__(
        self, app: ASGIApp, *, lifespan: bool = True, send_buffer: int | None = None, timeout: float = TIMEOUT
    ) -> None:
        super().__init__(timeout=timeout)
        self.address: tuple[str, int] = ("127.0.0.1", 0)
        self.base_url: str = "http://127.0.0.1"
        self._app = app
        self._lifespan = Lifespan(app, timeout=timeout) if lifespan else None
        self._send_buffer = send_buffer
        self._server: ServerThread | None = None

    def __repr__(self) -> str:
        return f"<LoopbackDriver {self.base_url} errors={self.errors}>"

    def __enter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", 0))
        if self._send_buffer is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._send_buffer)
        self.address = listener.getsockname()
        self.base_url = f"http://127.0.0.1:{self.address[1]}"
        self._server = ServerThread(self._app, self._lifespan, listener, self.errors, timeout=self.timeout)
        self._server.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._server:
            self._server.stop()
            self._server = None

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(self, *exc_info: object) -> None:
        await asyncio.to_thread(self.__exit__, *exc_info)

    @asynccontextmanager
    async def websocket(
        self,
        path: str,
        *,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        subprotocols: Sequence[str] = (),
    ) -> AsyncGenerator[Socket]:
        """Open a WebSocket and enter the block; leaving it hangs up without a word (`close` it to take leave).

        Raises:
            SocketRefused: The server answered the handshake with an ordinary answer; it carries the status.
        """
        from ._websocket import connect  # here, since it needs wsproto, which comes with the server

        self._require_server()
        link = await connect(self.address, path, headers=headers, subprotocols=subprotocols, timeout=self.timeout)
        try:
            yield link
        finally:
            await link.disconnect()

    async def _open(self, request: OutgoingRequest) -> StreamedAnswer:
        self._require_server()
        from ._http1 import send  # here, since it needs h11, which comes with the server

        return await send(self.address, request, timeout=self.timeout)

    def _require_server(self) -> None:
        if self._server is None:
            raise RuntimeError("The driver is not running; use it inside `async with LoopbackDriver(app) as driver:`.")
