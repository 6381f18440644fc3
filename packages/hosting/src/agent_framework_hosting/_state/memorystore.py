"""The store in memory: bounded by number and bytes, gone with the process.

Snapshots are kept as the objects that they are.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..types import Owner
from .lines import Lines, Place
from .memory import MemoryTurns, fitted
from .refusals import continued
from .store import Claim, Finished, LossReason, Opened, Replay, StoredTurn, TurnRequest, Unfinished
from .turns import SessionName, Turn

if TYPE_CHECKING:
    from .aliases import Aliases
    from .memoryclaims import MemoryAnswers, MemoryClaims
    from .memorydocuments import MemoryDocuments
    from .memoryevents import MemoryEvents
    from .memoryrecords import MemoryRecords
    from .memorytasks import MemoryTasks


class MemoryStore:
    """Keeps turns, lines, answers and idempotency keys in dictionaries; see `StateStore`.

    Args:
        aliases: What keys stand for after resets; may be kept elsewhere.
        max_turns: Turns, answers, idempotency keys, documents that are kept, each; beyond it the oldest is forgotten,
            but no key of a request that still runs.
        max_waiting: Turns that may wait for one session.
        claim_ttl: Seconds for which an idempotency key is remembered, within the bound.
        document_ttl: Seconds without use after which the documents of a session key go, within the bound.
        max_event_bytes: Bytes of all event logs together; beyond it the oldest is forgotten.
        max_bytes: Bytes of the records of turns, of answers, of documents, each, beyond which the oldest is forgotten;
            and of what open tasks are given, beyond which none is accepted.
        clock: Tells the time, in seconds.
    """

    encodes = False

    def __init__(
        self,
        *,
        aliases: Aliases,
        max_turns: int,
        max_waiting: int,
        claim_ttl: float = math.inf,
        document_ttl: float = math.inf,
        max_event_bytes: int = 256 * 1024 * 1024,
        max_bytes: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_turns, self._max_bytes, self._max_event_bytes = max_turns, max_bytes, max_event_bytes
        self._claim_ttl, self._document_ttl, self._clock = claim_ttl, document_ttl, clock
        self._tasks: MemoryTasks | None = None
        self._events: MemoryEvents | None = None
        self._documents: MemoryDocuments | None = None
        self.lines = Lines(max_waiting=max_waiting)
        self._aliases = aliases
        self._turns = MemoryTurns(max_turns=max_turns, max_bytes=max_bytes)
        self._heads: dict[tuple[str, str], Turn] = {}
        self._answers: MemoryAnswers | None = None
        self._claims: MemoryClaims | None = None

    @property
    def tasks(self) -> MemoryTasks:
        """See `StateStore`; few hosts have any of this and those below, which are loaded when they are asked for."""
        if self._tasks is None:
            from .memorytasks import MemoryTasks

            self._tasks = MemoryTasks(
                max_known=self._max_turns, ttl=self._claim_ttl, max_bytes=self._max_bytes, clock=self._clock
            )
        return self._tasks

    @property
    def events(self) -> MemoryEvents:
        """See `StateStore`."""
        if self._events is None:
            from .memoryevents import MemoryEvents

            self._events = MemoryEvents(
                find=lambda run: self.tasks.state((run.owner, run.kind, run.id)), max_bytes=self._max_event_bytes
            )
        return self._events

    @property
    def documents(self) -> MemoryDocuments:
        """See `StateStore`."""
        if self._documents is None:
            from .memorydocuments import MemoryDocuments

            self._documents = MemoryDocuments(
                max_documents=self._max_turns, max_bytes=self._max_bytes, ttl=self._document_ttl, clock=self._clock
            )
        return self._documents

    @property
    def claims(self) -> MemoryClaims:
        """See `StateStore`."""
        if self._claims is None:
            from .memoryclaims import MemoryClaims

            self._claims = MemoryClaims(
                max_claims=self._max_turns, max_bytes=self._max_bytes, ttl=self._claim_ttl, clock=self._clock
            )
        return self._claims

    @property
    def records(self) -> MemoryRecords:
        """See `StateStore`."""
        from .memoryrecords import MemoryRecords

        return MemoryRecords(self._turns, head=self._head_of, on_forget=self._forget_claims)

    @property
    def is_well(self) -> bool:
        """See `StateStore`."""
        return True

    async def start(self) -> None:
        """See `StateStore`."""

    async def stop(self) -> None:
        """See `StateStore`."""

    async def accept(self, request: TurnRequest) -> MemoryPlace | Replay:
        """See `StateStore`."""
        attempt = 1
        if request.claim is not None:
            claimed = self.claims.claim(request.owner, request.claim)
            if isinstance(claimed, Replay):
                return claimed
            attempt = claimed
        place = MemoryPlace(self, request, attempt)
        try:
            place.admit(request)
        except BaseException:
            place.give_back(has_run=False)
            raise
        return place

    async def named(self, tenant: str, key: str) -> SessionName:
        """See `StateStore`."""
        return self._name(tenant, key)

    async def find(self, owner: Owner, turn_id: str) -> StoredTurn | None:
        """See `StateStore`."""
        return self._found(owner, turn_id)

    async def find_all(self, owner: Owner, turn_ids: Sequence[str]) -> Mapping[str, StoredTurn]:
        """See `StateStore`."""
        found = {turn_id: self._found(owner, turn_id) for turn_id in turn_ids}
        return {turn_id: turn for turn_id, turn in found.items() if turn is not None}

    async def head(self, session: SessionName) -> Turn | None:
        """See `StateStore`."""
        return self.newest(session)

    async def load(self, point: Turn) -> Any:
        """See `StateStore`."""
        return point.snapshot

    async def rest(self, session: SessionName) -> None:
        """See `StateStore`."""

    async def mark_answered(self, session: SessionName, request_ids: Sequence[str]) -> None:
        """See `StateStore`."""
        if request_ids:
            self._given().mark(session.tenant, session.root, request_ids)

    async def answered(self, session: SessionName) -> Sequence[str]:
        """See `StateStore`."""
        return () if self._answers is None else self._answers.marked(session.tenant, session.root)

    async def forget(self, session: SessionName) -> None:
        """See `StateStore`."""
        self._heads.pop((session.tenant, session.session_id), None)
        self._turns.forget(session)
        tenant, root = session.tenant, session.root
        documents = self._documents
        if documents is not None and documents.has_any(tenant, root) and session == self._name(tenant, root):
            documents.forget(tenant, root)

    def rotate(self, tenant: str, key: str) -> Sequence[SessionName]:
        """See `StateStore`."""
        return self._aliases.rotate(tenant, key)

    async def cancel(self, tenant: str, key: str) -> bool:
        """See `StateStore`."""
        return self.lines.stop((tenant, key))

    def opened(self, tenant: str, key: str, parent: StoredTurn | None) -> Opened:
        """Return a session as it is now."""
        name = self._name(tenant, key) if parent is None else parent.session
        return Opened(name, 0, self._heads.get((tenant, name.session_id)))

    def newest(self, session: SessionName) -> Turn | None:
        """Return the newest turn of a session."""
        return self._heads.get((session.tenant, session.session_id))

    def continued(self, request: TurnRequest, turn_id: str) -> StoredTurn:
        """Return the turn that another one wants to continue.

        Raises:
            UnknownParent: It cannot be continued.
        """
        return continued(self._found(request.owner, turn_id), turn_id, request.key)

    def add(self, finished: Finished) -> Turn:
        """Store a finished turn; one without an id is only known as the newest one of its session."""
        name = finished.session
        turn = Turn(finished.owner, finished.turn_id or "", name, finished.snapshot, fitted(finished.record))
        if finished.turn_id is not None:
            self._turns.commit(turn)
        self._heads[name.tenant, name.session_id] = turn
        return turn

    def adopt(self, turn: Turn) -> None:
        """Store a copy of another store's turn: to be continued, and not as the newest one of its session."""
        self._turns.commit(turn)

    def keep(self, unfinished: Unfinished) -> None:
        """Store the record of a turn that did not finish."""
        if unfinished.turn_id is not None and unfinished.record is not None:
            name, record = unfinished.session, fitted(unfinished.record)
            turn = Turn(unfinished.owner, unfinished.turn_id, name, None, record, is_finished=False)
            self._turns.commit(turn)

    def mark(self, tenant: str, root: str, request_ids: Sequence[str]) -> list[tuple[str, str, str]]:
        """Mark requests for approval as answered: all of them, or none."""
        return self._given().answer(tenant, root, request_ids)

    def settle(self, owner: Owner, claim: Claim | None, record: bytes, *, turn_id: str | None = None) -> None:
        """Keep what was answered under an idempotency key."""
        if claim is not None:
            self.claims.settle(owner, claim, record, turn_id=turn_id)

    def let_go(
        self,
        owner: Owner,
        claim: Claim | None,
        marked: Sequence[tuple[str, str, str]],
        *,
        has_run: bool,
        attempt: int,
    ) -> None:
        """Give back what a turn had claimed."""
        if marked and not has_run:
            self._given().take_back(marked)
        if claim is not None:
            self.claims.let_go(owner, claim, forget=not has_run and attempt == 1)

    def _given(self) -> MemoryAnswers:
        if self._answers is None:
            from .memoryclaims import MemoryAnswers

            self._answers = MemoryAnswers(max_answers=self._max_turns)
        return self._answers

    def _forget_claims(self, owner: Owner, turn_id: str) -> None:
        if self._claims is not None:
            self._claims.forget_turn(owner, turn_id)

    def _head_of(self, tenant: str, key: str) -> Turn | None:
        return self._heads.get((tenant, self._name(tenant, key).session_id))

    def _name(self, tenant: str, key: str) -> SessionName:
        return SessionName(tenant, key, self._aliases.session_id(tenant, key), root=key)

    def _found(self, owner: Owner, turn_id: str) -> StoredTurn | None:
        turn = self._turns.find(owner, turn_id)
        return None if turn is None else StoredTurn(owner, turn_id, turn.session, turn, turn.record, turn.is_finished)


