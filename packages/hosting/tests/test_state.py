"""`SqlCheckpointStorage`: Agent Framework's protocol, beside Agent Framework's own storage of files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agent_framework import FileCheckpointStorage, WorkflowBuilder, WorkflowCheckpoint, WorkflowContext, executor
from agent_framework.exceptions import WorkflowCheckpointException
from sqlalchemy import select, update

from agent_framework_hosting._state.database import open_engine
from agent_framework_hosting._state.sql.schema import CHECKPOINTS
from agent_framework_hosting._target.workflow.codec import decode_checkpoint
from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.state import SqlCheckpointStorage

KEY = "0123456789abcdef" * 2


@pytest.fixture
def sql(database: str) -> SqlCheckpointStorage:
    return SqlCheckpointStorage(database, session="room", key=KEY)


@pytest.fixture(params=["core", "sqlite", "postgres"])
def storage(request: pytest.FixtureRequest, make_database: Callable[[str], str], tmp_path: Path) -> Any:
    """Both keep the same rules."""
    if request.param == "core":
        return FileCheckpointStorage(str(tmp_path / "core"))
    return SqlCheckpointStorage(make_database(request.param), session="room", key=KEY)


def made(name: str, *, workflow: str = "w", second: int = 0, value: Any = None) -> WorkflowCheckpoint:
    return WorkflowCheckpoint(
        workflow_name=workflow,
        graph_signature_hash="g",
        checkpoint_id=name,
        timestamp=f"2030-01-01T00:00:{second:02}.000001+00:00",
        state={"value": value},
    )


async def test_what_is_saved_is_loaded_by_its_id_as_a_copy(storage: Any) -> None:
    checkpoint = made("a", value={"deep": [1, "zwei", b"\x00", None, {1, 2}]})
    assert await storage.save(checkpoint) == "a"
    loaded = await storage.load("a")
    assert loaded == checkpoint
    assert loaded is not checkpoint


async def test_an_id_that_nobody_saved_is_told_and_deletes_nothing(storage: Any) -> None:
    with pytest.raises(WorkflowCheckpointException, match="No checkpoint found with ID a"):
        await storage.load("a")
    assert await storage.delete("a") is False


async def test_the_latest_is_the_one_that_was_made_last_whenever_it_was_saved(storage: Any) -> None:
    for name, second in (("a", 1), ("c", 3), ("b", 2)):
        await storage.save(made(name, second=second))
    latest = await storage.get_latest(workflow_name="w")
    assert latest is not None
    assert latest.checkpoint_id == "c"


async def test_workflows_of_other_names_are_others(storage: Any) -> None:
    await storage.save(made("a"))
    await storage.save(made("b", workflow="other", second=1))
    assert [each.checkpoint_id for each in await storage.list_checkpoints(workflow_name="w")] == ["a"]
    assert await storage.list_checkpoint_ids(workflow_name="other") == ["b"]
    assert await storage.list_checkpoint_ids(workflow_name="none") == []
    assert await storage.get_latest(workflow_name="none") is None


async def test_saving_an_id_again_replaces_it(storage: Any) -> None:
    await storage.save(made("a", value=1))
    await storage.save(made("a", value=2))
    assert [each.state for each in await storage.list_checkpoints(workflow_name="w")] == [{"value": 2}]


async def test_what_is_deleted_is_gone(storage: Any) -> None:
    await storage.save(made("a"))
    assert await storage.delete("a") is True
    assert await storage.list_checkpoint_ids(workflow_name="w") == []


async def test_sessions_never_meet_though_they_share_a_database(sql: SqlCheckpointStorage) -> None:
    hall = sql.of("hall")
    await sql.save(made("a", value="room"))
    await hall.save(made("a", value="hall"))
    assert (await sql.load("a")).state == {"value": "room"}
    assert await hall.delete("a")
    assert await sql.list_checkpoint_ids(workflow_name="w") == ["a"]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return a list that gets whatever is decoded from now on."""
    decoded: list[Any] = []

    def counting(encoded: Any) -> WorkflowCheckpoint:
        decoded.append(encoded)
        return decode_checkpoint(encoded)

    monkeypatch.setattr("agent_framework_hosting.state.decode_checkpoint", counting)
    return decoded


class Unregistered:
    """A type that nobody has registered."""


async def test_a_type_that_is_not_registered_is_refused_when_it_is_saved(sql: SqlCheckpointStorage) -> None:
    with pytest.raises(WorkflowCheckpointException):
        await sql.save(made("a", value=Unregistered()))
    assert await sql.list_checkpoint_ids(workflow_name="w") == []


