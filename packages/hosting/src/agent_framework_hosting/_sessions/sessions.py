"""Which session a request runs in, in which order, and where its outcome goes.

The rules: a session key has one line of turns. A turn that names a parent continues it: in the parent's session when
the parent is that session's newest turn at the moment this turn starts, in a branch with a key and a session id of its
own otherwise. A turn that did not finish is no part of the message history; the rest of the state stays as it was left.
What is stored is the truth: a live session in memory is used only while nobody else has written to the stored one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec.structs import replace

from .._state.refusals import continued, unknown_parent
from .._state.store import Claim, Concurrency, Finished, Opened, Replay, StoredTurn, TurnRequest
from .._state.turns import SessionName
from ..errors import AnsweredAlready, LeaseLost, NotForkable, StateDamaged
from ..ids import mint
from ..limits import Limits
from ..types import ChannelSession, Principal
from .beside import known_as, stored_beside
from .live import LiveSession, LiveSessions
from .turn import OpenTurn

if TYPE_CHECKING:
    from .._state.encoded import Encoded
    from .._state.port import Place, StateStore
    from .._target.target import Target

_LONG: Final = 32 * 1024
"""Bytes of a stored session that are decoded beside the event loop."""


class Repeated(Exception):
    """The turn was taken before under the same idempotency key; `record` is what was sealed then."""

    def __init__(self, record: bytes) -> None:
        super().__init__("The turn was taken before under its idempotency key.")
        self.record = record


class Sessions:
    """All sessions of a host."""

    def __init__(
        self,
        *,
        target: Target,
        store: StateStore,
        limits: Limits,
        concurrency: Concurrency | Literal["concurrent"] = "queue",
    ) -> None:
        self.store = store
        self.target = target
        self._has_lines = concurrency != "concurrent"
        self._concurrency: Concurrency = "queue" if concurrency == "concurrent" else concurrency
        self._max_waiting = limits.max_waiting
        self._stale: deque[SessionName] = deque()
        self._dropped: list[LiveSession] = []
        self._live = LiveSessions(max_sessions=limits.max_sessions, ttl=limits.session_ttl)

    @property
    def cached(self) -> int:
        """How many idle sessions are in memory."""
        return len(self._live)

    async def open(
        self,
        principal: Principal,
        wanted: ChannelSession,
        *,
        answers: Sequence[str] = (),
        claim: Claim | None = None,
    ) -> OpenTurn:
        """Admit a turn: look its parent up, take a place in the session's line, and claim what it claims.

        Args:
            principal: Whose turn it is.
            wanted: Which session it belongs to.
            answers: Ids of the requests for approval that it answers.
            claim: The idempotency key that it is asked under.

        Raises:
            Repeated: The request was run before under its idempotency key.
            AnsweredAlready: It answers a request for approval that was answered before.
            IdempotencyConflict: The idempotency key is in use, or was used for something else.
            UnknownParent: The parent is unknown, expired, or another principal's.
            NotForkable: The parent is an older turn, and this agent's history cannot be forked.
            SessionBusy: Something runs in this session, and turns are not to wait.
            QueueFull: Too many turns wait for this session.
        """
        if self._stale:
            self._drop_stale()
        expired = self._live.expire()
        if expired or self._dropped:
            dropped, self._dropped = [*self._dropped, *expired], []
            await self.forget(dropped)
        request = TurnRequest(
            tenant=principal.tenant,
            owner=principal.owner,
            key=wanted.isolation_key if wanted.parent is not None else wanted.isolation_key or wanted.commit_as,
            parent=wanted.parent,
            turn_id=wanted.commit_as,
            concurrency=self._concurrency,
            max_waiting=self._max_waiting,
            answers=answers,
            claim=claim,
        )
        if request.key is None and wanted.commit_as is None:
            return await self._aside(principal, wanted, request)
        if not self._has_lines:
            return await self._beside(principal, wanted, request)
        place = _place(await self.store.accept(request))
        turn = OpenTurn(self, request.owner, wanted, parent=place.parent, place=place)
        try:
            if place.parent is not None and place.head != place.parent.point:
                await self._require_forkable(place.parent)
        except BaseException:
            await turn.close()
            raise
        return turn

    async def check(self, principal: Principal, wanted: ChannelSession, *, answers: Sequence[str] = ()) -> None:
        """Raise what `open` would raise now of a turn, but for what changes with what runs; nothing is claimed.

        Raises:
            AnsweredAlready: It answers a request for approval that was answered before.
            UnknownParent: The parent is unknown, expired, or another principal's.
            NotForkable: The parent is an older turn, and this agent's history cannot be forked.
        """
        parent = await self._found(principal, wanted) if wanted.parent is not None else None
        if parent is not None and not self._has_lines:
            await self._copy(parent)
        elif parent is not None and (wanted.commit_as is None or await self.store.head(parent.session) != parent.point):
            await self._require_forkable(parent)
        if answers:
            root = parent.session.root if parent is not None else wanted.isolation_key or wanted.commit_as or ""
            answered = await self.store.answered(SessionName(principal.tenant, root, root, root=root))
            if not set(answers).isdisjoint(answered):
                raise AnsweredAlready

    async def _aside(self, principal: Principal, wanted: ChannelSession, request: TurnRequest) -> OpenTurn:
        """Admit a turn that changes nothing which others see, so that it need not wait for them."""
        parent = None
        if wanted.parent is not None:
            parent = await self._found(principal, wanted)
            await self._require_forkable(parent)
        place = None
        if request.claim is not None or request.answers:
            root = parent.session.root if parent is not None else None
            asking = replace(request, key=mint("aside_"), parent=None, root=root)
            place = _place(await self.store.accept(asking))
        return OpenTurn(self, request.owner, wanted, parent=parent, place=place, is_aside=True)

    async def _beside(self, principal: Principal, wanted: ChannelSession, request: TurnRequest) -> OpenTurn:
        """Admit a turn that waits for no other of its session: it has a line, and a place to be stored, of its own."""
        parent = await self._found(principal, wanted) if wanted.parent is not None else None
        if parent is not None:
            known = known_as(parent.session)
            await self._copy(parent)
        else:
            known = await self.store.named(request.tenant, request.key or "")
        name = stored_beside(known)
        place = _place(await self.store.accept(replace(request, key=name.key, parent=None, root=name.root)))
        return OpenTurn(self, request.owner, wanted, parent=parent, place=place, beside=name)

    async def beside(self, name: SessionName, parent: StoredTurn | None, *, is_new: bool) -> LiveSession:
        """Make a session as the parent left it, under the id that the agent knows; an empty one without a parent."""
        copy = await self._copy(parent) if parent is not None else None
        if parent is None or copy is None:
            return LiveSession(name, await self.target.fresh(known_as(name), is_new=is_new))
        return LiveSession(name, await self.target.branch(known_as(name), copy), head=parent.point)

    async def _copy(self, parent: StoredTurn) -> Any:
        """Return what a turn left; `None` when the agent keeps it elsewhere.

        Raises:
            NotForkable: It could not be copied.
        """
        if not self.target.forkable:
            return None
        snapshot = await self._known(parent)
        if not self.target.can_branch(snapshot, snapshot):
            raise not_forkable()
        return snapshot

    async def current(self, opened: Opened, *, is_new: bool) -> LiveSession:
        """Take the live session that is as new as the stored one; a fresh one when it has to be new."""
        if self._stale:
            self._drop_stale()
        live = self._live.take(opened.name)
        if is_new:
            state = await self.target.fresh(opened.name, is_new=True)
            return LiveSession(opened.name, state, version=opened.version)
        if live is not None and live.version == opened.version and self._is_same(live.head, opened.head):
            return live
        if not opened.version:
            # Nothing was ever stored of it.
            state = await self.target.fresh(opened.name, is_new=False)
            return LiveSession(opened.name, state)
        rest = await self.store.rest(opened.name)
        chain: Any = await self.store.load(opened.head) if opened.head is not None else []
        if opened.head is not None and not chain:
            if await self.store.head(opened.name) == opened.head:
                raise _missing(opened.name, opened.head)
            # Forgotten since the turn began; an empty session in its place would be a lie.
            raise LeaseLost
        state = await self.target.resume(opened.name, await self._decoded(opened.name, chain, rest))
        return LiveSession(opened.name, state, named=True, head=opened.head, version=opened.version)

    async def branch(self, parent: StoredTurn, opened: Opened) -> LiveSession:
        """Make a session that looks as the parent's did after `parent`.

        Raises:
            NotForkable: This agent's history cannot be forked.
        """
        snapshot = await self._require_forkable(parent)
        self._live.take(opened.name)
        name = replace(opened.name, root=parent.session.root)
        state = await self.target.branch(name, snapshot)
        return LiveSession(name, state, head=parent.point, version=opened.version)

    async def aside(self, parent: StoredTurn) -> LiveSession:
        """Make a session that looks as the parent's did after `parent`, to which nobody will ever come back."""
        tenant, key = parent.session.tenant, mint(f"{parent.session.key}#")
        return await self.branch(parent, Opened(SessionName(tenant, key, key, root=key), 0, None))

    def finished(self, live: LiveSession, snapshot: Any, owner: Any, turn_id: str | None, record: bytes) -> Finished:
        """Return what is stored of a finished turn."""
        return Finished(
            session=live.name,
            version=live.version,
            parent=live.head,
            owner=owner,
            turn_id=turn_id,
            snapshot=self.target.encode(snapshot) if self.store.encodes else snapshot,
            record=record,
        )

    def keep(self, live: LiveSession) -> Sequence[LiveSession]:
        """Put a session back; returns those that fall out of the bounds, to `forget` them."""
        return self._live.put(live)

    async def forget(self, dropped: Sequence[LiveSession]) -> None:
        """Forget sessions that are no more in memory, when they are nowhere else."""
        if not self.store.encodes:
            for live in dropped:
                await self.store.forget(live.name)

    async def turn(self, principal: Principal, turn_id: str) -> StoredTurn | None:
        """Return the principal's turn of that id."""
        return await self.store.find(principal.owner, turn_id)

    async def turns(self, principal: Principal, turn_ids: Sequence[str]) -> Mapping[str, StoredTurn]:
        """Return those of the principal's turns that are known, by their ids."""
        return await self.store.find_all(principal.owner, turn_ids)

    def reset(self, tenant: str, key: str) -> None:
        """Let the key stand for a fresh session from the next turn on; from whichever thread."""
        self._stale.extend(self.store.rotate(tenant, key))

    async def areset(self, tenant: str, key: str) -> None:
        """Do the same in a thread; whoever gives up waiting leaves nothing half done."""
        await asyncio.to_thread(self.reset, tenant, key)

    async def cancel(self, tenant: str, key: str) -> bool:
        """Stop what runs under the key, and what waits for it; returns whether there was anything."""
        return await self.store.cancel(tenant, key)

    async def copied(self, principal: Principal, wanted: ChannelSession) -> tuple[StoredTurn, Any]:
        """Return the turn that a wanted one continues, and what it left, to go on from elsewhere.

        Raises:
            UnknownParent: The parent is unknown, expired, or another principal's.
            NotForkable: This agent's history cannot be copied from there.
        """
        parent = await self._found(principal, wanted)
        return parent, await self._require_forkable(parent)

    async def answer(self, principal: Principal, root: str, answers: Sequence[str]) -> None:
        """Take notice that requests for approval of a conversation are answered elsewhere.

        Raises:
            AnsweredAlready: One of them was answered before.
        """
        asking = TurnRequest(
            tenant=principal.tenant, owner=principal.owner, key=mint("aside_"), root=root, answers=answers
        )
        await _place(await self.store.accept(asking)).settle(b"null")

    async def session_id(self, tenant: str, key: str) -> str:
        """Return the id of the session that the key stands for now."""
        return (await self.store.named(tenant, key)).session_id

    def _drop_stale(self) -> None:
        while self._stale:
            live = self._live.take(self._stale.popleft())
            if live is not None:
                self._dropped.append(live)

    async def _found(self, principal: Principal, wanted: ChannelSession) -> StoredTurn:
        turn_id = wanted.parent or ""
        return continued(await self.store.find(principal.owner, turn_id), turn_id, wanted.isolation_key)

    async def _require_forkable(self, parent: StoredTurn) -> Any:
        head = await self.store.head(parent.session)
        snapshot = await self._known(parent)
        newest = (
            snapshot if head == parent.point else None if head is None else await self._snapshot(parent.session, head)
        )
        if not self.target.can_branch(snapshot, newest):
            raise not_forkable()
        return snapshot

    def _is_same(self, head: Any, stored: Any) -> bool:
        # A session that was purged and used again counts its versions from the beginning; its turns are others.
        return not self.store.encodes or head == stored

    async def _known(self, parent: StoredTurn) -> Any:
        snapshot = await self._snapshot(parent.session, parent.point)
        if snapshot is None and self.store.encodes:
            found = await self.store.find(parent.owner, parent.id)
            if found is not None and found.point == parent.point:
                raise _missing(parent.session, parent.point)
            # Forgotten since it was found.
            raise unknown_parent(parent.id)
        return snapshot

    async def _snapshot(self, session: SessionName, point: Any) -> Any:
        loaded = await self.store.load(point)
        return None if self.store.encodes and not loaded else await self._decoded(session, loaded, None)

    async def _decoded(self, session: SessionName, loaded: Any, rest: bytes | None) -> Any:
        if not self.store.encodes:
            return loaded
        chain: list[Encoded] = loaded
        try:
            if sum(len(each.added) for each in chain) > _LONG:
                return await asyncio.to_thread(self.target.decode, chain, rest)
            return self.target.decode(chain, rest)
        except StateDamaged as error:
            raise StateDamaged(f"{error.place}, {_of(session)}") from error.__cause__


def _place(accepted: Place | Replay) -> Place:
    if isinstance(accepted, Replay):
        raise Repeated(accepted.record)
    return accepted


def _missing(session: SessionName, point: Any) -> StateDamaged:
    return StateDamaged(f"the row {point} of af_turn, or one that it continues, is not there, {_of(session)}")


def _of(session: SessionName) -> str:
    return f"session {session.session_id!r} of tenant {session.tenant!r}"


def not_forkable() -> NotForkable:
    """Say that a conversation cannot be copied."""
    return NotForkable(
        "This conversation can only be continued from its newest turn, by a turn that is stored: the agent keeps part "
        "of it where it cannot be copied. Name the newest turn and store the answer, or start a new conversation."
    )
