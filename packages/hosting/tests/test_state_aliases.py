"""Which session a key stands for after resets: in memory and on disk, and on disk whatever happens to the file."""

from __future__ import annotations

import logging
import os
import random
import re
import sqlite3
import stat
from collections.abc import Callable, Generator, Iterable
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

from agent_framework_hosting._state.alias_file import ALIASES
from agent_framework_hosting._state.disk_aliases import DiskAliases
from agent_framework_hosting._state.memory import MemoryAliases
from agent_framework_hosting._state.private import ASIDE
from agent_framework_hosting.errors import ConfigurationError, Unavailable
from agent_framework_hosting.types import DEFAULT_TENANT

if TYPE_CHECKING:
    from agent_framework_hosting._state.aliases import Aliases

STRANGER = 54_321
ANY = [(DEFAULT_TENANT, "ada"), (DEFAULT_TENANT, "bob"), ("acme", "ada"), (DEFAULT_TENANT, "\ud800 \0 #ü")]

Make: TypeAlias = Callable[[int], "Aliases"]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")


@contextmanager
def taken(folder: Path, *, max_aliases: int = 100) -> Generator[DiskAliases]:
    """Hand out the aliases in the folder, as a host has them between its start and its end."""
    aliases = DiskAliases(folder, max_aliases=max_aliases)
    assert aliases.take()
    try:
        yield aliases
    finally:
        aliases.release()


def session_ids(aliases: Aliases, names: Iterable[tuple[str, str]] = ANY) -> list[str]:
    return [aliases.session_id(tenant, key) for tenant, key in names]


