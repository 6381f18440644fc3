"""A driver without sockets: it is the server, in the test's own event loop."""

from __future__ import annotations

import asyncio
from contextvars import Context, copy_context
from functools import partial
from typing import Self

from starlette.datastructures import Headers
from starlette.types import ASGIApp

from ._asgi import Lifespan, http_scope, logger
from ._driver import AnswerCut, Driver, OutgoingRequest, StreamedAnswer
from ._exchange import Exchange
from ._gate import TIMEOUT


class InMemoryDriver(Driver):
    """Talks ASGI to an app, in the same event loop and without sockets; chunks arrive as the app sends them.

    Entering it starts the app's lifespan. Leaving it disconnects every reader, waits for the app to return from each
    request, and shuts the app down; a request that does not return in time is cancelled and reported, since a real
    server would be left with it.

    Args:
        app: The ASGI app.
        lifespan: Whether to run the app's lifespan.
        base_url: What the app is told about its own address.
        client: What the app is told about the client's address.
        spec_version: The ASGI HTTP version to speak. From 2.4 a `send` to a reader who is gone raises `OSError`;
            before that (and with Hypercorn) it is dropped, and `receive` alone tells.
        timeout: Guards every wait, in seconds.

    Example:
        >>> import asyncio
        >>> from starlette.applications import Starlette
        >>> from starlette.responses import JSONResponse
        >>> from starlette.routing import Route
        >>> from agent_framework_hosting.testing import InMemoryDriver
        >>> async def sum_up(request):
        ...     return JSONResponse({"sum": sum(await request.json())})
        >>> async def main() -> None:
        ...     app = Starlette(routes=[Route("/sum", sum_up, methods=["POST"])])
        ...     async with InMemoryDriver(app) as driver:
        ...         print(await driver.request("POST", "/sum", json=[1, 2]))
        >>> asyncio.run(main())
        <Answer 200 application/json b'{"sum":3}'>
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        lifespan: bool = True,
        base_url: str = "http://testserver",
        client: tuple[str, int] = ("127.0.0.1", 50000),
        spec_version: str = "2.1",
        timeout: float = TIMEOUT,
    ) -> None:
        super().__init__(timeout=timeout)
        self.base_url = base_url
        self._app = app
        self._client = client
        self._spec_version = spec_version
        self._lifespan = Lifespan(app, timeout=timeout) if lifespan else None
        self._context: Context | None = None
        self._open_exchanges: dict[asyncio.Task[None], Exchange] = {}

    def __repr__(self) -> str:
        return f"<InMemoryDriver {self.base_url} requests={len(self._open_exchanges)} errors={self.errors}>"

    async def __aenter__(self) -> Self:
        # Requests start from here, so that what a test sets later in its own context does not reach the app.
        self._context = copy_context()
        if self._lifespan:
            await self._lifespan.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._context = None
        stuck = await self._hang_up_all()
        if self._lifespan:
            await self._lifespan.__aexit__(*exc_info)
        if stuck and exc_info[0] is None:
            raise TimeoutError(f"The app still worked {self.timeout:g} s after its readers had left: {stuck}")

    async def _hang_up_all(self) -> list[str]:
        tasks = set(self._open_exchanges)
        for task, exchange in self._open_exchanges.items():
            exchange.hang_up(because=AnswerCut(f"The driver was left before {task.get_name()} had ended."))
        if not tasks:
            return []
        _, pending = await asyncio.wait(tasks, timeout=self.timeout)
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending, timeout=self.timeout)
        return sorted(task.get_name() for task in pending)

    async def _open(self, request: OutgoingRequest) -> StreamedAnswer:
        if self._context is None:
            raise RuntimeError("The driver is not running; use it inside `async with InMemoryDriver(app) as driver:`.")
        late = tuple(int(part) for part in self._spec_version.split(".")) >= (2, 4)
        exchange = Exchange(method=request.method, body=request.body, window=request.window, refuse_late=late)
        task = asyncio.create_task(self._serve(request, exchange), name=request.name, context=self._context.copy())
        self._open_exchanges[task] = exchange
        task.add_done_callback(self._ended)
        try:
            status = await exchange.wait_status()
        except BaseException:
            exchange.hang_up()
            raise
        return _MemoryAnswer(exchange, status, timeout=self.timeout, name=request.name)

    async def _serve(self, request: OutgoingRequest, exchange: Exchange) -> None:
        scope = http_scope(
            request,
            base_url=self.base_url,
            client=self._client,
            spec_version=self._spec_version,
            state=self._lifespan.state if self._lifespan else {},
        )
        upload = asyncio.create_task(exchange.upload())
        upload.add_done_callback(partial(_uploaded, exchange))
        try:
            await self._app(scope, exchange.receive, exchange.send)
        finally:
            upload.cancel()
            await asyncio.wait({upload})

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._open_exchanges.pop(task).app_ended()
        if not task.cancelled() and (error := task.exception()) is not None:
            self.errors.append(error)
            logger.error("Error in the app at %s", task.get_name(), exc_info=error)


def _uploaded(exchange: Exchange, upload: asyncio.Task[None]) -> None:
    if not upload.cancelled() and (error := upload.exception()) is not None:
        exchange.hang_up(because=error)


class _MemoryAnswer(StreamedAnswer):
    def __init__(self, exchange: Exchange, status: int, *, timeout: float, name: str) -> None:
        super().__init__(status, Headers(raw=exchange.headers), timeout=timeout, name=name)
        self._exchange = exchange

    async def disconnect(self) -> None:
        self._exchange.hang_up()

    async def _next(self) -> bytes | None:
        try:
            return await self._exchange.next_chunk()
        except EOFError:
            raise AnswerCut(f"The app ended before its answer to {self._name} was complete.") from None
