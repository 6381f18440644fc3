"""What operators do to a database, beside hosts that run: on a SQLite file, and on PostgreSQL."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, select, update

from agent_framework_hosting._state.database import described, open_engine, open_store
from agent_framework_hosting._state.events import Event, RunName
from agent_framework_hosting._state.sql import adoption, operation, purge, selection
from agent_framework_hosting._state.sql.migrations import STEPS
from agent_framework_hosting._state.sql.schema import CLAIMS, EVENTS, SCHEMA, SESSIONS, TURNS
from agent_framework_hosting._state.sql.sqlstore import SqlStore
from agent_framework_hosting._state.tasks import NewTask
from agent_framework_hosting.channel import ChannelContext, RunWriter, Task
from agent_framework_hosting.cli import main
from agent_framework_hosting.errors import LeaseLost, UnknownId, UnknownParent
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Gate, ScriptedAgent
from agent_framework_hosting.types import ChannelRequest, ChannelSession, HostedRunResult, IdempotencyKey, Principal

Connect = Callable[..., Awaitable[ChannelContext]]
Command = Callable[..., Awaitable[dict[str, int]]]

ADA, BOB = (Principal(id=name, kind="caller") for name in ("ada", "bob"))
NEWEST = len(STEPS)
LONG_AGO = 90 * 24 * 3600.0


@pytest.fixture
async def connect(database: str, make_probe: Callable[[], Any]) -> AsyncGenerator[Connect]:
    """Return a function that starts one more host on the database, and returns the context that its channel got."""
    async with AsyncExitStack() as stack:

        async def connect(agent: Any, **options: Any) -> ChannelContext:
            probe = make_probe()
            await stack.enter_async_context(AgentFrameworkHost(agent, channels=[probe], database=database, **options))
            return probe.context

        yield connect


async def say(
    context: ChannelContext,
    text: str,
    key: str | None = None,
    *,
    by: Principal | None = None,
    idempotency: str | None = None,
    **session: Any,
) -> HostedRunResult[Any]:
    request = ChannelRequest(
        channel="test", operation="message", input=text, session=ChannelSession(key, **session), principal=by
    )
    named = IdempotencyKey(idempotency, b"body") if idempotency else None
    return await context.run(request, seal=lambda result: {"said": text}, idempotency=named)


def counts(printed: str) -> dict[str, int]:
    """Return what a command printed, by kind."""
    rows = [line.split(maxsplit=1) for line in printed.splitlines() if line.startswith("  ")]
    return {name: int(count) for count, name in rows}


@pytest.fixture
def command(database: str, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs a command on the database, and returns what it counted."""

    async def command(name: str, *arguments: str, code: int = 0) -> dict[str, int]:
        # In a thread, as in a process of its own: it may have to wait for what a host is in the middle of.
        assert await asyncio.to_thread(main, [name, database, *arguments]) == code
        return counts(capsys.readouterr().out)

    return command


def rows(database: str, table: Any) -> int:
    engine = open_engine(database)
    with engine.connect() as connection:
        found = len(connection.execute(select(table)).all())
    engine.dispose()
    return found


def age(database: str, table: Any, column: str, seconds: float = LONG_AGO) -> None:
    """Let all rows of a table be older."""
    engine = open_engine(database)
    with engine.begin() as connection:
        connection.execute(update(table).values({column: table.c[column] - seconds}))
    engine.dispose()


