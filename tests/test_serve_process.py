"""`host.serve` in a real process: what a signal does to the answers under way."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from anyio.abc import TaskGroup
from anyio.to_thread import run_sync
from openai import APIConnectionError, AsyncOpenAI, InternalServerError
from websockets.asyncio.client import connect

from .clients.stream_rules import check_stream
from .served import Served, free_port, serving

STREAMS = 20
PLENTY = 40.0
NEXT_TO_NOTHING = 0.1

Start = Callable[..., Served]


@pytest.fixture
def start(tmp_path: Path) -> Generator[Start]:
    """Return a function that starts a gated host; it takes the drain timeout, and how long answers may go on then."""
    with ExitStack() as stack:

        def start(drain_timeout: float, *graceful_timeout: float) -> Served:
            port = stack.enter_context(free_port())
            times = map(str, (drain_timeout, *graceful_timeout))
            command = [sys.executable, Path(__file__).with_name("gated_host.py"), str(port), *times]
            return stack.enter_context(serving(command, port=port, log=tmp_path / "printed"))

        yield start


class Reader:
    """Reads one stream to its end, and says when it has begun."""

    def __init__(self, client: AsyncOpenAI, *, previous: str | None = None, says: str = "gated") -> None:
        self.body = b""
        self.has_begun = anyio.Event()
        self.cut: Exception | None = None
        self._client = client
        self._previous = previous
        self._says = says

    async def read(self) -> None:
        """Read until the end, be it a good one."""
        try:
            async with self._client.responses.with_streaming_response.create(
                model="m", input=self._says, stream=True, previous_response_id=self._previous
            ) as raw:
                async for chunk in raw.iter_bytes():
                    self.body += chunk
                    # One that waits for its turn has no text yet.
                    if self._previous or b"begun" in self.body:
                        self.has_begun.set()
        except (httpx2.TransportError, APIConnectionError) as error:
            self.cut = error
        finally:
            # Nobody shall wait in vain for one that never got that far; what it lacks is noticed in the end.
            self.has_begun.set()


@asynccontextmanager
async def connected(served: Served) -> AsyncGenerator[tuple[AsyncOpenAI, TaskGroup]]:
    """Return a client of the host, and a group of tasks that end before it closes."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            AsyncOpenAI(base_url=f"{served.url}/v1", api_key="unused", max_retries=0)
        )
        yield client, await stack.enter_async_context(anyio.create_task_group())


async def begin(readers: list[Reader], group: TaskGroup) -> None:
    """Start all readers, and wait until each has something."""
    for reader in readers:
        group.start_soon(reader.read)
    for reader in readers:
        await reader.has_begun.wait()


async def open_gate(served: Served) -> None:
    async with httpx2.AsyncClient(timeout=PLENTY) as client:
        (await client.post(f"{served.url}/gate")).raise_for_status()


async def somebody_at_the_gate(served: Served) -> None:
    """Wait until an answer is under way."""
    async with httpx2.AsyncClient(timeout=PLENTY) as client:
        (await client.get(f"{served.url}/gate/reached/1")).raise_for_status()


async def drain(served: Served) -> None:
    """Send SIGTERM, and wait until the probe tells of it."""
    served.signal(signal.SIGTERM)
    await run_sync(served.wait_for_readiness, 503)


async def test_sigterm_lets_every_stream_finish_and_takes_no_more(start: Start) -> None:
    """Those that run, and those that wait for their turn behind others of one conversation."""
    served = start(PLENTY)
    async with connected(served) as (client, group):
        quick = await client.responses.create(model="m", input="quick")
        readers = [Reader(client) for _ in range(STREAMS)]
        queue = [Reader(client, previous=quick.id) for _ in range(5)]
        await begin([*readers, *queue], group)
        await drain(served)
        for stream in (False, True):
            with pytest.raises(InternalServerError) as refused:
                await client.responses.create(model="m", input="quick", stream=stream)
            assert (refused.value.status_code, refused.value.code) == (503, "draining")
            assert refused.value.type == "server_error"
            assert refused.value.request_id
            assert refused.value.response.headers["retry-after"] == "1"
            # Whoever keeps connections open sends nothing more on one that is about to end.
            assert refused.value.response.headers["connection"] == "close"
        await open_gate(served)
    finals = [check_stream(reader.body) for reader in [*readers, *queue]]
    assert [final["status"] for final in finals] == ["completed"] * (STREAMS + 5)
    assert {final["output"][0]["content"][0]["text"] for final in finals} == {"begun, ended"}
    assert await run_sync(served.end) == 0
    assert served.printed.endswith("served\n")


