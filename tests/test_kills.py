"""kill -9 at random moments: what was acknowledged is there, what was not is wholly absent, and tools run once.

The seed is printed, and `AF_HOSTING_SEED` repeats it: the moments of the kills, and what the clients do.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio
import httpx2
import pytest
from sqlalchemy import text

from .forked import Forked, Forks, noted
from .replicas import Replicas, connecting, say

LEASE: Final = 1.0
PATIENCE: Final = 30.0
BETWEEN_TRIES: Final = 0.05


@dataclass
class Client:
    """What every client knows: which of its turns were acknowledged, and which one it waits for."""

    tag: str
    acknowledged: list[str] = field(default_factory=list[str])
    sent: str = ""
    count: int = 0

    def next(self) -> str:
        self.count += 1
        self.sent = f"{self.tag}:{self.count};"
        return self.sent

    def check(self, seen: list[str]) -> None:
        """Compare what a turn saw before it with what was acknowledged, in the order of time."""
        *before, _ = seen
        assert before in (history(self.acknowledged), history([*self.acknowledged, self.sent]))
        self.acknowledged = before[::2]

    async def turn(self, client: httpx2.AsyncClient, url: str) -> None:
        """Take one turn, and note that it was acknowledged."""
        raise NotImplementedError

    async def settle(self, client: httpx2.AsyncClient, url: str, host: Replicas[Forked]) -> None:
        """Go on after a crash, and compare what is there with what was acknowledged."""
        raise NotImplementedError


def history(turns: list[str]) -> list[str]:
    """Return the messages of turns."""
    return [each for turn in turns for each in (turn, f"<{turn}>")]


class Chained(Client):
    """Continues by the id of its last response; now and then from an older one, in a branch."""

    ids: list[str]

    async def turn(self, client: httpx2.AsyncClient, url: str) -> None:
        if not self.acknowledged:
            self.ids = []
        said = self.next()
        response = await posted(client, url, said, previous=self.ids[-1] if self.ids else None)
        self.ids.append(response["id"])
        self.acknowledged.append(said)

    async def settle(self, client: httpx2.AsyncClient, url: str, host: Replicas[Forked]) -> None:
        known = list(self.acknowledged)
        await self.turn(client, url)
        # Whoever names the turn before gets exactly what it ended: nothing that nobody was told.
        assert host.begun(self.sent)[-1]["seen"] == [*history(known), self.sent]
        if known:
            at = random.Random(len(known)).randrange(len(known))
            said = f"{self.tag}:branch{self.count};"
            await posted(client, url, said, previous=self.ids[at])
            assert host.begun(said)[-1]["seen"] == [*history(known[: at + 1]), said]


class Keyed(Client):
    """Continues by a key of its own."""

    async def turn(self, client: httpx2.AsyncClient, url: str) -> None:
        answer = await say(client, url, self.next(), key=self.tag)
        assert answer.status_code == 200, answer.text
        self.acknowledged.append(self.sent)

    async def settle(self, client: httpx2.AsyncClient, url: str, host: Replicas[Forked]) -> None:
        sent, known = self.sent, self.acknowledged
        said = self.next()
        assert (await say(client, url, said, key=self.tag)).status_code == 200
        self.sent = sent if sent not in known else ""
        self.check(host.begun(said)[-1]["seen"])
        self.acknowledged.append(said)


class Repeating(Client):
    """Sends what it got no answer to again, under the same idempotency key."""

    async def turn(self, client: httpx2.AsyncClient, url: str) -> None:
        self.next()
        await self.repeat(client, url)

    async def repeat(self, client: httpx2.AsyncClient, url: str) -> None:
        with anyio.fail_after(PATIENCE):
            while True:
                answer = await say(client, url, self.sent, key=self.tag, idempotency=self.sent)
                if answer.status_code != 409:
                    break
                await anyio.sleep(BETWEEN_TRIES)  # the dead process still has it, until its lease runs out
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"said": f"<{self.sent}>"}
        self.acknowledged.append(self.sent)

    async def settle(self, client: httpx2.AsyncClient, url: str, host: Replicas[Forked]) -> None:
        if self.sent and self.sent not in self.acknowledged:
            await self.repeat(client, url)
        known = list(self.acknowledged)
        await self.turn(client, url)
        assert host.begun(self.sent)[-1]["seen"] == [*history(known), self.sent]


class Paying(Client):
    """Asks for something that has to be approved, and approves it; an approval without an answer is sent again."""

    asked: dict[str, Any] | None = None
    number: int = 0

    async def turn(self, client: httpx2.AsyncClient, url: str) -> None:
        if self.asked is None:
            self.number = int(self.tag.removeprefix("pay")) * 1_000_000 + self.count
            self.count += 1
            self.asked = await posted(client, url, f"pay {self.number}")
        await self.approve(client, url, self.asked)
        self.acknowledged.append(str(self.number))
        self.asked = None

    async def approve(self, client: httpx2.AsyncClient, url: str, asked: dict[str, Any]) -> None:
        request = next(item["id"] for item in asked["output"] if item["type"] == "mcp_approval_request")
        answer = {"type": "mcp_approval_response", "approval_request_id": request, "approve": True}
        await posted(client, url, [answer], previous=asked["id"])

    async def settle(self, client: httpx2.AsyncClient, url: str, host: Replicas[Forked]) -> None:
        if self.asked is not None:
            try:
                await self.approve(client, url, self.asked)
                self.acknowledged.append(str(self.number))
            except Refused as refused:
                if refused.code != "approval_already_answered":
                    raise
            self.asked = None
        await self.turn(client, url)
        runs = Counter((host.folder / "paid").read_text().split())
        assert set(runs.values()) == {1}, "an approved tool ran twice"
        assert runs.keys() >= set(self.acknowledged)


class Refused(Exception):
    """A request got an error as its answer."""

    def __init__(self, answer: httpx2.Response) -> None:
        super().__init__(answer.text)
        self.code = answer.json()["error"]["code"]


async def posted(client: httpx2.AsyncClient, url: str, said: Any, *, previous: str | None = None) -> dict[str, Any]:
    body = {"model": "m", "input": said, "previous_response_id": previous}
    answer = await client.post(f"{url}/v1/responses", json=body)
    if answer.status_code != 200:
        raise Refused(answer)
    return answer.json()


async def load(client: httpx2.AsyncClient, served: Forked, clients: list[Client], *, kill_after: float) -> None:
    """Let all clients work until the server is killed."""

    async def work(each: Client) -> None:
        with suppress(httpx2.TransportError):
            while True:
                await each.turn(client, served.url)

    async with anyio.create_task_group() as group:
        for each in clients:
            group.start_soon(work, each)
        await anyio.sleep(kill_after)
        served.kill()


def check_records(database: str) -> None:
    """Check that every row that belongs to another one has it."""
    engine = connecting(database)
    orphans = {
        "a head without its turn": "SELECT count(*) FROM af_session s LEFT JOIN af_turn t ON t.number = s.head "
        "WHERE s.head IS NOT NULL AND t.number IS NULL",
        "a turn without its parent": "SELECT count(*) FROM af_turn t LEFT JOIN af_turn p ON p.number = t.parent "
        "WHERE t.parent IS NOT NULL AND p.number IS NULL",
        "a turn without its session": "SELECT count(*) FROM af_turn t LEFT JOIN af_session s "
        "ON s.tenant = t.tenant AND s.session_id = t.session_id WHERE s.session_id IS NULL",
        "a turn without its record": "SELECT count(*) FROM af_turn WHERE turn_id IS NOT NULL AND record IS NULL",
    }
    with engine.connect() as connection:
        for what, query in orphans.items():
            assert connection.execute(text(query)).scalar_one() == 0, what
        for (record,) in connection.execute(text("SELECT record FROM af_turn WHERE record IS NOT NULL")):
            json.loads(bytes(record))
        if database.startswith("sqlite"):
            assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"


@pytest.mark.timeout(3600)
async def test_what_was_acknowledged_survives_kills(
    database: str,
    tmp_path: Path,
    forks: Forks,
    figure: Callable[[int, int], int],
    record_property: Callable[[str, object], None],
) -> None:
    kind = database.partition(":")[0]
    seed = int(os.environ.get("AF_HOSTING_SEED") or random.SystemRandom().randrange(10**6))
    record_property(f"kills on {kind}: seed", f"AF_HOSTING_SEED={seed}")
    chance = random.Random(seed)
    clients: list[Client] = [
        kind(f"{name}{number}")
        for name, kind in (("chain", Chained), ("key", Keyed), ("again", Repeating), ("pay", Paying))
        for number in range(1, 3)
    ]
    recoveries: list[tuple[float, float]] = []
    host = noted(tmp_path)
    for kill in range(figure(5, 100) + 1):
        started_at = time.monotonic()
        with forks.serving(tmp_path, database, lease=LEASE) as served:
            ready_at = time.monotonic()
            async with httpx2.AsyncClient(timeout=PATIENCE) as client:
                async with anyio.create_task_group() as group:
                    for each in clients:
                        group.start_soon(each.settle, client, served.url, host)
                recoveries.append((ready_at - started_at, time.monotonic() - ready_at))
                check_records(database)
                await load(client, served, clients, kill_after=chance.uniform(0.02, 0.4))
            assert "Traceback" not in served.printed, served.printed
        assert kill == 0 or recoveries[-1][1] < LEASE + PATIENCE
    starts, waits = zip(*recoveries[1:], strict=True)
    record_property(
        f"kills on {kind}",
        f"{len(waits)} kills, {sum(len(each.acknowledged) for each in clients)} turns acknowledged; ready "
        f"{max(starts):.2f} s after the start at most, all sessions went on {max(waits):.2f} s later at most "
        f"(mean {sum(waits) / len(waits):.2f} s; the lease is {LEASE} s)",
    )