async def test_a_purged_principal_is_unknown_at_once_in_a_host_that_runs(connect: Connect, command: Command) -> None:
    agent = ScriptedAgent(every="ok")
    context = await connect(agent)
    await say(context, "mine", commit_as="t1", by=ADA, idempotency="once")
    await say(context, "more", parent="t1", commit_as="t2", by=ADA)
    await say(context, "his", commit_as="u1", by=BOB)

    would = await command("purge", "--principal", "ada", "--dry-run")
    assert await context.read_record("t2", principal=ADA) == {"said": "more"}
    gone = await command("purge", "--principal", "ada")

    assert gone == would
    assert gone == {
        "sessions": 1, "turns": 2, "records": 2, "answers": 0, "idempotency keys": 1, "checkpoints": 0,
        "tasks": 0, "events": 0, "documents": 0,
    }  # fmt: skip
    for turn_id in ("t1", "t2"):
        with pytest.raises(UnknownId):
            await context.read_record(turn_id, principal=ADA)
        with pytest.raises(UnknownParent):
            await say(context, "go on", parent=turn_id, commit_as="t3", by=ADA)
    await say(context, "his too", parent="u1", commit_as="u2", by=BOB)
    assert agent.runs[-1].seen == ["his", "ok", "his too"]


async def test_a_purged_session_never_comes_back_from_the_memory_of_a_host(connect: Connect, command: Command) -> None:
    """Another host uses the key until the new session counts as many turns as the old one did."""
    here, there = ScriptedAgent(every="ok"), ScriptedAgent(every="ok")
    first, second = await connect(here), await connect(there)
    for text in ("one", "two"):
        await say(first, text, "room")
    await command("purge", "--session", "room")
    for text in ("three", "four"):
        await say(second, text, "room")
    await say(first, "five", "room")
    assert here.runs[-1].seen == ["three", "ok", "four", "ok", "five"]


async def test_a_turn_that_runs_while_its_session_is_purged_brings_nothing_back(
    connect: Connect, command: Command
) -> None:
    gate = Gate()
    agent = ScriptedAgent("ok", [gate, "ok"], "ok")
    context = await connect(agent)
    await say(context, "one", "room")
    running = asyncio.ensure_future(say(context, "two", "room"))
    await gate.wait_reached()
    await command("purge", "--session", "room")
    gate.open()
    with pytest.raises(LeaseLost):
        await running
    await say(context, "three", "room")
    assert agent.runs[-1].seen == ["three"]


async def test_a_turn_that_fails_while_its_session_is_purged_leaves_no_state_behind(
    connect: Connect, command: Command, database: str
) -> None:
    gate = Gate()
    agent = ScriptedAgent("ok", [gate, ValueError("no")])
    context = await connect(agent)
    await say(context, "one", "room")
    running = asyncio.ensure_future(say(context, "two", "room"))
    await gate.wait_reached()
    await command("purge", "--session", "room")
    gate.open()
    with pytest.raises(ValueError, match="no"):
        await running
    assert rows(database, SESSIONS) == 0


async def test_a_branch_of_a_purged_turn_is_refused_and_never_begins_with_nothing(
    connect: Connect, command: Command, database: str
) -> None:
    gate = Gate()
    agent = ScriptedAgent("ok", "ok", [gate, "ok"])
    context = await connect(agent)
    await say(context, "one", commit_as="t1", by=ADA)
    await say(context, "two", parent="t1", commit_as="t2", by=ADA)
    branching = asyncio.ensure_future(say(context, "other two", parent="t1", commit_as="t3", by=ADA))
    await gate.wait_reached()
    await command("purge", "--principal", "ada")
    gate.open()
    with pytest.raises(LeaseLost):
        await branching
    assert rows(database, TURNS) == 0


async def test_in_shared_conversations_only_ids_and_records_go_unless_they_are_meant_too(
    connect: Connect, command: Command, database: str
) -> None:
    agent = ScriptedAgent(every="ok")
    context = await connect(agent)
    await say(context, "hers", "room", commit_as="a1", by=ADA)
    await say(context, "his", "room", commit_as="b1", by=BOB)
    would = await command("purge", "--principal", "ada", "--dry-run")
    gone = await command("purge", "--principal", "ada")
    assert would == gone
    assert (gone["sessions"], gone["turns"], gone["records"]) == (0, 0, 1)
    with pytest.raises(UnknownId):
        await context.read_record("a1", principal=ADA)
    assert await context.read_record("b1", principal=BOB) == {"said": "his"}
    await say(context, "and?", "room", by=BOB)
    assert agent.runs[-1].seen == ["hers", "ok", "his", "ok", "and?"]
    assert (await command("purge", "--principal", "ada", "--with-shared"))["turns"] == 3
    assert rows(database, TURNS) == 0


