"""The folders that a host keeps state in: taken when it starts, given up when it stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from ..errors import ConfigurationError, Draining
from ..limits import Limits
from ..logs import logger
from .memory import MemoryAliases
from .paths import StatePaths

# What handles files, SQLite among it, is loaded where a folder is given.
if TYPE_CHECKING:
    from .aliases import Aliases
    from .lock import FolderLock

_BETWEEN_LOOKS: Final = 0.05
"""Seconds between two looks whether somebody else has given a folder up; the system tells nobody."""


if TYPE_CHECKING:

    class _Kept(Protocol):
        """Something in a folder that only one host has at a time."""

        @property
        def lock(self) -> FolderLock: ...

        def take(self) -> bool: ...

        def release(self) -> None: ...


class StateFolders:
    """What a host keeps on disk, and the aliases that it has: those in a folder, or in memory.

    Args:
        paths: The folders; they are made at once, so that what is wrong with them shows at once.
        limits: The host's.
        guarded: A folder of the developer's own that hosts share as little; one that is not started takes none.

    Raises:
        ConfigurationError: A folder cannot be used.
    """

    def __init__(self, paths: StatePaths, *, limits: Limits, guarded: Path | None = None) -> None:
        self.paths = paths
        self.guarded = guarded
        self.patience = limits.drain_timeout + limits.state_grace
        self._kept: list[_Kept] = []
        self.aliases: Aliases = MemoryAliases(max_aliases=limits.max_resets)
        if paths.sessions is not None:
            from .disk_aliases import DiskAliases
            from .private import make_private_folder

            aliases = DiskAliases(make_private_folder(paths.sessions), max_aliases=limits.max_resets)
            self.aliases = aliases
            self._kept.append(aliases)
        for folder in (paths.checkpoints, guarded):
            if folder is not None:
                self._kept.append(_Folder(folder))
        # Two hosts that take the same folders in the same order never wait for each other.
        self._kept.sort(key=lambda kept: kept.lock.folder)

    @property
    def needs_start(self) -> bool:
        """Whether there is a folder without which nothing can be done."""
        return self.paths.sessions is not None or self.paths.checkpoints is not None

    @property
    def description(self) -> str:
        """Where what is kept, for the line that a host says at its start."""
        named = {"session resets": self.paths.sessions, "checkpoints": self.paths.checkpoints}
        return ", ".join(f"{what} in {path}" for what, path in named.items() if path is not None)

    async def start(self, *, is_called_off: Callable[[], bool]) -> None:
        """Take all folders; waits for another host that drains, to a bound, and never on the event loop.

        Args:
            is_called_off: Whether the start is not wanted any more; asked while waiting.

        Raises:
            ConfigurationError: Another host does not give a folder up, or a folder cannot be used.
            Draining: The start was called off.
        """
        until = asyncio.get_running_loop().time() + self.patience
        try:
            for kept in self._kept:
                await self._take(kept, until=until, is_called_off=is_called_off)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Give all folders up; idempotent."""
        for kept in reversed(self._kept):
            kept.release()

    async def _take(self, kept: _Kept, *, until: float, is_called_off: Callable[[], bool]) -> None:
        waits = False
        while not kept.take():
            if not waits:
                waits = True
                logger.warning(
                    "The state folder %s is in use by %s; waiting up to %g s for it to finish.",
                    *(kept.lock.folder, kept.lock.holder, self.patience),
                )
            if is_called_off():
                raise Draining("The host was told to stop before it had started.")
            if asyncio.get_running_loop().time() >= until:
                raise ConfigurationError(
                    f"The state folder {kept.lock.folder} is in use by {kept.lock.holder}, which has not given it up "
                    f"within {self.patience:g} s. Stop that host, or give this one a folder of its own."
                )
            await asyncio.sleep(_BETWEEN_LOOKS)


class _Folder:
    """A folder whose contents are somebody else's business."""

    def __init__(self, folder: Path) -> None:
        from .lock import FolderLock
        from .private import make_private_folder

        self.lock = FolderLock(make_private_folder(folder))

    def take(self) -> bool:
        return self.lock.take()

    def release(self) -> None:
        self.lock.release()
