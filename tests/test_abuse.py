"""A calm house: what clients do that mean harm, or just read slowly, against `host.serve` in a process of its own."""

from __future__ import annotations

import asyncio
import gzip
import json
import struct
import sys
import time
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest

from agent_framework_hosting_telegram.testing import TelegramServer

from .abuse import PATIENCE, SMALL, Line, calm, connect, connected, health, request, statuses
from .served import Served, free_port, serving

pytestmark = pytest.mark.timeout(600)  # a real process, on a machine that may be busy

SECRET: Final = "told-to-telegram-by-hand"
PATHS: Final = ("/responses", "/v1/responses", "/invocations", "/v1/chat/completions", "/telegram")
KNOWN: Final = {"x-telegram-bot-api-secret-token": SECRET}
ASKED: Final = {
    "/responses": {"input": "{}", "stream": True},
    "/invocations": {"input": "{}", "stream": True},
    "/v1/chat/completions": {"model": "m", "messages": [{"role": "user", "content": "{}"}], "stream": True},
}
BOUNDS: Final = {
    "HEADER_TIMEOUT": "1s",
    "IDLE_TIMEOUT": "3s",
    "RECEIVE_TIMEOUT": "2s",
    "STALL_TIMEOUT": "1s",
    "MAX_BUFFERED_BYTES": "64MiB",
    "MAX_RESPONSE_BYTES": "1MiB",
}
MIB: Final = 2**20

Record = Callable[[str, object], None]
Figure = Callable[[int, int], int]


def asked(path: str, text: str) -> bytes:
    """Return a request for a stream about this text."""
    return request(path, json.loads(json.dumps(ASKED[path]).replace("{}", text)))


@pytest.fixture(scope="module")
def telegram() -> Generator[TelegramServer]:
    with TelegramServer() as telegram:
        yield telegram


def command(port: int, telegram: TelegramServer) -> list[str | Path]:
    return [sys.executable, "-m", "tests.abused_host", str(port), telegram.base_url, SECRET]


@pytest.fixture(scope="module")
def served(telegram: TelegramServer, tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """Serve with short times, which come from the environment; in the end nothing must have gone wrong inside."""
    with pytest.MonkeyPatch.context() as patch, free_port() as port:
        for name, value in BOUNDS.items():
            patch.setenv(f"AF_HOSTING_{name}", value)
        # The interpreter's own allocator keeps for later what is free, so that nobody sees what is held.
        patch.setenv("PYTHONMALLOC", "malloc")
        log = tmp_path_factory.mktemp("abused") / "printed"
        with serving(command(port, telegram), port=port, log=log, cwd=Path(__file__).parents[1]) as served:
            yield served
            assert served.stop() == 0
            assert "Traceback" not in served.printed


@pytest.fixture(autouse=True)
async def at_rest(served: Served) -> AsyncIterator[None]:
    """After each attack the server holds what it held before, and answers."""
    base = await health(served)
    yield
    await calm(served, base=base)
    async with connected(served) as line:
        await line.send(asked("/responses", "still here"))
        await line.read_until(b"heard 10")


async def drip(line: Line, data: bytes) -> None:
    """Send a byte now and then, for as long as the server takes them."""
    takes = True
    while takes:
        takes = await line.send(data)
        await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"POST /respon",
        b"POST /responses HTTP/1.1\r\nhost: x\r\nx-a: ",
        b"PRI * HTTP/2.0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_whoever_never_ends_the_head_of_a_request_is_hung_up_on(served: Served, begun: bytes) -> None:
    """A byte now and then makes it no longer."""
    async with AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(connected(served)) for _ in range(20)]
        for line in lines:
            await line.send(begun)
        dripping = [asyncio.ensure_future(drip(line, b"a" if begun.startswith(b"POST") else b"")) for line in lines]
        await asyncio.gather(*(line.read_to_end() for line in lines))
        for each in dripping:
            each.cancel()
    assert all(set(statuses(line.got)) <= {400} for line in lines)


def in_chunks(path: str) -> bytes:
    """Return the head of a request whose length nobody knows."""
    return request(path, headers={**KNOWN, "transfer-encoding": "chunked"}).replace(b"content-length: 0\r\n", b"")