async def test_by_age_goes_what_nobody_used_and_a_conversation_goes_with_its_branches(
    connect: Connect, command: Command, database: str
) -> None:
    context = await connect(ScriptedAgent(every="ok"))
    await say(context, "one", commit_as="t1", by=ADA, idempotency="k")
    for turn_id in ("t2", "t3"):
        await say(context, turn_id, parent="t1", commit_as=turn_id, by=ADA)
    for table, column in ((SESSIONS, "used_at"), (CLAIMS, "created_at")):
        age(database, table, column)
    await say(context, "new", "room", by=ADA, idempotency="new")
    assert set((await command("purge", "--older-than", "91d")).values()) == {0}
    would = await command("purge", "--older-than", "30d", "--dry-run")
    gone = await command("purge", "--older-than", "30d")
    assert gone == would
    assert (gone["sessions"], gone["turns"], gone["idempotency keys"]) == (2, 3, 1)
    assert (rows(database, SESSIONS), rows(database, CLAIMS)) == (1, 1)


async def test_a_branch_in_use_keeps_its_old_conversation(connect: Connect, command: Command, database: str) -> None:
    context = await connect(ScriptedAgent(every="ok"))
    await say(context, "one", commit_as="t1", by=ADA)
    age(database, SESSIONS, "used_at")
    await say(context, "two", parent="t1", commit_as="t2", by=ADA)
    await say(context, "three", parent="t1", commit_as="t3", by=ADA)
    assert (await command("purge", "--older-than", "30d"))["sessions"] == 0


async def test_tenants_are_purged_apart(connect: Connect, command: Command) -> None:
    context = await connect(ScriptedAgent(every="ok"))
    elsewhere = Principal(tenant="acme", id="ada", kind="caller")
    await say(context, "one", "room", by=ADA)
    await say(context, "one", "room", by=elsewhere)
    assert (await command("purge", "--session", "room", "--tenant", "acme"))["sessions"] == 1
    assert (await command("purge", "--principal", "ada", "--tenant", "acme"))["sessions"] == 0
    assert (await command("purge", "--principal", "ada"))["sessions"] == 1


async def test_many_conversations_are_purged_in_batches_and_counted_once(
    connect: Connect, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "BATCH", 2)
    monkeypatch.setattr(operation, "ROWS", 2)
    context = await connect(ScriptedAgent(every="ok"))
    for number in range(5):
        await say(context, "hi", commit_as=f"t{number}", idempotency=f"k{number}")
    would = await command("purge", "--anonymous", "--dry-run")
    gone = await command("purge", "--anonymous")
    assert would == gone
    assert (gone["sessions"], gone["turns"], gone["idempotency keys"]) == (5, 5, 5)


