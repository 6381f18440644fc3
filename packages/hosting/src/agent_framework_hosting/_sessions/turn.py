"""One turn of a session, from its admission to its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from .._state.store import Finished, LossReason, Opened, StoredTurn, Unfinished
from .._state.turns import SessionName
from ..errors import RunError
from ..ids import mint
from ..logs import logger
from ..types import ChannelSession, Owner
from .live import LiveSession

if TYPE_CHECKING:
    from .._state.port import Place, StateStore
    from .._target.target import SessionState


if TYPE_CHECKING:

    class Keeper(Protocol):
        """What a turn needs of the sessions; see `Sessions`."""

        store: StateStore

        async def current(self, opened: Opened, *, is_new: bool) -> LiveSession: ...

        async def branch(self, parent: StoredTurn, opened: Opened) -> LiveSession: ...

        async def aside(self, parent: StoredTurn) -> LiveSession: ...

        async def beside(self, name: SessionName, parent: StoredTurn | None, *, is_new: bool) -> LiveSession: ...

        def finished(
            self, live: LiveSession, snapshot: object, owner: Owner, turn_id: str | None, record: bytes
        ) -> Finished: ...

        def keep(self, live: LiveSession) -> Sequence[LiveSession]: ...

        async def forget(self, dropped: Sequence[LiveSession]) -> None: ...


class OpenTurn:
    """A turn that was admitted and has its place in the line.

    `start` waits for the turn and returns the session's state, `commit` stores the outcome and lets the next one start,
    `close` does so for a turn that was not committed.
    """

    __slots__ = (
        "_beside",
        "_commit_as",
        "_has_started",
        "_is_aside",
        "_is_new",
        "_keeper",
        "_live",
        "_owner",
        "_parent",
        "_place",
    )

    def __init__(
        self,
        keeper: Keeper,
        owner: Owner,
        wanted: ChannelSession,
        *,
        parent: StoredTurn | None,
        place: Place | None,
        is_aside: bool = False,
        beside: SessionName | None = None,
    ) -> None:
        self._keeper = keeper
        self._owner = owner
        self._commit_as = wanted.commit_as
        # A conversation that starts at its own id is new, even when an id factory repeats itself.
        self._is_new = parent is None and wanted.isolation_key is None
        self._parent = parent
        self._place = place
        self._is_aside = is_aside
        self._beside = beside
        self._live: LiveSession | None = None
        self._has_started = False

    @property
    def attempt(self) -> int:
        """Which attempt at the request this is, when it has an idempotency key; asked before the turn is over."""
        return self._place.attempt if self._place is not None else 1

    @property
    def name(self) -> str:
        """What the turn is called in all of its attempts, when it has an idempotency key; asked likewise."""
        return self._place.name if self._place is not None else ""

    async def start(self, on_loss: Callable[[LossReason], None]) -> SessionState | None:
        """Wait for the turn; return the state of the session to run in, `None` when the request belongs to none.

        `on_loss` is called when the run has to stop because somebody else has, or wants, the session.
        """
        keeper, parent, place = self._keeper, self._parent, self._place
        if self._is_aside:
            live = await keeper.aside(parent) if parent is not None else None
        elif place is not None:
            place.watch(on_loss)
            opened = await place.open()
            if self._beside is not None:
                live = await keeper.beside(self._beside, parent, is_new=self._is_new)
            elif parent is None or opened.head == parent.point:
                live = await keeper.current(opened, is_new=self._is_new)
            else:
                # Of two turns that name the same one, the later becomes a branch, with a key of its own.
                live = await keeper.branch(parent, await place.move(self._commit_as or mint("aside_")))
        else:
            raise RuntimeError("The turn is over.")
        self._live = live
        self._has_started = True
        return live.state if live is not None else None

    def has_not_run(self) -> None:
        """Take notice that a turn which had begun was refused: `close` gives back what it had claimed."""
        self._has_started = False

    async def commit(self, record: bytes) -> None:
        """Make the turn part of the history, together with the channel's record."""
        live, place, store = self._live, self._place, self._keeper.store
        if place is None:
            return
        if live is None or self._is_aside or (self._beside is not None and self._commit_as is None):
            await place.settle(record)
            self._place = None
            return
        snapshot = await live.state.settle(named=self._commit_as is not None or store.encodes)
        # When storing fails `close` keeps what is left, unless it was stored after all: the place knows.
        finished = self._keeper.finished(live, snapshot, self._owner, self._commit_as, record)
        live.head = await place.commit(finished)
        live.version += 1 if store.encodes else 0
        live.named = live.named or self._commit_as is not None
        self._live = self._place = None
        if self._beside is None or not store.encodes:
            dropped = self._keeper.keep(live)
            if dropped:
                await self._keeper.forget(dropped)

    async def close(self, remains: bytes | None = None) -> None:
        """Put the session back and let the next turn of its line start; idempotent.

        `remains` is the record of a turn that was not committed.
        """
        live, self._live = self._live, None
        place, self._place = self._place, None
        if place is None:
            return
        unfinished = None
        try:
            if live is not None and not self._is_aside:
                unfinished = await self._rewound(live, remains)
        finally:
            await place.leave(unfinished, has_run=self._has_started)

    def leave(self) -> None:
        """Give the place in the line back; waits for nothing, so that an abandoned turn can do it, too."""
        if self._place is not None:
            self._place.abandon()

    async def _rewound(self, live: LiveSession, remains: bytes | None) -> Unfinished | None:
        unfinished = Unfinished(
            session=live.name,
            version=live.version,
            owner=self._owner,
            turn_id=self._commit_as,
            record=remains,
        )
        if self._beside is not None or (not live.named and live.name.key == self._commit_as):
            # Nobody was ever told this key, so nobody can come back to it.
            return unfinished
        await live.state.rewind()
        if not self._keeper.store.encodes:
            await self._keeper.forget(self._keeper.keep(live))
            return unfinished
        # Not put back: the stored session is what the next turn begins with, here or elsewhere.
        try:
            return replace(unfinished, rest=live.state.remains())
        except RunError as error:
            # How the run ended is what the caller has to hear.
            logger.error("What an unfinished turn of the session %r used up is lost: %s", live.name.session_id, error)
            return unfinished
