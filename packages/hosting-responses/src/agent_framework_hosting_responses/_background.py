"""Responses in the background: accepted, done whether or not anybody waits, cancelled, and forgotten.

Rules of this file:
1. What is accepted is kept before it is answered, and done as often as it takes: the next attempt is another process's
   when this one dies. How many there are is bounded (`Limits.task_failures`).
2. What the agent fails at is not tried again: its tools have run.
3. Those of one conversation are done in the order in which they were accepted. Each stands in the line of its session,
   with all others, from the moment on at which it is its turn.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, Final

from agent_framework_hosting.channel import Replayed, TryAgain
from agent_framework_hosting.errors import (
    HookError,
    IdempotencyConflict,
    InvalidRequest,
    LimitReached,
    QueueFull,
    ResponseTooLarge,
    RunCancelled,
    SessionBusy,
    Unavailable,
    UnknownId,
)
from agent_framework_hosting.types import JSON, IdempotencyKey
from agent_framework_hosting.web.errors import describe

from ._accepted import Accepted, AcceptedKeys, AcceptedResponses, run_name
from ._continuation import chat_key
from ._errors import failure_of
from ._leavings import Leavings
from ._log import each_event, entry
from ._outbound.machine import queued_body
from ._record import body_of, has_ended, is_background, key_of, plain, sealed
from ._settings import BACKGROUND
from ._standing import GIVEN_UP, Standing, cancelled, failed
from ._turns import Minted, Turn, Turns

if TYPE_CHECKING:
    from agent_framework_hosting.channel import ChannelContext, RunWriter, Task

_SOON: Final = 1.0
"""Seconds after which it is looked again whether a session is free."""
_PATIENCE: Final = 5.0
"""Seconds, beyond those after which a dead process is known to be dead, that whoever cancels waits for the end."""
_WANTED: Final = ("cancelled", "interrupted")
"""Why a run ended that nobody wants any more."""


class Background:
    """Accepts responses, and does them.

    Args:
        context: The host's.
        turns: Reads and runs them.
        standing: Knows where they stand.
    """

    def __init__(self, context: ChannelContext, turns: Turns, standing: Standing) -> None:
        self._context = context
        self._turns = turns
        self._accepted = AcceptedResponses(context)
        self._keys = AcceptedKeys(context, channel=turns.channel)
        self._leavings = Leavings(context, self._accepted, self._keys)
        self._standing = standing

    async def accept(self, turn: Turn, body: dict[str, Any], *, named: IdempotencyKey | None) -> tuple[JSON, bool]:
        """Keep a request that is to be done; return the record of its response, and whether that is new.

        It is not when its idempotency key was used before.

        Args:
            turn: What was read.
            body: The body that it was read from.
            named: The idempotency key.

        Raises:
            IdempotencyConflict: The key was used for another request, be it one of the foreground.
            RequestError: It is known by now that the request could not be served, or too many wait.
            Unavailable: Nothing is accepted now.
        """
        known = await self._known(named)
        if known is not None:
            return known, False
        await self._leavings.remove_all()
        await self._turns.check(turn)
        exchange, response = turn.exchange, turn.fields.response_id
        exchange.key = named.key if named is not None else None
        record = plain(sealed(queued_body(turn.fields).kept, exchange.private()))
        continued = _continued(turn)
        accepted = Accepted(record, _line_of(continued), body)
        is_free = True
        try:
            is_free = await self._accepted.add(response, accepted, key=continued)
            if is_free and (named is None or await self._keys.claim(named, response)):
                await self._start(response, accepted)
                return record, True
        except BaseException:
            await self._leavings.add(response, named)
            raise
        if not is_free:
            raise HookError(f"The response_id_factory returned {response!r}, which is a response already.")
        # The same request came at the same time, and was quicker.
        await self._leavings.add(response, named)
        return await self.accept(turn, body, named=named)

    async def cancel(self, response: str) -> JSON:
        """Stop a response, wherever it runs or waits, and return its record once that has ended.

        Raises:
            InvalidRequest: It is none of the background.
            UnknownId: There is none of that id for this caller.
        """
        record = await self._standing.find(response)
        if not is_background(record):
            raise InvalidRequest(
                "Cannot cancel a synchronous response: only one that was created with 'background' can be.",
                param="response_id",
                code="response_not_cancellable",
            )
        return record if has_ended(record) else await self._stop(response)

    async def forget(self, record: JSON) -> bool:
        """Stop a response, and forget what was kept of it beside its turn; says whether there was anything."""
        if not is_background(record):
            return False
        response, key = body_of(record)["id"], key_of(record)
        # First of all: a run that begins, or ends, from now on finds that nobody wants it any more.
        was_kept = await self._accepted.remove(response)
        if key is not None:
            await self._keys.release(key)
        if not has_ended(record):
            with suppress(UnknownId):
                await self._stop(response)
            await self._keys.disown(response)
        await self._context.runs.forget(response, kind=BACKGROUND)
        return was_kept

    async def _stop(self, response: str) -> JSON:
        with suppress(UnknownId):
            await self._context.runs.cancel(response, kind=BACKGROUND)
        return await self._standing.wait(response, patience=self._context.limits.lease + _PATIENCE)

    async def _known(self, named: IdempotencyKey | None) -> JSON:
        """Return the response that was accepted under an idempotency key."""
        response = await self._keys.find(named) if named is not None else None
        if named is None or response is None:
            return None
        try:
            accepted = await self._accepted.find(response)
            if accepted is not None and accepted.is_open:
                # Whoever kept it may have died before its run was accepted.
                await self._start(response, accepted)
            return await self._standing.find(response)
        except UnknownId:
            await self._keys.release(named.key)
            return None

    async def _start(self, response: str, accepted: Accepted) -> None:
        # A run that is known already is not begun again.
        await self._context.runs.start(kind=BACKGROUND, id=response, line=accepted.line, payload={})

    async def do(self, task: Task, writer: RunWriter) -> None:
        """Do what was accepted, as a run."""
        try:
            accepted = await self._accepted.find(task.id)
            # Otherwise it was deleted, or an attempt before has done it.
            if accepted is not None and accepted.body is not None:
                await self._do(task, accepted, accepted.body, writer)
        except asyncio.CancelledError as error:
            if _is_wanted_by_nobody(error):
                await self._end_cancelled(task)
            raise

    async def _do(self, task: Task, accepted: Accepted, body: dict[str, Any], writer: RunWriter) -> None:
        response, turn = task.id, None
        try:
            named, minted = run_name(response), _minted(response, accepted)
            turn = await self._turns.read(body, named=named, minted=minted)
            await self._run(turn, accepted, writer)
        except Replayed:
            await self._done(response, None)
            return
        except asyncio.CancelledError as error:
            if turn is not None and _is_wanted_by_nobody(error):
                await self._done(response, turn.exchange.remains, attempt=task.attempt)
            raise
        except Exception as error:
            if _is_to_try_again(error):
                raise TryAgain(after=getattr(error, "retry_after", None) or _SOON) from error
            await self._done(response, failed(accepted.record, failure_of(describe(error))))
            return
        await self._done(response, turn.exchange.remains, attempt=task.attempt)

    async def _run(self, turn: Turn, accepted: Accepted, writer: RunWriter) -> None:
        exchange = turn.exchange
        exchange.first = number = await self._standing.next_number(turn.fields.response_id)
        exchange.key = key_of(accepted.record)
        events = await self._turns.stream(turn, is_queued=not number, is_to_try_again=_is_to_try_again)
        async with aclosing(events):
            try:
                async for data in events:
                    for event in each_event(data):
                        await writer.write(entry(number, event))
                        number += 1
            except ResponseTooLarge as error:
                # The end that comes of it has no room in the log; readers get it from the record.
                await events.athrow(error)

    async def _end_cancelled(self, task: Task) -> None:
        """Keep how one ended that was cancelled before it had anything to keep.

        Now, since what its attempts have said goes with the end of its run, and this is told behind that.
        """
        accepted = await self._accepted.find(task.id)
        if accepted is not None and accepted.is_open:
            with suppress(UnknownId):
                await self._standing.settle(task.id, cancelled(accepted.record))

    async def _done(self, response: str, remains: JSON, *, attempt: int | None = None) -> None:
        """Let go of what was kept until the record of the turn was there; keep `remains` when there is none.

        `attempt` is the one whose turn it is.
        """
        try:
            await self._context.read_record(response)
        except UnknownId:
            if remains is not None:
                with suppress(UnknownId):
                    await self._standing.settle(response, remains)
            return
        kept = await self._accepted.find(response)
        if kept is not None and not kept.is_open:
            # It had ended before this attempt began, whose process had stood still. That is the end.
            return
        if not await self._accepted.remove(response) and await self._is_newest(response, attempt):
            # It was deleted while it ran. A later attempt, which found it done, would have let go of it, too.
            await self._context.records.forget(response)

    async def _is_newest(self, response: str, attempt: int | None) -> bool:
        with suppress(UnknownId):
            return (await self._context.runs.status(response, kind=BACKGROUND)).attempt == attempt
        return False

    async def give_up(self, task: Task) -> None:
        """End a response that was tried often enough."""
        # Whoever reads it later would find the same; but what became of a run is known for a shorter time.
        with suppress(UnknownId):
            accepted = await self._accepted.find(task.id)
            if accepted is not None and accepted.is_open:
                record = await self._standing.find(task.id)
                if not has_ended(record):
                    await self._standing.settle(task.id, failed(record, GIVEN_UP))


def _is_wanted_by_nobody(error: asyncio.CancelledError) -> bool:
    """Say whether a run was stopped for good, and not to be done elsewhere."""
    return error.args[:1] == ("cancelled",)


def _is_to_try_again(error: Exception) -> bool:
    """Say whether an error is none of the turn's own, so that the turn is to be run once more."""
    if isinstance(error, RunCancelled):
        return error.reason not in _WANTED
    return isinstance(error, Unavailable | LimitReached | SessionBusy | QueueFull | IdempotencyConflict)


def _continued(turn: Turn) -> str:
    """Return what a turn goes on from, itself when that is nothing: what is kept of it goes with that."""
    asked = turn.asked
    return asked.conversation or asked.previous_response_id or chat_key() or turn.fields.response_id


def _line_of(continued: str) -> str:
    return f"responses:{hashlib.sha256(continued.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def _minted(response: str, accepted: Accepted) -> Minted:
    return Minted(response, accepted.record["created_at"])
