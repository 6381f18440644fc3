"""Outermost of all: each request gets its id, its span, its line in the access log, and an answer whatever happens."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec
from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.util.types import AttributeValue
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .._answer import Answer
from .._handled import HandledRequest, begin, end, sane
from .._headers import Headers, read_headers
from ..errors import HostError
from ..ids import mint
from ..logs import access_logger, logger
from . import names
from .instruments import instruments
from .telemetry import Telemetry, begin_span, tracer

if TYPE_CHECKING:
    from .meters import Instruments

_STARTS: Final = ("http.response.start", "websocket.accept", "websocket.http.response.start")
_BODIES: Final = ("http.response.body", "websocket.http.response.body")
_HEADER: Final = b"x-request-id"
_CLIENT_HEADER: Final = b"x-client-request-id"
_TYPE: Final = b"content-type"
_WHOLE: Final = (_TYPE, b"application/json")
_EVENTS: Final = (_TYPE, b"text/event-stream; charset=utf-8")
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET"))
_ERRORS_FROM: Final = 400
_SERVER_ERRORS_FROM: Final = 500
_SWITCHING: Final = 101
_INTERNAL: Final = 1011


class Place(msgspec.Struct, frozen=True):
    """Where a request goes: a route's template, and whose it is."""

    route: str | None
    channel: str | None
    is_probe: bool = False


class AnswerBroken(HostError):
    """An answer that had begun broke off; what went wrong was logged where it happened."""

    code = "answer_broken"


