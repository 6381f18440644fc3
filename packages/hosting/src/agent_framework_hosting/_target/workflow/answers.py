"""What of a request answers a paused workflow, and whether it fits what was asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, cast, get_origin

import msgspec
from agent_framework import Content, Message, WorkflowEvent

from ...errors import InvalidRequest
from ...workflows import WorkflowAnswers

Open = Mapping[str, WorkflowEvent[Any]]
"""What a workflow asks and nobody has answered, by id."""

_ANSWERS: Final = ("function_result", "function_approval_response", "computer_tool_result")
_SHOWN: Final = 64
_DEEPEST: Final = 64
"""Levels of JSON text; whatever keeps an answer goes down into it level by level, and so must not meet thousands."""


def answers_in(value: Any, *, asked: Open, answered: Collection[str]) -> dict[str, Any] | None:
    """Return the answers that an input holds, as the workflow expects them; `None` when it is new input.

    Args:
        value: The request's input.
        asked: What the workflow asks.
        answered: What of it was answered already, by a turn that did not finish.

    Raises:
        InvalidRequest: An answer does not fit, or nothing that is asked has that id; the pause stays open.
    """
    if isinstance(value, WorkflowAnswers):
        given = dict(value.answers)
        if not given:
            raise InvalidRequest("WorkflowAnswers is empty. Give an answer to at least one id of what is asked.")
    else:
        given = _given_in(_messages(value), asked)
    if given is None:
        return None
    return {at: _fitting(at, answer, asked=asked, answered=answered) for at, answer in given.items()}


def may_answer(value: Any) -> bool:
    """Whether an input holds answers, to whatever it may be."""
    return isinstance(value, WorkflowAnswers) or any(
        content.type in _ANSWERS for message in _messages(value) for content in message.contents
    )


def _messages(value: Any) -> list[Message]:
    if isinstance(value, Content):
        return [Message("user", [value])]
    if isinstance(value, Message):
        return [value]
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [item for item in cast("Sequence[Any]", value) if isinstance(item, Message)]
    return []


def _given_in(messages: list[Message], asked: Open) -> dict[str, Any] | None:
    # What the model said before is only repeated by clients that send the whole conversation along.
    contents = [content for message in messages if message.role != "assistant" for content in message.contents]
    answers = {_id_of(content, asked): content for content in contents if content.type in _ANSWERS}
    is_mixed = len(answers) < len(contents)
    if not answers or (is_mixed and not any(at in asked for at in answers)):
        return None
    if is_mixed:
        raise InvalidRequest(
            "This request answers what the workflow asks and holds new input besides. Send the answers alone, and the "
            "new input in a request of its own."
        )
    return {at: _value_of(content, asked.get(at)) for at, content in answers.items()}


def _id_of(content: Content, asked: Open) -> str:
    given = (content.id if content.type == "function_approval_response" else content.call_id) or ""
    if given in asked:
        return given
    # A call of an agent's may be asked under the id of its occurrence; the client knows it by its call id alone.
    matching = [
        at for at, event in asked.items() if isinstance(event.data, Content) and given and event.data.call_id == given
    ]
    return matching[0] if len(matching) == 1 else given


def _value_of(content: Content, event: WorkflowEvent[Any] | None) -> Any:
    if content.type != "function_result":
        wants_flag = event is not None and event.response_type is bool
        return content.approved if wants_flag and content.type == "function_approval_response" else content
    if event is not None and event.response_type is Content and isinstance(event.data, Content):
        return content
    return content.result


def _fitting(at: str, answer: Any, *, asked: Open, answered: Collection[str]) -> Any:
    shown = at[:_SHOWN]
    if at in answered:
        raise InvalidRequest(
            f"What the workflow asked as {shown!r} has been answered already, by a turn that did not finish, and it is "
            "not known how far that turn came. Start a new conversation, or have this session reset."
        )
    if at not in asked:
        raise InvalidRequest(
            f"The workflow asks nothing with the id {shown!r}: it is unknown, or has been answered already."
        )
    try:
        return fitted(_as_content(answer, asked[at].data), asked[at].response_type)
    except ValueError:
        wanted = type_name(asked[at].response_type)
        raise InvalidRequest(
            f"The answer to {shown!r} does not fit: the workflow expects {wanted}. It is still asked."
        ) from None


def _as_content(answer: Any, question: Any) -> Any:
    """Return the answer to what an agent inside the workflow asks as that agent takes it."""
    if not isinstance(question, Content) or isinstance(answer, Content):
        return answer
    if question.type == "function_approval_request" and isinstance(answer, bool):
        return question.to_function_approval_response(answer)
    if question.type == "function_call" and question.call_id is not None:
        return Content.from_function_result(question.call_id, result=answer)
    return answer


def fitted(value: Any, wanted: Any) -> Any:
    """Return the value as one of the wanted type; JSON text is read when the type is another one.

    Raises:
        ValueError: It does not fit.
    """
    if _fits(value, wanted):
        return value
    if wanted is Content and isinstance(value, str):
        return Content.from_text(value)
    candidates = [value]
    if isinstance(value, (str, bytes)):
        with suppress(msgspec.DecodeError):
            candidates.insert(0, _read(value))
    for candidate in candidates:
        try:
            return _converted(candidate, wanted)
        except (ValueError, TypeError):
            continue
    raise ValueError("does not fit")


def _read(text: str | bytes) -> Any:
    try:
        value = msgspec.json.decode(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    level = [value]
    for _ in range(_DEEPEST):
        level = [child for node in level for child in _children(node)]
        if not level:
            return value
    raise ValueError("is nested too deeply")


def _children(node: Any) -> Collection[Any]:
    if isinstance(node, dict):
        return cast("dict[str, Any]", node).values()
    return cast("list[Any]", node) if isinstance(node, list) else ()


def type_name(wanted: Any) -> str:
    """Return a type's name as its author would write it."""
    return wanted.__name__ if isinstance(wanted, type) and get_origin(wanted) is None else str(wanted)


def _fits(value: Any, wanted: Any) -> bool:
    if wanted is Any or wanted is object:
        return True
    if isinstance(wanted, type) and get_origin(wanted) is None:
        # A flag is no number to anybody who asks for one.
        kind = cast("type[Any]", wanted)
        return isinstance(value, kind) and not (isinstance(value, bool) and wanted in (int, float))
    try:
        return _is_same(cast("object", msgspec.convert(value, wanted)), value)
    except (ValueError, TypeError):
        return False


def _is_same(one: object, other: object) -> bool:
    return bool(one == other)


def _converted(value: Any, wanted: Any) -> Any:
    if _fits(value, wanted):
        return value
    validate = getattr(wanted, "model_validate", None)
    if callable(validate):
        return validate(value)
    return msgspec.convert(value, wanted)
