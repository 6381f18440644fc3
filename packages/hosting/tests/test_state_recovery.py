"""What a database keeps when callers give up, this process stands still, or time goes by."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, text

from agent_framework_hosting._state.database import open_store
from agent_framework_hosting._state.documents import NewDocument
from agent_framework_hosting._state.encoded import Encoded
from agent_framework_hosting._state.port import Place
from agent_framework_hosting._state.sql import forgetting, sqlstore
from agent_framework_hosting._state.sql.postgres import PostgresDriver
from agent_framework_hosting._state.sql.sqlstore import SqlPlace, SqlStore
from agent_framework_hosting._state.sql.sqltasks import SqlTasks
from agent_framework_hosting._state.store import Claim, Finished, Opened, Replay, TurnRequest
from agent_framework_hosting.errors import (
    IdempotencyConflict,
    InvalidRequest,
    LeaseLost,
    RunCancelled,
    StateUnavailable,
    UnknownParent,
)
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import AgentRun, Gate, ScriptedAgent
from agent_framework_hosting.types import ChannelRequest, ChannelSession, IdempotencyKey, Owner

ADA: Owner = ("default", 1, "ada")
LEASE = 0.6
SOON = 30.0
DAY = 24 * 3600.0


@pytest.fixture
def lease() -> float:
    """Return for how long a process may be silent: longer than any test takes, unless a test is about it."""
    return 600.0


@pytest.fixture
async def store(database: str, lease: float) -> AsyncGenerator[SqlStore]:
    store = open_store(database, limits=Limits(lease=lease, stored_session_ttl=DAY, idempotency_ttl=DAY))
    assert isinstance(store, SqlStore)
    await store.start()
    yield store
    await store.stop()


@pytest.fixture
def sql(database: str) -> Callable[[str], list[Any]]:
    """Return a function that runs a statement on the database, beside the store."""
    engine = create_engine(database.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)

    def sql(statement: str) -> list[Any]:
        with engine.begin() as connection:
            found = connection.execute(text(statement))
            return [tuple(row) for row in found] if found.returns_rows else []

    return sql


async def accepted(store: SqlStore, key: str | None = "k", **changes: Any) -> Place:
    values: dict[str, Any] = {"tenant": "default", "owner": ADA, "key": key, **changes}
    place = await store.accept(TurnRequest(**values))
    assert not isinstance(place, Replay)
    return place


def done(opened: Opened, turn_id: str, **changes: Any) -> Finished:
    values: dict[str, Any] = {
        "parent": opened.head,
        "owner": ADA,
        "snapshot": Encoded(b'"a"', b'"r"'),
        "record": b"1",
        **changes,
    }
    return Finished(session=opened.name, version=opened.version, turn_id=turn_id, **values)


async def said(store: SqlStore, turn_id: str, key: str | None = "k", **changes: Any) -> int:
    place = await accepted(store, key, **changes)
    async with asyncio.timeout(SOON):
        return await place.commit(done(await place.open(), turn_id))


@pytest.mark.parametrize("steps", range(0, 16, 3))
async def test_a_caller_that_gives_up_while_it_is_accepted_blocks_nobody(store: SqlStore, steps: int) -> None:
    """Whatever had been marked for it is free again, too."""
    claim = Claim("c", "key", b"body")
    for _ in range(4):
        accepting = asyncio.create_task(accepted(store, claim=claim, answers=["request"]))
        for _ in range(steps):
            await asyncio.sleep(0)
        accepting.cancel()
        await asyncio.gather(accepting, return_exceptions=True)
        if not accepting.cancelled() and accepting.exception() is None:
            await accepting.result().leave(has_run=False)
    async with asyncio.timeout(SOON):
        while True:
            try:
                place = await accepted(store, claim=claim, answers=["request"])
                break
            except IdempotencyConflict:
                await asyncio.sleep(0.01)  # until it was seen that nobody holds it
        await place.commit(done(await place.open(), "t"))


@pytest.mark.parametrize("lease", [LEASE])
async def test_a_process_that_stood_still_keeps_what_nobody_took_over(store: SqlStore) -> None:
    """Its lease ran out, and it is the only one there: its turn is committed, and its line goes on in order."""
    first, second = await accepted(store), await accepted(store)
    opened = await first.open()
    time.sleep(2 * LEASE)  # noqa: ASYNC251 - that is what standing still is
    third = await accepted(store)
    await asyncio.sleep(LEASE)
    for place, turn_id in ((first, "t1"), (second, "t2"), (third, "t3")):
        async with asyncio.timeout(SOON):
            again = await place.open()
            opened = opened if place is first else again
            await place.commit(done(opened, turn_id))
    assert await store.find(ADA, "t3") is not None


@pytest.fixture
def let_sleep(sql: Callable[[str], list[Any]], monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function after which it is later for the database, and by date, but not by the monotonic clock."""
    date = time.time

    def let_sleep(seconds: float) -> None:
        sql(f"UPDATE af_worker SET alive_until = alive_until - {seconds}")  # noqa: S608 - a number
        monkeypatch.setattr(time, "time", lambda: date() + seconds)

    return let_sleep


