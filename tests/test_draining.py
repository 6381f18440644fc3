"""Told to stop, a host finishes or tells every stream: 20 of 20, with one process, with two, and under uvicorn."""

from __future__ import annotations

import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from anyio.to_thread import run_sync

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import InMemoryDriver, ScriptedAgent
from agent_framework_hosting_responses.channel import ResponsesChannel

from .clients.stream_rules import check_stream
from .served import Served, free_port, starting

STREAMS = 20
PLENTY = 150.0
DRAIN = 5.0
"""Seconds; much more than what ends within it takes, on a machine that is busy."""
BACKGROUND = 4

# A start is up to three processes that import one after another.
pytestmark = pytest.mark.timeout(300)


@contextmanager
def draining(folder: Path, server: str, workers: int = 1) -> Generator[Served]:
    with free_port() as port:
        script = Path(__file__).with_name("draining_host.py")
        command = [sys.executable, script, str(folder), str(port), server, str(workers), str(DRAIN)]
        with starting(command, port=port, log=folder / "printed") as served:
            served.wait_for_readiness(200)
            yield served


async def read(served: Served, says: str, bodies: list[tuple[str, bytes]], begun: anyio.Event) -> None:
    """Read one stream to its end, on a connection of its own that any worker may take."""
    body = b""
    asked = {"model": "m", "input": says, "stream": True}
    async with (
        httpx2.AsyncClient(timeout=PLENTY, verify=False) as client,
        client.stream("POST", f"{served.url}/v1/responses", json=asked) as answer,
    ):
        async for chunk in answer.aiter_bytes():
            body += chunk
            if b"begun" in body:
                begun.set()
    bodies.append((says, body))


@pytest.mark.parametrize(("server", "workers"), [("serve", 1), ("serve", 2), ("uvicorn", 1)])
async def test_every_stream_is_finished_or_told(tmp_path: Path, server: str, workers: int) -> None:
    """Those that end within the drain are finished, all others end as incomplete with what was said; none is cut."""
    bodies: list[tuple[str, bytes]] = []
    with draining(tmp_path, server, workers) as served:
        async with anyio.create_task_group() as group:
            all_begun = [anyio.Event() for _ in range(STREAMS)]
            for number, begun in enumerate(all_begun):
                group.start_soon(read, served, "long" if number % 2 else "short", bodies, begun)
            for begun in all_begun:
                await begun.wait()
            served.signal(signal.SIGTERM)
            if server == "serve":
                await run_sync(served.wait_for_readiness, 503)
            else:
                # Its listener is closed by now, so that no probe is answered; the host says so in its log.
                await run_sync(served.wait_for_print, "Told to stop")
            (tmp_path / "open").touch()
        # uvicorn ends by the signal that it was told to stop with, once all is over.
        assert await run_sync(served.end) == (0 if server == "serve" else -signal.SIGTERM)
    finals = [(says, check_stream(body)) for says, body in bodies]
    assert len(finals) == STREAMS
    assert {(says, final["status"]) for says, final in finals} == {("short", "completed"), ("long", "incomplete")}
    assert "Traceback" not in served.printed
    assert served.printed.endswith("served\n") is (server == "serve")
    if server == "serve":
        assert served.printed.count("POST /v1/responses 200 in ") == STREAMS


async def test_what_runs_in_the_background_of_two_workers_is_finished_or_done_by_the_next_start(
    tmp_path: Path,
) -> None:
    """What ends within the drain is finished in its process, the rest is put back and begun anew."""
    accepted: dict[str, str] = {}
    with draining(tmp_path, "serve", workers=2) as served:
        async with httpx2.AsyncClient(timeout=PLENTY, base_url=served.url) as client:
            for number in range(2 * BACKGROUND):
                says = "late" if number % 2 else "soon"
                asked = {"model": "m", "input": says, "background": True}
                # Connections are taken by whichever worker is quicker.
                answer = await client.post("/v1/responses", json=asked, headers={"connection": "close"})
                accepted[answer.json()["id"]] = says
            for response in accepted:
                async with client.stream("GET", f"/v1/responses/{response}", params={"stream": "true"}) as answer:
                    async for text in answer.aiter_text():
                        if "begun" in text:
                            break
        served.signal(signal.SIGTERM)
        (tmp_path / "soon").touch()
        assert await run_sync(served.end) == 0
        assert "Traceback" not in served.printed
    again = AgentFrameworkHost(
        ScriptedAgent(every="anew"), channels=[ResponsesChannel()], database=f"sqlite:///{tmp_path}/state/host.db"
    )
    ends: list[tuple[str, str, str, bool]] = []
    async with InMemoryDriver(again.app, timeout=PLENTY) as driver:
        for response, says in accepted.items():
            # Whoever joins before the second try says something hears the first one, and asks again.
            while (final := (await driver.request("GET", f"/v1/responses/{response}")).json())["status"] != "completed":
                await driver.request("GET", f"/v1/responses/{response}?stream=true")
            stream = (await driver.request("GET", f"/v1/responses/{response}?stream=true")).events()
            ends.append((says, final["status"], text_of(final), stream[0].json()["sequence_number"] == 0))
    assert sorted(set(ends)) == [("late", "completed", "anew", False), ("soon", "completed", "begun, ended", True)]


def text_of(response: dict[str, Any]) -> str:
    return "".join(part["text"] for item in response["output"] for part in item["content"])


async def test_a_host_that_does_not_hear_the_signal_is_cut_by_uvicorn(tmp_path: Path) -> None:
    """What `drain_on_signals` is for: the app is told when its answers have been cut already."""
    bodies: list[tuple[str, bytes]] = []
    with draining(tmp_path, "deaf") as served:
        async with anyio.create_task_group() as group:
            begun = anyio.Event()

            async def be_cut() -> None:
                with suppress(httpx2.TransportError):
                    await read(served, "long", bodies, begun)

            group.start_soon(be_cut)
            await begun.wait()
            served.signal(signal.SIGTERM)
        await run_sync(served.end)
    assert not [body for _, body in bodies if b"response.incomplete" in body]
