"""What a client may send over a WebSocket, and in which order it is answered: a state machine without I/O.

Rules of this file, from "WebSocket transport" of the Open Responses specification (2026-04-24):
1. A message is one JSON object whose `type` is `response.create`, with the fields of `POST /responses`. `stream`,
   `stream_options` and `background` are the other transport's: a value that says what happens anyway is passed over.
2. One response at a time. Others wait, to a bound, and all is answered in the order in which it came, refusals too: an
   error names no request, so that between a response's events it would be taken for that response's.
3. `generate: false` prepares a turn and answers nothing. What it says is said by the turn that continues it.
4. When a connection has lived for as long as it may, or the server drains, what runs is finished and the rest refused.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from agent_framework_hosting.errors import Draining, HostError, InvalidRequest, QueueFull, RequestTooLarge
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.parsing.body import decode
from agent_framework_hosting.parsing.checks import is_list
from agent_framework_hosting.parsing.refusals import missing, unsupported_parameter, wrong_value

LIMIT_REACHED: Final = "websocket_connection_limit_reached"
"""The code of the error that a connection ends with when it has lived long enough."""

_GOING_AWAY: Final = 1001
_POLICY_VIOLATION: Final = 1008
_LONGEST_STREAM_ID: Final = 256
_MOST_PREPARED: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """A response is wanted.

    Args:
        body: What `POST /responses` would have got.
        continues: The id that the client continues, if any; it is not the body's when that one was only prepared.
        generate: Whether the agent is to answer.
        stream_id: What the client wants to see in each of the events.
        size: The bytes of the message, and of those that were prepared for it.
    """

    body: dict[str, Any]
    continues: str | None
    generate: bool
    stream_id: str | None
    size: int

    @property
    def is_apart(self) -> bool:
        """Whether the response belongs to the connection alone: nobody has asked to keep what is said."""
        return self.body.get("store") is False and self.body.get("conversation") is None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message cannot be served."""

    error: HostError
    stream_id: str | None = None
    continues: str | None = None


@dataclass(frozen=True, slots=True)
class Steer:
    """A response is to take another course; `input` and `previous_response_id` are the client's words."""

    input: Any
    previous_response_id: str
    size: int


@dataclass(frozen=True, slots=True)
class Close:
    """The connection ends."""

    code: int
    reason: str


Step: TypeAlias = Create | Refusal | Steer | Close


