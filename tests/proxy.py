"""What stands between a host and its database, and can take it away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Final
from urllib.parse import parse_qs, urlsplit, urlunsplit

_CHUNK: Final = 65_536


class Proxy:
    """Hands bytes on between a port of the loopback address and a PostgreSQL server's socket."""

    def __init__(self, path: str, port: int) -> None:
        self._path = path
        self._port = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    async def begin(self) -> None:
        """Be there."""
        self._flowing.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)

    async def cut(self) -> None:
        """Be gone: nobody listens, and whoever was connected is not any more."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    def freeze(self) -> None:
        """Say nothing any more, and close nothing."""
        self._flowing.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_unix_connection(self._path)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, back}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, back))
                group.create_task(self._pump(there, writer))
        finally:
            self._writers -= {writer, back}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def proxied(database: str, port: int) -> AsyncGenerator[tuple[Proxy, str]]:
    """Stand in front of a PostgreSQL database; gives the proxy, and the URL that leads through it."""
    parts = urlsplit(database)
    query = parse_qs(parts.query, keep_blank_values=True)
    proxy = Proxy(f"{query['host'][0]}/.s.PGSQL.5432", port)
    user = parts.netloc.rpartition("@")[0]
    options = query["options"][0].replace("=", "%3D")
    url = urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{port}", query=f"options={options}"))
    await proxy.begin()
    try:
        yield proxy, url
    finally:
        await proxy.cut()
