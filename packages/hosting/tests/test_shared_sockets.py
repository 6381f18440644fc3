"""Processes that share a listening socket take connections in turn."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack

import pytest

from agent_framework_hosting import _connections
from agent_framework_hosting._connections import BoundedConfig
from agent_framework_hosting._server import configuration
from agent_framework_hosting.limits import Limits

CROWD = 64
WAITING = 128


@pytest.mark.parametrize("is_shared", [True, False])
async def test_a_process_takes_all_of_a_crowd_only_where_nobody_else_is_there_to_take_some(is_shared: bool) -> None:
    """When the first of them is served, a process that shares its socket has left most to whoever wants them."""
    with socket.create_server(("127.0.0.1", 0), backlog=WAITING) as listening, ExitStack() as crowd:
        other = crowd.enter_context(listening.dup())
        other.setblocking(False)
        for _ in range(CROWD):
            crowd.enter_context(socket.create_connection(listening.getsockname()))
        served: asyncio.Queue[int] = asyncio.Queue()

        async def on_connection(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            served.put_nowait(_taken_by(other, crowd) if served.empty() else 0)
            writer.close()

        options = {"bind": f"fd://{listening.dup().detach()}", "backlog": WAITING}
        config = configuration(bind="", options=options, limits=Limits(), is_shared=is_shared)
        (mine,) = config.create_sockets().insecure_sockets
        server = await asyncio.start_server(on_connection, sock=mine, backlog=config.backlog)
        async with server, asyncio.timeout(60):
            by_others = await served.get()
            assert (by_others > CROWD // 2) == is_shared
            for _ in range(CROWD - 1 - by_others):
                assert await served.get() == 0


async def test_as_many_wait_at_a_shared_socket_as_the_options_say() -> None:
    """A backlog of one would let a loop take one at a time, too, and refuse a crowd that comes while it is busy."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listening, ExitStack() as crowd:
        options = {"bind": f"fd://{listening.dup().detach()}", "backlog": WAITING}
        config = configuration(bind="", options=options, limits=Limits(), is_shared=True)
        (mine,) = config.create_sockets().insecure_sockets
        assert config.backlog == WAITING, "What a loop hands to the system, as those do that accept by themselves"
        async with await asyncio.start_server(lambda _, writer: writer.close(), sock=mine, backlog=config.backlog):
            for _ in range(WAITING):
                # The loop accepts nobody meanwhile: this blocks it.
                crowd.enter_context(socket.create_connection(listening.getsockname(), timeout=60))


def test_who_has_found_nobody_looks_anew_as_soon_as_somebody_waits() -> None:
    """Not the time after that: those whom another process took are no turn."""
    with socket.create_server(("127.0.0.1", 0), backlog=WAITING) as listening, ExitStack() as crowd:
        options = {"bind": f"fd://{listening.dup().detach()}"}
        config = configuration(bind="", options=options, limits=Limits(), is_shared=True)
        (mine,) = config.create_sockets().insecure_sockets
        crowd.enter_context(mine)
        mine.setblocking(False)
        for _ in range(3):
            with pytest.raises(BlockingIOError):
                mine.accept()
            crowd.enter_context(socket.create_connection(listening.getsockname()))
            crowd.enter_context(mine.accept()[0])
            with pytest.raises(BlockingIOError):
                mine.accept()


@pytest.mark.parametrize("is_shared", [True, False])
async def test_whoever_waits_when_a_process_ceases_to_listen_is_taken_and_the_next_one_is_refused(
    is_shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of them is left to the system, which would reset it, and each has time to ask."""
    monkeypatch.setattr(_connections, "_LAST_REQUEST", 3600)
    config = BoundedConfig(Limits(), is_shared=is_shared)
    config.bind = ["127.0.0.1:0"]
    (mine,) = config.create_sockets().insecure_sockets
    address = mine.getsockname()
    asked: asyncio.Queue[bytes] = asyncio.Queue()

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.put_nowait(await reader.read(1))
        writer.close()

    async with asyncio.timeout(60):
        server = await asyncio.start_server(on_connection, sock=mine, backlog=WAITING)
        with ExitStack() as crowd:
            # The loop accepts nobody meanwhile: this blocks it.
            clients = [crowd.enter_context(socket.create_connection(address)) for _ in range(CROWD)]
            ceasing = asyncio.create_task(config.cease_listening())
            while not _is_refused(address):  # noqa: ASYNC110 - the system says so to nobody
                await asyncio.sleep(0)
            for client in clients:
                client.sendall(b"?")
            heard = b""
            while len(heard) < CROWD:
                heard += await asked.get()
            assert not ceasing.done()
            ceasing.cancel()
        server.close()


async def test_a_process_that_nobody_is_connected_to_does_not_wait_for_a_last_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_connections, "_LAST_REQUEST", 3600)
    config = BoundedConfig(Limits())
    config.bind = ["127.0.0.1:0"]
    (mine,) = config.create_sockets().insecure_sockets
    async with asyncio.timeout(60):
        async with await asyncio.start_server(lambda _, writer: writer.close(), sock=mine) as server:
            reader, writer = await asyncio.open_connection(*mine.getsockname())
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
            await config.cease_listening()
        await server.wait_closed()


def _is_refused(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address).close()
    except ConnectionRefusedError:
        return True
    return False


def _taken_by(other: socket.socket, crowd: ExitStack) -> int:
    taken = 0
    while True:
        try:
            crowd.enter_context(other.accept()[0])
        except BlockingIOError:
            return taken
        taken += 1
