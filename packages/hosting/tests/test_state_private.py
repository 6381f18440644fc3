"""Private folders and files: who may read them, what survives, and what is never opened."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from agent_framework_hosting._state.private import (
    ASIDE,
    BadFile,
    make_private_folder,
    open_private,
    read_private,
    remove_unfinished,
    set_aside,
    unfinished,
    write_private,
)
from agent_framework_hosting.errors import ConfigurationError

STRANGER = 54_321

Plant = Callable[[Path], None]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def permissive() -> Generator[None]:
    """Take nothing away from the modes of new files."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("permissive")
def test_folders_and_files_are_closed_to_others_whatever_the_umask_says(tmp_path: Path) -> None:
    """Also the folders above, as far as they had to be made."""
    folder = make_private_folder(tmp_path / "state" / "sessions")
    write_private(folder / "file", b"1")
    os.close(open_private(folder / "other", create=True))
    assert [mode(path) for path in (folder.parent, folder)] == [0o700, 0o700]
    assert [mode(path) for path in (folder / "file", folder / "other")] == [0o600, 0o600]


def test_a_folder_that_others_could_write_to_is_closed_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What has been there before keeps working."""
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o777)
    make_private_folder(folder)
    assert mode(folder) == 0o700
    assert str(folder) in caplog.text


def test_a_link_for_a_folder_is_refused(tmp_path: Path) -> None:
    """The message says what to name instead."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(ConfigurationError, match=r"link is a symbolic link\. Name the folder"):
        make_private_folder(tmp_path / "link")


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    with pytest.raises(ConfigurationError, match="symbolic link"):
        make_private_folder(tmp_path / "link")


def test_a_file_for_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    for path in (tmp_path / "state", tmp_path / "state" / "sessions"):
        with pytest.raises(ConfigurationError, match="Not a directory"):
            make_private_folder(path)


def test_a_folder_that_all_users_share_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    """Closing /tmp would take everybody else's away."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    with pytest.raises(ConfigurationError, match="Name a folder of its own"):
        make_private_folder(tmp_path / "tmp")
    assert mode(tmp_path / "tmp") == 0o1777


@needs_root
def test_the_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    """The message names both users and the ways out."""
    (tmp_path / "state").mkdir()
    os.chown(tmp_path / "state", STRANGER, -1)
    with pytest.raises(ConfigurationError, match=rf"id {STRANGER}.*runs as 0.*chown.*another folder"):
        make_private_folder(tmp_path / "state")


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """And written again; nothing else is left behind."""
    for data in (b"", b"one", b"x" * 1_000_000):
        write_private(tmp_path / "file", data)
        assert read_private(tmp_path / "file", max_bytes=1_000_000) == data
    assert names_in(tmp_path) == ["file"]


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """Writing never reaches what somebody points to."""
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "file").symlink_to(tmp_path / "precious")
    write_private(tmp_path / "file", b"new")
    assert (tmp_path / "precious").read_text() == "precious"
    assert read_private(tmp_path / "file", max_bytes=10) == b"new"


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    write_private(tmp_path / "file", b"old")
    with pytest.raises(OSError, match="disk full"), unfinished(tmp_path / "file") as beside:
        beside.write_bytes(b"ne")
        raise OSError("disk full")
    assert read_private(tmp_path / "file", max_bytes=10) == b"old"
    assert names_in(tmp_path) == ["file"]


def test_what_a_write_that_died_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".file.123.unfinished", "file", "other.unfinished"):
        (tmp_path / name).write_text("")
    (tmp_path / ".folder.unfinished").mkdir()
    remove_unfinished(tmp_path)
    assert names_in(tmp_path) == [".folder.unfinished", "file", "other.unfinished"]


def plant_a_link(path: Path) -> None:
    path.with_name("target").write_bytes(b"?")
    path.symlink_to(path.with_name("target"))


def plant_a_folder(path: Path) -> None:
    path.mkdir()


def plant_a_pipe(path: Path) -> None:
    os.mkfifo(path)


def plant_a_strangers(path: Path) -> None:
    path.write_bytes(b"?")
    os.chown(path, STRANGER, -1)


PLANTED = [
    pytest.param(plant_a_link, "symbolic link", id="link"),
    pytest.param(plant_a_folder, "no regular file", id="folder"),
    pytest.param(plant_a_pipe, "no regular file", id="pipe"),
    pytest.param(plant_a_strangers, f"id {STRANGER}", id="stranger's", marks=needs_root),
]


@pytest.mark.parametrize(("plant", "reason"), PLANTED)
@pytest.mark.parametrize("create", [False, True])
def test_what_somebody_else_put_there_is_not_opened(tmp_path: Path, plant: Plant, reason: str, create: bool) -> None:
    """A pipe does not even hold the reader up."""
    plant(tmp_path / "file")
    with pytest.raises(BadFile, match=reason):
        open_private(tmp_path / "file", create=create)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    write_private(tmp_path / "file", b"x" * 11)
    with pytest.raises(BadFile, match="larger than the 10 bytes"):
        read_private(tmp_path / "file", max_bytes=10)


def test_a_file_that_is_not_there_is_just_that(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_private(tmp_path / "file", max_bytes=10)


@pytest.mark.parametrize(("plant", "reason"), PLANTED)
def test_what_is_set_aside_lies_beside_its_place_and_the_log_says_why(
    tmp_path: Path, plant: Plant, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it is; it is renamed, never opened."""
    plant(tmp_path / "file")
    before = (tmp_path / "file").lstat()
    aside = set_aside(tmp_path / "file", reason=reason)
    assert aside.name.startswith(f"file{ASIDE}")
    assert aside.lstat().st_ino == before.st_ino
    assert not os.path.lexists(tmp_path / "file")
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    for told in (str(tmp_path / "file"), aside.name, reason):
        assert told in record.getMessage()
