"""One line of turns over several processes: each sees all before it, once, and none runs beside another.

The replicas are the same for all tests of a database: each test has sessions, texts and gates of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

import anyio
import httpx2
import pytest
from anyio.lowlevel import checkpoint

from .forked import Forked, Forks, several
from .replicas import Replicas, in_line, say

PLENTY = 100.0


@pytest.fixture(scope="module")
def three(database: str, forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Generator[Replicas[Forked]]:
    """Serve one database by three processes."""
    with several(forks, tmp_path_factory.mktemp("replicas"), database, 3) as three:
        yield three


async def turn(client: httpx2.AsyncClient, url: str, said: str, *, key: str) -> None:
    assert (await say(client, url, said, key=key)).json() == {"said": f"<{said}>"}


def check_line(three: Replicas[Forked], tag: str, count: int) -> list[str]:
    """Check that so many turns ran one after another, and that each saw exactly those before it; returns them."""
    notes = three.notes(tag)
    for began, ended in zip(notes[::2], notes[1::2], strict=True):
        assert began["began"] == ended["ended"], "two turns ran side by side"
    history: list[str] = []
    for each in three.begun(tag):
        assert each["seen"] == [*history, each["began"]]
        history += [each["began"], f"<{each['began']}>"]
    turns = history[::2]
    assert len(set(turns)) == len(turns) == count
    return turns


@pytest.mark.parametrize("count", [1, 3])
async def test_many_turns_of_one_session_at_once(
    three: Replicas[Forked], count: int, figure: Callable[[int, int], int]
) -> None:
    """Sent to one replica, or to all; every turn is there in the end, and what each said was told to its caller."""
    many, tag = figure(50, 500), f"many at {count}"
    async with httpx2.AsyncClient(timeout=PLENTY) as client, anyio.create_task_group() as group:
        for number in range(many):
            url = three.url(number % count)
            group.start_soon(lambda url=url, number=number: turn(client, url, f"{tag}: {number}", key=tag))
    check_line(three, tag, many)
    assert len({each["pid"] for each in three.begun(tag)}) == count


async def test_turns_run_in_the_order_of_their_arrival_over_all_replicas(
    three: Replicas[Forked], database: str
) -> None:
    """Where the order is known: each is sent once the one before it stands in the line, to the next replica."""
    turns = [f"order {number} [order{number}]" for number in range(12)]
    async with httpx2.AsyncClient(timeout=PLENTY) as client, anyio.create_task_group() as group:
        for number, said in enumerate(turns):
            group.start_soon(lambda said=said, number=number: turn(client, three.url(number), said, key="order"))
            await (in_line(database, number) if number else three.reached("order0"))
        for number in range(12):
            await three.reached(f"order{number}")
            three.open(f"order{number}")
    assert check_line(three, "order", 12) == turns


async def test_a_conversation_that_wanders_between_replicas_goes_on_by_its_key(three: Replicas[Forked]) -> None:
    async with httpx2.AsyncClient(timeout=PLENTY) as client:
        for number in range(7):
            await turn(client, three.url(number), f"wander {number}", key="wander")
    assert check_line(three, "wander", 7) == [f"wander {number}" for number in range(7)]


async def test_a_conversation_that_wanders_between_replicas_goes_on_by_its_ids(three: Replicas[Forked]) -> None:
    """With forks, made where the point was or elsewhere; each branch goes on for itself."""
    async with httpx2.AsyncClient(timeout=PLENTY) as client:

        async def go_on(number: int, said: str, previous: str | None = None) -> str:
            body = {"model": "m", "input": f"fork {said}", "previous_response_id": previous}
            answer = await client.post(f"{three.url(number)}/v1/responses", json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()["id"]

        def seen() -> list[str]:
            texts = three.begun("fork")[-1]["seen"]
            assert [f"<{each}>" for each in texts[:-1:2]] == texts[1::2]
            return [each.removeprefix("fork ") for each in texts[::2]]

        root = await go_on(0, "root")
        left = await go_on(1, "left", root)
        assert seen() == ["root", "left"]
        right = await go_on(2, "right", root)
        assert seen() == ["root", "right"]
        left = await go_on(0, "left 2", left)
        assert seen() == ["root", "left", "left 2"]
        await go_on(0, "right 2", right)
        assert seen() == ["root", "right", "right 2"]
        await go_on(2, "left 3", left)
        assert seen() == ["root", "left", "left 2", "left 3"]
        body = {"input": "?", "previous_response_id": "resp_none"}
        unknown = await client.post(f"{three.url(1)}/v1/responses", json=body)
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (400, "previous_response_not_found")


async def test_a_reset_is_seen_by_the_other_replicas_at_once(three: Replicas[Forked]) -> None:
    """A session that is live there is not used again."""
    async with httpx2.AsyncClient(timeout=PLENTY) as client:
        for number in range(3):
            await turn(client, three.url(number), f"reset {number}", key="reset")
        (await client.post(f"{three.url(0)}/plain/reset", json={"key": "reset"})).raise_for_status()
        for number in (2, 1, 0):
            await turn(client, three.url(number), f"reset again {number}", key="reset")
    begun = [each["seen"] for each in three.begun("reset")]
    assert begun[2][::2] == ["reset 0", "reset 1", "reset 2"]
    assert begun[3] == ["reset again 2"]
    assert begun[5][::2] == ["reset again 2", "reset again 1", "reset again 0"]


async def test_one_idempotency_key_on_several_replicas_at_once_runs_once(three: Replicas[Forked]) -> None:
    """The others are told that the first still runs; afterwards every replica answers from the record."""
    asked = {"key": "pay", "idempotency": "once"}
    answers: list[httpx2.Response] = []
    async with httpx2.AsyncClient(timeout=PLENTY) as client:

        async def pay(number: int) -> None:
            answers.append(await say(client, three.url(number), "pay [pay]", **asked))

        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(pay, number)
            await three.reached("pay")
            while len(answers) < 9:
                await checkpoint()
            three.open("pay")
        assert [answer.status_code for answer in answers] == [409] * 9 + [200]
        assert {answer.json()["error"]["code"] for answer in answers[:9]} == {"idempotency_conflict"}
        for number in range(3):
            again = await say(client, three.url(number), "pay [pay]", **asked)
            assert (again.json(), again.headers["idempotent-replayed"]) == ({"said": "<pay [pay]>"}, "true")
            other = await say(client, three.url(number), "pay more", **asked)
            assert other.status_code == 409
    assert [each["began"] for each in three.begun("pay")] == ["pay [pay]"]
