"""One host to a folder: a lock that ends with the process that holds it."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final
from weakref import WeakSet

from ..errors import ConfigurationError
from .private import BadFile, make_private_folder, open_private, set_aside

LOCK: Final = ".lock"
"""The name of the lock's file. It holds the process id of its holder, and stays when nobody holds it."""

_PID_BYTES: Final = 20


class FolderLock:
    """The right to use a private folder. The system takes it back when the process ends, however it ends.

    Args:
        folder: What is locked.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._descriptor: int | None = None
        self._read = b""

    @property
    def holder(self) -> str:
        """Who had the folder when `take` last failed: `process 4711`."""
        pid = self._read.decode("ascii", "replace").strip()
        if not pid.isdecimal():
            return "a process that has not written its id down"
        return f"process {pid}" if pid != str(os.getpid()) else f"another host in this process ({pid})"

    def take(self) -> bool:
        """Take the lock without waiting; returns whether it is ours.

        Raises:
            ConfigurationError: The folder cannot be used, or its file system has no locks.
        """
        make_private_folder(self.folder)
        try:
            while self._descriptor is None:
                descriptor = self._opened()
                with ExitStack() as unless_held:
                    unless_held.callback(os.close, descriptor)
                    if not _lock(descriptor):
                        self._read = os.pread(descriptor, _PID_BYTES, 0)
                        return False
                    # Somebody may have removed the file between the two steps, and then the lock is one of no file.
                    if self._is_in_place(descriptor):
                        self._hold(descriptor)
                        unless_held.pop_all()
        except OSError as error:
            raise ConfigurationError(
                f"The state folder {self.folder} cannot be locked ({error.strerror}). Name a folder on a local disk "
                "that this process may write to."
            ) from error
        return True

    def release(self) -> None:
        """Give the lock up; idempotent."""
        descriptor, self._descriptor = self._descriptor, None
        _held.discard(self)
        if descriptor is not None:
            try:
                # The id goes first: nobody is to be told of a holder that is none any more.
                os.ftruncate(descriptor, 0)
            finally:
                os.close(descriptor)

    def forget(self) -> None:
        """Leave the lock to the parent; called in a forked child, which would keep it when the parent dies."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _opened(self) -> int:
        path = self.folder / LOCK
        while True:
            try:
                return open_private(path, create=True)
            except BadFile as bad:
                with suppress(FileNotFoundError):  # the other one who wants the folder may have been quicker
                    set_aside(path, reason=bad.reason)

    def _is_in_place(self, descriptor: int) -> bool:
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(descriptor), (self.folder / LOCK).lstat())
        return False

    def _hold(self, descriptor: int) -> None:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        _held.add(self)


def _lock(descriptor: int) -> bool:
    """Lock a file without waiting; say whether it is ours."""
    import fcntl  # not there on systems for which `make_private_folder` has refused already

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


_held: WeakSet[FolderLock] = WeakSet()


def _forget_all() -> None:
    for lock in list(_held):
        lock.forget()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