class MemoryPlace(Place):
    """A place in a line in memory; see `store.Place`."""

    __slots__ = ("_claim", "_is_over", "_key", "_marked", "_owner", "_store", "attempt", "head", "name", "parent")

    def __init__(self, store: MemoryStore, request: TurnRequest, attempt: int) -> None:
        super().__init__(store.lines)
        self.parent: StoredTurn | None = None
        self.head: Turn | None = None
        self.attempt = attempt
        self.name = request.name if request.claim is not None else ""
        self._store = store
        self._owner = request.owner
        self._claim = request.claim
        self._marked: Sequence[tuple[str, str, str]] = ()
        self._is_over = False
        self._key = request.key or ""

    def admit(self, request: TurnRequest) -> None:
        """Find what the turn continues, mark what it answers, and enter its line."""
        parent = None
        if request.parent is not None:
            self.parent = parent = self._store.continued(request, request.parent)
            self.head, self._key = self._store.newest(parent.session), parent.session.key
        if request.answers:
            root = parent.session.root if parent is not None else request.root or self._key
            self._marked = self._store.mark(request.tenant, root, request.answers)
        self.enter((request.tenant, self._key), concurrency=request.concurrency)

    def watch(self, on_loss: Callable[[LossReason], None]) -> None:
        """See `store.Place`."""
        self.on_loss = on_loss

    async def open(self) -> Opened:
        """See `store.Place`."""
        # Mostly there is nothing to wait for, and a coroutine that does not would be made for each turn.
        if not self._is_held or self._is_interrupted:
            await self.turn()
        return self._store.opened(self._owner[0], self._key, self.parent)

    async def move(self, key: str) -> Opened:
        """See `store.Place`."""
        self.release()
        self._key, self.parent = key, None
        self.enter((self._owner[0], key))
        return await self.open()

    async def commit(self, finished: Finished) -> Turn:
        """See `store.Place`."""
        point = self._store.add(finished)
        # The same bytes as the turn's, not their equals.
        if self._claim is not None:
            self._store.settle(self._owner, self._claim, point.record, turn_id=finished.turn_id)
        self._is_over = True
        self.release()
        return point

    async def settle(self, record: bytes) -> None:
        """See `store.Place`."""
        self._store.settle(self._owner, self._claim, fitted(record))
        self._is_over = True
        self.release()

    async def leave(self, unfinished: Unfinished | None = None, *, has_run: bool) -> None:
        """See `store.Place`."""
        if unfinished is not None and not self._is_over:
            self._store.keep(unfinished)
        self.give_back(has_run=has_run)

    def abandon(self) -> None:
        """See `store.Place`."""
        self.give_back(has_run=False)

    def give_back(self, *, has_run: bool) -> None:
        """Leave the line, with all that was claimed."""
        if not self._is_over:
            self._is_over = True
            self._store.let_go(self._owner, self._claim, self._marked, has_run=has_run, attempt=self.attempt)
            self.release()
