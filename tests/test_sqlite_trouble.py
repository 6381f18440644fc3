"""A SQLite file in trouble: full, read-only, damaged, away, locked. It is said, and nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import os
import random
import re
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, Self

import pytest

from agent_framework_hosting._state.sql import claims, documents, tasks
from agent_framework_hosting._state.sql.sqlite import SqliteDriver
from agent_framework_hosting.errors import ConfigurationError, StateDamaged, StateUnavailable
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import AgentRun, InMemoryDriver, ScriptedAgent
from agent_framework_hosting.types import ChannelRequest, ChannelSession
from agent_framework_hosting_responses.channel import ResponsesChannel

LEASE: Final = 0.6
PATIENCE: Final = 30.0
REFUSALS: Final = ("state_unavailable", "previous_response_not_found", "state_damaged", "server_error")
LONG: Final = "x" * 100_000


class Host:
    """A host on a SQLite file, in this process; its agent answers with how many messages it has seen."""

    def __init__(self, file: Path) -> None:
        agent = ScriptedAgent(every=self._speak)
        host = AgentFrameworkHost(
            agent, channels=[ResponsesChannel()], database=f"sqlite:///{file}", limits=Limits(lease=LEASE)
        )
        self.hosted = host
        self.driver = InMemoryDriver(host.app, timeout=PATIENCE)

    async def __aenter__(self) -> Self:
        await self.driver.__aenter__()
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.driver.__aexit__()

    async def ask(self, said: str, previous: str | None = None) -> Any:
        body = {"input": said, "previous_response_id": previous}
        return await self.driver.request("POST", "/responses", json=body)

    async def turn(self, said: str, previous: str | None = None, *, seen: int = 1) -> str:
        """Take a turn that sees so many messages, its own included, and return its id."""
        answer = await self.ask(said, previous)
        assert answer.status == 200, answer
        body = answer.json()
        assert body["output"][0]["content"][0]["text"] == str(seen)
        return body["id"]

    async def refused(self, said: str, previous: str | None = None) -> None:
        answer = await self.ask(said, previous)
        assert (answer.status, answer.json()["error"]["code"]) == (503, "state_unavailable"), answer

    async def readiness(self) -> int:
        return (await self.driver.request("GET", "/readiness")).status

    def _speak(self, run: AgentRun) -> list[str]:
        return [str(len(run.seen))]


def write(file: Path, data: bytes) -> None:
    """Put a file there, with nothing of SQLite's beside it."""
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(data)
    for beside in ("-wal", "-shm"):
        file.with_name(file.name + beside).unlink(missing_ok=True)


def plant(file: Path) -> None:
    """Put an empty file there, which SQLite would take for an empty database."""
    file.touch()


def content(file: Path) -> bytes | None:
    """Return what is in a file; `None` when there is none."""
    return file.read_bytes() if file.exists() else None


def move(file: Path, to: Path) -> None:
    """Move a file."""
    file.rename(to)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the database is to be."""
    return tmp_path / "state" / "host.db"


@contextmanager
def no_file_larger_than(most: int) -> Generator[None]:
    """Let writes fail as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_full_disk_refuses_turns_and_keeps_what_was_acknowledged(file: Path) -> None:
    async with Host(file) as host:
        first = await host.turn("small")
        with no_file_larger_than(200_000):
            while (answer := await host.ask(LONG)).status == 200:
                pass
            assert answer.json()["error"]["code"] == "state_unavailable"
            # The agent has run, so that an official client must not send it again by itself.
            assert answer.headers["x-should-retry"] == "false"
        second = await host.turn("there is room again", first, seen=3)
    async with Host(file) as host:
        await host.turn("after a restart", second, seen=5)


async def test_a_file_that_is_taken_away_is_not_made_anew(file: Path, tmp_path: Path) -> None:
    """Nor is one written to that lies in its place; the host goes on when its own is back."""
    aside = tmp_path / "aside"
    async with Host(file) as host:
        first = await host.turn("before")
        move(file, aside)
        await host.refused("away", first)
        assert content(file) is None
        plant(file)
        await host.refused("planted", first)
        while await host.readiness() != 503:
            await host.refused("until it is noticed", first)
        assert content(file) == b""
        move(aside, file)
        second = await host.turn("back", first, seen=3)
        while await host.readiness() != 200:
            await host.turn("until it is noticed")
    async with Host(file) as host:
        await host.turn("after a restart", second, seen=5)


