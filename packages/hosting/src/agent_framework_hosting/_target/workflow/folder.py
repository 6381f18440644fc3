"""The folder of one session: sealed records by name. Plain blocking calls, for a thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from ..._state.private import BadFile, make_private_folder, read_private, remove_unfinished, set_aside, write_private
from .seal import BrokenSeal, Seal, folder_name

_LARGEST: Final = 512 * 1024 * 1024


class SessionFolder:
    """Sealed records; made on the first write.

    Args:
        root: The folder of all sessions.
        key: The secret of the seal.
        session: The parts of the session's name.
    """

    def __init__(self, root: Path, *, key: bytes, session: tuple[str, ...]) -> None:
        self._root = root
        self.path = root / folder_name(session)
        self._seal = Seal(key, session=session)

    def read(self, name: str) -> Any:
        """Return a record, `None` when there is none; what is not ours is set aside, unread."""
        self._set_planted_aside()
        path = self.path / name
        try:
            return self._seal.open(read_private(path, max_bytes=_LARGEST), purpose=name)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except BadFile as error:
            set_aside(path, reason=error.reason)
        except BrokenSeal:
            set_aside(path, reason="it is not sealed by this host's key for this session, so it may be forged or cut")
        return None

    def write(self, name: str, record: Any) -> None:
        """Write a record; it has reached the disk when this returns."""
        make_private_folder(self._root)
        self._set_planted_aside()
        make_private_folder(self.path)
        # One turn at a time writes here: what is left is a dead process's.
        remove_unfinished(self.path)
        write_private(self.path / name, self._seal.close(record, purpose=name))

    def _set_planted_aside(self) -> None:
        if self.path.is_symlink():
            set_aside(self.path, reason="it is a symbolic link, where a folder of the host's has its place")
        elif self.path.exists() and not self.path.is_dir():
            set_aside(self.path, reason="it is no folder, and a folder of the host's has its place there")

    def remove(self, name: str) -> None:
        """Remove a record, if it is there."""
        (self.path / name).unlink(missing_ok=True)
