"""Refusals that every store words alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..errors import InvalidRequest, QueueFull, UnknownParent
from .store import StoredTurn

if TYPE_CHECKING:
    from .tasks import NewTask

STOPPED: Final = "The run was stopped: a newer request took its place, or somebody cancelled it."
"""What a run is told that has to make way."""
_SHOWN: Final = 64
"""Characters of a caller's id that a message repeats."""
_LONGEST: Final = 500
"""Bytes of a task's id and of its line: PostgreSQL's indexes take two and a half thousand in all."""


def unknown_parent(turn_id: str) -> UnknownParent:
    """Say that there is nothing to continue from; nobody learns whether it is somebody else's."""
    return UnknownParent(f"There is no turn {turn_id[:_SHOWN]!r} to continue from: it is unknown or has expired.")


def continued(parent: StoredTurn | None, turn_id: str, key: str | None) -> StoredTurn:
    """Return the turn to continue.

    Raises:
        UnknownParent: There is none, it belongs to another session than `key`, or it did not finish.
    """
    if parent is None or key not in (None, parent.session.root, parent.session.key):
        raise unknown_parent(turn_id)
    if not parent.is_finished:
        raise UnknownParent(
            f"The turn {turn_id[:_SHOWN]!r} did not finish, so it cannot be continued. Continue from the one before."
        )
    return parent


def too_many_tasks(count: int, *, in_line: bool) -> QueueFull:
    """Say that accepted work has to be done first."""
    where = "in this line" if in_line else "on this server"
    return QueueFull(f"{count} accepted tasks wait {where} already. Try again when some of them are done.")


def require_keepable(new: NewTask) -> None:
    """See to it that a task's names can be kept, wherever that is.

    Raises:
        InvalidRequest: They cannot.
    """
    for what, given in (("id", new.id), ("line", new.line)):
        # Half a surrogate pair, which JSON can say, becomes a question mark here.
        if "\0" in given or given.encode(errors="replace").decode() != given or len(given.encode()) > _LONGEST:
            raise InvalidRequest(
                f"A task has a name that cannot be kept: its {what} is longer than {_LONGEST} bytes, or has the "
                "character NUL or half a surrogate pair in it."
            )
