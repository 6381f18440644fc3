"""Processes that stop, stand still or die while they have a turn: the others go on, in order, and nothing is lost."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

import anyio
import httpx2
import pytest

from .forked import Forked, Forks, noted
from .replicas import in_line, say

LEASE: Final = 1.0
PATIENCE: Final = 100.0


@pytest.fixture
async def client() -> AsyncGenerator[httpx2.AsyncClient]:
    """Return a client that waits long enough for whatever comes after a lease has run out."""
    async with httpx2.AsyncClient(timeout=PATIENCE) as client:
        yield client


async def told(client: httpx2.AsyncClient, served: Forked, text: str, into: list[httpx2.Response]) -> None:
    into.append(await say(client, served.url, text, key="k"))


async def waiting(client: httpx2.AsyncClient, served: Forked, text: str) -> None:
    """Say something that takes a place in the line."""
    assert (await say(client, served.url, text, key="k")).json() == {"said": f"<{text}>"}


async def test_a_process_that_stood_still_beyond_its_lease_loses_its_turn(
    fresh_database: str, tmp_path: Path, forks: Forks, client: httpx2.AsyncClient
) -> None:
    """Its commit comes too late: its client gets an error, and the history has the other's turn only."""
    host = noted(tmp_path)
    late: list[httpx2.Response] = []
    with (
        forks.serving(tmp_path, fresh_database, lease=LEASE) as stopped,
        forks.serving(tmp_path, fresh_database, lease=LEASE) as other,
    ):
        await waiting(client, other, "before")
        async with anyio.create_task_group() as group:
            group.start_soon(told, client, stopped, "late [late]", late)
            await host.reached("late")
            with stopped.standing_still(fresh_database):
                await waiting(client, other, "taken over")
                host.open("late")
        assert (late[0].status_code, late[0].json()["error"]["code"]) == (503, "lease_lost")
        for each in (stopped, other):
            await waiting(client, each, "after")
    assert host.begun("after")[-1]["seen"][::2] == ["before", "taken over", "after", "after"]
    assert "Traceback" not in stopped.printed + other.printed


async def test_a_process_that_stood_still_for_less_than_its_lease_loses_nothing(
    fresh_database: str, tmp_path: Path, forks: Forks, client: httpx2.AsyncClient
) -> None:
    host = noted(tmp_path)
    answers: list[httpx2.Response] = []
    with (
        forks.serving(tmp_path, fresh_database, lease=60) as stopped,
        forks.serving(tmp_path, fresh_database, lease=60) as other,
    ):
        async with anyio.create_task_group() as group:
            group.start_soon(told, client, stopped, "first [first]", answers)
            await host.reached("first")
            with stopped.standing_still(fresh_database):
                group.start_soon(waiting, client, other, "second")
                await in_line(fresh_database, 1)
                host.open("first")
        assert answers[0].json() == {"said": "<first [first]>"}
        await waiting(client, other, "third")
    assert host.begun("third")[-1]["seen"][::2] == ["first [first]", "second", "third"]


async def test_what_a_killed_process_had_is_taken_over_in_order(
    fresh_database: str, tmp_path: Path, forks: Forks, client: httpx2.AsyncClient
) -> None:
    """Those who wait in other processes go on in the order in which they came; the dead one's own count no more."""
    host = noted(tmp_path)
    lost: list[httpx2.Response] = []

    async def into_the_dark(text: str) -> None:
        with pytest.raises(httpx2.TransportError):
            await told(client, owner, text, lost)

    with (
        forks.serving(tmp_path, fresh_database, lease=LEASE) as owner,
        forks.serving(tmp_path, fresh_database, lease=LEASE) as one,
        forks.serving(tmp_path, fresh_database, lease=LEASE) as two,
    ):
        async with anyio.create_task_group() as group:
            group.start_soon(into_the_dark, "owner [owner]")
            await host.reached("owner")
            for number in range(6):
                text = f"turn {number} [turn{number}]"
                if number == 3:
                    group.start_soon(into_the_dark, "owner again")
                    await in_line(fresh_database, 4)
                group.start_soon(waiting, client, (one, two)[number % 2], text)
                await in_line(fresh_database, number + 1 + (number >= 3))
                host.open(f"turn{number}")
            owner.kill()
    begun = [each["began"] for each in host.begun()]
    assert begun == ["owner [owner]", *(f"turn {number} [turn{number}]" for number in range(6))]
    assert host.begun()[-1]["seen"][::2] == begun[1:]
    assert lost == []
