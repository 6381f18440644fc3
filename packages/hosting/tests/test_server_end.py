"""How a server ends with connections whose other ends do nothing."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypercorn.asyncio import run
from hypercorn.protocol import h2, h11
from starlette.types import Message, Receive, Scope, Send

from agent_framework_hosting import _server
from agent_framework_hosting.limits import Limits

SOON = 60.0
MUCH = b"x" * 20_000_000
"""More than the buffers of a connection take."""


@asynccontextmanager
async def served(
    path: Path, *, seconds_for_readers: float, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Callable[[], None]]:
    """Serve much at a socket file; hands over what tells the server to stop, and waits for its end."""
    listens, ends = asyncio.Event(), list[Callable[[], None]]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        start: Message = {"type": "http.response.start", "status": 200, "headers": []}
        await send(start)
        await send({"type": "http.response.body", "body": MUCH})

    @contextmanager
    def told(on_told: Callable[[], None]) -> Generator[None]:
        ends.append(on_told)
        listens.set()
        yield

    async def drain() -> bool:
        return True

    # What serving replaces in this process is put back.
    for module, name in ((run, "TCPServer"), (h11, "WSStream"), (h2, "WSStream")):
        monkeypatch.setattr(module, name, getattr(module, name))
    limits = Limits()
    options: dict[str, Any] = {"graceful_timeout": seconds_for_readers}
    config = _server.configuration(bind=f"unix:{path}", options=options, limits=limits)
    serving = asyncio.create_task(
        _server.serve(app, config, limits=limits, told=told, on_told=lambda: None, drain=drain)
    )
    await listens.wait()
    yield ends[0]
    # A server that hangs would not end when it is cancelled, either.
    await asyncio.wait({serving}, timeout=SOON)
    assert serving.done()


async def test_a_reader_that_stands_still_keeps_no_server_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a socket file no system gives it up, and Python waits for all connections."""
    # The path of a socket has 107 characters at the most, and folders of tests are deep.
    with tempfile.TemporaryDirectory(prefix="af-") as folder, ExitStack() as left:
        path = Path(folder) / "agent.sock"
        async with served(path, seconds_for_readers=0.0, monkeypatch=monkeypatch) as stop:
            while not path.exists():  # noqa: ASYNC110 - the server says it to its log alone
                await asyncio.sleep(0)
            reader, writer = await asyncio.open_unix_connection(path, limit=1)
            left.callback(writer.transport.abort)
            writer.write(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
            await reader.readexactly(1)
            stop()
