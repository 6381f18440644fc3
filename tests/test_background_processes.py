"""Responses in the background and processes that die: each is done, once in its conversation, and read everywhere.

The seed is printed, and `AF_HOSTING_SEED` repeats it: the moments of the kills.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path
from typing import Any, Final

import anyio
import httpx2
import pytest

from .forked import Forked, Forks, noted
from .replicas import until

LEASE: Final = 1.0
PATIENCE: Final = 100.0


@pytest.fixture
async def client() -> AsyncGenerator[httpx2.AsyncClient]:
    """Return a client that waits long enough for whatever comes after a lease has run out."""
    async with httpx2.AsyncClient(timeout=PATIENCE) as client:
        yield client


async def begin(client: httpx2.AsyncClient, url: str, said: str, **fields: Any) -> str:
    """Have a response accepted."""
    answer = await client.post(f"{url}/v1/responses", json={"input": said, "background": True, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


async def polled(client: httpx2.AsyncClient, url: str, response: str) -> dict[str, Any]:
    """Poll a response until it has ended."""
    with anyio.fail_after(PATIENCE):
        while True:
            body = (await client.get(f"{url}/v1/responses/{response}")).raise_for_status().json()
            if body["status"] not in ("queued", "in_progress"):
                return body
            await anyio.sleep(0.02)


async def followed(
    client: httpx2.AsyncClient,
    url: str,
    response: str,
    *,
    after: int | None = None,
    has_begun: anyio.Event | None = None,
) -> list[str]:
    """Return the events of a response's stream, as far as it goes; none when nobody answers any more.

    Args:
        client: Asks for them.
        url: Where.
        response: Of which response.
        after: Behind which event.
        has_begun: What is set once the stream has told that the response is in progress.
    """
    query = {"stream": "true"} if after is None else {"stream": "true", "starting_after": str(after)}
    read = ""
    with suppress(httpx2.TransportError):
        async with client.stream("GET", f"{url}/v1/responses/{response}", params=query) as answer:
            assert answer.status_code == 200
            async for text in answer.aiter_text():
                read += text
                if has_begun is not None and "response.in_progress" in read:
                    has_begun.set()
    return [event for event in read.split("\n\n")[:-1] if not event.startswith(":")]


def said(body: dict[str, Any]) -> str:
    return "".join(part["text"] for item in body["output"] for part in item["content"])


async def test_a_response_whose_process_is_killed_is_finished_and_followed_on_another_replica(
    fresh_database: str, tmp_path: Path, forks: Forks, client: httpx2.AsyncClient
) -> None:
    host = noted(tmp_path)
    with ExitStack() as stack:
        replicas = [stack.enter_context(forks.serving(tmp_path, fresh_database, lease=LEASE)) for _ in range(2)]
        response = await begin(client, replicas[0].url, "work [first]")
        await host.reached("first")
        runner = next(each for each in replicas if each.pid == host.begun("work")[0]["pid"])
        other = next(each for each in replicas if each is not runner)
        streams: dict[str, list[str]] = {}

        async def follow(where: Forked, has_begun: anyio.Event) -> None:
            streams[where.url] = await followed(client, where.url, response, has_begun=has_begun)

        async with anyio.create_task_group() as group:
            for each in replicas:
                has_begun = anyio.Event()
                group.start_soon(follow, each, has_begun)
                await has_begun.wait()
            assert (await client.get(f"{other.url}/v1/responses/{response}")).json()["status"] == "in_progress"
            runner.signal(signal.SIGKILL)
            await until(lambda: len(host.begun("work")) == 2, "the second attempt")
            host.open("first")
        done = await polled(client, other.url, response)
        assert (done["status"], said(done)) == ("completed", "<work [first]>")
        whole = await followed(client, other.url, response)
        assert whole[-1] == "data: [DONE]"
        # Nobody was told of two attempts in one stream, and whoever goes on gets the second one whole.
        last = len([event for event in streams[other.url] if "data: {" in event]) - 1
        assert "data: [DONE]" not in streams[other.url]
        assert not set(streams[other.url]) & set(whole)
        assert await followed(client, other.url, response, after=last) == whole
        again = stack.enter_context(forks.serving(tmp_path, fresh_database, lease=LEASE))
        assert await followed(client, again.url, response) == whole
        assert (await client.get(f"{again.url}/v1/responses/{response}")).json() == done


@pytest.mark.timeout(3600)
async def test_what_was_accepted_is_done_in_order_whatever_was_killed(
    fresh_database: str,
    tmp_path: Path,
    forks: Forks,
    figure: Callable[[int, int], int],
    record_property: Callable[[str, object], None],
) -> None:
    kind = fresh_database.partition(":")[0]
    seed = int(os.environ.get("AF_HOSTING_SEED") or random.SystemRandom().randrange(10**6))
    record_property(f"kills of responses in the background on {kind}: seed", f"AF_HOSTING_SEED={seed}")
    chance = random.Random(seed)
    host, kills = noted(tmp_path), figure(2, 40)
    accepted: list[tuple[str, str]] = []
    talk = ""

    async def posting(client: httpx2.AsyncClient, url: str) -> None:
        with suppress(httpx2.TransportError):
            while True:
                text = f"turn {len(accepted)}"
                key = {"idempotency-key": text}
                asked = {"input": text, "conversation": talk, "background": True}
                answer = await client.post(f"{url}/v1/responses", json=asked, headers=key)
                if answer.status_code == 429:
                    await anyio.sleep(0.05)
                    continue
                assert answer.status_code == 200, answer.text
                accepted.append((text, answer.json()["id"]))
                has_accepted.set()

    has_accepted = anyio.Event()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx2.AsyncClient(timeout=PATIENCE))
        for _ in range(kills):
            with forks.serving(tmp_path, fresh_database, lease=LEASE, task_failures=kills + 1) as served:
                if not talk:
                    talk = (await client.post(f"{served.url}/v1/conversations", json={})).json()["id"]
                has_accepted = anyio.Event()
                async with anyio.create_task_group() as group:
                    group.start_soon(posting, client, served.url)
                    # Where the machine is busy nothing might have been accepted that could be lost.
                    with anyio.fail_after(PATIENCE):
                        await has_accepted.wait()
                    await anyio.sleep(chance.uniform(0.0, 0.5))
                    served.kill()
                assert "Traceback" not in served.printed, served.printed
        served = stack.enter_context(forks.serving(tmp_path, fresh_database, lease=LEASE, task_failures=kills + 1))
        last = await begin(client, served.url, "last", conversation=talk)
        assert (await polled(client, served.url, last))["status"] == "completed"
        for text, response in accepted:
            done = await polled(client, served.url, response)
            assert (done["status"], said(done)) == ("completed", f"<{text}>")
        *before, end = host.begun("last")[-1]["seen"][::2]
        assert end == "last"
        assert before[: len(accepted)] == [text for text, _ in accepted]
        # The last one before a kill may have been accepted without an answer.
        assert before[len(accepted) :] in ([], [f"turn {len(accepted)}"])
        assert "Traceback" not in served.printed, served.printed
    record_property(
        f"kills of responses in the background on {kind}",
        f"{kills} kills, {len(accepted)} responses acknowledged, each done, once and in order in its conversation",
    )