async def test_whoever_never_ends_a_body_is_told_and_hung_up_on(served: Served) -> None:
    """Whether its length is known or not."""
    slow = {request(path, headers={**KNOWN, "content-length": "1000"}): b" " for path in PATHS}
    slow |= {in_chunks(path): b"1\r\n \r\n" for path in PATHS}

    async def told(head: bytes, byte: bytes) -> bytes:
        async with connected(served) as line:
            await line.send(head + byte)
            dripping = asyncio.ensure_future(drip(line, byte))
            try:
                return await line.read_to_end()
            finally:
                dripping.cancel()

    for answer in await asyncio.gather(*(told(head, byte) for head, byte in slow.items())):
        assert statuses(answer) == [408]
        assert b"did not arrive in time" in answer


async def test_64_mib_are_refused_announced_and_in_chunks(served: Served, record_property: Record) -> None:
    """Neither is held: what was announced is refused at once, the other one once it is too large."""
    before = (await health(served))["bytes"]
    piece = b"x" * MIB
    large = {request(path, headers={**KNOWN, "content-length": str(64 * MIB)}): piece for path in PATHS}
    large |= {in_chunks(path): f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for path in PATHS}

    async def told(head: bytes, part: bytes) -> bytes:
        async with connected(served) as line:
            reading = asyncio.ensure_future(line.read_until(b"larger than the 10485760 bytes"))
            await line.send(head)
            for _ in range(64):
                if reading.done() or not await line.send(part):
                    break
            await reading
            return line.got

    answers = await asyncio.gather(*(told(head, part) for head, part in large.items()))
    assert [statuses(answer) for answer in answers] == [[413]] * len(large)
    grown = (await health(served))["bytes"] - before
    record_property(f"memory after {len(large)} bodies of 64 MiB", f"{grown / MIB:.1f} MiB more")
    # Of those whose length nobody knows, what is taken at most.
    assert grown < (len(PATHS) * 10 + 16) * MIB


async def test_compressed_bodies_are_refused_unread(served: Served) -> None:
    bomb = gzip.compress(b'{"input":"' + b"x" * (20 * MIB) + b'"}')
    assert len(bomb) < 64 * 1024
    for path in PATHS:
        async with connected(served) as line:
            await line.send(request(path, bomb, headers={**KNOWN, "content-encoding": "gzip", "connection": "close"}))
            answer = await line.read_to_end()
        assert statuses(answer) == [415]
        assert b"Content-Encoding" in answer


async def test_streams_that_clients_abort_leave_nothing_behind(
    served: Served, figure: Figure, record_property: Record
) -> None:
    count = figure(30, 200)
    base, held = await health(served), list[int]()
    for path in (*ASKED,):
        lines = await asyncio.gather(*(connect(served) for _ in range(count)))
        await asyncio.gather(*(line.send(asked(path, "wait")) for line in lines))
        await asyncio.gather(*(line.read_until(b"begun") for line in lines))
        assert (await health(served))["tasks"] >= base["tasks"] + count
        begun = time.monotonic()
        for line in lines:
            line.reset()
        held.append((await calm(served, base=base))["bytes"])
        record_property(f"{count} aborted streams of {path} are gone after", f"{time.monotonic() - begun:.2f} s")
    record_property("memory after each round", [f"{each / MIB:.1f} MiB" for each in held])
    assert held[-1] - held[0] < 8 * MIB


async def test_streams_that_nobody_reads_are_cut_and_leave_nothing_behind(
    served: Served, figure: Figure, record_property: Record
) -> None:
    """Although their clients stay on the line: the system gives up connections that take nothing."""
    count = figure(40, 1_000)
    base, held = await health(served), list[int]()
    for _ in range(2):
        lines = await asyncio.gather(*(connect(served, window=SMALL) for _ in range(count)))
        begun = time.monotonic()
        for line in lines:
            line.stop_reading()
            # A channel of which nothing is kept that could be asked for later.
            await line.send(asked("/v1/chat/completions", "flood"))
        held.append((await calm(served, base=base))["bytes"])
        record_property(f"{count} unread streams are gone after", f"{time.monotonic() - begun:.1f} s")
        for line in lines:
            line.reset()
    record_property("memory before and after", [f"{each / MIB:.0f} MiB" for each in (base["bytes"], *held)])
    assert max(held) - base["bytes"] < 32 * MIB


