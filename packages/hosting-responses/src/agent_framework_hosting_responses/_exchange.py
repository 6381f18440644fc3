"""What becomes of a request: what is kept of its response, and with which event one ends that did not finish."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from agent_framework_hosting.errors import ResponseTooLarge, RunCancelled
from agent_framework_hosting.types import JSON, HostedRunResult, IdempotencyKey
from agent_framework_hosting.web.errors import describe
from agent_framework_hosting.workflows import shown_response

from ._continuation import chat_key
from ._errors import failure_of
from ._inbound.listing import listed
from ._outbound.machine import ResponseMachine
from ._record import MOST_WAITING, Private, plain, sealed
from ._waiting import Waiting

_CUT: Final = "max_output_tokens"


class Exchange(msgspec.Struct, kw_only=True, gc=False):
    """What becomes of one request, without the request itself: it lives for as long as its stream.

    Args:
        named: The idempotency key.
        is_kept: Whether anybody can ask for its record.
        response_id: What ids of items are made of.
        text: What it answers, where that is a text; empty when nothing is kept.
        items: The items that it answers, as they are listed later, where they have been made.
        taken: The number of the last item of its conversation that this turn, or one before, has read.
        reads: Whether it reads any itself.
        first: The sequence number of its first event.
        key: The idempotency key under which it was accepted, when it runs in the background.
        remains: The record of a turn that did not finish, once it has ended.
    """

    named: IdempotencyKey | None
    is_kept: bool
    response_id: str = ""
    text: str = ""
    items: list[dict[str, Any]] | None = None
    taken: int = 0
    reads: bool = False
    first: int = 0
    key: str | None = None
    remains: JSON = None

    @property
    def input(self) -> list[dict[str, Any]]:
        """The items that it answers; that of a text is made when it is asked for, at the end of most requests."""
        return listed(self.text, response_id=self.response_id) if self.items is None else self.items

    def private(
        self, *, waiting: Sequence[Waiting] = (), tape: msgspec.Raw | None = None, unfinished: bool = False
    ) -> Private:
        """Return what its record holds beside the body."""
        return Private(
            waiting=waiting[-MOST_WAITING:] if waiting else (),
            chat=chat_key() if waiting else None,
            input=self.input,
            tape=tape,
            taken=self.taken,
            first=self.first,
            key=self.key,
            unfinished=unfinished,
        )


class Streamed(msgspec.Struct):
    """A stream's share of an exchange: folds what was said into its record, and ends what did not finish.

    Args:
        exchange: What becomes of the request.
        machine: Makes the events.
        is_overridden: Whether a response hook may have changed what is stored.
        is_to_try_again: Says of an error that the turn is to be run once more. Then nothing is said or kept of this
            try.
        ending: The last event of a stream that did not finish, once it was made.
    """

    exchange: Exchange
    machine: ResponseMachine
    is_overridden: bool
    is_to_try_again: Callable[[Exception], bool] | None
    ending: bytes = b""

    def seal(self, result: HostedRunResult[Any]) -> JSON:
        """Return the record of a turn that has finished."""
        body = self.machine.complete(
            shown_response(result, by="Responses"), completed_at=int(time.time()), override=self.is_overridden
        )
        return sealed(body.kept, self.exchange.private(waiting=self.machine.waiting, tape=self._tape()))

    def seal_unfinished(self, error: Exception) -> JSON:
        """Return the record of a turn that this error has ended; nothing when it is to be run once more."""
        if self._is_void(error):
            return None
        self.ending = last_event(self.machine, error)
        private = self.exchange.private(tape=self._tape(), unfinished=True)
        body = self.machine.body
        self.exchange.remains = plain(sealed(body.kept if body is not None else {}, private))
        return self.exchange.remains

    def ended(self, error: Exception) -> bytes:
        """Return the last event of a stream that this error has ended; it is raised when the turn is run once more."""
        if self._is_void(error):
            raise error
        return self.ending or last_event(self.machine, error)

    def _is_void(self, error: Exception) -> bool:
        return self.is_to_try_again is not None and not self.machine.is_ended and self.is_to_try_again(error)

    def _tape(self) -> msgspec.Raw | None:
        return self.machine.tape if self.exchange.is_kept else None


def last_event(machine: ResponseMachine, error: Exception) -> bytes:
    """Return the last event of a stream that did not finish."""
    if isinstance(error, RunCancelled):
        # Of the reasons that the protocol knows, this one says best that there would have been more.
        drained = error.reason == "drained"
        return machine.cancel(status="incomplete", reason=_CUT) if drained else machine.cancel()
    if isinstance(error, ResponseTooLarge):
        return machine.cancel(status="incomplete", reason=_CUT)
    failure = failure_of(describe(error))
    return machine.fail(failure.code, failure.message, failure.reason)
