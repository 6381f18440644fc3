"""The outbound half of the channel: an agent's updates in, a Responses stream out, and the body that is stored.

Rules of this file:
1. No I/O and no clock: the caller sends, and says what time it is.
2. The stream, its final body and an answer that is not streamed come from one accumulator, `Output`.
3. The body exists before the terminal event does, so that it can be committed first; if that fails, the same machine
   can still end in `response.failed`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec
from agent_framework import AgentResponse, AgentResponseUpdate, Message

from agent_framework_hosting.rendering.reading import text_of
from agent_framework_hosting.rendering.text import ascii_json, clean_with_json
from agent_framework_hosting.rendering.usage import TokenCounts, UsageTally

from .._item_ids import item_id
from .._waiting import Waiting
from .contents import plain_text
from .envelope import Body, Head, error_object
from .events import EventWriter, Silence, say_queued
from .items import Items, adopt_ids, plain_message
from .output import Output
from .showing import ResponseFields, Showing
from .tape import IN_PROGRESS, add_length, take_down, terminal_event
from .texts import Texts
from .usage import usage_object
from .wire import DONE
from .words import IncompleteReason, ResponseStatus

_SILENCE: Final = Silence()
_UNBEGUN: Final = Texts(Items(""), _SILENCE, encrypted=False)
"""Stands for the texts of an answer that has not begun: nothing is open there."""
_LONG: Final = 255
"""Characters of a chunk whose length is more than a byte."""
_OFTEN: Final = 127
"""Chunks between two looks at how many there are, less one."""
_CUT_BY: Final[Mapping[str, IncompleteReason]] = {"length": "max_output_tokens", "content_filter": "content_filter"}


class ResponseMachine:
    """One streamed response, from `response.created` to `[DONE]`.

    Call `start`, `feed` for every update, `complete`, then `closing`; or end early with `fail` or `cancel`. All but
    `complete` return the bytes to send. After the end they return nothing.

    Args:
        fields: What the response knows about itself.
        first: The sequence number of its first event.
        is_queued: Say first that the response waits.
    """

    __slots__ = (
        "_body",
        "_head",
        "_is_ended",
        "_is_queued",
        "_is_started",
        "_kept",
        "_showing",
        "_shown",
        "_texts",
        "_usage",
        "_writer",
        "waiting",
    )

    def __init__(self, fields: ResponseFields, *, first: int = 0, is_queued: bool = False) -> None:
        self._head = Head(fields)
        self._showing = fields
        self._writer = EventWriter(first=first)
        self._is_queued = is_queued
        self._usage: TokenCounts | None = None
        self._body: Body | None = None
        self._is_started = False
        self._is_ended = False
        self._texts: Texts = _UNBEGUN
        self.waiting: Sequence[Waiting] = ()

    @property
    def _output(self) -> Output:
        """What keeps the answer, made when it is needed: of a crowd, each is told first that its own begins."""
        if self._texts is _UNBEGUN:
            self._kept = self._shown = output = Output(self._writer, self._showing)
            self._texts = output.texts
        return self._kept

    @property
    def body(self) -> Body | None:
        """The final body, once there is one."""
        return self._body

    @property
    def is_ended(self) -> bool:
        """Whether its last event was made."""
        return self._is_ended

    @property
    def tape(self) -> msgspec.Raw:
        """What was said until now, to be said again with the final body, which there has to be: a `Tape` as JSON."""
        if self._body is None:
            raise RuntimeError("There is no final body yet.")
        return take_down(self._writer.said, self._shown.items)

    def expect(self, waiting: Iterable[Waiting]) -> None:
        """Take notice, before the first update, of the calls that earlier turns have left waiting."""
        self._output.calls.expect(waiting)

    def start(self) -> bytes:
        """Return the opening events."""
        if self._is_started:
            return b""
        self._open()
        return self._writer.take()

    def feed(self, update: AgentResponseUpdate) -> bytes:
        """Return the events of one update: most often one delta, sometimes nothing."""
        part, begun = self._texts.hot, b""
        if (part is not None or self._begins(update)) and (text := _plain_text(update, self._kept)):
            if text.isascii():
                data = ascii_json(text)
            else:
                said, data = clean_with_json(text)
                if said is not text:
                    # Half a character, which may belong together with one that came before or is to come.
                    return self._take(update)
            writer = self._writer
            if part is None:
                part = self._kept.texts.open_plain()
                begun = writer.take()
            part.chunks.append(text)
            if writer.source is not part:
                writer.follow(part)
            number = writer.sequence_number
            if (length := len(text)) < _LONG:
                writer.lengths.append(length)
            else:
                add_length(writer.lengths, length)
            if not number & _OFTEN:
                part.fold()
            writer.sequence_number = number + 1
            delta = part.template % (number, data)
            return begun + delta if begun else delta
        return self._take(update)

    def complete(self, final: AgentResponse[Any] | None = None, *, completed_at: int, override: bool = False) -> Body:
        """Close what is open and return the final body; what is open is told to the client by `closing`.

        Args:
            final: The agent's final response: the source of what no update told, such as usage.
            completed_at: The time, in seconds.
            override: Let the body say what `final` says instead of what was streamed, as a response hook demands.
                Its items have the ids of those streamed: the first message that of the first message, and so on.
        """
        if self._body is None:
            self._open()
            streamed = shown = self._output
            ids: Mapping[str, str] = {}
            if override and final is not None:
                shown = _taken(final, self._showing, first_id=len(streamed.items))
            self._usage = shown.usage.counts or streamed.usage.counts or _usage(final)
            end = _ending(shown, shown.finish_reason or streamed.finish_reason or text_of(final, "finish_reason"))
            streamed.finish(is_cut=end.is_cut)
            if shown is not streamed:
                shown.finish(is_cut=end.is_cut)
                ids = adopt_ids(shown.items, streamed.items)
            self.waiting = [call.known_as(ids) for call in shown.waiting]
            self._shown = shown
            self._body = _body(self._head, shown, end, usage=self._usage, completed_at=completed_at)
        return self._body

    def closing(self) -> bytes:
        """Return the events that end the stream, the last of which carries the body that `complete` gave."""
        if self._body is None:
            raise RuntimeError("There is no final body yet: call complete() before closing().")
        return self._end(self._body)

    def fail(self, code: str, message: str, reason: str | None = None) -> bytes:
        """End in `response.failed`; also possible between `complete` and `closing`, when the commit went wrong."""
        return self._stop(_Ending("failed", error=error_object(code, message, reason)))

    def cancel(
        self, *, status: Literal["cancelled", "incomplete"] = "cancelled", reason: IncompleteReason | None = None
    ) -> bytes:
        """End in `response.incomplete`, since the protocol has no event for a cancelled response.

        `reason` is for the status `incomplete`; the protocol has no words for others.
        """
        return self._stop(_Ending(status, reason if status == "incomplete" else None))

    def _begins(self, update: AgentResponseUpdate) -> bool:
        """Whether the assistant begins the answer with this update: with plain text, nearly always."""
        output = self._output
        if output.message or self._body is not None:
            return False
        if not self._is_started:
            self._open()
        output.follow(update)
        return output.role == "assistant"

    def _take(self, update: AgentResponseUpdate) -> bytes:
        if self._body is not None:
            return b""
        if not self._is_started:
            self._open()
        output = self._output
        output.take_update(update)
        if output.halves.held is not None:
            # Plain text has to go on where that ends.
            output.texts.hot = None
        return self._writer.take()

    def _open(self) -> None:
        if self._is_started:
            return
        self._is_started = True
        data = self._head.json("in_progress")
        if self._is_queued:
            say_queued(self._writer, self._head.json("queued"))
            self._writer.write_response(IN_PROGRESS, data)
        else:
            self._writer.begin(data)

    def _stop(self, end: _Ending) -> bytes:
        if self._is_ended:
            return b""
        self._open()
        output = self._output
        output.finish(is_cut=True)
        self._body = _body(self._head, self._shown, end, usage=self._usage or output.usage.counts)
        return self._end(self._body)

    def _end(self, body: Body) -> bytes:
        if self._is_ended:
            return b""
        self._is_ended = True
        self._writer.write_response(terminal_event(body.kept["status"]), body.json)
        return self._writer.take() + DONE


def queued_body(fields: ResponseFields) -> Body:
    """Return a response that waits for its turn."""
    return Head(fields).body(status="queued")


class Rendered(msgspec.Struct, frozen=True):
    """An answer that is not streamed: the response object, and the calls that a later turn will run."""

    body: Body
    waiting: list[Waiting]


def render(result: AgentResponse[Any], fields: ResponseFields, *, completed_at: int) -> Rendered:
    """Return an answer that is not streamed."""
    if not fields.waiting and (text := _only_text(result)):
        return Rendered(_plain_body(text, result, fields, completed_at=completed_at), [])
    shown = _taken(result, fields)
    end = _ending(shown, shown.finish_reason)
    shown.finish(is_cut=end.is_cut)
    body = _body(Head(fields), shown, end, usage=shown.usage.counts, completed_at=completed_at)
    return Rendered(body, shown.waiting)


def _only_text(response: AgentResponse[Any]) -> bytes:
    """Return what an answer says that is one text of the assistant's and nothing else, as JSON; else nothing.

    Nearly all answers are, and `Output` has much to prepare for the others. What it makes of these is the same.
    """
    messages = response.messages
    if type(messages) is not list or len(messages) != 1:
        return b""
    message: Any = messages[0]
    if type(message) is not Message or message.role != "assistant" or type(message.contents) is not list:
        return b""
    if len(message.contents) != 1 or not (text := plain_text(message.contents[0])):
        return b""
    said, data = clean_with_json(text)
    return data if said is text else b""


def _plain_body(text: bytes, result: AgentResponse[Any], fields: ResponseFields, *, completed_at: int) -> Body:
    reason = _CUT_BY.get(text_of(result, "finish_reason"))
    status: Literal["completed", "incomplete"] = "completed" if reason is None else "incomplete"
    head, usage = Head(fields), _usage(result)
    named = item_id(head.response_id, prefix="msg_", index=0)
    return head.body(
        status=status,
        incomplete_reason=reason,
        output=b"[%b]" % plain_message(named, status, text),
        usage=usage_object(usage) if usage is not None else None,
        completed_at=completed_at,
    )


class _Ending(msgspec.Struct, frozen=True):
    """How a response ended."""

    status: ResponseStatus
    incomplete_reason: IncompleteReason | None = None
    error: Mapping[str, Any] | None = None

    @property
    def is_cut(self) -> bool:
        return self.status != "completed"


def _ending(shown: Output, finish_reason: str) -> _Ending:
    if shown.error is not None:
        return _Ending("failed", error=shown.error)
    if reason := _CUT_BY.get(finish_reason):
        return _Ending("incomplete", reason)
    return _Ending("completed")


def _body(
    head: Head,
    shown: Output,
    end: _Ending,
    *,
    usage: TokenCounts | None,
    completed_at: int | None = None,
) -> Body:
    return head.body(
        status=end.status,
        incomplete_reason=end.incomplete_reason,
        error=end.error,
        output=b"[%b]" % b",".join([item.json() for item in shown.items]),
        usage=usage_object(usage) if usage is not None else None,
        completed_at=completed_at,
    )


def _taken(response: AgentResponse[Any], showing: Showing, *, first_id: int = 0) -> Output:
    output = Output(_SILENCE, showing, first_id=first_id)
    output.take_response(response)
    return output


def _usage(final: AgentResponse[Any] | None) -> TokenCounts | None:
    details = getattr(final, "usage_details", None)
    if not details:
        return None
    tally = UsageTally()
    tally.add(details)
    return tally.counts


def _plain_text(update: AgentResponseUpdate, output: Output) -> str:
    """Return the text of an update that holds one plain chunk for the open part and nothing else, else nothing.

    This runs once per chunk, so it looks at attributes only; whatever is unusual is left to `Output.take_update`.
    """
    if type(update) is not AgentResponseUpdate or update.merge_mode == "replace" or update.finish_reason is not None:
        return ""
    role, author, message_id, contents = update.role, update.author_name, update.message_id, update.contents
    if (
        (role is not None and role != output.role)
        or (author is not None and author != output.author)
        or (message_id is not None and message_id != output.message_id)
        or type(contents) is not list
        or len(contents) != 1
    ):
        return ""
    return plain_text(contents[0])
