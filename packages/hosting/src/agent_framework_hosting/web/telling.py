"""The events of a streamed answer, from the first one to that which says how it ended."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from .._late import late, listed
from .._stepping import turn
from . import _named

if TYPE_CHECKING:
    from ._types import Machine, Updates

__all__ = ["Machine", "Telling", "Updates", "tell"]

_SILENT_BEFORE_GIVING_WAY: Final = 64

UpdateT = TypeVar("UpdateT")

if not TYPE_CHECKING:
    __getattr__ = late(globals(), {"Machine": "_types", "Updates": "_types"})
    __dir__ = listed(globals(), __all__)


def tell(
    machine: _named.Machine[UpdateT],
    updates: _named.Updates[UpdateT],
    *,
    ended: Callable[[Exception], bytes],
    on_commit: Callable[[], Awaitable[None]] | None = None,
) -> Telling[UpdateT]:
    """Return the events of an answer; once it has begun, a failure becomes its last one.

    Args:
        machine: Makes the events.
        updates: What they are made of; closed in any case, and once more by who closes the events.
        ended: Returns the last event of an answer that an error has ended. What it raises ends the events.
        on_commit: Is awaited once the turn is committed, before the end is told.
    """
    return Telling(machine, updates, ended=ended, on_commit=on_commit)


class Telling(AsyncGenerator[bytes, None], Generic[UpdateT]):
    """The events of one answer: an async generator of them, or its steps for a writer that takes them by itself.

    `EventStream` is such a writer, since each chunk would go through one more generator. It pulls the `updates`, and
    has each of them made an event by `feed`, between the `opening` and the `ending`. A failure ends it with the
    `last_words`.
    """

    __slots__ = ("_ended", "_ending", "_events", "_machine", "_on_commit", "feed", "updates")

    def __init__(
        self,
        machine: _named.Machine[UpdateT],
        updates: _named.Updates[UpdateT],
        *,
        ended: Callable[[Exception], bytes],
        on_commit: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self.updates: Final = updates
        self.feed: Final = machine.feed
        self._machine = machine
        self._ended = ended
        self._on_commit = on_commit
        self._ending = b""
        self._events: AsyncGenerator[bytes, None] | None = None

    def opening(self) -> bytes:
        """Return what the answer begins with."""
        return self._machine.start()

    async def ending(self) -> bytes:
        """Return the end of an answer whose updates have ended, and whose turn is committed by that."""
        ending = self._ending = self._machine.closing()
        if self._on_commit is not None:
            await self._on_commit()
        return ending

    def last_words(self, error: Exception) -> bytes:
        """Return the last event of an answer that has failed, or what `ended` has raised."""
        # When it was the ending that found no room, its turn is committed: the client has to hear of it all the same.
        return self._ending or self._ended(error)

    def asend(self, value: None, /) -> Coroutine[Any, Any, bytes]:
        """Return the next event."""
        return self._generator.asend(value)

    def athrow(self, *error: Any) -> Coroutine[Any, Any, bytes]:
        """End the answer with an error, which it tells; returns the last event."""
        return self._generator.athrow(*error)

    async def aclose(self) -> None:
        """Stop the run."""
        if self._events is not None:
            await self._events.aclose()
        await self.updates.aclose()

    @property
    def _generator(self) -> AsyncGenerator[bytes, None]:
        if self._events is None:
            # Of an answer of their own: if they held this one, nobody would see that it was dropped, and its run go on.
            own = Telling(self._machine, self.updates, ended=self._ended, on_commit=self._on_commit)
            self._events = own._each()
        return self._events

    async def _each(self) -> AsyncGenerator[bytes, None]:
        silent = 0
        try:
            yield self.opening()
            async for update in self.updates:
                data = self.feed(update)
                if data:
                    yield data
                elif (silent := silent + 1) == _SILENT_BEFORE_GIVING_WAY:
                    # Whoever takes what is said gives way by that; what its caller is not shown comes as quickly.
                    silent = 0
                    await turn()
                # What waits for its model holds nothing of what it has said.
                del data
            yield await self.ending()
        except Exception as error:  # noqa: BLE001 - the answer has begun, so every failure must become its last event
            yield self.last_words(error)
        finally:
            await self.updates.aclose()
