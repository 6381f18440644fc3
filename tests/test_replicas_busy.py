"""What a turn does when its session is busy on another replica: exactly who is answered what."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import httpx2
from anyio.lowlevel import checkpoint

from .clients.stream_rules import check_stream
from .forked import Forked, Forks, noted, several
from .replicas import Replicas, in_line, responses_body, say, until

PLENTY = 100.0
ROOM = {"x-agent-chat-isolation-key": "room"}


async def test_reject_refuses_all_but_the_one_that_runs(fresh_database: str, tmp_path: Path, forks: Forks) -> None:
    """On its own replica and on the other one, streams before they begin; afterwards the session is free again."""
    with several(forks, tmp_path, fresh_database, 2, concurrency="reject") as two:
        async with httpx2.AsyncClient(timeout=PLENTY, headers=ROOM) as client:
            async with anyio.create_task_group() as group:
                group.start_soon(be_answered, client, two, "first [first]")
                await two.reached("first")
                for number in range(2):
                    await be_refused(client, two.url(number))
                    other = await say(client, two.url(number), "elsewhere", key="hall")
                    assert other.status_code == 200
                two.open("first")
            await be_answered(client, two, "second")
            assert two.begun()[-1]["seen"] == ["first [first]", "<first [first]>", "second"]
            assert len(two.begun()) == 4
            await check_that_one_gets_through(client, two)


async def be_answered(client: httpx2.AsyncClient, two: Replicas[Forked], said: str) -> None:
    answer = await say(client, two.url(0), said, key="room")
    assert answer.json() == {"said": f"<{said}>"}


async def be_refused(client: httpx2.AsyncClient, url: str) -> None:
    answers = [await say(client, url, "no", key="room")]
    for stream in (False, True):
        answers.append(await client.post(f"{url}/v1/responses", json=responses_body("no", stream=stream)))
    for answer in answers:
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "session_busy")
        assert answer.headers["retry-after"] == "1"


async def check_that_one_gets_through(client: httpx2.AsyncClient, two: Replicas[Forked]) -> None:
    """Of many at once exactly one runs, on whichever replica it came first."""
    codes: list[int] = []

    async def turn(number: int) -> None:
        codes.append((await say(client, two.url(number), f"many {number} [many]", key="room")).status_code)

    async with anyio.create_task_group() as group:
        for number in range(30):
            group.start_soon(turn, number)
        await two.reached("many")
        while len(codes) < 29:
            await checkpoint()
        two.open("many")
    assert codes == [409] * 29 + [200]
    assert len(two.begun("many")) == 1


async def test_interrupt_stops_what_runs_on_whichever_replica(
    fresh_database: str, tmp_path: Path, forks: Forks
) -> None:
    """A stream is told that it was cancelled, an answer in one piece gets an error, and the newest one runs."""
    told: dict[str, httpx2.Response] = {}
    headers = {"x-agent-chat-isolation-key": "interrupted room"}
    with several(forks, tmp_path, fresh_database, 2, concurrency="interrupt") as two:
        async with httpx2.AsyncClient(timeout=PLENTY, headers=headers) as client, anyio.create_task_group() as group:

            async def turn(number: int, text: str, *, stream: bool) -> None:
                body = responses_body(text, stream=stream)
                told[text] = await client.post(f"{two.url(number)}/v1/responses", json=body)

            group.start_soon(lambda: turn(0, "first [first]", stream=True))
            await two.reached("first")
            group.start_soon(lambda: turn(1, "second [second]", stream=False))
            await two.reached("second")
            group.start_soon(lambda: turn(0, "third [third]", stream=True))
            await two.reached("third")
            await turn(1, "fourth", stream=False)
        check_told(told)
        assert ends(two) == ["first [first]", "second [second]", "third [third]", "fourth"]
        assert two.begun()[-1]["seen"] == ["fourth"]


async def test_interrupt_drops_those_who_wait_on_another_replica(
    fresh_database: str, tmp_path: Path, forks: Forks
) -> None:
    """They never run, which their callers are told as those of what ran are."""
    told: dict[str, httpx2.Response] = {}
    headers = {"x-agent-chat-isolation-key": "full room"}
    host = noted(tmp_path)
    async with AsyncExitStack() as stack:
        # A lease that does not run out while one of them stands still.
        hosts = [
            stack.enter_context(forks.serving(tmp_path, fresh_database, lease=PLENTY, concurrency="interrupt"))
            for _ in range(3)
        ]
        client = await stack.enter_async_context(httpx2.AsyncClient(timeout=PLENTY, headers=headers))
        group = await stack.enter_async_context(anyio.create_task_group())

        async def turn(number: int, text: str) -> None:
            told[text] = await client.post(f"{hosts[number].url}/v1/responses", json=responses_body(text))

        group.start_soon(turn, 0, "first [first]")
        await host.reached("first")
        # What runs is not stopped for now, so that whatever comes has to wait for it.
        with hosts[0].standing_still(fresh_database):
            group.start_soon(turn, 1, "second")
            await in_line(fresh_database, 1)
            group.start_soon(turn, 2, "third")
            await until(lambda: "second" in told, "the end of the one that waited")
            await in_line(fresh_database, 1)
        await until(lambda: len(told) == 3, "all answers")
    for text in ("first [first]", "second"):
        assert (told[text].status_code, told[text].json()["error"]["code"]) == (409, "response_interrupted")
        assert told[text].headers["x-should-retry"] == "false"
    assert told["third"].json()["status"] == "completed"
    assert ends(host) == ["first [first]", "third"]
    assert host.begun()[-1]["seen"] == ["third"]


def check_told(told: dict[str, httpx2.Response]) -> None:
    for text in ("first [first]", "third [third]"):
        final = check_stream(told[text].content)
        assert final["status"] == "cancelled"
        assert final["output"][0]["content"][0]["text"] == f"<{text}"
    refused = told["second [second]"]
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "response_interrupted")
    # Else official clients would send it again, and interrupt the newer one in their turn.
    assert refused.headers["x-should-retry"] == "false"
    assert told["fourth"].json()["status"] == "completed"


def ends(two: Replicas[Forked]) -> list[str]:
    """Return the runs in the order in which they ended; each has ended before the next began."""
    notes = two.notes()
    assert [each.get("began") for each in notes[::2]] == [each.get("ended") for each in notes[1::2]]
    return [each["ended"] for each in notes[1::2]]