async def test_on_a_machine_that_slept_turns_go_on_one_at_a_time(
    store: SqlStore, let_sleep: Callable[[float], None]
) -> None:
    first = await accepted(store)
    opened = await first.open()
    let_sleep(3600)
    second = await accepted(store)
    waiting = asyncio.create_task(second.open())
    async with asyncio.timeout(SOON):
        number = await first.commit(done(opened, "t1"))
        assert (await waiting).head == number
        await second.leave(has_run=False)


async def test_a_process_whose_lease_ran_out_while_it_asked_takes_nothing_over_from_itself(
    store: SqlStore, sql: Callable[[str], list[Any]]
) -> None:
    """Its question waited for longer than the lease, and nobody else is there."""
    claim = Claim("c", "key", b"body")
    first = await accepted(store, claim=claim)
    opened = await first.open()
    sql("UPDATE af_worker SET alive_until = alive_until - 3600")
    with pytest.raises(IdempotencyConflict):
        await accepted(store, "other", claim=claim)
    with pytest.raises(IdempotencyConflict):
        await store.claims.find(ADA, claim)
    second = await accepted(store)
    assert await store.cancel("default", "k")
    with pytest.raises(RunCancelled) as stopped:
        await second.open()
    assert stopped.value.reason == "interrupted"
    await first.commit(done(opened, "t1"))
    await second.leave(has_run=False)


async def test_a_process_that_was_away_for_so_long_that_it_is_forgotten_keeps_its_idempotency_keys(
    store: SqlStore, sql: Callable[[str], list[Any]]
) -> None:
    claim = Claim("c", "key", b"body")
    await (await accepted(store, claim=claim)).open()
    sql("DELETE FROM af_worker")
    with pytest.raises(IdempotencyConflict):
        await store.claims.find(ADA, claim)


async def test_a_conversation_that_nobody_used_is_forgotten_with_all_that_belongs_to_it(
    store: SqlStore, sql: Callable[[str], list[Any]]
) -> None:
    point = await said(store, "old", answers=["request"])
    await said(store, "new", "other")
    sql("UPDATE af_session SET used_at = used_at - 100000 WHERE root = 'k'")
    await store.sweep()
    assert await store.find(ADA, "old") is None
    assert await store.load(point) == []
    assert await store.find(ADA, "new") is not None
    assert sql("SELECT count(*) FROM af_answer") == [(0,)]
    with pytest.raises(UnknownParent):
        await accepted(store, None, parent="old")