@pytest.fixture(params=["memory", "disk", "disk, not started"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Make]:
    """Return a function that makes aliases which remember so many resets."""
    made: list[DiskAliases] = []

    def make(max_aliases: int) -> Aliases:
        if request.param == "memory":
            return MemoryAliases(max_aliases=max_aliases)
        aliases = DiskAliases(tmp_path / "sessions", max_aliases=max_aliases)
        if request.param == "disk":
            assert aliases.take()
            made.append(aliases)
        return aliases

    yield make
    for aliases in made:
        aliases.release()


def test_a_key_that_was_never_reset_is_its_own_session_id(make: Make) -> None:
    """Prefixed with the tenant where it is not the default one, so that no two pairs meet."""
    aliases = make(10)
    assert aliases.session_id(DEFAULT_TENANT, "ada") == "ada"
    assert len(set(session_ids(aliases, [*ANY, (DEFAULT_TENANT, "tenant:4:acme:ada")]))) == len(ANY) + 1


def test_a_reset_gives_one_key_an_id_that_was_never_there(make: Make) -> None:
    """Made of the key and 128 random bits; nobody else's changes."""
    aliases = make(10)
    before = session_ids(aliases)
    seen = {before[0]}
    for count in range(1, 5):
        assert aliases.rotate(*ANY[0]) == []
        now = session_ids(aliases)
        seen.add(now[0])
        assert len(seen) == count + 1
        assert now[0].startswith("ada#")
        assert len(now[0]) == len("ada#") + 32
        assert now[1:] == before[1:]


def test_beyond_the_bound_the_oldest_reset_is_forgotten_and_told(make: Make) -> None:
    """Its key stands for its first session again; the session must not come back with what was said in it."""
    aliases = make(2)
    assert aliases.rotate(DEFAULT_TENANT, "a") == []
    assert aliases.rotate(DEFAULT_TENANT, "b") == []
    assert aliases.rotate(DEFAULT_TENANT, "a") == []
    (forgotten,) = aliases.rotate(DEFAULT_TENANT, "c")
    assert (forgotten.tenant, forgotten.key, forgotten.session_id) == (DEFAULT_TENANT, "b", "b")
    kept = [aliases.session_id(DEFAULT_TENANT, key).partition("#")[1] for key in "abc"]
    assert kept == ["#", "", "#"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


def asides(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if ASIDE in path.name)


def test_what_was_reset_stays_reset(folder: Path) -> None:
    """For whoever has the folder next, in the order in which it was done."""
    with taken(folder) as first:
        for name in (*ANY, ANY[0]):
            first.rotate(*name)
        expected = session_ids(first)
    with taken(folder, max_aliases=3) as second:
        assert session_ids(second) == expected
        forgotten = second.rotate(DEFAULT_TENANT, "new")
        assert [(name.tenant, name.key) for name in forgotten] == ANY[1:3]
    with taken(folder) as third:
        assert session_ids(third)[1:3] == ["bob", "tenant:4:acme:ada"]
        assert session_ids(third)[0] == expected[0]
    assert sorted(path.name for path in folder.iterdir()) == [".lock", ALIASES]


def test_files_are_closed_to_others_whatever_the_umask_says(folder: Path) -> None:
    before = os.umask(0)
    try:
        with taken(folder) as aliases:
            aliases.rotate(*ANY[0])
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    finally:
        os.umask(before)
    assert modes == {".lock": 0o600, ALIASES: 0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_aliases_that_somebody_has_are_reset_by_nobody_else(folder: Path) -> None:
    """The refusal says who has them."""
    other = DiskAliases(folder, max_aliases=10)
    with taken(folder) as aliases:
        assert not other.take()
        with pytest.raises(ConfigurationError, match=rf"{folder} .*another host in this process \({os.getpid()}\)"):
            other.rotate(*ANY[0])
        aliases.rotate(*ANY[0])
    other.rotate(*ANY[1])
    with taken(folder) as aliases:
        assert [name.partition("#")[1] for name in session_ids(aliases)] == ["#", "#", "", "#"]


def test_a_reset_that_cannot_be_written_is_refused_and_changes_nothing(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Here because somebody moved the file away: writing into it would reach nobody."""
    with taken(folder) as aliases:
        aliases.rotate(*ANY[0])
        before = session_ids(aliases)
        (folder / ALIASES).rename(folder / "elsewhere")
        with pytest.raises(Unavailable, match="goes on as it is"):
            aliases.rotate(*ANY[0])
        assert session_ids(aliases) == before
        assert str(folder / ALIASES) in caplog.text
        (folder / "elsewhere").rename(folder / ALIASES)
        aliases.rotate(*ANY[1])
    with taken(folder) as again:
        assert again.session_id(*ANY[0]) == before[0]
        assert again.session_id(*ANY[1]) != before[1]


def set_version(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")


def test_a_file_of_a_newer_version_is_refused_and_not_touched(folder: Path) -> None:
    """By the start and by a reset before it; the message names both versions."""
    with taken(folder) as aliases:
        aliases.rotate(*ANY[0])
    set_version(folder / ALIASES, 2)
    before = (folder / ALIASES).read_bytes()
    aliases = DiskAliases(folder, max_aliases=10)
    with pytest.raises(ConfigurationError, match=rf"{ALIASES} has the schema version 2, .*knows 1"):
        aliases.take()
    with pytest.raises(ConfigurationError, match="schema version 2"):
        aliases.rotate(*ANY[0])
    assert (folder / ALIASES).read_bytes() == before
    assert asides(folder) == []


def a_link(path: Path) -> None:
    target = path.with_name("target")
    path.rename(target)
    path.symlink_to(target)


def a_strangers(path: Path) -> None:
    os.chown(path, STRANGER, -1)


def a_pickle(path: Path) -> None:
    # Unpickled, it would make a file.
    path.write_bytes(b"cposix\nsystem\n(S'touch " + bytes(path.with_name("executed")) + b"'\ntR.")


def a_program(path: Path) -> None:
    path.write_text(f"CREATE TABLE x AS SELECT writefile('{path.with_name('executed')}', 'x');")


def another_database(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE aliases (number, tenant, key, suffix, seal)")


def a_database_with_more_in_it(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TRIGGER t AFTER INSERT ON aliases BEGIN DELETE FROM aliases; END")


def a_strangers_journal(path: Path) -> None:
    journal = path.with_name(f"{ALIASES}-journal")
    journal.write_bytes(b"?")
    os.chown(journal, STRANGER, -1)


def a_journal_that_is_a_link(path: Path) -> None:
    path.with_name("target").write_bytes(b"precious")
    path.with_name(f"{ALIASES}-journal").symlink_to(path.with_name("target"))


def an_empty_file(path: Path) -> None:
    os.truncate(path, 0)


PLANTED = [
    pytest.param(a_link, "symbolic link", id="link"),
    pytest.param(a_strangers, f"id {STRANGER}", id="stranger's", marks=needs_root),
    pytest.param(a_pickle, "no file of this host's|truncated", id="pickle"),
    pytest.param(a_program, "no file of this host's|truncated", id="program"),
    pytest.param(another_database, "no file of this host's", id="another database"),
    pytest.param(a_database_with_more_in_it, "its tables", id="trigger"),
    pytest.param(a_strangers_journal, f"id {STRANGER}", id="stranger's journal", marks=needs_root),
    pytest.param(a_journal_that_is_a_link, "symbolic link", id="linked journal"),
    pytest.param(an_empty_file, "truncated", id="empty"),
]


@pytest.mark.parametrize(("plant", "reason"), PLANTED)
def test_what_is_not_the_hosts_is_set_aside_and_a_fresh_file_begun(
    folder: Path, plant: Callable[[Path], None], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says what was found and where it lies now; nothing of it is believed or run."""
    with taken(folder) as aliases:
        aliases.rotate(*ANY[0])
    plant(folder / ALIASES)
    with taken(folder) as aliases:
        assert session_ids(aliases)[:2] == ["ada", "bob"]
        aliases.rotate(*ANY[1])
        expected = session_ids(aliases)
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == len(asides(folder)) > 0
    assert all(str(folder) in error for error in errors)
    assert any(re.search(reason, error) for error in errors)
    assert not (folder / "executed").exists()
    with taken(folder) as aliases:
        assert session_ids(aliases) == expected
    assert len(caplog.records) == len(errors)


def filled(folder: Path, keys: list[str]) -> dict[str, str]:
    """Reset all keys; returns their session ids."""
    with taken(folder) as aliases:
        for key in keys:
            aliases.rotate(DEFAULT_TENANT, key)
        return {key: aliases.session_id(DEFAULT_TENANT, key) for key in keys}


def test_one_damaged_row_costs_that_reset_alone(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A letter that became another one is no damage to SQLite; it would be a session that nobody ever had."""
    expected = filled(folder, [f"key {number}" for number in range(40)])
    data = (folder / ALIASES).read_bytes()
    suffix = expected["key 7"].partition("#")[2].encode()
    assert data.count(suffix) == 1
    (folder / ALIASES).write_bytes(data.replace(suffix, suffix[::-1]))
    with taken(folder) as aliases:
        found = {key: aliases.session_id(DEFAULT_TENANT, key) for key in expected}
    assert found == {**expected, "key 7": "key 7"}
    assert "1 rows do not match their seals; 39 resets were saved from it" in caplog.text


def test_a_row_that_is_gone_is_noticed(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """All other rows are whole, and SQLite finds nothing."""
    expected = filled(folder, ["a", "b", "c"])
    with closing(sqlite3.connect(folder / ALIASES)) as connection, connection:
        connection.execute("DELETE FROM aliases WHERE number = 2")
    with taken(folder) as aliases:
        assert [aliases.session_id(DEFAULT_TENANT, key) for key in "abc"] == [expected["a"], "b", expected["c"]]
    assert "do not match" in caplog.text


def flipped(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ chance.randrange(1, 256)]) + data[place + 1 :]


def truncated(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def found_in(folder: Path, keys: Iterable[str]) -> dict[str, str] | None:
    """Return what the keys stand for, after a reset of one more; `None` when the file looks like a later version's."""
    try:
        with taken(folder) as aliases:
            aliases.rotate(DEFAULT_TENANT, "one more")
            return {key: aliases.session_id(DEFAULT_TENANT, key) for key in keys}
    except ConfigurationError as refused:
        if "schema version" not in str(refused):
            raise
        return None


@pytest.mark.parametrize("damage", [flipped, truncated])
def test_whatever_happens_to_the_file_no_key_gets_a_wrong_session_in_silence(
    folder: Path,
    damage: Callable[[bytes, random.Random], bytes],
    figure: Callable[[int, int], int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each key has its session, or the log tells of an error and it has its first one; and the host goes on."""
    expected = filled(folder, [f"key {number}" for number in range(60)])
    data = (folder / ALIASES).read_bytes()
    for seed in range(figure(60, 600)):
        (folder / ALIASES).write_bytes(damage(data, random.Random(seed)))
        caplog.clear()
        found = found_in(folder, expected)
        if found is None:
            continue
        wrong = {key for key in expected if found[key] != expected[key]}
        assert all(found[key] == key for key in wrong), seed
        assert any(record.levelno == logging.ERROR for record in caplog.records) or not wrong, seed
