"""Accepted work and processes that die, stop or stand still: none is lost, and each line keeps its order.

The seed is printed, and `AF_HOSTING_SEED` repeats it: the moments of the kills.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

import anyio
import httpx2
import pytest
from sqlalchemy import text

from .forked import Forked, Forks, noted
from .replicas import Replicas, connecting, say, until

LEASE: Final = 1.0
PATIENCE: Final = 100.0
LINES: Final = ("a", "b", "c")
AT_ONCE: Final = 10
"""Tasks that each line is given between two kills, at most."""


@pytest.fixture
async def client() -> AsyncGenerator[httpx2.AsyncClient]:
    """Return a client that waits long enough for whatever comes after a lease has run out."""
    async with httpx2.AsyncClient(timeout=PATIENCE) as client:
        yield client


async def give(client: httpx2.AsyncClient, served: Forked, id: str, *, line: str = "line", said: str = "") -> bool:
    """Have a task accepted; says whether it is new."""
    answer = await client.post(f"{served.url}/deferred", json={"id": id, "line": line, "text": said or id})
    assert answer.status_code == 202, answer.text
    return answer.json()["is_new"]


async def done(host: Replicas[Forked], *ids: str) -> None:
    """Wait until tasks have ended."""
    await until(lambda: all(host.ended(id) for id in ids), f"the end of {ids}")


async def history(client: httpx2.AsyncClient, served: Forked, host: Replicas[Forked], line: str) -> list[str]:
    """Return what was said in the session of a line."""
    said = f"look {time.monotonic_ns()}"
    assert (await say(client, served.url, said, key=line)).status_code == 200
    return [each for each in host.begun(said)[-1]["seen"][:-1:2] if not each.startswith("look")]


def open_tasks(database: str) -> int:
    engine = connecting(database)
    with engine.connect() as connection:
        return connection.execute(text("SELECT count(*) FROM af_task WHERE outcome IS NULL")).scalar_one()


async def posting(client: httpx2.AsyncClient, served: Forked, line: str, acknowledged: list[str]) -> None:
    """Give one task after the other, until nobody answers; one that got no answer is given again.

    They are no more than can be done: to accept a task is quicker than to run it, and more so with each turn of a line.
    """
    with suppress(httpx2.TransportError):
        for _ in range(AT_ONCE):
            id = f"{line}{len(acknowledged)}"
            await give(client, served, id, line=line)
            acknowledged.append(id)


@pytest.mark.timeout(3600)
async def test_what_was_accepted_is_done_in_order_and_once_in_the_history_whatever_was_killed(
    fresh_database: str,
    tmp_path: Path,
    forks: Forks,
    figure: Callable[[int, int], int],
    record_property: Callable[[str, object], None],
) -> None:
    kind = fresh_database.partition(":")[0]
    seed = int(os.environ.get("AF_HOSTING_SEED") or random.SystemRandom().randrange(10**6))
    record_property(f"task kills on {kind}: seed", f"AF_HOSTING_SEED={seed}")
    chance = random.Random(seed)
    host = noted(tmp_path)
    acknowledged: dict[str, list[str]] = {line: [] for line in LINES}
    kills = figure(4, 60)
    for _ in range(kills):
        with forks.serving(tmp_path, fresh_database, lease=LEASE, task_failures=kills + 1) as served:
            async with httpx2.AsyncClient(timeout=PATIENCE) as client, anyio.create_task_group() as group:
                for line in LINES:
                    group.start_soon(posting, client, served, line, acknowledged[line])
                await anyio.sleep(chance.uniform(0.02, 0.4))
                served.kill()
            assert "Traceback" not in served.printed, served.printed
    with forks.serving(tmp_path, fresh_database, lease=LEASE, task_failures=kills + 1) as served:
        async with httpx2.AsyncClient(timeout=PATIENCE) as client:
            for line in LINES:
                await give(client, served, f"{line} last", line=line)
            await until(lambda: open_tasks(fresh_database) == 0, "all tasks to end")
            for line in LINES:
                # The last one before a kill may have been accepted without an answer, and is then in its place, too.
                *before, last = await history(client, served, host, line)
                assert last == f"{line} last"
                assert before[: len(acknowledged[line])] == acknowledged[line]
                assert before[len(acknowledged[line]) :] in ([], [f"{line}{len(acknowledged[line])}"])
        assert "Traceback" not in served.printed, served.printed
    outcomes = [each["outcome"] for each in host.tasks() if "ended" in each]
    attempts = max(each["attempt"] for each in host.tasks())
    assert "given up" not in outcomes
    record_property(
        f"task kills on {kind}",
        f"{kills} kills, {sum(map(len, acknowledged.values()))} tasks acknowledged, each once in its session; "
        f"{outcomes.count('replayed')} had run before they were settled; {attempts} attempts at most",
    )


async def test_another_replica_takes_over_in_order(
    fresh_database: str, tmp_path: Path, forks: Forks, client: httpx2.AsyncClient
) -> None:
    host = noted(tmp_path)
    with (
        forks.serving(tmp_path, fresh_database, lease=LEASE) as killed,
        forks.serving(tmp_path, fresh_database, lease=LEASE) as other,
    ):
        taker = await taken_by(client, host, killed, other)
        survivor = other if taker is killed else killed
        for id in ("2", "3"):
            await give(client, survivor, id)
        host.open("first")
        taker.kill()
        await done(host, "1", "2", "3")
        assert await history(client, survivor, host, "line") == ["first [first]", "2", "3"]
        assert [each["attempt"] for each in host.tasks() if each.get("began") == "1"][:2] == [1, 2]
        assert "Traceback" not in survivor.printed


async def taken_by(client: httpx2.AsyncClient, host: Replicas[Forked], one: Forked, other: Forked) -> Forked:
    """Have a task begun that stands at a gate, and return which replica runs it."""
    await give(client, one, "1", said="first [first]")
    await host.reached("first")
    [begun] = host.begun("first")
    return one if begun["pid"] == one.pid else other


async def test_a_process_that_stood_still_beyond_its_lease_stops_its_task(
    fresh_database: str, tmp_path: Path, forks: Forks, client: httpx2.AsyncClient
) -> None:
    host = noted(tmp_path)
    with (
        forks.serving(tmp_path, fresh_database, lease=LEASE) as one,
        forks.serving(tmp_path, fresh_database, lease=LEASE) as two,
    ):
        taker = await taken_by(client, host, one, two)
        other = two if taker is one else one
        with taker.standing_still(fresh_database):
            await give(client, other, "2")
            await until(lambda: len(host.begun("first")) == 2, "the task to be taken over")
        stopped = {"pid": taker.pid, "ended": "first [first]"}
        await until(lambda: stopped in host.notes("first"), "the first attempt to be stopped")
        host.open("first")
        await done(host, "1", "2")
        assert host.ended("1") == ["done"]
        assert await history(client, taker, host, "line") == ["first [first]", "2"]
        assert "Traceback" not in taker.printed + other.printed


async def test_a_process_that_is_told_to_stop_gives_its_task_back_at_once(
    fresh_database: str, tmp_path: Path, forks: Forks, client: httpx2.AsyncClient
) -> None:
    """Long before a lease runs out; and a deploy is no failure, however often it comes."""
    host, impatient = noted(tmp_path), dict[str, Any](drain_timeout=0.2, task_failures=3)
    with ExitStack() as stack:
        serving = stack.enter_context(forks.serving(tmp_path, fresh_database, lease=600, **impatient))
        await give(client, serving, "1", said="first [first]")
        await give(client, serving, "2")
        for deploys in range(1, 6):
            await until(lambda count=deploys: len(host.begun("first")) == count, f"attempt {deploys}")
            following = stack.enter_context(forks.serving(tmp_path, fresh_database, lease=600, **impatient))
            serving.signal(signal.SIGTERM)
            serving.end()
            assert "served" in serving.printed
            assert "Traceback" not in serving.printed
            serving = following
        host.open("first")
        await done(host, "1", "2")
        assert host.ended("1") == ["done"]
        assert await history(client, serving, host, "line") == ["first [first]", "2"]


async def test_a_task_that_takes_its_process_down_is_given_up_and_what_ran_beside_it_is_done(
    fresh_database: str, tmp_path: Path, forks: Forks, client: httpx2.AsyncClient
) -> None:
    """After two deaths those that had been running come one by one, so that only the culprit's failures grow."""
    host = noted(tmp_path)
    with ExitStack() as stack:
        serving = stack.enter_context(forks.serving(tmp_path, fresh_database, lease=LEASE, task_failures=4))
        for number in range(3):
            await give(client, serving, f"beside {number}", line=f"beside {number}", said="long [long]")
        await until(lambda: len(host.begun("long")) == 3, "what runs beside")
        for id, said in (("poison", "die"), ("next", "next")):
            with suppress(httpx2.TransportError):
                await give(client, serving, id, said=said)
        for _ in range(2):
            serving.end()
            serving = stack.enter_context(forks.starting(tmp_path, fresh_database, lease=LEASE, task_failures=4))
        host.open("long")
        for _ in range(2):
            serving.end()
            serving = stack.enter_context(forks.starting(tmp_path, fresh_database, lease=LEASE, task_failures=4))
        serving.wait_for_readiness()
        await give(client, serving, "next")
        await done(host, "poison", "next", *(f"beside {number}" for number in range(3)))
        assert host.ended("poison") == ["given up"]
        assert [each["attempt"] for each in host.tasks() if each.get("began") == "poison"] == [1, 2, 3, 4]
        assert {host.ended(f"beside {number}")[-1] for number in range(3)} <= {"done", "replayed"}
        assert not await give(client, serving, "poison", said="die")
        assert "its process died each time" in serving.printed