async def test_a_file_that_another_program_locks_refuses_turns_until_it_lets_go(file: Path) -> None:
    async with Host(file) as host:
        first = await host.turn("before")
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await host.refused("locked", first)
        await host.turn("free", first, seen=3)


async def refusal(file: Path) -> str:
    with pytest.raises(ConfigurationError) as refused:
        async with Host(file):
            pass
    return str(refused.value)


async def test_a_file_that_is_no_database_is_refused_and_left_alone(file: Path) -> None:
    minutes = b"minutes of the meeting, " * 100
    write(file, minutes)
    said = await refusal(file)
    assert "cannot be used as the host's database: file is not a database. Restore it from a backup, or move it" in said
    assert content(file) == minutes


@pytest.mark.parametrize("is_there", [False, True])
async def test_a_folder_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path, is_there: bool) -> None:
    folder = tmp_path / "state"
    if is_there:
        async with Host(folder / "host.db") as host:
            await host.turn("before")
    else:
        folder.mkdir()
    with read_only(folder):
        said = await refusal(folder / "host.db")
    assert str(folder) in said
    assert "read" in said.lower() or "denied" in said.lower(), said


@contextmanager
def read_only(folder: Path) -> Generator[None]:
    """Make a folder read-only, for root, too."""
    if os.geteuid() != 0:
        folder.chmod(0o500)
        for each in folder.iterdir():
            each.chmod(0o400)
        yield
        folder.chmod(0o700)
        return
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield
    finally:
        # Lazily: what the host has opened there meanwhile is its own business.
        subprocess.run(["umount", "--lazy", folder], check=True)