async def test_a_stream_that_outlasts_the_drain_is_told(start: Start) -> None:
    """It ends as one that is incomplete, with all that was said so far, and none is merely cut."""
    served = start(NEXT_TO_NOTHING)
    async with connected(served) as (client, group):
        quick = await client.responses.create(model="m", input="quick")
        readers = [Reader(client) for _ in range(STREAMS)]
        queue = [Reader(client, previous=quick.id) for _ in range(5)]
        await begin([*readers, *queue], group)
        served.signal(signal.SIGTERM)
    assert await run_sync(served.end) == 0
    finals = [check_stream(reader.body) for reader in [*readers, *queue]]
    assert [final["status"] for final in finals] == ["incomplete"] * (STREAMS + 5)
    assert [told(final) for final in finals[:STREAMS]] == ["begun, "] * STREAMS
    assert "Traceback" not in served.printed


def told(final: dict[str, Any]) -> str:
    return "".join(part["text"] for item in final["output"] for part in item["content"])


async def test_an_answer_in_one_piece_that_outlasts_the_drain_is_told_as_well(start: Start) -> None:
    """The error says that the server went away, and asks no client to send again what may have had effects."""
    served = start(NEXT_TO_NOTHING)
    refused: list[InternalServerError] = []
    async with connected(served) as (client, group):

        async def ask() -> None:
            with pytest.raises(InternalServerError) as error:
                await client.responses.create(model="m", input="gated")
            refused.append(error.value)

        group.start_soon(ask)
        await somebody_at_the_gate(served)
        served.signal(signal.SIGTERM)
    (error,) = refused
    assert (error.status_code, error.type, error.request_id is not None) == (503, "server_error", True)
    assert error.response.headers["x-should-retry"] == "false"
    assert await run_sync(served.end) == 0


async def test_a_run_that_ignores_its_cancellation_does_not_keep_the_process(start: Start) -> None:
    """It would keep its state folder from the next host, too; the log says why it had to end so."""
    served = start(NEXT_TO_NOTHING, 2.0)
    async with connected(served) as (client, group):
        reader = Reader(client, says="deaf")
        await begin([reader], group)
        served.signal(signal.SIGTERM)
        assert await run_sync(served.end) == 1
    assert "go on although they were cancelled" in served.printed


async def test_a_second_signal_ends_the_process_at_once(start: Start) -> None:
    served = start(PLENTY)
    async with connected(served) as (client, group):
        reader = Reader(client)
        await begin([reader], group)
        await drain(served)
        served.signal(signal.SIGTERM)
        assert await run_sync(served.end) == 1
    assert reader.cut is not None
    assert "A second signal came while draining" in served.printed


async def test_an_idle_host_says_where_it_listens_and_stops_when_interrupted(start: Start) -> None:
    """A connection that somebody keeps open holds nothing up."""
    served = start(PLENTY)
    address = served.url.removeprefix("http://")
    assert f"on {address}: responses at /responses, gate at /gate. State: memory only" in served.printed
    async with httpx2.AsyncClient(timeout=PLENTY) as idle:
        assert (await idle.get(f"{served.url}/readiness")).text == "ok"
        served.signal(signal.SIGINT)
        assert await run_sync(served.end) == 0
    assert served.printed.endswith("served\n")


@pytest.mark.parametrize(("drain_timeout", "last"), [(PLENTY, "completed"), (NEXT_TO_NOTHING, "incomplete")])
async def test_websockets_are_finished_or_told_and_closed(start: Start, drain_timeout: float, last: str) -> None:
    served = start(drain_timeout)
    url = f"ws{served.url.removeprefix('http')}/v1/responses"
    async with connect(url) as idle, connect(url) as busy:
        await busy.send(json.dumps({"type": "response.create", "input": "gated", "store": False}))
        await somebody_at_the_gate(served)
        served.signal(signal.SIGTERM)
        await idle.wait_closed()
        if drain_timeout == PLENTY:
            await open_gate(served)
        events = [json.loads(message) async for message in busy]
    assert (idle.close_code, busy.close_code) == (1001, 1001)
    assert events[-1]["type"] == f"response.{last}"
    assert await run_sync(served.end) == 0, served.printed
    assert "Traceback" not in served.printed