async def test_a_branch_keeps_the_turns_that_it_stands_on_and_none_of_their_ids(
    store: SqlStore, sql: Callable[[str], list[Any]]
) -> None:
    root = await said(store, "root")
    await said(store, "head")
    place = await accepted(store, None, parent="root")
    await place.open()
    opened = await place.move("branch")
    name = type(opened.name)("default", "branch", "branch", root="k")
    tip = await place.commit(done(Opened(name, 0, None), "tip", parent=root))
    sql("UPDATE af_session SET used_at = used_at - 100000 WHERE session_id <> 'branch'")
    await store.sweep()
    assert await store.find(ADA, "root") is None
    assert await store.find(ADA, "head") is None
    assert await store.find(ADA, "tip") is not None
    assert len(await store.load(tip)) == 2
    sql("UPDATE af_session SET used_at = used_at - 100000")
    await store.sweep()
    assert sql("SELECT count(*) FROM af_turn") == [(0,)]


async def test_each_kind_is_forgotten_after_its_own_time(store: SqlStore, sql: Callable[[str], list[Any]]) -> None:
    """A key of a day ago may be used for something else; what dead processes left goes within an hour."""
    await said(store, "t", claim=Claim("c", "key", b"body"))
    with pytest.raises(IdempotencyConflict):
        await accepted(store, claim=Claim("c", "key", b"other"))
    sql("UPDATE af_claim SET created_at = created_at - 100000")
    sql("INSERT INTO af_worker (id, address, alive_until) VALUES ('dead', '', 0)")
    sql(
        "INSERT INTO af_lane (tenant, key, ticket, worker, fence, is_stopped, used_at) "
        "VALUES ('t', 'k', 'x', 'dead', 1, 0, 0)"
    )
    sql(
        "INSERT INTO af_ticket (id, tenant, key, worker, kind, attempt, created_at) "
        "VALUES ('y', 't', 'k', 'dead', 'foreground', 1, 0)"
    )
    await store.sweep()
    await said(store, "t2", claim=Claim("c", "key", b"other"))
    assert sql("SELECT count(*) FROM af_worker WHERE id = 'dead'") == [(0,)]
    assert sql("SELECT count(*) FROM af_lane WHERE tenant = 't'") == [(0,)]
    assert sql("SELECT count(*) FROM af_ticket") == [(0,)]
    assert await store.find(ADA, "t") is not None


@pytest.mark.parametrize("damage", ["parent = 3", "parent = 77"], ids=["a circle", "a turn that is missing"])
async def test_a_history_that_lacks_a_turn_is_none(
    store: SqlStore, sql: Callable[[str], list[Any]], damage: str
) -> None:
    """Neither a shorter one, nor one without an end."""
    points = [await said(store, f"t{number}") for number in range(3)]
    assert len(await store.load(points[-1])) == 3
    sql(f"UPDATE af_turn SET {damage} WHERE number = 2")  # noqa: S608 - a constant
    async with asyncio.timeout(SOON):
        assert await store.load(points[-1]) == []
    assert len(await store.load(points[0])) == 1


async def test_what_is_forgotten_while_a_turn_waits_never_becomes_an_empty_session(
    database: str, sql: Callable[[str], list[Any]]
) -> None:
    gate = Gate()

    def speak(run: AgentRun) -> list[str | Gate]:
        return ["said ", gate] if run.messages[-1].text == "wait" else [str(len(run.seen))]

    def request(said: str, turn_id: str, parent: str | None = None) -> ChannelRequest:
        session = ChannelSession(parent=parent, commit_as=turn_id)
        return ChannelRequest(channel="script", operation="message", input=said, session=session)

    agent = ScriptedAgent(every=speak)
    async with AgentFrameworkHost(agent, channels=[], database=database) as host:
        await host.run(request("first", "t1"))
        waiting = asyncio.create_task(host.run(request("wait", "t2", "t1")))
        await gate.wait_reached(1)
        behind = asyncio.create_task(host.run(request("behind", "t3", "t1")))
        while sql("SELECT count(*) FROM af_ticket") == [(0,)]:  # noqa: ASYNC110 - no event says so
            await asyncio.sleep(0.01)
        sql("DELETE FROM af_turn")
        sql("DELETE FROM af_session")
        gate.open()
        outcomes = await asyncio.gather(waiting, behind, return_exceptions=True)
    assert [getattr(each, "code", each) for each in outcomes] == ["lease_lost", "unknown_parent"]


