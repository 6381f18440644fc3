"""Aliases that outlive the process: read from memory, written to disk."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from itertools import islice
from pathlib import Path
from threading import Lock

from ..errors import ConfigurationError, Unavailable
from ..ids import mint
from ..logs import logger
from .alias_file import ALIASES, AliasFile, Reset
from .aliases import first_session, session_id_of
from .lock import FolderLock
from .private import remove_unfinished
from .turns import SessionName


class DiskAliases:
    """See `Aliases`; what `rotate` returned from has reached the disk.

    Between `take` and `release` the folder belongs to this object, and all resets lie in memory. Outside of that,
    `rotate` takes the folder for the moment that it needs, and is refused when somebody else has it.

    Args:
        folder: The private folder with the file.
        max_aliases: Resets to remember.
    """

    def __init__(self, folder: Path, *, max_aliases: int) -> None:
        self._lock = FolderLock(folder)
        self._max_aliases = max_aliases
        self._resets: OrderedDict[tuple[str, str], Reset] = OrderedDict()
        self._file: AliasFile | None = None
        # A reset may come from another thread: it is a plain call that waits for the disk.
        self._guard = Lock()

    @property
    def lock(self) -> FolderLock:
        """The lock of the folder; only to be asked about."""
        return self._lock

    def take(self) -> bool:
        """Take the folder and read the file, without waiting; returns whether the folder is ours.

        Raises:
            ConfigurationError: The folder or the file cannot be used.
        """
        with self._guard:
            return self._taken() is not None

    def release(self) -> None:
        """Give the folder up; idempotent."""
        with self._guard:
            self._released()

    def session_id(self, tenant: str, key: str) -> str:
        """See `Aliases`."""
        reset = self._resets.get((tenant, key))
        return session_id_of(tenant, key, suffix=reset.suffix if reset else None)

    def rotate(self, tenant: str, key: str) -> list[SessionName]:
        """See `Aliases`."""
        with self._guard:
            if self._file is not None:
                return self._rotated(self._file, tenant, key)
            file = self._taken()
            if file is None:
                raise ConfigurationError(
                    f"The sessions in {self._lock.folder} belong to {self._lock.holder} now. Reset the session there."
                )
            try:
                return self._rotated(file, tenant, key)
            finally:
                self._released()

    def _taken(self) -> AliasFile | None:
        if self._file is None and self._lock.take():
            try:
                remove_unfinished(self._lock.folder)
                self._file = AliasFile.open(self._lock.folder)
            except OSError as error:
                self._lock.release()
                raise ConfigurationError(
                    f"The state folder {self._lock.folder} cannot be used ({error.strerror}: {error.filename}). See "
                    "that the disk has room and that this process may write there."
                ) from error
            except BaseException:
                self._lock.release()
                raise
            self._resets = OrderedDict(((reset.tenant, reset.key), reset) for reset in self._file.resets)
        return self._file

    def _released(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._lock.release()

    def _rotated(self, file: AliasFile, tenant: str, key: str) -> list[SessionName]:
        before = self._resets.get((tenant, key))
        last = next(reversed(self._resets.values()), None)
        reset = Reset.sealed(last.number + 1 if last else 1, tenant=tenant, key=key, suffix=mint())
        others = (each for each in self._resets.values() if each is not before)
        surplus = len(self._resets) + (before is None) - self._max_aliases
        forgotten = list(islice(others, max(surplus, 0)))
        try:
            file.record(reset, instead_of=[*forgotten, *([before] if before else [])])
        except sqlite3.Error as error:
            logger.error("A reset could not be written to %s: %s", self._lock.folder / ALIASES, str(error))
            raise Unavailable("The session could not be reset now, and goes on as it is. Try again later.") from error
        for gone in forgotten:
            del self._resets[gone.tenant, gone.key]
        self._resets[tenant, key] = reset
        self._resets.move_to_end((tenant, key))
        return [first_session(gone.tenant, gone.key) for gone in forgotten]