@pytest.mark.parametrize(("path", "most"), [("/v1/chat/completions", 60), ("/responses", 72)])
async def test_the_probe_answers_soon_beside_many_open_streams(
    served: Served, figure: Figure, record_property: Record, path: str, most: int
) -> None:
    """A response knows more about itself than a completion, and holds it until its end."""
    count, soon = figure(200, 2_000), figure(2_000, 250)
    base = await health(served)
    lines = list[Line]()
    try:
        while len(lines) < count:
            some = await asyncio.gather(*(connect(served) for _ in range(50)))
            lines += some
            await asyncio.gather(*(line.send(asked(path, "wait")) for line in some))
            await asyncio.gather(*(line.read_until(b"begun") for line in some))
        each = ((await health(served))["bytes"] - base["bytes"]) / count
        took = sorted([await probed(served) for _ in range(200)])
    finally:
        for line in lines:
            line.reset()
    p99 = took[int(len(took) * 0.99) - 1]
    record_property(f"{count} open streams of {path}", f"{each / 1024:.1f} KiB each; readiness p99 {p99 * 1000:.1f} ms")
    assert each < most * 1024
    assert p99 * 1000 < soon


async def probed(served: Served) -> float:
    begun = time.perf_counter()
    async with connected(served) as line:
        await line.send(request("/readiness", method="GET", headers={"connection": "close"}))
        assert statuses(await line.read_to_end()) == [200]
    return time.perf_counter() - begun


async def test_without_file_descriptors_it_goes_on_once_some_come_back(
    telegram: TelegramServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come back by themselves, since connections without a request are hung up on."""
    monkeypatch.setenv("AF_HOSTING_IDLE_TIMEOUT", "2s")
    with free_port() as port:
        limited = ["prlimit", "--nofile=64", *command(port, telegram)]
        with serving(limited, port=port, log=tmp_path / "printed", cwd=Path(__file__).parents[1]) as served:
            async with AsyncExitStack() as stack:
                for _ in range(100):
                    await stack.enter_async_context(connected(served))
                # Behind a hundred others, which stay where they are.
                async with asyncio.timeout(PATIENCE):
                    assert await probed(served) > 0
            assert served.stop() == 0
    assert "out of system resource" in (tmp_path / "printed").read_text()


def frame(data: bytes, *, opens: bool = False, ends: bool = False) -> bytes:
    """Return a piece of a WebSocket's message of text, masked with nothing."""
    return struct.pack(">BBHI", (0x80 if ends else 0) | (1 if opens else 0), 0x80 | 126, len(data), 0) + data


async def socket_opened(line: Line, **headers: str) -> bytes:
    """Open a WebSocket, and return the head of the answer."""
    told = {
        "upgrade": "websocket",
        "connection": "upgrade",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-version": "13",
    }
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    await line.send(request("/responses", method="GET", headers=told | named))
    await line.read_until(b"\r\n\r\n")
    return line.got.partition(b"\r\n\r\n")[0]


async def test_a_message_of_a_websocket_that_never_ends_is_not_gathered_and_ends_its_connection(served: Served) -> None:
    """What comes behind the refusal is not kept, and a client that takes no leave is hung up on."""
    async with connected(served) as line:
        await socket_opened(line)
        await line.send(frame(b"a" * 60_000, opens=True))
        base = (await health(served))["bytes"]
        sent = 60_000
        while sent < 60 * MIB and await line.send(frame(b"a" * 60_000)):
            sent += 60_000
        grown = (await health(served))["bytes"] - base
        assert b"\x88\x02\x03\xf1" in await line.read_to_end(), "1009, message too big"
    assert grown < 30 * MIB


async def test_compressed_messages_are_not_taken_which_could_be_any_size(served: Served) -> None:
    async with connected(served) as line:
        opened = await socket_opened(line, sec_websocket_extensions="permessage-deflate; client_max_window_bits")
    assert b" 101 " in opened
    assert b"sec-websocket-extensions" not in opened.lower()


async def test_a_silent_websocket_is_pinged(served: Served) -> None:
    """So that a proxy does not take it for dead, and the system notices when its other end is."""
    async with connected(served) as line:
        await socket_opened(line)
        await line.read_until(b"\x89\x00")
