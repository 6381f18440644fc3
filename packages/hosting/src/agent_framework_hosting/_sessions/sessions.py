"""Which session a request runs in, in which order, and where its outcome goes.

The rules: a session key has one line of turns. A turn that names a parent continues it: in the parent's session when
the parent is that session's newest turn at the moment this turn starts, in a branch with a key and a session id of its
own otherwise. A turn that did not finish is no part of the message history; the rest of the state stays as it was left.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

from .._state.aliases import Aliases
from .._state.turns import SessionName, Turn, TurnStore
from .._target.target import SessionState, Target
from ..errors import NotForkable, UnknownParent
from ..ids import mint
from ..limits import Limits
from ..types import ChannelSession, Principal
from .answers import Answers
from .live import LiveSession, LiveSessions
from .tickets import Lines

_SHOWN: Final = 64
"""Characters of a caller's id that a message repeats."""


class Sessions:
    """All sessions of a host."""

    def __init__(self, *, target: Target, turns: TurnStore, aliases: Aliases, limits: Limits) -> None:
        self.lines: Lines[tuple[str, str]] = Lines(max_waiting=limits.max_waiting)
        self._target = target
        self._turns = turns
        self._aliases = aliases
        self._stale: deque[SessionName] = deque()
        self._dropped: list[LiveSession] = []
        self._live = LiveSessions(max_sessions=limits.max_sessions, ttl=limits.session_ttl)

    async def open(self, principal: Principal, wanted: ChannelSession, *, answers: Sequence[str] = ()) -> OpenTurn:
        """Admit a turn: look its parent up, take a place in the session's line, and use the answers that it brings.

        Raises:
            AnsweredAlready: It answers a request for approval that was answered before.
            UnknownParent: The parent is unknown, expired, or another principal's.
            NotForkable: The parent is an older turn, and this agent's history cannot be forked.
            QueueFull: Too many turns wait for this session.
        """
        self._drop_stale()
        dropped, self._dropped = self._dropped, []
        await self._forget([*dropped, *self._live.expire()])
        parent = None
        if wanted.parent is not None:
            parent = await self._parent(principal, wanted)
            if wanted.commit_as is None or await self._is_behind(parent):
                await self._require_forkable(parent)
        turn = OpenTurn(self, principal, wanted, parent)
        try:
            await turn.answers.use(answers)
        except BaseException:
            turn.leave()
            raise
        return turn

    def answers(self, tenant: str, root: str) -> Answers:
        """Return the answers of a turn of this conversation, none of them used yet."""
        return Answers(self._turns, (tenant, root))

    async def current(self, tenant: str, key: str, *, is_new: bool) -> LiveSession:
        """Take the session that a key stands for now, a fresh one when there is none or when it has to be new."""
        name = SessionName(tenant=tenant, key=key, session_id=self._aliases.session_id(tenant, key), root=key)
        self._drop_stale()
        live = self._live.take(name)
        if live is not None and not is_new:
            return live
        return LiveSession(name=name, state=await self._target.fresh(name, is_new=is_new))

    async def continued(self, parent: Turn) -> LiveSession | None:
        """Take the session whose newest turn is `parent`, `None` when it has moved on."""
        if await self._is_behind(parent):
            return None
        return self._live.take(parent.session)

    async def branch(self, parent: Turn, key: str) -> LiveSession:
        """Make a session that looks as the parent's did after `parent`.

        Raises:
            NotForkable: This agent's history cannot be forked.
        """
        await self._require_forkable(parent)
        tenant, root = parent.session.tenant, parent.session.root
        name = SessionName(tenant=tenant, key=key, session_id=self._aliases.session_id(tenant, key), root=root)
        return LiveSession(name=name, state=await self._target.branch(name, parent.snapshot))

    async def commit(self, live: LiveSession, principal: Principal, turn_id: str | None, record: bytes) -> None:
        """Make the session's present state part of its history, under an id when there is one."""
        snapshot = await live.state.settle(named=turn_id is not None)
        if turn_id is not None:
            live.named = True
            await self._turns.commit(Turn(principal.owner, turn_id, live.name, snapshot, record))

    async def keep(self, live: LiveSession) -> None:
        """Put a session back; those that fall out of the bounds are forgotten with all their turns."""
        await self._forget(self._live.put(live))

    async def turn(self, principal: Principal, turn_id: str) -> Turn | None:
        """Return the principal's turn of that id."""
        return await self._turns.find(principal.owner, turn_id)

    def reset(self, tenant: str, key: str) -> None:
        """Let the key stand for a fresh session from the next turn on; from whichever thread."""
        self._stale.extend(self._aliases.rotate(tenant, key))

    async def areset(self, tenant: str, key: str) -> None:
        """Do the same in a thread; whoever gives up waiting leaves nothing half done."""
        await asyncio.to_thread(self.reset, tenant, key)

    def _drop_stale(self) -> None:
        while self._stale:
            live = self._live.take(self._stale.popleft())
            if live is not None:
                self._dropped.append(live)

    async def _forget(self, dropped: list[LiveSession]) -> None:
        for live in dropped:
            await self._turns.forget(live.name)

    async def _parent(self, principal: Principal, wanted: ChannelSession) -> Turn:
        turn_id = wanted.parent or ""
        parent = await self._turns.find(principal.owner, turn_id)
        if parent is None or wanted.isolation_key not in (None, parent.session.root, parent.session.key):
            shown = turn_id[:_SHOWN]
            raise UnknownParent(f"There is no turn {shown!r} to continue from: it is unknown or has expired.")
        return parent

    async def _is_behind(self, parent: Turn) -> bool:
        head = await self._turns.head(parent.session)
        return head is None or (head.owner, head.id) != (parent.owner, parent.id)

    async def _require_forkable(self, parent: Turn) -> None:
        head = await self._turns.head(parent.session)
        if not self._target.can_branch(parent.snapshot, head.snapshot if head else None):
            raise NotForkable(
                "This conversation can only be continued from its newest turn, by a turn that is stored: the agent "
                "keeps part of it where it cannot be copied. Name the newest turn and store the answer, or start a new "
                "conversation."
            )


