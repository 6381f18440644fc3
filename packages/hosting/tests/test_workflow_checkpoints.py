"""Checkpoints: sealed, one folder for each session, found again after a restart, and never somebody else's."""

from __future__ import annotations

import base64
import json
import os
import pickle
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from agent_framework import (
    CheckpointStorage,
    FileCheckpointStorage,
    InMemoryCheckpointStorage,
    WorkflowBuilder,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from workflow_parts import Notebook, Order, answer, notebook, said, say

from agent_framework_hosting._target.workflow.codec import encode
from agent_framework_hosting._target.workflow.folder import SessionFolder
from agent_framework_hosting._target.workflow.key import checkpoint_key
from agent_framework_hosting._target.workflow.variable import KEY_VARIABLE
from agent_framework_hosting.channel import ChannelContext
from agent_framework_hosting.errors import ConfigurationError, NotRestorable, RunError, Unavailable, UnknownParent
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import ScriptedAgent
from agent_framework_hosting.types import ChannelSession, Principal

Connect = Callable[..., ChannelContext]

KEY = "a key of thirty-two characters and more"
HERE = Path(__file__).parent


def host_in(folder: Path, target: Any = notebook, **options: Any) -> AgentFrameworkHost:
    """Return a host that keeps checkpoints there."""
    return AgentFrameworkHost(target, channels=[], checkpoint_location=folder, checkpoint_key=KEY, **options)


def files(folder: Path) -> list[Path]:
    """Return all files below a folder, without the lock of the host that has it."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")


def restarted(folder: Path, key: str, text: str) -> dict[str, Any]:
    """Serve one request in a process of its own."""
    environment = {**os.environ, KEY_VARIABLE: KEY, "PYTHONWARNINGS": "ignore"}
    program = [sys.executable, str(HERE / "workflow_process.py"), str(folder), key, text]
    done = subprocess.run(program, capture_output=True, text=True, env=environment, check=True)
    return json.loads(done.stdout)


@pytest.mark.timeout(180)  # several processes, on a machine that may be busy with other tests
def test_a_session_goes_on_in_another_process(tmp_path: Path) -> None:
    """The workflow knows what it heard before the restart, for this key alone."""
    assert restarted(tmp_path, "room", "one")["outputs"] == ["one"]
    assert restarted(tmp_path, "room", "two")["outputs"] == ["one two"]
    assert restarted(tmp_path, "hall", "other")["outputs"] == ["other"]


@pytest.mark.timeout(180)  # as above
def test_a_pause_is_answered_in_another_process(tmp_path: Path) -> None:
    """Once: the process after that knows that it was answered."""
    [asked] = restarted(tmp_path, "room", "ask count")["asks"]
    done = restarted(tmp_path, "room", "answer:" + json.dumps({asked: 7}))
    assert done == {"outputs": ["count 7"], "asks": []}
    with pytest.raises(subprocess.CalledProcessError) as refused:
        restarted(tmp_path, "room", "answer:" + json.dumps({asked: 8}))
    assert "InvalidRequest" in refused.value.stderr


async def test_a_folder_keeps_the_latest_checkpoint_alone(tmp_path: Path) -> None:
    """However many turns there are, readable by nobody else."""
    async with host_in(tmp_path / "kept") as host:
        for number in range(5):
            await host.run(say(str(number)))
        await host.run(say("ask flag"))
    [kept] = files(tmp_path / "kept")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    for folder in (kept.parent, kept.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_requests_without_a_session_leave_nothing(tmp_path: Path) -> None:
    """Nor do turns that fail."""
    async with host_in(tmp_path / "kept") as host:
        await host.run(say("one", None))
        with pytest.raises(ValueError, match="nobody's business"):
            await host.run(say("fail"))
    assert files(tmp_path / "kept") == []


async def test_a_reset_session_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """The old one stays where it was."""
    async with host_in(tmp_path) as host:
        await host.run(say("old"))
        before = files(tmp_path)
        host.reset_session("room")
        assert said(await host.run(say("new"))) == ["new"]
    assert set(before) < set(files(tmp_path))


async def test_after_a_reset_old_ids_go_on_until_the_restart_and_their_folder_stays(tmp_path: Path) -> None:
    """Its name is a hash, so that nothing tells afterwards whose it was."""

    def kept() -> AgentFrameworkHost:
        return AgentFrameworkHost(notebook, channels=[], state_dir=tmp_path, checkpoint_key=KEY)

    async with kept() as host:
        await host.run(replace(say("old"), session=ChannelSession("room", commit_as="old")))
        before = files(tmp_path / "checkpoints")
        host.reset_session("room")
        more = replace(say("more"), session=ChannelSession(parent="old", commit_as="older"))
        assert said(await host.run(more)) == ["old more"]
    async with kept() as host:
        with pytest.raises(UnknownParent):
            await host.run(replace(say("?"), session=ChannelSession(parent="older")))
        assert said(await host.run(say("new"))) == ["new"]
    assert set(before) < set(files(tmp_path / "checkpoints"))
    assert not any("room" in str(file.relative_to(tmp_path)) for file in files(tmp_path / "checkpoints"))


async def test_tenants_and_workflows_do_not_meet(tmp_path: Path) -> None:
    """Equal keys of two tenants, or of two workflows in one folder, are different sessions."""
    ada, eve = Principal(tenant="ada", id="x", kind="caller"), Principal(tenant="eve", id="x", kind="caller")
    async with host_in(tmp_path) as host:
        await host.run(replace(say("secret"), principal=ada))
        assert said(await host.run(replace(say("hi"), principal=eve))) == ["hi"]
    async with host_in(tmp_path, lambda: notebook(name="other")) as host:
        assert said(await host.run(replace(say("hi"), principal=ada))) == ["hi"]


KEYS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["..", ".", "/", "../../etc/passwd", "a/b", "a\\b", "con", "\x00", "~", "A", "a", "a.", "a "]),
    st.lists(st.sampled_from(["..", ".", "a", "%2e", "\u202e", "\udc80"]), max_size=6).map("/".join),
)


@given(st.lists(st.tuples(KEYS, KEYS, KEYS), min_size=2, max_size=6, unique=True))
@settings(deadline=None)
def test_no_key_leads_out_of_the_root_or_into_another_sessions_folder(names: list[tuple[str, str, str]]) -> None:
    """Whatever keys there are: every session has one folder, right below the root, and it can be made."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "root"
        folders = [SessionFolder(root, key=KEY.encode(), session=session) for session in names]
        for index, folder in enumerate(folders):
            folder.write("checkpoint", index)
        assert [folder.read("checkpoint") for folder in folders] == list(range(len(folders)))
        assert {path.parent for path in root.iterdir()} == {root}
        assert len(list(root.iterdir())) == len(names)
        assert list(Path(name).iterdir()) == [root]


class Canary:
    """Sings when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.path),))


def planted(path: Path) -> bytes:
    """Return a checkpoint file as Agent Framework writes it, with code in it."""
    code = base64.b64encode(pickle.dumps(Canary(path))).decode()
    return json.dumps({"checkpoint": {"__pickled__": code, "__type__": "builtins:dict"}}).encode()


@pytest.mark.parametrize("how", ["planted", "planted under a seal", "changed", "cut", "empty", "another's", "link"])
async def test_a_file_that_is_not_ours_is_set_aside_unread(
    tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is named in the log, its code never runs, and the session begins anew."""
    canary, root = tmp_path / "canary", tmp_path / "kept"
    async with host_in(root) as host:
        await host.run(say("secret"))
        [kept] = files(root)
        await host.run(say("other", "hall"))
        [other] = set(files(root)) - {kept}
        whole = kept.read_bytes()
        match how:
            case "planted":
                kept.write_bytes(planted(canary))
            case "planted under a seal":
                kept.write_bytes(whole[: -len(whole.splitlines()[-1])] + planted(canary))
            case "changed":
                kept.write_bytes(whole.replace(b"secret", b"public"))
            case "cut":
                kept.write_bytes(whole[:-10])
            case "empty":
                kept.write_bytes(b"")
            case "another's":
                kept.write_bytes(other.read_bytes())
            case _:
                kept.unlink()
                kept.symlink_to(other)
        assert said(await host.run(say("hi"))) == ["hi"]
    assert not canary.exists()
    assert "was set aside" in caplog.text
    assert str(kept) in caplog.text
    async with host_in(root) as host:
        assert said(await host.run(say("again"))) == ["hi again"]


async def test_checkpoints_of_another_key_are_not_read(tmp_path: Path) -> None:
    """Whoever can write files but does not know the key cannot speak for a session."""
    async with host_in(tmp_path) as host:
        await host.run(say("secret"))
    other = AgentFrameworkHost(notebook, channels=[], checkpoint_location=tmp_path, checkpoint_key=KEY[::-1])
    async with other as host:
        assert said(await host.run(say("hi"))) == ["hi"]


class Unregistered:
    """A type that nobody has registered."""


class Careless(Notebook):
    """Keeps what cannot be read again."""

    async def on_checkpoint_save(self) -> dict[str, Any]:
        """Keep it."""
        return {"heard": list(self.heard), "kept": Unregistered()}


async def test_a_turn_whose_checkpoint_cannot_be_read_again_does_not_count(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It fails at once, and the log names the type and the mend; it would be lost at the restart otherwise."""
    async with host_in(tmp_path, lambda: notebook(Careless())) as host:
        with pytest.raises(RunError, match="does not count"):
            await host.run(say("one"))
    assert "Unregistered" in caplog.text
    assert "register_checkpoint_type" in caplog.text


async def test_a_registered_type_comes_back(tmp_path: Path) -> None:
    """As it was."""

    class Keeping(Notebook):
        async def on_checkpoint_save(self) -> dict[str, Any]:
            return {"heard": [*self.heard], "order": Order("tea", 2)}

        async def on_checkpoint_restore(self, state: dict[str, Any]) -> None:
            self.heard = [*state["heard"], repr(state["order"])]

    async with host_in(tmp_path, lambda: notebook(Keeping())) as host:
        await host.run(say("one"))
        assert said(await host.run(say("two"))) == ["one Order(item='tea', count=2) two"]


async def test_a_changed_workflow_refuses_the_old_conversation(tmp_path: Path) -> None:
    """It says so; a new conversation goes on, and nothing is set aside."""
    async with host_in(tmp_path) as host:
        await host.run(say("one"))

    def changed() -> Any:
        first, second = Notebook(), Notebook()
        second.id = "second"
        return WorkflowBuilder(start_executor=first, name="notebook").add_edge(first, second).build()

    async with host_in(tmp_path, changed) as host:
        with pytest.raises(NotRestorable):
            await host.run(say("two"))
        assert said(await host.run(say("new", "hall")))[0] == "new"
    assert not [path for path in files(tmp_path) if "aside" in path.name]


async def test_a_storage_gets_every_checkpoint_and_sessions_do_not_mix_in_it() -> None:
    """Although it knows workflows by name only."""
    storage = InMemoryCheckpointStorage()
    async with AgentFrameworkHost(notebook, channels=[], checkpoint_location=storage) as host:
        await host.run(say("alice's secret", "alice"))
        assert said(await host.run(say("hi", "mallory"))) == ["hi"]
        assert said(await host.run(say("again", "alice"))) == ["alice's secret again"]
    assert len(await storage.list_checkpoint_ids(workflow_name="notebook")) >= 3


async def test_which_checkpoint_in_a_storage_is_whose_is_kept_in_the_state_folder(tmp_path: Path) -> None:
    """After a restart the session goes on; without state_dir it begins anew, and the start line said so."""
    storage = FileCheckpointStorage(tmp_path / "storage")
    options: dict[str, Any] = {"channels": [], "checkpoint_location": storage, "checkpoint_key": KEY}
    for expected in (["one"], ["one one"]):
        async with AgentFrameworkHost(notebook, state_dir=tmp_path / "state", **options) as host:
            assert said(await host.run(say("one"))) == expected
    for _ in range(2):
        async with AgentFrameworkHost(notebook, **options) as host:
            assert said(await host.run(say("one"))) == ["one"]


async def test_a_storage_that_fails_costs_the_turn_and_nothing_else() -> None:
    """The session goes on from its last finished turn."""

    class Full(InMemoryCheckpointStorage):
        is_full = False

        async def save(self, checkpoint: Any) -> str:
            if self.is_full:
                raise OSError("no space left")
            return await super().save(checkpoint)

    storage = Full()
    async with AgentFrameworkHost(notebook, channels=[], checkpoint_location=storage) as host:
        await host.run(say("one"))
        storage.is_full = True
        with pytest.raises(RunError, match="does not count"):
            await host.run(say("two"))
        storage.is_full = False
        assert said(await host.run(say("three"))) == ["one three"]


def host_with(storage: CheckpointStorage, state_dir: Path) -> AgentFrameworkHost:
    """Return a host whose checkpoints go to a storage, and which of them is whose into a state folder."""
    return AgentFrameworkHost(
        notebook, channels=[], checkpoint_location=storage, checkpoint_key=KEY, state_dir=state_dir
    )


@contextmanager
def in_the_way(folder: Path, name: str) -> Generator[None]:
    """Put folders where the sessions' records of that name belong, so that those cannot be written."""
    sessions = [path for path in (folder / "checkpoints").iterdir() if path.is_dir()]
    for session in sessions:
        (session / name).unlink(missing_ok=True)
        (session / name).mkdir()
    yield
    for session in sessions:
        (session / name).rmdir()


async def test_a_turn_that_a_state_folder_could_not_remember_does_not_count(tmp_path: Path) -> None:
    """Though the storage has its checkpoint: the session goes on from the turn before."""
    async with host_with(InMemoryCheckpointStorage(), tmp_path) as host:
        await host.run(say("one"))
        with in_the_way(tmp_path, "checkpoint"), pytest.raises(RunError, match="does not count"):
            await host.run(say("two"))
        assert said(await host.run(say("three"))) == ["one three"]


async def test_an_answer_that_could_not_be_marked_was_not_given(tmp_path: Path) -> None:
    """Nothing has run with it, so it can be given again."""
    async with host_with(InMemoryCheckpointStorage(), tmp_path) as host:
        asked = await host.run(say("ask count"))
        with in_the_way(tmp_path, "answered"), pytest.raises(Unavailable, match="still asked"):
            await host.run(answer(7, to=asked))
        assert said(await host.run(answer(8, to=asked))) == ["count 8"]


async def test_earlier_answers_that_cannot_be_read_end_the_conversation_in_words(tmp_path: Path) -> None:
    """As after an update that no longer registers their type."""
    storage = InMemoryCheckpointStorage()
    async with host_with(storage, tmp_path) as host:
        await host.run(say("one"))
    folder = SessionFolder(tmp_path / "checkpoints", key=KEY.encode(), session=("notebook", "default", "room"))
    unreadable = json.loads(json.dumps(encode({"asked": Order("tea", 2)})).replace("workflow_parts", "no_such_module"))
    folder.write("checkpoint", {**folder.read("checkpoint"), "given": unreadable})
    async with host_with(storage, tmp_path) as host:
        with pytest.raises(NotRestorable):
            await host.run(say("two"))


async def test_state_dir_keeps_checkpoints_too(tmp_path: Path) -> None:
    """Below `checkpoints`; an explicit location wins, with a warning."""
    for expected in (["one"], ["one one"]):
        async with AgentFrameworkHost(notebook, channels=[], state_dir=tmp_path, checkpoint_key=KEY) as host:
            assert said(await host.run(say("one"))) == expected
    assert len(files(tmp_path / "checkpoints")) >= 1


def test_an_explicit_location_wins_over_state_dir(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With a warning that names both."""
    host_in(tmp_path / "mine", state_dir=tmp_path / "state")
    assert str(tmp_path / "mine") in caplog.text
    assert not (tmp_path / "state" / "checkpoints").exists()


async def test_an_explicit_storage_wins_over_state_dir(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With a warning that names both; of what was said the folder has nothing, only which checkpoint is whose."""
    storage = InMemoryCheckpointStorage()
    async with host_with(storage, tmp_path) as host:
        await host.run(say("a cup of tea"))
    (warning,) = [text for text in caplog.messages if text.startswith("Checkpoints are kept in the given")]
    assert "InMemoryCheckpointStorage" in warning
    assert str(tmp_path / "checkpoints") in warning
    assert await storage.list_checkpoint_ids(workflow_name="notebook")
    assert not any(b"cup" in file.read_bytes() for file in files(tmp_path / "checkpoints"))


def test_a_storage_beside_resets_alone_contradicts_nothing(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """Nobody has said where else checkpoints were to be."""
    AgentFrameworkHost(
        notebook,
        channels=[],
        checkpoint_location=InMemoryCheckpointStorage(),
        state_dir={"sessions": tmp_path},
    )
    assert "Checkpoints are kept" not in caplog.text


def test_a_generated_name_is_refused_with_checkpoints(tmp_path: Path) -> None:
    """The message names the mend; without checkpoints it is served."""
    with pytest.raises(ConfigurationError, match=r"WorkflowBuilder\(name=\.\.\.\)"):
        host_in(tmp_path, notebook(name=None))
    AgentFrameworkHost(notebook(name=None), channels=[])


async def test_a_generated_name_of_a_factorys_workflow_is_refused_at_the_start(tmp_path: Path) -> None:
    """Nobody knows it earlier."""
    with pytest.raises(ConfigurationError, match=r"WorkflowBuilder\(name=\.\.\.\)"):
        async with host_in(tmp_path, lambda: notebook(name=None)):
            pass


def own(storage: InMemoryCheckpointStorage) -> Any:
    """Return a workflow with a checkpoint storage of its own."""
    return WorkflowBuilder(start_executor=Notebook(), name="notebook", checkpoint_storage=storage).build()


def test_two_places_for_checkpoints_are_refused(tmp_path: Path) -> None:
    """As a RuntimeError, which is what it has always been."""
    with pytest.raises(RuntimeError, match="checkpoint storage of its own"):
        host_in(tmp_path, own(InMemoryCheckpointStorage()))


async def test_a_workflows_own_storage_goes_on_getting_its_checkpoints(connect: Connect) -> None:
    """When the host keeps none."""
    storage = InMemoryCheckpointStorage()
    context = connect(own(storage))
    await context.run(say("alice's secret", "alice"))
    assert said(await context.run(say("hi", "mallory"))) == ["hi"]
    assert await storage.list_checkpoint_ids(workflow_name="notebook")


def test_on_an_agent_a_location_is_ignored_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is made there."""
    host_in(tmp_path / "kept", ScriptedAgent())
    assert "checkpoint_location is ignored" in caplog.text
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("location", [5, "", object(), InMemoryCheckpointStorage])
def test_what_is_no_location_is_refused(location: Any) -> None:
    """With what is accepted."""
    with pytest.raises(ConfigurationError, match="path of a folder, or a CheckpointStorage"):
        AgentFrameworkHost(notebook(), channels=[], checkpoint_location=location)


def test_the_key_is_given_or_from_the_environment_or_made(tmp_path: Path) -> None:
    """In this order; what is made lies outside of the location, is kept, and is for its user alone."""
    environment = {KEY_VARIABLE: KEY, "XDG_DATA_HOME": str(tmp_path / "data")}
    location = tmp_path / "kept"
    assert checkpoint_key("x" * 32, location=location, environment=environment).secret == b"x" * 32
    assert checkpoint_key(None, location=location, environment=environment).secret == KEY.encode()
    del environment[KEY_VARIABLE]
    made = checkpoint_key(None, location=location, environment=environment)
    assert made == checkpoint_key(None, location=location, environment=environment)
    path = Path(made.origin)
    assert path.is_relative_to(tmp_path / "data")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(("given", "location"), [("short", "kept"), (None, ".")])
def test_a_key_that_is_weak_or_lies_beside_the_checkpoints_is_refused(
    tmp_path: Path, given: str | None, location: str
) -> None:
    """The message says how to mend it."""
    with pytest.raises(ConfigurationError, match=r"at least 32"):
        checkpoint_key(given, location=tmp_path / location, environment={"XDG_DATA_HOME": str(tmp_path / "data")})


async def test_the_start_line_names_folder_and_key(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """And what cannot be done."""
    with caplog.at_level("INFO", "agent_framework.hosting"):
        async with host_in(tmp_path / "kept"):
            pass
    assert f"checkpoints in {tmp_path / 'kept'}, sealed with the key from checkpoint_key" in caplog.text
    assert "newest turn only" in caplog.text
    assert "State: all but checkpoints in memory, at most 10000 sessions" in caplog.text
    assert "memory only" not in caplog.text


async def test_one_host_at_a_time_has_a_folder_of_checkpoints(tmp_path: Path) -> None:
    """Two would overwrite each other's."""
    limits = Limits(drain_timeout=0.1, state_grace=0.1)
    async with host_in(tmp_path) as host:
        with pytest.raises(ConfigurationError, match=rf"{tmp_path} is in use by .*Stop that host, or give this one"):
            async with host_in(tmp_path, limits=limits):
                pass
        await host.run(say("one"))
    async with host_in(tmp_path, limits=limits) as host:
        assert said(await host.run(say("two"))) == ["one two"]


async def test_hosts_that_share_a_database_share_a_folder_of_checkpoints_too(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/state/host.db"
    async with host_in(tmp_path / "kept", database=database), host_in(tmp_path / "kept", database=database):
        pass


async def test_what_a_process_left_that_died_while_it_wrote_is_removed_with_the_next_turn(tmp_path: Path) -> None:
    async with host_in(tmp_path) as host:
        await host.run(say("one"))
        [kept] = files(tmp_path)
        (kept.parent / f".{kept.name}.0123456789abcdef.unfinished").write_bytes(b"half")
        assert said(await host.run(say("two"))) == ["one two"]
    assert files(tmp_path) == [kept]


@pytest.mark.parametrize("how", ["file", "link", "dangling link"])
async def test_what_lies_where_a_sessions_folder_belongs_is_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    """The session begins anew instead of failing for good, and nothing is written where a link leads."""
    kept, elsewhere = tmp_path / "kept", tmp_path / "elsewhere"
    async with host_in(kept) as host:
        await host.run(say("one"))
        [folder] = [path for path in kept.iterdir() if path.is_dir()]
        if how == "link":
            folder.rename(elsewhere)
        else:
            shutil.rmtree(folder)
        if how == "file":
            folder.write_bytes(b"planted")
        else:
            folder.symlink_to(elsewhere)
        before = [path.read_bytes() for path in files(elsewhere)]
        assert said(await host.run(say("two"))) == ["two"]
        assert said(await host.run(say("three"))) == ["two three"]
    assert "was set aside" in caplog.text
    assert folder.is_dir()
    assert not folder.is_symlink()
    assert [path.read_bytes() for path in files(elsewhere)] == before


async def test_conversations_without_a_key_leave_nothing_on_disk(tmp_path: Path) -> None:
    """Their ids are known in memory only: files would never be found again, and pile up without end."""
    async with host_in(tmp_path) as host:
        for number in range(3):
            await host.run(say("one", None, commit_as=f"turn-{number}"))
        with pytest.raises(ValueError, match="nobody's business"):
            await host.run(say("fail", None, parent="turn-0", commit_as="failed"))
        assert said(await host.run(say("two", None, parent="turn-0", commit_as="next"))) == ["one two"]
        assert files(tmp_path) == []
        await host.run(say("one", "room"))
        assert len(files(tmp_path)) == 1