async def test_a_long_conversation_is_purged_little_by_little_and_counted_as_any_other(
    connect: Connect, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = ScriptedAgent(every="ok")
    context = await connect(agent)
    for number in range(8):
        await say(context, "hi", "room", commit_as=f"t{number}", by=ADA, idempotency=f"k{number}")
    await say(context, "fork", parent="t3", commit_as="fork", by=ADA)
    await say(context, "other", "hall", commit_as="u", by=BOB)
    await context.documents.add("note", "room", [("n1", 1), ("n2", 2)], principal=ADA)
    await context.documents.add("note", "hall", [("n3", 3)], principal=BOB)
    would = await command("purge", "--principal", "ada", "--dry-run")
    monkeypatch.setattr(operation, "ROWS", 2)
    gone = await command("purge", "--principal", "ada")
    assert would == gone
    assert (gone["sessions"], gone["turns"], gone["records"], gone["idempotency keys"]) == (2, 9, 9, 8)
    assert gone["documents"] == 2
    assert await context.documents.find("note", "n1", principal=ADA) is None
    assert await context.documents.find("note", "n3", principal=BOB) is not None
    await say(context, "again", "room", commit_as="t9", by=ADA)
    assert agent.runs[-1].seen == ["again"]
    await context.read_record("u", principal=BOB)


async def test_a_long_conversation_of_several_keeps_what_others_said(
    connect: Connect, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = await connect(ScriptedAgent(every="ok"))
    for number in range(6):
        await say(context, "hi", "room", commit_as=f"t{number}", by=ADA if number % 2 else BOB)
    would = await command("purge", "--principal", "ada", "--dry-run")
    monkeypatch.setattr(operation, "ROWS", 2)
    assert await command("purge", "--principal", "ada") == would
    await context.read_record("t4", principal=BOB)
    with pytest.raises(UnknownId):
        await context.read_record("t5", principal=ADA)


async def test_what_anonymous_callers_wrote_becomes_a_principals(connect: Connect, command: Command) -> None:
    agent = ScriptedAgent(every="ok")
    context = await connect(agent)
    await say(context, "one", commit_as="t1", idempotency="k")
    await say(context, "else", "room")
    others = {"tasks": 0, "documents": 0}
    assert await command("adopt", "--to", "ada", "--dry-run") == {"turns": 2, "idempotency keys": 1, **others}
    with pytest.raises(UnknownParent):
        await say(context, "two", parent="t1", commit_as="t2", by=ADA)
    assert await command("adopt", "--to", "ada", "--session", "t1") == {"turns": 1, "idempotency keys": 0, **others}
    assert await command("adopt", "--to", "ada") == {"turns": 1, "idempotency keys": 1, **others}
    await say(context, "two", parent="t1", commit_as="t2", by=ADA)
    assert agent.runs[-1].seen == ["one", "ok", "two"]
    with pytest.raises(UnknownParent):
        await say(context, "two", parent="t1", commit_as="t2")


async def test_an_id_that_the_principal_has_already_stays_and_is_named(
    connect: Connect, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    context = await connect(ScriptedAgent(every="ok"))
    await say(context, "nobody's", commit_as="t1")
    await say(context, "free", commit_as="t2")
    await say(context, "hers", commit_as="t1", by=ADA)
    for dry in (["--dry-run"], []):
        assert await asyncio.to_thread(main, ["adopt", database, "--to", "ada", *dry]) == 1
        printed = capsys.readouterr()
        assert counts(printed.out)["turns"] == 1
        assert printed.err.strip().endswith("stay as they are: t1.")
    assert await context.read_record("t1", principal=ADA) == {"said": "hers"}
    assert await context.read_record("t2", principal=ADA) == {"said": "free"}


async def test_background_runs_that_have_ended_become_a_principals_with_what_they_said(
    connect: Connect, command: Command
) -> None:
    context, gate = await connect(ScriptedAgent()), Gate()

    async def handler(task: Task, writer: RunWriter) -> None:
        await writer.write(task.id.encode())
        if task.id == "open":
            await gate.wait()

    async def said(id: str, by: Principal | None) -> list[bytes]:
        return [event.data async for event in await context.runs.events(id, kind="run", principal=by)]

    context.runs.handle("run", handler)
    for id, by in (("ended", None), ("hers", None), ("hers", ADA), ("open", None)):
        await context.runs.start(kind="run", line=f"{id}{by}", payload=None, id=id, principal=by)
        if id != "open":
            await said(id, by)
    await gate.wait_reached()
    with pytest.raises(UnknownId):
        await said("ended", ADA)
    assert (await command("adopt", "--to", "ada", "--dry-run", code=1))["tasks"] == 1
    assert (await command("adopt", "--to", "ada", code=1))["tasks"] == 1
    assert await said("ended", ADA) == [b"ended"]
    with pytest.raises(UnknownId):
        await said("ended", None)
    # What is not done yet belongs to whom it is done for.
    gate.open()
    assert await said("open", None) == [b"open"]
    assert (await command("adopt", "--to", "ada", code=1))["tasks"] == 1
    assert await said("open", ADA) == [b"open"]


async def test_each_kind_is_swept_after_its_own_time(connect: Connect, database: str) -> None:
    """A day for keys, thirty for ids and conversations: the defaults."""
    context = await connect(ScriptedAgent(every="ok"))
    day = 24 * 3600.0
    await say(context, "one", "room", commit_as="t1", by=ADA, idempotency="k")
    store = open_store(database, limits=Limits())
    assert isinstance(store, SqlStore)
    await store.start()
    age(database, CLAIMS, "created_at", 1.1 * day)
    age(database, TURNS, "created_at", 29 * day)
    age(database, SESSIONS, "used_at", 29 * day)
    await store.sweep()
    assert rows(database, CLAIMS) == 0
    assert await context.read_record("t1", principal=ADA) == {"said": "one"}
    age(database, TURNS, "created_at", 2 * day)
    await store.sweep()
    with pytest.raises(UnknownId):
        await context.read_record("t1", principal=ADA)
    assert (rows(database, TURNS), rows(database, SESSIONS)) == (1, 1)
    age(database, SESSIONS, "used_at", 2 * day)
    await store.sweep()
    await store.stop()
    assert (rows(database, TURNS), rows(database, SESSIONS)) == (0, 0)


def test_migrate_says_from_which_version_to_which(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = described(database)
    if database.startswith("postgres"):
        assert main(["migrate", database, "--check"]) == 1
        assert capsys.readouterr().out == f"{shown}: schema version 0; this release needs {NEWEST}.\n"
    assert main(["migrate", database]) == 0
    assert capsys.readouterr().out == f"{shown}: from schema version 0 to {NEWEST}.\n"
    for arguments in ([], ["--check"]):
        assert main(["migrate", database, *arguments]) == 0
        assert capsys.readouterr().out == f"{shown}: schema version {NEWEST}, up to date.\n"


def test_a_newer_schema_is_left_alone_by_every_command(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["migrate", database])
    engine = open_engine(database)
    with engine.begin() as connection:
        connection.execute(update(SCHEMA).values(version=99))
    engine.dispose()
    for command in (["migrate"], ["migrate", "--check"], ["purge", "--anonymous"], ["adopt", "--to", "ada"]):
        assert main([command[0], database, *command[1:]]) == 2
        assert "has schema version 99" in capsys.readouterr().err


def test_the_database_may_be_named_by_the_environment(
    database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["migrate"]) == 2
    assert "AF_HOSTING_DATABASE" in capsys.readouterr().err
    monkeypatch.setenv("AF_HOSTING_DATABASE", database)
    assert main(["migrate"]) == 0


def test_a_database_that_migrate_makes_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "host.db"
    assert main(["migrate", f"sqlite:///{path}"]) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("command", [["migrate", "--check"], ["purge", "--anonymous"], ["adopt", "--to", "ada"]])
def test_a_database_that_is_not_there_is_not_made_by_looking_for_it(
    tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "host.db"
    assert main([command[0], f"sqlite:///{path}", *command[1:]]) == 2
    assert "There is no database at" in capsys.readouterr().err
    assert not path.exists()


def test_a_file_that_is_no_database_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "host.db"
    path.write_text("no database at all, " * 100)
    path.chmod(0o600)
    assert main(["purge", f"sqlite:///{path}", "--anonymous"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:hidden@127.0.0.1:1/host",
        "postgresql://127.0.0.1:1/host?user=ada&password=hidden",
        "postgresql://ada:hidden@127.0.0.1:port/host",
        "mysql://ada:hidden@127.0.0.1/host",
    ],
)
def test_a_password_is_never_printed(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", url]) == 2
    printed = capsys.readouterr()
    assert "hidden" not in printed.out + printed.err
    assert "Traceback" not in printed.err
    assert "hidden" not in described(url)


@pytest.mark.parametrize("age", ["30", "d", "0d", "-1d", "soon", "1y"])
def test_an_age_that_is_none_is_refused(age: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["purge", "sqlite:///host.db", f"--older-than={age}"])
    assert stopped.value.code == 2
    assert "is no age" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--session", "--principal", "--tenant"])
def test_a_name_that_is_no_utf_8_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["purge", "sqlite:///host.db", option, "half \udcff"])
    assert stopped.value.code == 2
    assert "is no UTF-8" in capsys.readouterr().err


def test_purge_without_saying_what_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["purge", "sqlite:///host.db", "--tenant", "acme"]) == 2
    assert "purge needs to know what" in capsys.readouterr().err


async def test_accepted_work_goes_with_the_principal_who_asked_for_it(connect: Connect, command: Command) -> None:
    context, gate, done = await connect(ScriptedAgent()), Gate(), asyncio.Event()

    async def handler(task: Task) -> None:
        if task.id == "running":
            await gate.wait()
        if task.principal == BOB:
            done.set()

    context.tasks.handle("work", handler)
    for id, by in (("running", ADA), ("waiting", ADA), ("his", BOB)):
        await context.tasks.accept(kind="work", id=id, line="line", payload="secret", principal=by)
    await gate.wait_reached()
    assert (await command("purge", "--principal", "ada", "--dry-run"))["tasks"] == 2
    assert (await command("purge", "--principal", "ada"))["tasks"] == 2
    async with asyncio.timeout(60):
        await done.wait()


async def test_much_work_is_given_away_little_by_little(
    connect: Connect, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = await connect(ScriptedAgent(every="ok"))

    async def handler(task: Task, writer: RunWriter) -> None:
        await writer.write(task.id.encode())

    context.runs.handle("run", handler)
    for id in "12345":
        await context.runs.start(kind="run", line=id, payload=None, id=id)
        assert [event.data async for event in await context.runs.events(id, kind="run")] == [id.encode()]
        await context.documents.add("note", "room", [(id, "said")])
        await say(context, "hi", idempotency=id)
    monkeypatch.setattr(operation, "ROWS", 2)
    changed, give_some = list[int](), adoption.give_some

    def counting(*given: Any, **named: Any) -> int:
        changed.append(give_some(*given, **named))
        return changed[-1]

    monkeypatch.setattr(adoption, "give_some", counting)
    assert (await command("adopt", "--to", "ada", "--dry-run"))["tasks"] == 5
    adopted = await command("adopt", "--to", "ada")
    assert (adopted["tasks"], adopted["idempotency keys"], adopted["documents"]) == (5, 5, 5)
    assert max(changed) == 2
    for id in "12345":
        assert [event.data async for event in await context.runs.events(id, kind="run", principal=ADA)] == [id.encode()]


async def test_what_a_run_says_while_its_principal_is_purged_goes_too(
    database: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(database, limits=Limits())
    await store.start()
    new = NewTask(
        owner=ADA.owner, kind="run", id="1", line="l", payload=b"1", circumstances=b"{}", max_waiting=1, max_open=1
    )
    await store.tasks.accept(new)
    await store.tasks.take(["run"], most=1)
    loop, in_transaction, kept = asyncio.get_running_loop(), operation.in_transaction, list[bool]()

    def say_more() -> None:
        if len(kept) < 50:
            saying = store.events.append(RunName(ADA.owner, "run", "1"), [Event(1, len(kept), b"ada's")])
            kept.append(asyncio.run_coroutine_threadsafe(saying, loop).result())

    def in_transaction_while_it_talks(engine: Engine, work: Callable[[Connection], Any]) -> Any:
        say_more()
        result = in_transaction(engine, work)
        say_more()
        return result

    monkeypatch.setattr(purge, "in_transaction", in_transaction_while_it_talks)
    assert (await command("purge", "--principal", "ada"))["tasks"] == 1
    await store.stop()
    assert (kept[0], kept[-1]) == (True, False)
    assert rows(database, EVENTS) == 0
