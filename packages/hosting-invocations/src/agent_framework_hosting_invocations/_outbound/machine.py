"""The answer to one request, whole or streamed, from one accumulator.

`feed` takes the updates and returns events, `complete` the final result, and `closing`, `fail` or `cancel` end the
stream. `render` is the same for an answer that is not streamed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple, TypedDict, Unpack

import msgspec
from agent_framework import AgentResponse, WorkflowRunResult, WorkflowRunState

from agent_framework_hosting.workflows import updates_of

from .._waiting import Waiting
from ..vocabulary import (
    Failure,
    Invocation,
    MessageBegun,
    OutputMessage,
    Part,
    Started,
    Status,
    Text,
    Value,
    WholePart,
)
from .draft import Draft, Silence
from .wire import delta, event

_PENDING: Final = WorkflowRunState.IDLE_WITH_PENDING_REQUESTS


class Head(TypedDict):
    """What is known of an answer before there is any of it."""

    id: str
    session_id: str | None
    client_tools: Collection[str]


class Rendered(NamedTuple):
    """A final body, and what answers to its questions will need."""

    body: dict[str, Any]
    waiting: list[Waiting]


class _Writer:
    """Makes events of what is added to a draft; a machine that listened itself would keep it, and be kept by it."""

    def __init__(self, events: bytearray) -> None:
        self._events = events

    def message_begun(self, index: int, message: OutputMessage) -> None:
        """See `draft.Listener`."""
        self._events += event("message", MessageBegun(index, message.role, message.author))

    def text_added(self, index: int, part: int, text: str) -> None:
        """See `draft.Listener`."""
        self._events += delta(index, part, text)

    def part_added(self, index: int, part: int, content: Part) -> None:
        """See `draft.Listener`."""
        self._events += event("part", WholePart(index, part, content))


class InvocationMachine:
    """Makes events of updates, and the final body of what it has sent."""

    def __init__(self, **head: Unpack[Head]) -> None:
        self.waiting: list[Waiting] = []
        self._head = head
        self._events = bytearray()
        self._draft = Draft(_Writer(self._events), client_tools=head["client_tools"])
        self._body: dict[str, Any] | None = None
        self._is_ended = False

    @property
    def body(self) -> dict[str, Any]:
        """The final body, once there is one."""
        return self._body or _body(self._head, self._draft, "cancelled")

    def start(self) -> bytes:
        """Return the first event."""
        return event("started", Started(self._head["id"], self._head["session_id"]))

    def feed(self, update: Any) -> bytes:
        """Return the events of an update."""
        more = self._draft.take_more(update)
        if more is not None:
            return delta(*more)
        self._draft.take(update)
        events = bytes(self._events)
        self._events.clear()
        return events

    def complete(self, result: AgentResponse[Any] | WorkflowRunResult, *, override: bool) -> dict[str, Any]:
        """Return the final body.

        Args:
            result: What the target returned: the source of what no update told.
            override: Let the body say what `result` says instead of what was streamed, as a response hook demands.
        """
        shown = _drafted(result, self._head["client_tools"]) if override else self._draft
        shown.take_rest(result)
        self.waiting = shown.waiting
        self._body = _body(self._head, shown, _status(shown, result))
        return self._body

    def closing(self) -> bytes:
        """Return the events that end the stream; the last one carries the body that `complete` gave."""
        body = self.body
        self._is_ended = True
        asked = b"".join(event("request", each) for each in body["requests"])
        return bytes(self._events) + asked + event(body["status"], body)

    def fail(self, failure: Failure) -> bytes:
        """End in `failed`."""
        return self._stop("failed", failure)

    def cancel(self, failure: Failure) -> bytes:
        """End in `cancelled`."""
        return self._stop("cancelled", failure)

    def _stop(self, status: Status, failure: Failure) -> bytes:
        if self._is_ended:
            return b""
        self._is_ended = True
        self._draft.release()
        # What was asked on the way was never committed, so nobody could answer it.
        self._body = _body(self._head, self._draft, status, failure) | {"requests": []}
        return bytes(self._events) + event(status, self._body)


def render(result: AgentResponse[Any] | WorkflowRunResult, **head: Unpack[Head]) -> Rendered:
    """Return an answer that is not streamed."""
    shown = _drafted(result, head["client_tools"])
    shown.take_rest(result)
    return Rendered(_body(head, shown, _status(shown, result)), shown.waiting)


def fold(body: Mapping[str, Any]) -> bytes:
    """Return a stream whose final body this is, for those who ask again for what they were answered before."""
    events = [event("started", Started(body["id"], body["session_id"]))]
    for index, message in enumerate(body["messages"]):
        events.append(event("message", MessageBegun(index, message["role"], message.get("author"))))
        for place, part in enumerate(message["content"]):
            is_text = part["type"] == "text"
            events.append(
                delta(index, place, part["text"])
                if is_text
                else event("part", {"index": index, "part": place, "content": part})
            )
    events += [event("request", each) for each in body["requests"]]
    return b"".join([*events, event(body["status"], body)])


def _drafted(result: AgentResponse[Any] | WorkflowRunResult, client_tools: Collection[str]) -> Draft:
    draft = Draft(Silence(), client_tools=client_tools)
    if isinstance(result, AgentResponse):
        for message in result.messages:
            draft.take_message(message)
    else:
        for each in result:
            for update in updates_of(each):
                draft.take(update)
    return draft


def _status(shown: Draft, result: AgentResponse[Any] | WorkflowRunResult) -> Status:
    if shown.failure is not None:
        return "failed"
    states = result.status_timeline() if isinstance(result, WorkflowRunResult) else []
    is_pending = bool(states) and states[-1].state is _PENDING
    return "input_required" if shown.questions or is_pending else "completed"


def _body(head: Head, shown: Draft, status: Status, failure: Failure | None = None) -> dict[str, Any]:
    messages = shown.messages()
    return msgspec.to_builtins(
        Invocation(
            id=head["id"],
            session_id=head["session_id"],
            status=status,
            output="\n".join(text for message in messages if (text := _text(message))),
            messages=messages,
            requests=shown.questions,
            usage=shown.tokens(),
            finish_reason=shown.finish_reason or None,
            error=failure or shown.failure,
        )
    )


def _text(message: OutputMessage) -> str:
    return "".join(_text_of(part) for part in message.content)


def _text_of(part: Part) -> str:
    if isinstance(part, Text):
        return part.text
    return msgspec.json.encode(part.value).decode() if isinstance(part, Value) else ""