class OpenTurn:
    """A turn that was admitted and has its place in the line.

    `start` waits for the turn and returns the session's state, `commit` stores the outcome, `close` lets the next one
    start.
    """

    def __init__(self, sessions: Sessions, principal: Principal, wanted: ChannelSession, parent: Turn | None) -> None:
        self._sessions = sessions
        self._principal = principal
        self._commit_as = wanted.commit_as
        self._is_new = parent is None and wanted.isolation_key is None
        self._parent = parent
        self._key = parent.session.key if parent else wanted.isolation_key or wanted.commit_as
        self.answers = sessions.answers(principal.tenant, parent.session.root if parent else self._key or "")
        self._live: LiveSession | None = None
        self._committed = False
        # Continuing a point without storing the outcome changes nothing that others see, so it need not wait.
        self._throwaway = parent is not None and wanted.commit_as is None
        waits = self._key is not None and not self._throwaway
        self._place = sessions.lines.enter((principal.tenant, self._key or "")) if waits else None

    async def start(self) -> SessionState | None:
        """Wait for the turn; return the state of the session to run in, `None` when the request belongs to none."""
        if self._place is not None:
            await self._place.turn()
        if self._parent is not None:
            self._live = await self._continue(self._parent)
        elif self._key is not None:
            # A conversation that starts at its own id is new, even when an id factory repeats itself.
            self._live = await self._sessions.current(self._principal.tenant, self._key, is_new=self._is_new)
        self.answers.keep()
        return self._live.state if self._live else None

    async def commit(self, record: bytes) -> None:
        """Make the turn part of the history, together with the channel's record."""
        if self._live is not None:
            await self._sessions.commit(self._live, self._principal, self._commit_as, record)
        self._committed = True

    async def close(self) -> None:
        """Put the session back and let the next turn of its line start; idempotent."""
        live, self._live = self._live, None
        try:
            if live is not None and not self._throwaway:
                await self._put_back(live)
        finally:
            self.leave()

    def leave(self) -> None:
        """Give back the place in the line, and answers that no run has begun with.

        It needs no event loop, so that an abandoned turn can do it, too.
        """
        self.answers.give_back()
        if self._place is not None:
            self._place.release()

    async def _continue(self, parent: Turn) -> LiveSession:
        if self._throwaway or self._commit_as is None:
            return await self._sessions.branch(parent, mint(f"{parent.session.key}#"))
        live = await self._sessions.continued(parent)
        if live is None:
            live = await self._sessions.branch(parent, self._commit_as)
            if self._place is not None:
                self._place.release()
            self._place = self._sessions.lines.enter((live.name.tenant, live.name.key))
            await self._place.turn()
        return live

    async def _put_back(self, live: LiveSession) -> None:
        if not self._committed:
            live.state.rewind()
            if not live.named and live.name.key == self._commit_as:
                # Nobody was ever told this key, so nobody can come back to it.
                return
        await self._sessions.keep(live)