def flipped(data: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(100):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def halved(data: bytes, _: random.Random) -> bytes:
    return data[: len(data) // 2]


@pytest.mark.parametrize("damage", [flipped, halved])
async def test_a_damaged_file_never_gives_an_empty_session(
    file: Path, damage: Callable[[bytes, random.Random], bytes], figure: Callable[[int, int], int]
) -> None:
    """What is known to be damaged is refused, at the start or when it is needed; never is a history forgotten."""
    ids: list[str] = []
    async with Host(file) as host:
        for number in range(20):
            ids.append(await host.turn(f"turn {number}", ids[-1] if ids else None, seen=2 * number + 1))
    whole = content(file) or b""
    for seed in range(figure(10, 300)):
        write(file, damage(whole, random.Random(seed)))
        try:
            async with Host(file) as host:
                answer = await host.ask("?", ids[-1])
        except ConfigurationError as error:
            assert "cannot be used as the host's database" in str(error)  # noqa: PT017 - it may as well start
            continue
        assert b"Traceback" not in answer.body
        if answer.status == 200:
            assert answer.json()["output"][0]["content"][0]["text"] != "1"
        else:
            assert answer.json()["error"]["code"] in REFUSALS


DAMAGE: Final = {
    "what a turn added": ("UPDATE af_turn SET added = X'7B' WHERE number = 1", "the row 1 of af_turn"),
    "what a turn left beside": ("UPDATE af_turn SET rest = X'00FF' WHERE number = 1", "the row 1 of af_turn"),
    "no JSON of ours": ('UPDATE af_turn SET added = \'{"added": {"a": 7}}\' WHERE number = 1', "the row 1 of af_turn"),
    "a turn in the middle": ("DELETE FROM af_turn WHERE number = 1", "the row 2 of af_turn, or one that it continues"),
    "the state as it was left": ("UPDATE af_session SET rest = X'7B'", "the column rest of af_session"),
}


@pytest.mark.parametrize("what", DAMAGE)
async def test_a_damaged_row_is_an_error_of_its_own_and_the_log_says_where_it_lies(
    file: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller learns a number that leads there, and nothing else; others are served."""
    statement, place = DAMAGE[what]
    async with Host(file) as host:
        first = await host.turn("one")
        last = await host.turn("two", first, seen=3)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        assert other.execute(statement).rowcount == 1
    async with Host(file) as host:
        for _ in range(2):
            caplog.clear()
            answer = await host.ask("three", last)
            error = answer.json()["error"]
            assert (answer.status, error["code"]) == (500, "state_damaged")
            (incident,) = re.findall(r"err_\w+", error["message"])
            assert error["message"] == f"What is stored of this conversation cannot be read. (error id {incident})"
            (told,) = [each.message for each in caplog.records if incident in each.message]
            assert f"{place}" in told
            assert f"session '{first}' of tenant 'default'" in told
        await host.turn("somebody else's")


async def test_a_session_whose_newest_turn_is_gone_is_damaged_and_nobody_took_it_over(file: Path) -> None:
    """An empty one would be a lie, and so would be a word of another process."""

    async def run() -> None:
        async with Host(file) as host:
            await host.hosted.run(ChannelRequest("test", "message", "hi", ChannelSession("room")))

    await run()
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        assert other.execute("UPDATE af_session SET head = 77").rowcount == 1
    with pytest.raises(StateDamaged) as damaged:
        await run()
    assert damaged.value.place.startswith(
        "the row 77 of af_turn, or one that it continues, is not there, session 'room'"
    )


async def test_a_damaged_record_is_told_in_the_same_way(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What was answered under an idempotency key; it is not run again."""
    asked: dict[str, Any] = {"json": {"input": "one"}, "headers": {"idempotency-key": "k"}}
    async with Host(file) as host:
        assert (await host.driver.request("POST", "/responses", **asked)).status == 200
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        assert other.execute("UPDATE af_claim SET record = X'7B'").rowcount == 1
    async with Host(file) as host:
        answer = await host.driver.request("POST", "/responses", **asked)
    assert answer.status == 500
    (incident,) = re.findall(r"err_\w+", answer.json()["error"]["message"])
    assert f"{incident}: what is stored cannot be read: the column record of af_claim" in caplog.text


async def test_a_damaged_document_is_told_in_the_same_way(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with Host(file) as host:
        conversation, other = [
            (await host.driver.request("POST", "/conversations", json={})).json()["id"] for _ in range(2)
        ]
    with closing(sqlite3.connect(file, isolation_level=None)) as raw:
        assert raw.execute("UPDATE af_document SET body = X'7B' WHERE id = ?", (conversation,)).rowcount == 1
    async with Host(file) as host:
        answer = await host.driver.request("GET", f"/conversations/{conversation}")
        assert (answer.status, answer.json()["error"]["code"]) == (500, "state_damaged")
        assert (await host.driver.request("GET", f"/conversations/{other}")).status == 200
    (incident,) = re.findall(r"err_\w+", answer.json()["error"]["message"])
    (told,) = [each.message for each in caplog.records if incident in each.message]
    assert "af_document" in told
    assert conversation in told


async def test_a_full_disk_keeps_nothing_of_a_response_that_it_does_not_accept(file: Path) -> None:
    """Whatever was written of it before the disk was full is given back, so that the same key can be sent again."""
    body = {"input": LONG, "background": True}

    async def accept(host: Host, number: int) -> Any:
        return await host.driver.request("POST", "/responses", json=body, headers={"idempotency-key": str(number)})

    async with Host(file) as host:
        accepted = list[str]()
        with no_file_larger_than(600_000):
            while (answer := await accept(host, len(accepted))).status == 200:
                accepted.append(answer.json()["id"])
            assert (answer.status, answer.json()["error"]["code"]) == (503, "state_unavailable")
        again = await accept(host, len(accepted))
        assert again.status == 200
        accepted.append(again.json()["id"])
        for response in accepted:
            await ended(host, response)
    with closing(sqlite3.connect(file)) as other:
        assert {row[0] for row in other.execute("SELECT task_id FROM af_task")} == set(accepted)
        kept = {row[0] for row in other.execute("SELECT id FROM af_document WHERE kind = 'responses.accepted'")}
        assert kept <= set(accepted)


STEPS: Final = (f"{documents.__name__}.add", f"{claims.__name__}.answer_at_once", f"{tasks.__name__}.accept")
"""The transactions in which a response is accepted."""


@contextmanager
def a_disk_that_is_full_from(step: int, *, has_written: bool) -> Generator[None]:
    """Fail each transaction that writes, from that one of the steps on, which may have written itself."""
    run, steps_left, is_full = SqliteDriver.run, step, False

    async def run_on(driver: SqliteDriver, transaction: Any, *, durable: bool, ahead: bool = False) -> Any:
        nonlocal steps_left, is_full
        script = getattr(transaction, "func", transaction)
        if not is_full and f"{script.__module__}.{script.__qualname__}" in STEPS:
            steps_left -= 1
            is_full = not steps_left
            if is_full and has_written:
                await run(driver, transaction, durable=durable, ahead=ahead)
        if is_full:
            raise StateUnavailable
        return await run(driver, transaction, durable=durable, ahead=ahead)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SqliteDriver, "run", run_on)
        yield
    assert is_full


@pytest.mark.parametrize("has_written", [False, True], ids=["unwritten", "unanswered"])
@pytest.mark.parametrize(("step", "key"), [(1, None), (2, None), (1, "key"), (2, "key"), (3, "key")])
async def test_a_response_of_which_any_step_fails_is_accepted_wholly_or_not_at_all(
    file: Path, step: int, key: str | None, has_written: bool
) -> None:
    """Nothing can be written any more from that step on, also no removal, until the disk has room again."""
    body, headers = {"input": "hello", "background": True}, {"idempotency-key": key} if key else {}

    async def accept(host: Host) -> Any:
        return await host.driver.request("POST", "/responses", json=body, headers=headers)

    async with Host(file) as host:
        with a_disk_that_is_full_from(step, has_written=has_written):
            refused = await accept(host)
        assert (refused.status, refused.json()["error"]["code"]) == (503, "state_unavailable")
        first, second = [(await accept(host)).json()["id"] for _ in range(2)]
        assert (first == second) is (key is not None)
        with closing(sqlite3.connect(file)) as other:
            done = {row[0] for row in other.execute("SELECT task_id FROM af_task")}
            kept = {row[0] for row in other.execute("SELECT id FROM af_document WHERE kind = 'responses.accepted'")}
        assert {first, second, *kept} <= done
        # One whose run was accepted, and only the answer to that was lost, is done beside them.
        was_accepted = key is None and step == 2 and has_written
        assert len(done) == len({first, second}) + was_accepted
        for response in done:
            await ended(host, response)


async def ended(host: Host, response: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            body = (await host.driver.request("GET", f"/responses/{response}")).json()
            if body["status"] not in ("queued", "in_progress"):
                break
            await asyncio.sleep(0.02)
    assert body["status"] == "completed", body


async def test_a_file_that_can_only_be_read_any_more_refuses_turns_until_it_can_be_written(file: Path) -> None:
    """It is seen when it is opened anew, here after another program had locked it."""
    async with Host(file) as host:
        first = await host.turn("before")
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with read_only(file.parent):
                await host.refused("locked", first)
                other.execute("ROLLBACK")
                await host.refused("read-only", first)
                while await host.readiness() != 503:
                    await host.refused("until it is noticed", first)
        second = await host.turn("after", first, seen=3)
    async with Host(file) as host:
        await host.turn("after a restart", second, seen=5)


async def test_a_file_without_its_wal_is_an_older_one(file: Path, tmp_path: Path) -> None:
    """As if the last turns had never been: their ids are unknown, and those before them go on."""
    copy = tmp_path / "copy" / "host.db"
    copy.parent.mkdir()
    async with Host(file) as host:
        first = await host.turn("in the file")
        with closing(sqlite3.connect(file)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        second = await host.turn("in the write-ahead log", first, seen=3)
        shutil.copyfile(file, copy)
    async with Host(copy) as host:
        lost = await host.ask("?", second)
        assert (lost.status, lost.json()["error"]["code"]) == (400, "previous_response_not_found")
        await host.turn("goes on", first, seen=3)