async def test_a_task_that_is_given_a_hundred_times_runs_once(
    fresh_database: str, tmp_path: Path, forks: Forks, client: httpx2.AsyncClient
) -> None:
    host = noted(tmp_path)
    told: list[bool] = []

    async def again(served: Forked) -> None:
        told.append(await give(client, served, "same"))

    with (
        forks.serving(tmp_path, fresh_database, lease=60) as one,
        forks.serving(tmp_path, fresh_database, lease=60) as two,
    ):
        for _ in range(5):
            async with anyio.create_task_group() as group:
                for number in range(20):
                    group.start_soon(again, (one, two)[number % 2])
        assert (len(told), told.count(True)) == (100, 1)
        await give(client, two, "last")
        await done(host, "last")
        assert [each["began"] for each in host.tasks() if "began" in each] == ["same", "last"]
        assert await history(client, one, host, "line") == ["same", "last"]


async def test_a_task_is_cancelled_from_another_replica_while_it_waits_or_runs(
    fresh_database: str, tmp_path: Path, forks: Forks, client: httpx2.AsyncClient
) -> None:
    host = noted(tmp_path)
    with (
        forks.serving(tmp_path, fresh_database, lease=60) as one,
        forks.serving(tmp_path, fresh_database, lease=60) as two,
    ):
        taker = await taken_by(client, host, one, two)
        other = two if taker is one else one
        for id in ("2", "3"):
            await give(client, taker, id)
        for id in ("2", "1"):
            answer = await client.post(f"{other.url}/deferred/cancel", json={"id": id})
            assert answer.json() == {"was_open": True}
        await done(host, "3")
        assert [each["ended"] for each in host.tasks() if "ended" in each] == ["3"]
        assert await history(client, other, host, "line") == ["3"]
        assert "Traceback" not in one.printed + two.printed
