"""Folders and files of the host's own: nobody else reads them, and what somebody else put there is never opened.

Folders are 0700 and files 0600, whatever the umask says. A file is written whole, beside its place, and has reached the
disk when it appears under its name. A file that cannot be ours, or cannot be read, is set aside: renamed where it lies,
named in the log, and left for a person to look at.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ..errors import ConfigurationError
from ..ids import mint
from ..logs import logger

ASIDE: Final = ".set-aside-"
"""Comes between the name of a file that was set aside and the time when it was."""

_UNFINISHED: Final = ".unfinished"
_FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600
_OTHERS: Final = 0o077
_OTHERS_WRITE: Final = 0o022


class BadFile(Exception):
    """A file is not one that the host wrote, or is not whole any more; set it aside.

    Args:
        reason: Completes the sentence "The file was set aside: ...".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def make_private_folder(path: Path) -> Path:
    """Return `path`, a folder of this user's that nobody else can enter; makes it, and what is missing above it.

    A folder that exists and is open to others is closed to them.

    Raises:
        ConfigurationError: It is a symbolic link, another user's, shared, no folder, or cannot be made.
    """
    if os.name != "posix":
        raise ConfigurationError("Keeping state in a folder needs a POSIX system: leave state_dir out on this one.")
    try:
        _make_folders(path)
        # Opened once and asked by its descriptor, so that nobody can swap it between the question and the answer.
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _close_to_others(path, folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise ConfigurationError(_refusal(path, error)) from error
    return path


def open_private(path: Path, *, create: bool = False) -> int:
    """Open a file for reading and writing and return its descriptor.

    Args:
        path: Where it is, in a private folder.
        create: Make an empty one when there is none.

    Raises:
        BadFile: It is a symbolic link, no regular file, or another user's; nothing was read or written.
        FileNotFoundError: There is none, and `create` was not said.
    """
    # Without O_NONBLOCK a named pipe that somebody left there would hold the host up for ever.
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | (os.O_CREAT if create else 0)
    try:
        descriptor = os.open(path, flags, _FILE_MODE)
    except OSError:
        with suppress(FileNotFoundError):
            _refuse_planted(path.lstat())
        raise
    try:
        _refuse_planted(os.fstat(descriptor))
        os.fchmod(descriptor, _FILE_MODE)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_private(path: Path, *, max_bytes: int) -> bytes:
    """Return what a file holds.

    Raises:
        BadFile: It is not one of ours, or holds more than `max_bytes`.
        FileNotFoundError: There is none.
    """
    with open(open_private(path), "rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise BadFile(f"it is larger than the {max_bytes} bytes that such a file may have")
    return data


def write_private(path: Path, data: bytes) -> None:
    """Write a whole file; it has reached the disk when this returns, and readers see the old one or the new one."""
    with unfinished(path) as beside, open(open_private(beside), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def unfinished(path: Path) -> Generator[Path]:
    """Hand out an empty private file beside `path`, which takes its place in the end.

    Whoever writes it sees to it that its contents have reached the disk. It is removed when the block fails.
    """
    beside = path.with_name(f".{path.name}.{mint()}{_UNFINISHED}")
    os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _FILE_MODE))
    try:
        yield beside
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def remove_unfinished(folder: Path) -> None:
    """Remove what a process that died in the middle of a write has left in the folder.

    Only for who is alone in it: another one's write under way would lose its file.
    """
    for left in folder.glob(f".*{_UNFINISHED}"):
        with suppress(IsADirectoryError, PermissionError):
            left.unlink()


def sync_folder(folder: Path) -> None:
    """Let the names in a folder reach the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def set_aside(path: Path, *, reason: str) -> Path:
    """Rename a file beside itself, without opening it, and log an error that names both and the reason.

    Args:
        path: The file, or whatever lies there instead of one.
        reason: Completes the sentence "The file was set aside: ...".

    Returns:
        Its new path.
    """
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = path.with_name(f"{path.name}{ASIDE}{now}-{mint()[:8]}")
    path.rename(aside)
    sync_folder(path.parent)
    logger.error("%s was set aside as %s: %s. It was not used.", path, aside.name, reason)
    return aside


def _make_folders(path: Path) -> None:
    # `Path.mkdir(parents=True)` gives its mode to the last one only.
    for folder in (*reversed(path.parents), path):
        if not os.path.lexists(folder):
            with suppress(FileExistsError):
                folder.mkdir(mode=_FOLDER_MODE)
            with suppress(PermissionError):  # a folder that can be written to and not read cannot be synced either
                sync_folder(folder.parent)


def _close_to_others(path: Path, folder: int) -> None:
    status = os.fstat(folder)
    if status.st_uid != os.geteuid():
        raise ConfigurationError(
            f"The state folder {path} belongs to the user with the id {status.st_uid}, and this process runs as "
            f"{os.geteuid()}. Give it to that user (chown), or name another folder."
        )
    if status.st_mode & stat.S_ISVTX:
        raise ConfigurationError(
            f"The state folder {path} is one that all users share. Name a folder of its own, for example {path}/state."
        )
    if status.st_mode & _OTHERS:
        os.fchmod(folder, _FOLDER_MODE)
    if status.st_mode & _OTHERS_WRITE:
        logger.warning(
            "Other users could write into the state folder %s until now; its mode is 0700 from now on.", path
        )


def _refuse_planted(status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise BadFile("it is a symbolic link")
    if not stat.S_ISREG(status.st_mode):
        raise BadFile("it is no regular file")
    if status.st_uid != os.geteuid():
        raise BadFile(f"it belongs to the user with the id {status.st_uid}, and this process runs as {os.geteuid()}")


def _refusal(path: Path, error: OSError) -> str:
    if path.is_symlink():
        return f"The state folder {path} is a symbolic link. Name the folder that it points to instead."
    return (
        f"The state folder {path} cannot be used ({error.strerror}: {error.filename}). Make it a folder that this "
        "process may write to, or name another one."
    )
