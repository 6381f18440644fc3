"""One turn, watched from its admission to its end."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.trace import Span, Status, StatusCode
from opentelemetry.util.types import AttributeValue

from .._handled import handled_request
from ..errors import HostError
from ..types import ChannelRequest, Principal
from . import names
from .instruments import instruments
from .telemetry import Telemetry, begin_span, tracer

if TYPE_CHECKING:
    from .meters import Instruments

T = TypeVar("T")


class WatchedTurn:
    """Says how a turn goes; its `context` is the parent of whatever the turn does.

    The steps are told in order, once each: `admitted`, `started`, `ended`; and `failed` at any time before the last.
    """

    __slots__ = (
        "_at",
        "_began",
        "_channel",
        "_error",
        "_found",
        "_has_said",
        "_principal",
        "_span",
        "_telemetry",
        "_wait",
        "context",
    )

    def __init__(self, telemetry: Telemetry, request: ChannelRequest) -> None:
        self._telemetry = telemetry
        self._began = time.perf_counter()
        self._at: Literal["waiting", "running"] | None = None
        self._error: str | None = None
        self._has_said = False
        self._found = instruments()
        self._channel = request.channel
        self._principal: Principal | None = None
        self._span: Span | None = None
        self._wait: Span | None = None
        self.context = otel.get_current()
        if tracer() is not None:
            self._span = begin_span(names.TURN_SPAN, attributes=_described(request))
            self.context = trace.set_span_in_context(self._span, self.context)

    @property
    def own_context(self) -> otel.Context | None:
        """The `context`, when it is another one than that of whoever began the turn."""
        return self.context if self._span is not None else None

    @property
    def _labels(self) -> dict[str, AttributeValue]:
        # Made when there is something to count: a turn would keep them for as long as it lasts.
        return {names.CHANNEL: self._channel}

    def admitted(self, request: ChannelRequest) -> None:
        """Take notice that the turn was admitted, and waits."""
        self._at = "waiting"
        self._principal = request.principal
        self._telemetry.waiting += 1
        if self._span is not None:
            self._span.set_attributes(_named(request))
            self._wait = begin_span(names.WAIT_SPAN, context=self.context)

    def started(self) -> None:
        """Take notice that it is its turn."""
        if self._wait is not None:
            self._wait.end()
            self._wait = None
        if self._at == "waiting":
            self._telemetry.waiting -= 1
        self._at = "running"
        self._telemetry.running += 1
        found = self._found
        if found is not None:
            found.turn_wait.record(time.perf_counter() - self._began, self._labels, self.context)

    def seen(self, updates: AsyncIterator[T]) -> AsyncIterator[T]:
        """Return the updates; the first one is noticed on its way when somebody wants to know."""
        found = self._found
        return updates if found is None else self._seen(updates, found)

    async def _seen(self, updates: AsyncIterator[T], found: Instruments) -> AsyncIterator[T]:
        async for update in updates:
            if not self._has_said:
                self._has_said = True
                found.first_update.record(time.perf_counter() - self._began, self._labels, self.context)
            yield update

    def committed(self, commit: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T]:
        """Return the commit, to be awaited."""
        return commit if self._span is None else self._committed(commit)

    async def _committed(self, commit: Coroutine[Any, Any, T]) -> T:
        span = begin_span(names.COMMIT_SPAN, context=self.context)
        try:
            return await commit
        except BaseException as error:
            _mark(span, kind_of(error))
            raise
        finally:
            span.end()

    def used(self, response: Any) -> None:
        """Count the tokens of what the target returned."""
        found = self._found
        usage = getattr(response, "usage_details", None) if found is not None else None
        if found is None or not usage:
            return
        labels = {**self._labels, **_caller(self._principal, names_it=self._telemetry.names_callers)}
        for token_type in ("input", "output"):
            count = usage.get(f"{token_type}_token_count")
            if count:
                found.tokens.add(count, {**labels, names.TOKEN_TYPE: token_type}, self.context)

    def failed(self, error: BaseException) -> None:
        """Take notice that the turn fails."""
        self._error = kind_of(error)

    def ended(self) -> None:
        """Take notice that the turn is over."""
        if self._at == "running":
            self._telemetry.running -= 1
        elif self._at == "waiting":
            self._telemetry.waiting -= 1
        found = self._found
        if found is not None:
            labels = self._labels if self._error is None else {**self._labels, names.ERROR_TYPE: self._error}
            found.turn_duration.record(time.perf_counter() - self._began, labels, self.context)
            if self._error is not None:
                found.errors.add(1, labels, self.context)
        if self._error is not None:
            request = handled_request()
            if request is not None:
                request.is_counted = True
        if self._span is not None:
            if self._wait is not None:
                self._wait.end()
            if self._error is not None:
                _mark(self._span, self._error)
            self._span.end()


def kind_of(error: BaseException) -> str:
    """Return what kind of error it is: the host's neutral code, or the name of its class."""
    return error.code if isinstance(error, HostError) else type(error).__qualname__


def _mark(span: Span, kind: str) -> None:
    # Without a description: it would be the message, which may quote anything.
    span.set_attribute(names.ERROR_TYPE, kind)
    span.set_status(Status(StatusCode.ERROR))


def _described(request: ChannelRequest) -> dict[str, AttributeValue]:
    described: dict[str, AttributeValue] = {
        names.CHANNEL: request.channel,
        names.OPERATION: request.operation,
        names.IS_STREAM: request.stream,
    }
    handled = handled_request()
    if handled is not None:
        described[names.REQUEST_ID] = handled.id
    return described


def _named(request: ChannelRequest) -> dict[str, AttributeValue]:
    named: dict[str, AttributeValue] = {}
    principal, session = request.principal, request.session
    if principal is not None:
        named |= {names.TENANT: principal.tenant, names.CALLER_KIND: principal.kind}
        named[names.CALLER] = _hashed(principal.tenant, principal.kind, principal.id)
    if session is not None and session.commit_as is not None:
        named[names.TURN_ID] = session.commit_as
    if session is not None and session.isolation_key is not None and principal is not None:
        named[names.SESSION] = _hashed(principal.tenant, session.isolation_key)
    return named


def _caller(principal: Principal | None, *, names_it: bool) -> dict[str, AttributeValue]:
    if principal is None:
        return {}
    if names_it:
        return {names.CALLER_KIND: principal.kind, names.TENANT: principal.tenant, names.CALLER: principal.id}
    return {names.CALLER_KIND: principal.kind}


def _hashed(*parts: str) -> str:
    """Return what tells one from another, and nothing of either."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