class Agenda:
    """What is to be done on one connection, in its order.

    Args:
        limits: At most `max_waiting` messages wait, and those of `max_request_bytes`. Twice as many end the connection.
    """

    def __init__(self, *, limits: Limits) -> None:
        self._limits = limits
        self._steps: deque[Create | Refusal | Steer] = deque()
        self._size = 0
        self._prepared: OrderedDict[str, Create] = OrderedDict()
        self._closing: Close | None = None
        self._refusing: HostError | None = None
        self._is_flooded = False

    @property
    def waiting(self) -> int:
        """How many messages wait."""
        return len(self._steps)

    def take(self, message: str | bytes) -> None:
        """Take a message; whatever is wrong with it is told in its turn."""
        if len(self._steps) >= 2 * self._limits.max_waiting:
            self._flooded()
            return
        if self._is_flooded:
            return
        try:
            self._add(self._read(message))
        except HostError as error:
            self._add(Refusal(error))

    def next(self) -> Step | None:
        """Return what is to be done next, once what was before is done; `None` while there is nothing."""
        if not self._steps:
            return self._closing
        step = self._steps.popleft()
        if isinstance(step, Refusal):
            return step
        self._size -= step.size
        if isinstance(step, Steer):
            return step
        if self._refusing is not None:
            return Refusal(self._refusing, step.stream_id, step.continues)
        joined = self._joined(step)
        if joined.size > self._limits.max_request_bytes:
            most = self._limits.max_request_bytes
            refusal = RequestTooLarge(
                f"Together with what was prepared for it the message is larger than the {most} bytes that this server "
                "takes."
            )
            return Refusal(refusal, step.stream_id, step.continues)
        return joined

    def prepared(self, response_id: str, create: Create) -> None:
        """Take notice that a turn was prepared, and is called so."""
        self._prepared[response_id] = create
        while len(self._prepared) > _MOST_PREPARED or self._prepared_bytes() > self._limits.max_request_bytes:
            self._prepared.popitem(last=False)

    def failed(self, continues: str | None) -> None:
        """Take notice that a turn has failed which continued that one: it is not to be continued any more."""
        self._prepared.pop(continues or "", None)

    def drain(self) -> None:
        """Finish what runs, refuse the rest, and end: the server goes away."""
        refusal = Draining("The server is shutting down. Connect again, and send the request again.")
        self._end(refusal, Close(_GOING_AWAY, "The server is shutting down."))

    def expire(self) -> None:
        """Finish what runs, refuse the rest, and end: the connection has lived long enough."""
        if self._closing is not None:
            return
        refusal = InvalidRequest(
            f"This connection has reached its limit of {self._limits.socket_lifetime / 60:g} minutes. Connect again; "
            "stored responses can be continued there.",
            code=LIMIT_REACHED,
        )
        if not any(isinstance(step, Create) for step in self._steps):
            self._steps.append(Refusal(refusal))
        # Clients connect again by themselves after this code, and not after one that says that all is well.
        self._end(refusal, Close(_GOING_AWAY, "The connection has reached its limit."))

    def _end(self, refusal: HostError, close: Close) -> None:
        if self._closing is None:
            self._refusing, self._closing = refusal, close

    def _flooded(self) -> None:
        self._is_flooded = True
        self._steps.clear()
        self._closing = Close(_POLICY_VIOLATION, "Too many messages wait for their answers.")

    def _read(self, message: str | bytes) -> Create | Steer:
        if isinstance(message, bytes):
            raise InvalidRequest("Send messages as text: a JSON object each.", code="invalid_type")
        data = message.encode(errors="replace")
        if len(data) > self._limits.max_request_bytes:
            raise RequestTooLarge(
                f"The message is larger than the {self._limits.max_request_bytes} bytes that this server takes."
            )
        fields = decode(data, max_depth=self._limits.max_json_depth)
        kind = fields.pop("type", None)
        if kind == "response.create":
            return _create(fields, size=len(data))
        if kind == "response.steer":
            return _steer(fields, size=len(data))
        if kind is None:
            raise missing("type", "Send 'response.create'.")
        raise wrong_value("type", "be 'response.create'")

    def _add(self, step: Create | Refusal | Steer) -> None:
        if isinstance(step, Refusal):
            self._steps.append(step)
            return
        most, wait = self._limits.max_request_bytes, self._limits.max_waiting
        if len(self._steps) >= wait or (self._steps and self._size + step.size > most):
            refusal = QueueFull("Too many messages wait on this connection. Send them one after another.")
            named = (step.stream_id, step.continues) if isinstance(step, Create) else ()
            self._steps.append(Refusal(refusal, *named))
        else:
            self._size += step.size
            self._steps.append(step)

    def _joined(self, step: Create) -> Create:
        """Return a request with what was prepared for it."""
        prepared = self._prepared.get(step.continues or "")
        if prepared is None:
            return step
        before, said = _items(prepared.body.get("input")), _items(step.body.get("input"))
        body = dict(step.body)
        if before is not None and said is not None:
            body["input"] = [*before, *said]
        del body["previous_response_id"]
        body |= {
            name: prepared.body[name] for name in ("previous_response_id", "conversation") if name in prepared.body
        }
        # What it says beside its own words is kept with it when it is prepared itself.
        return replace(step, body=body, size=step.size + prepared.size)

    def _prepared_bytes(self) -> int:
        return sum(each.size for each in self._prepared.values())


def _create(fields: dict[str, Any], *, size: int) -> Create:
    stream, background = fields.pop("stream", None), fields.pop("background", None)
    if stream is not None and stream is not True:
        raise unsupported_parameter("stream", "Over a WebSocket every response is streamed; leave it out.")
    if background is not None and background is not False:
        raise unsupported_parameter("background", "Over a WebSocket responses run in the foreground; leave it out.")
    if fields.pop("stream_options", None):
        raise unsupported_parameter("stream_options", "It is for streams over HTTP; leave it out.")
    generate = fields.pop("generate", None)
    if generate is not None and not isinstance(generate, bool):
        raise wrong_value("generate", "be true or false")
    stream_id = fields.pop("stream_id", None)
    if stream_id is not None and not _is_name(stream_id):
        raise wrong_value("stream_id", f"be 1 to {_LONGEST_STREAM_ID} characters that can be printed")
    continues = fields.get("previous_response_id")
    return Create(
        body={**fields, "stream": True},
        continues=continues if isinstance(continues, str) else None,
        generate=generate is not False,
        stream_id=stream_id,
        size=size,
    )


def _steer(fields: Mapping[str, Any], *, size: int) -> Steer:
    if "input" not in fields:
        raise missing("input", "Say what the response is to hear.")
    previous = fields.get("previous_response_id")
    if not isinstance(previous, str):
        raise wrong_value("previous_response_id", "be the id of the response that is to take another course")
    return Steer(fields["input"], previous, size)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_STREAM_ID and value.isprintable()


def _items(given: Any) -> list[Any] | None:
    """Return an input as items; `None` for what is no input."""
    if given is None:
        return []
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    return given if is_list(given) else None