@pytest.mark.parametrize("steps", range(1, 6))
async def test_a_caller_that_gives_up_while_it_leaves_blocks_nobody(store: SqlStore, steps: int) -> None:
    """This process stays alive, so that nobody would ever take the line over."""
    claim = Claim("c", "key", b"body")
    first = await accepted(store, claim=claim)
    await first.open()
    leaving = asyncio.create_task(first.leave(has_run=True))
    for _ in range(steps):
        await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    second = await accepted(store)
    async with asyncio.timeout(SOON):
        await second.open()
    await second.leave(has_run=True)


async def test_an_answer_that_could_not_be_kept_leaves_its_idempotency_key_to_the_next_attempt(
    database: str, make_probe: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing runs any more, so that the caller must not be told for a day that it does."""
    probe, key = make_probe(), IdempotencyKey("once", b"body")
    agent = ScriptedAgent(every="ok")
    request = ChannelRequest(channel="probe", operation="message", input="pay", session=None)

    async def fail(*_: object) -> None:
        raise StateUnavailable

    async with AgentFrameworkHost(agent, channels=[probe], database=database):
        with monkeypatch.context() as patched:
            patched.setattr(SqlPlace, "settle", fail)
            with pytest.raises(StateUnavailable):
                await probe.context.run(request, idempotency=key)
        await probe.context.run(request, idempotency=key)
    assert len(agent.runs) == 2


@pytest.mark.parametrize("strange", ["room\0", "half \ud83d", "x" * 5000])
async def test_a_name_that_not_every_database_can_keep_is_refused(store: SqlStore, strange: str) -> None:
    """It is the caller's to mend, and nothing is taken for it."""
    unkeepable: list[dict[str, Any]] = [
        {"key": strange},
        {"key": None, "root": strange, "answers": ["request"]},
        {"answers": [strange]},
        {"claim": Claim("c", strange, b"body")},
        {"claim": Claim(strange, "key", b"body")},
        {"owner": ("default", True, strange)},
        {"owner": (strange, 1, "ada")},
        {"tenant": strange},
        {"turn_id": strange},
    ]
    for each in unkeepable:
        with pytest.raises(InvalidRequest, match="NUL"):
            await accepted(store, **{"key": "room", **each})
    for tenant, key in (("default", strange), (strange, "room")):
        with pytest.raises(InvalidRequest, match="NUL"):
            await asyncio.to_thread(store.rotate, tenant, key)
        with pytest.raises(InvalidRequest, match="NUL"):
            await store.named(tenant, key)
    assert await store.find(ADA, strange) is None
    assert await store.find(("default", True, strange), "t") is None
    assert await store.find((strange, 1, "ada"), "t") is None
    with pytest.raises(UnknownParent):
        await accepted(store, parent=strange)
    place = await accepted(store, "room")
    await place.open()
    await place.leave(has_run=False)


@pytest.mark.parametrize("lease", [LEASE])
async def test_tables_that_are_away_for_a_while_are_as_if_the_database_were_away(
    store: SqlStore, sql: Callable[[str], list[Any]]
) -> None:
    """As they are while a backup is restored: whoever waits goes on afterwards, and the lease is renewed again."""
    first, second = await accepted(store), await accepted(store)
    await first.open()
    sql("ALTER TABLE af_worker RENAME TO af_elsewhere")
    with pytest.raises(StateUnavailable):
        await accepted(store)
    async with asyncio.timeout(SOON):
        while store.is_well:  # noqa: ASYNC110 - it is tried three times within a lease
            await asyncio.sleep(0.01)
    sql("ALTER TABLE af_elsewhere RENAME TO af_worker")
    await first.leave(has_run=True)
    async with asyncio.timeout(SOON):
        await second.open()
        while not store.is_well:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
    await second.leave(has_run=True)


async def test_a_name_that_is_too_long_for_an_index_is_refused(store: SqlStore) -> None:
    """The database is well, and no other try would help."""
    long = token_hex(2000)
    with pytest.raises(InvalidRequest, match="2000"):
        await accepted(store, long)
    place = await accepted(store, long[:2000])
    await place.open()
    await place.leave(has_run=False)


async def test_a_place_that_is_given_up_after_the_stop_keeps_nobody_busy(database: str) -> None:
    """The process has given everything back already; nothing goes on trying for as long as the loop lives."""
    before = asyncio.all_tasks()
    store = open_store(database, limits=Limits())
    assert isinstance(store, SqlStore)
    await store.start()
    place = await accepted(store)
    await store.stop()
    place.abandon()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() <= before


def own_threads() -> set[threading.Thread]:
    # How many the loop keeps for whoever asks for one next is the loop's business.
    return {thread for thread in threading.enumerate() if thread.name.startswith("af-hosting-")}


@pytest.mark.parametrize("steps", [1, 3, 6, 9, 12, 20])
async def test_a_stop_that_is_cancelled_leaves_neither_threads_nor_tasks_nor_connections_behind(
    database: str, sql: Callable[[str], list[Any]], steps: int
) -> None:
    before, threads, name = asyncio.all_tasks(), own_threads(), f"stopped_{token_hex(8)}"
    is_sqlite = database.startswith("sqlite")
    store = open_store(database if is_sqlite else f"{database}&application_name={name}", limits=Limits())
    await store.start()
    stopping = asyncio.create_task(store.stop())
    for _ in range(steps):
        await asyncio.sleep(0)
    stopping.cancel()
    await asyncio.gather(stopping, return_exceptions=True)
    assert asyncio.all_tasks() <= before
    if is_sqlite:
        assert own_threads() <= threads
    else:
        async with asyncio.timeout(SOON):
            left = f"SELECT pid FROM pg_stat_activity WHERE application_name = '{name}'"  # noqa: S608 - our own name
            while sql(left):  # noqa: ASYNC110 - the server takes a moment
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
async def test_a_stop_closes_a_connection_that_was_being_made(database: str, sql: Callable[[str], list[Any]]) -> None:
    """By itself, whenever the garbage collector comes."""
    name = f"stopped_{token_hex(8)}"
    driver = PostgresDriver(f"{database}&application_name={name}")
    gc.disable()
    try:
        await driver.start(lambda: None)
        for _ in range(3):
            await asyncio.sleep(0)
        await driver.stop()
        async with asyncio.timeout(SOON):
            left = f"SELECT pid FROM pg_stat_activity WHERE application_name = '{name}'"  # noqa: S608 - our own name
            while sql(left):  # noqa: ASYNC110 - the server takes a moment
                await asyncio.sleep(0.01)
    finally:
        gc.enable()


async def test_a_host_whose_start_is_called_off_at_its_last_step_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last look into the database may take long, and it can be started again."""
    before, threads, looks = asyncio.all_tasks(), own_threads(), Gate()

    async def never(_: SqlTasks) -> Any:
        looks.open()
        await asyncio.Event().wait()

    host = AgentFrameworkHost(ScriptedAgent(every="ok"), channels=[], database=f"sqlite:///{tmp_path}/host.db")
    with monkeypatch.context() as patched:
        patched.setattr(SqlTasks, "open_kinds", never)
        starting = asyncio.create_task(host.__aenter__())
        await looks.wait()
        starting.cancel()
        await asyncio.wait({starting})
    assert starting.cancelled()
    assert asyncio.all_tasks() <= before
    assert own_threads() <= threads
    async with host:
        assert (await host.run(ChannelRequest("probe", "message", "hi"))).result.text == "ok"


@pytest.mark.parametrize("is_stored", [False, True], ids=["aside", "stored"])
@pytest.mark.parametrize("taken", ["line", "key"])
async def test_a_worker_whose_line_or_key_was_taken_over_settles_nothing(
    store: SqlStore, sql: Callable[[str], list[Any]], taken: str, is_stored: bool
) -> None:
    """A later attempt may run in another line, so that the lane alone does not tell that the key is gone."""
    claim = Claim("c", "key", b"body")
    stale = await accepted(store, "old", claim=claim)
    opened = await stale.open()
    later: Place | None = None
    if taken == "line":
        sql("UPDATE af_lane SET ticket = 'later', fence = fence + 1")
    else:
        sql("UPDATE af_claim SET worker = NULL")
        later = await accepted(store, "new", claim=claim)
        assert later.attempt == 2
    with pytest.raises(LeaseLost):
        await (stale.commit(done(opened, "t")) if is_stored else stale.settle(b"stale"))
    assert sql("SELECT record FROM af_claim") == [(None,)]
    assert await store.find(ADA, "t") is None
    await stale.leave(has_run=True)
    if later is not None:
        await later.open()
        await later.settle(b"later")
        again = await store.accept(TurnRequest(tenant="default", owner=ADA, key="old", claim=claim))
        assert again == Replay(b"later")


async def test_a_key_of_a_request_that_still_runs_is_not_forgotten(
    store: SqlStore, sql: Callable[[str], list[Any]]
) -> None:
    """However long it runs, a second request under the key must not run beside it."""
    claim = Claim("c", "key", b"body")
    place = await accepted(store, claim=claim)
    await place.open()
    sql("UPDATE af_claim SET created_at = created_at - 100000")
    await store.sweep()
    with pytest.raises(IdempotencyConflict):
        await accepted(store, claim=claim)
    await place.commit(done(await place.open(), "t"))
    await store.sweep()
    assert sql("SELECT count(*) FROM af_claim") == [(0,)]


async def long_conversation(store: SqlStore) -> None:
    """Take turns in one conversation, and one in a branch of it."""
    points = [await said(store, f"t{number}", answers=[f"request {number}"]) for number in range(7)]
    place = await accepted(store, None, parent="t3")
    await place.open()
    opened = await place.move("branch")
    name = type(opened.name)("default", "branch", "branch", root="k")
    await place.commit(done(Opened(name, 0, None), "tip", parent=points[3]))
    await store.documents.add(ADA, "k", [NewDocument("note", "old", b"1")])


def rows(sql: Callable[[str], list[Any]]) -> list[int]:
    """Return how many turns, sessions, answers and documents there are."""
    tables = ("af_turn", "af_session", "af_answer", "af_document")
    return [sql(f"SELECT count(*) FROM {table}")[0][0] for table in tables]  # noqa: S608 - constants


async def test_a_long_conversation_is_forgotten_little_by_little(
    store: SqlStore, sql: Callable[[str], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many turns it has, no transaction forgets more than so many of them; the others are left alone."""
    monkeypatch.setattr(sqlstore, "_TURNS", 3)
    dropped: list[int] = []
    drop = forgetting.drop_turns

    def watched(**given: Any) -> Any:
        count = yield from drop(**given)
        dropped.append(count)
        return count

    monkeypatch.setattr(forgetting, "drop_turns", watched)
    await long_conversation(store)
    await said(store, "other", "other")
    sql("UPDATE af_session SET used_at = used_at - 100000 WHERE root = 'k'")
    await store.sweep()
    assert dropped == [3, 3, 2, 0]
    assert rows(sql) == [1, 1, 0, 0]
    assert await store.find(ADA, "tip") is None
    assert await store.find(ADA, "other") is not None


async def test_a_sweep_that_dies_in_a_long_conversation_leaves_nothing_to_be_found_and_the_next_one_ends_it(
    store: SqlStore, sql: Callable[[str], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever uses the key in between begins with nothing, and keeps what is theirs."""
    monkeypatch.setattr(sqlstore, "_TURNS", 3)
    await long_conversation(store)
    sql("UPDATE af_session SET used_at = used_at - 100000")

    def die(**_: Any) -> Any:
        raise StateUnavailable

    with monkeypatch.context() as dying:
        dying.setattr(forgetting, "drop_turns", die)
        with pytest.raises(StateUnavailable):
            await store.sweep()
    assert rows(sql)[0] == 8
    for turn_id in ("t0", "t6", "tip"):
        assert await store.find(ADA, turn_id) is None
    place = await accepted(store)
    await place.open()
    assert (await place.open()).head is None
    assert await store.documents.find(ADA, "note", "old") is None
    await store.documents.add(ADA, "k", [NewDocument("note", "new", b"1")])
    point = await place.commit(done(await place.open(), "new"))
    assert len(await store.load(point)) == 1
    await store.sweep()
    assert await store.find(ADA, "new") is not None
    assert await store.documents.find(ADA, "note", "new") is not None
    sql("UPDATE af_session SET used_at = used_at - 100000")
    await store.sweep()
    assert rows(sql) == [0, 0, 0, 0]


async def test_a_conversation_in_which_a_turn_runs_is_not_forgotten(
    store: SqlStore, sql: Callable[[str], list[Any]]
) -> None:
    """Also when the run takes longer than a conversation is kept that nobody uses."""
    await said(store, "t1")
    place = await accepted(store)
    opened = await place.open()
    sql("UPDATE af_session SET used_at = used_at - 100000")
    await store.sweep()
    point = await place.commit(done(opened, "t2"))
    assert len(await store.load(point)) == 2


async def test_a_turn_that_begins_while_its_conversation_is_being_forgotten_begins_with_nothing(
    database: str, store: SqlStore, sql: Callable[[str], list[Any]]
) -> None:
    """Many at once: never does one find half of a conversation, or lose its own turn to the sweep."""
    other = open_store(database, limits=Limits(stored_session_ttl=DAY))
    assert isinstance(other, SqlStore)
    await other.start()
    try:
        for number in range(10):
            await said(store, f"old {number}")
            sql("UPDATE af_session SET used_at = used_at - 100000")
            point, _ = await asyncio.gather(said(store, f"new {number}"), other.sweep())
            assert len(await store.load(point)) in {1, 2}
            assert await store.find(ADA, f"new {number}") is not None
            sql("DELETE FROM af_session")
            sql("DELETE FROM af_turn")
    finally:
        await other.stop()


_FORBIDDING = {
    "sqlite": ["CREATE TRIGGER kept BEFORE {what} ON af_worker BEGIN SELECT RAISE(ABORT, 'kept'); END"],
    "postgresql": [
        "CREATE FUNCTION kept() RETURNS trigger AS 'BEGIN RAISE integrity_constraint_violation; END' LANGUAGE plpgsql",
        "CREATE TRIGGER kept BEFORE {what} ON af_worker FOR EACH ROW EXECUTE FUNCTION kept()",
    ],
}
_ALLOWING = {"sqlite": "DROP TRIGGER kept", "postgresql": "DROP TRIGGER kept ON af_worker"}


@pytest.mark.parametrize("what", ["DELETE", "UPDATE"])
async def test_what_an_operators_own_rule_forbids_for_a_while_is_told_and_tried_again(
    database: str,
    sql: Callable[[str], list[Any]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    what: str,
) -> None:
    """The sweep as well as the lease go on; they would have ended without a word."""
    monkeypatch.setattr(sqlstore, "_SWEEP", 0.02)
    store, kind = open_store(database, limits=Limits(lease=LEASE)), database.partition(":")[0]
    await store.start()
    sql("INSERT INTO af_worker (id, address, alive_until) VALUES ('long dead', '', 0)")
    try:
        for statement in _FORBIDDING[kind]:
            sql(statement.format(what=what))
        sql("INSERT INTO af_worker (id, address, alive_until) VALUES ('dead, too', '', 0)")
        async with asyncio.timeout(SOON):
            while "it is tried again" not in caplog.text if what == "DELETE" else store.is_well:  # noqa: ASYNC110 - a look
                await asyncio.sleep(0.01)
            sql(_ALLOWING[kind])
            while not store.is_well or sql("SELECT 1 FROM af_worker WHERE alive_until = 0"):  # noqa: ASYNC110 - a look
                await asyncio.sleep(0.01)
    finally:
        await store.stop()
