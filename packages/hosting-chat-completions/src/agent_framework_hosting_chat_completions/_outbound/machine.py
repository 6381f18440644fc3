"""The outbound half of the channel: an agent's updates in, chunks out, and the body that is stored.

Rules of this file:
1. No I/O and no clock: the caller sends, and says what time it is.
2. A stream, the body that is stored, and an answer that is not streamed come from one accumulator, `Answer`.
3. The body exists before the last chunk does, so that it can be committed first; if that fails, the same machine can
   still end in an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, NotRequired, TypedDict, Unpack

from agent_framework import AgentResponse, AgentResponseUpdate, Content

from agent_framework_hosting.errors import RunError
from agent_framework_hosting.rendering.text import clean_with_json
from agent_framework_hosting.rendering.usage import UsageTally

from .._approvals import Asked
from .answer import Answer
from .showing import Showing
from .wire import DONE, ChunkWriter, event, head_of, usage_object

_PASSED_ON: Final = frozenset({"length", "content_filter"})
_ROLE: Final[dict[str, Any]] = {"role": "assistant", "content": ""}


class ChatFields(TypedDict):
    """What a completion knows about itself before the agent says anything; `echo` is what it repeats of the request."""

    created: int
    model: str
    showing: Showing
    echo: NotRequired[Mapping[str, Any]]


class Rendered(NamedTuple):
    """An answer: the completion object, and the requests for approval in it."""

    body: dict[str, Any]
    asked: list[Asked]


class ChatMachine:
    """One streamed completion, from the first chunk to `[DONE]`.

    Call `start`, `feed` for every update, `complete`, then `closing`; or end early with `fail` or `cut`. All but
    `complete` return the bytes to send. After the end they return nothing.

    Args:
        include_usage: Whether the usage is told.
        holds_back: Say nothing before the answer is complete, since a response hook has the last word on it.
        fields: See `ChatFields`.
    """

    def __init__(self, *, include_usage: bool = False, holds_back: bool = False, **fields: Unpack[ChatFields]) -> None:
        self._fields = fields
        self._writer = ChunkWriter(_head(fields), include_usage=include_usage)
        self._answer = Answer(fields["showing"])
        self._holds_back = holds_back
        self._body: dict[str, Any] | None = None
        self._is_started = False
        self._is_ended = False

    def start(self) -> bytes:
        """Return the first chunk."""
        if self._is_started:
            return b""
        self._is_started = True
        return self._writer.delta(_ROLE)

    def feed(self, update: AgentResponseUpdate) -> bytes:
        """Return the chunks of one update: most often one, sometimes nothing."""
        answer = self._answer
        if not answer.text.is_fresh and not self._holds_back and (text := _plain_text(update, answer)):
            said, data = clean_with_json(text)
            # Half a character may belong together with one that came before or is to come.
            if said is text:
                answer.text.chunks.append(said)
                return self._writer.text(data)
        if self._body is not None:
            return b""
        answer.take_update(update)
        return b"" if self._holds_back else self._taken()

    def complete(self, final: AgentResponse[Any] | None = None) -> Rendered:
        """Return the final answer; what is not sent yet of it is told to the client by `closing`.

        Args:
            final: The agent's final response: the source of what no update told, such as usage, and of everything
                where a response hook has the last word.

        Raises:
            RunError: The agent has reported an error.
        """
        usage = self._answer.usage.counts
        if self._holds_back and final is not None:
            self._answer = Answer(self._fields["showing"])
            self._answer.take_response(final)
        rendered = _rendered(self._answer, self._fields, usage=self._answer.usage.counts or usage or _usage(final))
        self._body = rendered.body
        return rendered

    def closing(self) -> bytes:
        """Return the chunks that end the stream."""
        if self._body is None:
            raise RuntimeError("There is no final body yet: call complete() before closing().")
        if self._is_ended:
            return b""
        choice: Mapping[str, Any] = self._body["choices"][0]
        return self._end(choice["finish_reason"], usage=self._body["usage"])

    def cut(self) -> bytes:
        """End as an answer that would have been longer."""
        if self._is_ended:
            return b""
        if self._holds_back and self._body is None:
            self._answer.take()
        self._answer.release()
        return self._end("length", usage=usage_object(self._answer.usage.counts))

    def fail(self, error: bytes) -> bytes:
        """End in an error, which is a whole JSON object; clients raise it as they do one that came in time."""
        if self._is_ended:
            return b""
        self._is_ended = True
        return event(error) + DONE

    def _end(self, finish_reason: str, *, usage: Mapping[str, Any] | None) -> bytes:
        self._is_ended = True
        return self.start() + self._taken() + _last_chunks(self._writer, self._answer.annotations, finish_reason, usage)

    def _taken(self) -> bytes:
        return b"".join(self._writer.delta(delta) for delta in self._answer.take())


def render(result: AgentResponse[Any], **fields: Unpack[ChatFields]) -> Rendered:
    """Return an answer that is not streamed.

    Raises:
        RunError: The agent has reported an error.
    """
    answer = Answer(fields["showing"])
    answer.take_response(result)
    return _rendered(answer, fields, usage=answer.usage.counts)


def fold(body: Mapping[str, Any], *, include_usage: bool) -> bytes:
    """Return a stream whose final body this is, for those who ask again for what they were answered before.

    Example:
        >>> message = {"role": "assistant", "content": "Hello"}
        >>> body = {"id": "chatcmpl-1", "choices": [{"message": message, "finish_reason": "stop"}]}
        >>> fold(body, include_usage=False).count(b"data: ")
        4
    """
    own = {"object", "choices", "usage", "metadata"}
    head = {name: value for name, value in body.items() if name not in own}
    writer = ChunkWriter(head, include_usage=include_usage)
    choice: Mapping[str, Any] = body["choices"][0]
    message: Mapping[str, Any] = choice["message"]
    deltas = [{name: message[name]} for name in ("reasoning_content", "content", "refusal") if message.get(name)]
    deltas += [{"tool_calls": [{"index": index, **call}]} for index, call in enumerate(message.get("tool_calls") or ())]
    said = b"".join(writer.delta(delta) for delta in (_ROLE, *deltas))
    annotations: list[dict[str, Any]] = message.get("annotations") or []
    return said + _last_chunks(writer, annotations, choice["finish_reason"], body.get("usage"))


def _last_chunks(
    writer: ChunkWriter, annotations: list[dict[str, Any]], finish_reason: str, usage: Mapping[str, Any] | None
) -> bytes:
    # The helpers of the official clients put lists together by their elements' `index`, which annotations have not:
    # they can only be told all at once.
    cited = writer.delta({"annotations": annotations}) if annotations else b""
    return cited + writer.delta({}, finish_reason=finish_reason) + writer.usage(usage) + DONE


def _rendered(answer: Answer, fields: ChatFields, *, usage: Any) -> Rendered:
    answer.finish()
    if answer.error is not None:
        raise RunError(f"The agent reported an error: {answer.error}")
    calls = [call.snapshot() for call in answer.calls.shown]
    content, refusal, reasoning = answer.text.whole, answer.refusal.whole, answer.reasoning.whole
    message: dict[str, Any] = {
        "role": "assistant",
        "content": content if content or not (calls or refusal) else None,
        "refusal": refusal or None,
        "annotations": list(answer.annotations),
    }
    if calls:
        message["tool_calls"] = calls
    if reasoning:
        message["reasoning_content"] = reasoning
    reason = answer.finish_reason if answer.finish_reason in _PASSED_ON else "tool_calls" if calls else "stop"
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    body = {**_head(fields), "object": "chat.completion", "choices": [choice], "usage": usage_object(usage)}
    if "metadata" in fields.get("echo", {}):
        body["metadata"] = fields.get("echo", {})["metadata"]
    return Rendered(body, answer.asked)


def _head(fields: ChatFields) -> dict[str, Any]:
    return head_of(
        completion_id=fields["showing"].completion_id,
        created=fields["created"],
        model=fields["model"],
        echo=fields.get("echo", {}),
    )


def _usage(final: AgentResponse[Any] | None) -> Any:
    tally = UsageTally()
    tally.add(getattr(final, "usage_details", None))
    return tally.counts


def _plain_text(update: AgentResponseUpdate, answer: Answer) -> str:
    """Return the text of an update that holds one plain chunk for the open text and nothing else, else nothing.

    This runs once per chunk, so it looks at attributes only; whatever is unusual is left to `Answer.take_update`.
    """
    if type(update) is not AgentResponseUpdate or update.merge_mode == "replace" or update.finish_reason is not None:
        return ""
    role, author, message_id, contents = update.role, update.author_name, update.message_id, update.contents
    if (
        answer.role != "assistant"
        or answer.halves.held is not None
        or (role is not None and role != answer.role)
        or (author is not None and author != answer.author)
        or (message_id is not None and message_id != answer.message_id)
        or type(contents) is not list
        or len(contents) != 1
    ):
        return ""
    content = contents[0]
    if type(content) is not Content or content.type != "text" or content.merge_mode == "replace":
        return ""
    marks = content.additional_properties
    if content.annotations or (marks and (type(marks) is not dict or "core" in marks or "model_output_kind" in marks)):
        return ""
    text = content.text
    return text if type(text) is str else ""