class Requests:
    """The outermost middleware of a host's app.

    Args:
        app: What is behind.
        telemetry: The host's.
        place_of: Says where a request goes; asked only when somebody wants to know.
        answer: Answers a request that failed before its answer had begun; logs what went wrong.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        telemetry: Telemetry,
        place_of: Callable[[Scope], Place],
        answer: Callable[[Exception], ASGIApp],
    ) -> None:
        self._app = app
        self._telemetry = telemetry
        self._place_of = place_of
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        # Anew: an app around the host has had the scope, and may have read them before it changed them in place.
        request = HandledRequest(mint("req_"), _client_id(read_headers(scope)))
        answer = _Answer(self._telemetry, request, send)
        began = time.perf_counter()
        handled = begin(request)
        span, token = _begun(scope, request) if tracer() is not None else (None, None)
        try:
            await self._app(scope, receive, answer)
        except Exception as error:  # noqa: BLE001 - nobody outside could say more to it, and servers print what gets there
            await self._tell_failure(error, scope, receive, answer)
        finally:
            if token is not None:
                otel.detach(token)
            if answer.is_stream:
                self._telemetry.streams -= 1
            found = instruments()
            if span is not None or found is not None or access_logger.isEnabledFor(logging.INFO):
                self._tell(scope, request, answer, seconds=time.perf_counter() - began, span=span, found=found)
            end(handled)

    async def _tell_failure(self, error: Exception, scope: Scope, receive: Receive, answer: _Answer) -> None:
        if scope["type"] == "websocket":
            logger.error("A WebSocket ended with an error that its channel did not handle.", exc_info=error)
            if not answer.is_over:
                await answer({"type": "websocket.close", "code": _INTERNAL})
        elif not answer.has_begun:
            await self._answer(error)(scope, receive, answer)
        else:
            logger.error("An answer broke off.", exc_info=error)
            # The server closes the connection for it, and prints it: what went wrong is not its business.
            raise AnswerBroken("An answer broke off; the log says why.") from None

    def _tell(
        self,
        scope: Scope,
        request: HandledRequest,
        answer: _Answer,
        *,
        seconds: float,
        span: Span | None,
        found: Instruments | None,
    ) -> None:
        place, method = self._place_of(scope), scope.get("method", "WEBSOCKET")
        # Whatever a client makes up would be a series of its own.
        method = method if method in _METHODS else "_OTHER"
        error = request.error if answer.status >= _ERRORS_FROM or request.error else None
        labels: dict[str, AttributeValue] = {names.METHOD: method, names.STATUS: answer.status}
        labels |= {names.ROUTE: place.route} if place.route is not None else {}
        labels |= {names.CHANNEL: place.channel} if place.channel is not None else {}
        if found is not None:
            found.request_duration.record(seconds, labels)
            if answer.status >= _ERRORS_FROM and not request.is_counted:
                channel: dict[str, AttributeValue] = {names.CHANNEL: place.channel} if place.channel else {}
                found.errors.add(1, {**channel, names.ERROR_TYPE: error or str(answer.status)})
        if span is not None:
            _ended(span, labels, error, answer)
        if access_logger.isEnabledFor(logging.INFO):
            _log(place, method, answer, seconds, error)


class _Answer(Answer):
    """Knows besides what was sent, and whether all was; calls nobody on the way, since a stream sends often."""

    __slots__ = ("_request", "_telemetry", "is_over", "is_stream", "status")

    def __init__(self, telemetry: Telemetry, request: HandledRequest, send: Send) -> None:
        # Not by the way of the class above: each request has one.
        self.watched, self.has_begun = send, False
        self._telemetry = telemetry
        self._request = request
        self.status = 0
        self.is_over = self.is_stream = False

    def __call__(self, message: Message) -> Awaitable[None]:
        """Send a message; the ASGI callable."""
        if message.get("more_body"):
            # A part of a body, which tells nothing.
            return self.watched(message)
        kind = message["type"]
        if kind in _BODIES:
            return self._end(message)
        if kind in _STARTS:
            message = self._started(message)
        elif kind == "websocket.close":
            self.is_over = True
            self.status = self.status or 403
        return self.watched(message)

    async def _end(self, message: Message) -> None:
        await self.watched(message)
        # Not before: what comes last may be what a client does not read.
        self.is_over = True

    def _started(self, message: Message) -> Message:
        self.has_begun = True
        self.status = message.get("status", _SWITCHING)
        # Any iterable may come, and only a list is still there once it was looked through.
        given: Any = message.get("headers") or ()
        headers: list[tuple[bytes, bytes]] = given
        if not (is_list := isinstance(given, list)):
            headers = list(given)
        own = (_HEADER, self._request.id.encode())
        if is_list and own in headers:
            # As nearly all answers are: nothing is to be added, and nothing to be looked for.
            if _EVENTS in headers:
                self._note_stream()
                return message
            if _WHOLE in headers:
                return message
        said = {name.lower(): value for name, value in headers}
        if said.get(_TYPE, b"").startswith(b"text/event-stream"):
            self._note_stream()
        return {**message, "headers": headers if _HEADER in said else [*headers, own]}

    def _note_stream(self) -> None:
        self.is_stream = True
        self._telemetry.streams += 1


def _begun(scope: Scope, request: HandledRequest) -> tuple[Span, Any]:
    context = otel.get_current()
    # Inside another one, as of an instrumented app that mounts this one, it is a step and no request of its own.
    is_inner = trace.get_current_span(context).get_span_context().is_valid
    if not is_inner:
        # Finding out which propagators there are takes ten milliseconds at its import, and hosts without traces none.
        from .carrier import extracted

        context = extracted(scope["headers"], context)
    attributes: dict[str, AttributeValue] = {names.REQUEST_ID: request.id}
    if request.client_id is not None:
        attributes[names.CLIENT_REQUEST_ID] = request.client_id
    kind = SpanKind.INTERNAL if is_inner else SpanKind.SERVER
    span = begin_span(names.REQUEST_SPAN, context=context, kind=kind, attributes=attributes)
    return span, otel.attach(trace.set_span_in_context(span, context))


def _ended(span: Span, labels: dict[str, AttributeValue], error: str | None, answer: _Answer) -> None:
    span.set_attributes(labels)
    if error is not None:
        span.set_attribute(names.ERROR_TYPE, error)
    if answer.status >= _SERVER_ERRORS_FROM:
        span.set_status(Status(StatusCode.ERROR))
    span.end()


def _log(place: Place, method: str, answer: _Answer, seconds: float, error: str | None) -> None:
    fields: dict[str, object] = {
        "method": method,
        "route": place.route,
        "channel": place.channel,
        "status": answer.status,
        "duration": round(seconds, 6),
    }
    is_cut = not answer.is_over
    fields |= {"error": error} if error is not None else {}
    fields |= {"cut": True} if is_cut else {}
    access_logger.log(
        logging.DEBUG if place.is_probe else logging.INFO,
        "%s %s %d in %.1f ms%s%s",
        method,
        place.route or "-",
        answer.status,
        seconds * 1000,
        f", {error}" if error is not None else "",
        ", cut" if is_cut else "",
        extra={"fields": fields},
    )


def _client_id(headers: Headers) -> str | None:
    if _CLIENT_HEADER in headers.by_name:
        return sane(headers.all(_CLIENT_HEADER)[0])
    return sane(headers.by_name[_HEADER]) if _HEADER in headers.by_name else None