@pytest.mark.parametrize("forgery", ["changed", "of another session", "of another id", "of another key"])
async def test_a_forged_row_is_never_decoded(
    sql: SqlCheckpointStorage, database: str, forgery: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sql.save(made("old"))
    other = {
        "of another session": sql.of("hall"),
        "of another key": SqlCheckpointStorage(database, session="room", key=KEY[::-1]),
    }.get(forgery, sql)
    await other.save(made("other" if forgery == "of another id" else "new", second=1))
    await sql.save(made("new", second=1)) if forgery == "of another session" else None
    engine = open_engine(database)
    with engine.begin() as connection:
        sealed = connection.execute(select(CHECKPOINTS.c.data).order_by(CHECKPOINTS.c.number.desc())).scalars().all()
        stolen = {"changed": bytes(sealed[0]) + b" "}.get(forgery, bytes(sealed[0]))
        if forgery == "of another session":
            hall = select(CHECKPOINTS.c.data).where(CHECKPOINTS.c.session_id == "hall")
            stolen = bytes(connection.execute(hall).scalar_one())
        if forgery == "of another id":
            connection.execute(
                update(CHECKPOINTS).where(CHECKPOINTS.c.checkpoint_id == "other").values(checkpoint_id="new")
            )
        else:
            row = update(CHECKPOINTS).where(CHECKPOINTS.c.checkpoint_id == "new", CHECKPOINTS.c.session_id == "room")
            connection.execute(row.values(data=stolen))
    engine.dispose()
    decoded = counted(monkeypatch)
    with pytest.raises(WorkflowCheckpointException, match="may be forged"):
        await sql.load("new")
    with pytest.raises(WorkflowCheckpointException, match="may be forged"):
        await sql.get_latest(workflow_name="w")
    assert decoded == []
    assert await sql.list_checkpoint_ids(workflow_name="w") == ["old"]


async def test_the_latest_is_found_without_decoding_the_others(
    sql: SqlCheckpointStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        await sql.save(made(str(number), second=number))
    decoded = counted(monkeypatch)
    await sql.get_latest(workflow_name="w")
    assert len(decoded) == 1


async def test_only_the_newest_are_kept_when_so_asked(database: str) -> None:
    async with SqlCheckpointStorage(database, session="room", key=KEY, keep=2) as storage:
        for number in range(5):
            await storage.save(made(str(number), second=number))
        await storage.save(made("other", workflow="other"))
        assert await storage.list_checkpoint_ids(workflow_name="w") == ["3", "4"]
        assert await storage.list_checkpoint_ids(workflow_name="other") == ["other"]
    assert len(await storage.list_checkpoint_ids(workflow_name="w")) == 2


@pytest.mark.parametrize("strange", ["room\0", "half \ud83d"])
async def test_a_name_that_not_every_database_can_keep_is_refused(sql: SqlCheckpointStorage, strange: str) -> None:
    with pytest.raises(ConfigurationError, match="NUL"):
        sql.of(strange)
    with pytest.raises(ConfigurationError, match="NUL"):
        SqlCheckpointStorage("sqlite:///./host.db", session="room", tenant=strange, key=KEY)


async def test_an_id_of_half_a_character_is_told_as_the_protocol_tells(sql: SqlCheckpointStorage) -> None:
    with pytest.raises(WorkflowCheckpointException):
        await sql.load("half \ud83d")


def test_keeping_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="keep=0"):
        SqlCheckpointStorage("sqlite:///./host.db", session="room", key=KEY, keep=0)


async def test_a_database_that_is_away_is_told_as_the_protocol_tells() -> None:
    storage = SqlCheckpointStorage("postgresql://127.0.0.1:1/host", session="room", key=KEY)
    with pytest.raises(ConfigurationError, match="cannot be used"):
        await storage.load("a")


@executor(id="start")
async def start(text: str, ctx: WorkflowContext[Any, str]) -> None:
    await ctx.yield_output(text.upper())


async def test_a_workflow_keeps_its_checkpoints_there(sql: SqlCheckpointStorage) -> None:
    workflow = WorkflowBuilder(name="shout", start_executor=start, checkpoint_storage=sql).build()
    assert (await workflow.run("hi")).get_outputs() == ["HI"]
    latest = await sql.get_latest(workflow_name="shout")
    assert latest is not None
    again = WorkflowBuilder(name="shout", start_executor=start, checkpoint_storage=sql).build()
    await again.run(checkpoint_id=latest.checkpoint_id)
