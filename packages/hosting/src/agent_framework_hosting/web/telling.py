"""The events of a streamed answer, from the first one to that which says how it ended."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

from .._late import late, listed
from .._stepping import turn
from . import _named

if TYPE_CHECKING:
    from ._types import Machine, Updates

__all__ = ["Machine", "Updates", "tell"]

_SILENT_BEFORE_GIVING_WAY: Final = 64

UpdateT = TypeVar("UpdateT")

if not TYPE_CHECKING:
    __getattr__ = late(globals(), {"Machine": "_types", "Updates": "_types"})
    __dir__ = listed(globals(), __all__)


async def tell(
    machine: _named.Machine[UpdateT],
    updates: _named.Updates[UpdateT],
    *,
    ended: Callable[[Exception], bytes],
    on_commit: Callable[[], Awaitable[None]] | None = None,
) -> AsyncGenerator[bytes, None]:
    """Yield the events of an answer; once it has begun, a failure becomes its last one.

    Args:
        machine: Makes the events.
        updates: What they are made of; closed in any case.
        ended: Returns the last event of an answer that an error has ended. What it raises ends the events.
        on_commit: Is awaited once the turn is committed, before the end is told.
    """
    ending, silent = b"", 0
    try:
        yield machine.start()
        async for update in updates:
            data = machine.feed(update)
            if data:
                yield data
            elif (silent := silent + 1) == _SILENT_BEFORE_GIVING_WAY:
                # Whoever sends what is said gives way by that; what its caller is not shown comes as quickly.
                silent = 0
                await turn()
            # A stream that waits for its model holds nothing of what it has said.
            del data
        ending = machine.closing()
        if on_commit is not None:
            await on_commit()
        yield ending
    except Exception as error:  # noqa: BLE001 - the answer has begun, so every failure must become its last event
        # When it was the ending that found no room, its turn is committed: the client has to hear of it all the same.
        yield ending or ended(error)
    finally:
        await updates.aclose()
