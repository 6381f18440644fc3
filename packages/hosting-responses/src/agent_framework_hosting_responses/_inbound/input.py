"""The items of `input`, read into messages.

Read: messages (with and without `type`), function calls and their outputs, reasoning, and the `mcp_call` items in
which this server shows the calls that its agent ran itself. All others that OpenAI knows are refused with the code
`unsupported_content`. Members of an item that say nothing to an agent (`id`, `status`, annotations) are passed over,
whatever they hold: items come back from many versions of many clients.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from agent_framework import Content

from agent_framework_hosting.errors import RequestTooLarge

from .approvals import read_answer, read_request
from .checks import array, filled, is_list, is_object, json_object, text
from .history import History, Role
from .refusals import missing, unsupported_content, wrong_type, wrong_value

PARTS_PER_ITEM: Final = 4
"""Content parts that a request may have for each item that it may have."""

LATER_ITEMS: Final = frozenset(
    {
        "additional_tools",
        "apply_patch_call",
        "apply_patch_call_output",
        "code_interpreter_call",
        "compaction",
        "compaction_trigger",
        "computer_call",
        "computer_call_output",
        "configuration_update",
        "custom_tool_call",
        "custom_tool_call_output",
        "file_search_call",
        "image_generation_call",
        "item_reference",
        "local_shell_call",
        "local_shell_call_output",
        "mcp_list_tools",
        "program",
        "program_output",
        "shell_call",
        "shell_call_output",
        "tool_search_call",
        "tool_search_output",
        "web_search_call",
    }
)
"""Items that OpenAI knows and that are not read here."""

_LATER_PARTS: Final = frozenset({"computer_screenshot", "input_audio", "input_file", "input_image"})
_TEXT_PARTS: Final = frozenset({"input_text", "output_text"})
_ROLES: Final[dict[str, Role]] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "system",  # one rank to Agent Framework, whose clients know no developers
}


def read_input(value: Any, *, max_items: int | None = None) -> History:
    """Return the messages of an `input` field; null is an empty input.

    Raises:
        InvalidRequest: An item is malformed, or of a kind that is not read; `param` says which.
        RequestTooLarge: There are more than `max_items` items, or many times as many parts.
    """
    history = History()
    if isinstance(value, str):
        if value:
            history.say("user", [Content.from_text(value)], "input")
        return history
    if value is None:
        return history
    if not is_list(value):
        raise wrong_type(value, "input", "a string or an array")
    if max_items is not None:
        _refuse_too_many(value, max_items)
    for index, item in enumerate(value):
        at = f"input[{index}]"
        _READERS[_kind(item, at)](history, item, at)
    history.end()
    return history


def _refuse_too_many(items: list[Any], limit: int) -> None:
    if len(items) > limit:
        raise RequestTooLarge(
            f"'input' has {len(items)} items; this server takes {limit}. Continue with 'previous_response_id' instead"
            " of sending the whole conversation.",
            param="input",
        )
    parts = sum(len(part) for item in items if is_object(item) for part in item.values() if is_list(part))
    if parts > limit * PARTS_PER_ITEM:
        raise RequestTooLarge(
            f"The items of 'input' have {parts} parts; this server takes {limit * PARTS_PER_ITEM}.", param="input"
        )


def _kind(item: Any, at: str) -> str:
    """Return which reader an item is for."""
    kind = json_object(item, at).get("type")
    if kind is None:
        if item.get("role") is not None:
            return "message"
        if not isinstance(item.get("id"), str):
            raise missing(f"{at}.type")
        kind = "item_reference"
    if text(kind, f"{at}.type") in _READERS:
        return kind
    if kind in LATER_ITEMS:
        raise unsupported_content(at, kind)
    raise wrong_value(f"{at}.type", f"be one of {', '.join(map(repr, _READERS))}")


def _message(history: History, item: dict[str, Any], at: str) -> None:
    role = _ROLES.get(_required(item, "role", at))
    if role is None:
        raise wrong_value(
            f"{at}.role",
            "be 'user', 'assistant', 'system' or 'developer' (a tool's result is an item of type"
            " 'function_call_output')",
        )
    content = item.get("content")
    if content is None:
        raise missing(f"{at}.content")
    if isinstance(content, str):
        history.say(role, [Content.from_text(content)], at)
    elif is_list(content):
        history.say(role, [_part(part, role, place) for part, place in _placed(content, f"{at}.content")], at)
    else:
        raise wrong_type(content, f"{at}.content", "a string or an array")


def _part(part: Any, role: str, at: str) -> Content:
    kind = _required(json_object(part, at), "type", at)
    if kind in _TEXT_PARTS:
        return Content.from_text(_required(part, "text", at))
    if kind == "refusal" and role == "assistant":
        mark: dict[str, Any] = {"core": {"model_output_kind": "refusal"}}  # the core tells refusals from text by it
        return Content.from_text(_required(part, "refusal", at), additional_properties=mark)
    if kind in _LATER_PARTS:
        raise unsupported_content(at, kind)
    raise wrong_value(f"{at}.type", "be 'input_text' or 'output_text', or in an assistant's message 'refusal'")


def _function_call(history: History, item: dict[str, Any], at: str) -> None:
    call_id = _required_id(item, "call_id", at)
    history.call(call_id, _required_id(item, "name", at), _required(item, "arguments", at), at)


def _function_call_output(history: History, item: dict[str, Any], at: str) -> None:
    call_id = _required_id(item, "call_id", at)
    output = item.get("output")
    if output is None:
        raise missing(f"{at}.output")
    if is_list(output):
        parts = [_part(part, "tool", place) for part, place in _placed(output, f"{at}.output")]
        history.answer(call_id, parts, at)
    elif isinstance(output, str):
        history.answer(call_id, output, at)
    else:
        raise wrong_type(output, f"{at}.output", "a string or an array")


def _reasoning(history: History, item: dict[str, Any], at: str) -> None:
    """Give thoughts back to the model that had them, which is possible only when it sealed them.

    Others are left out: some clients of Agent Framework would refuse the run over them, others would show them to
    the model as something that it had said aloud.
    """
    said = _thoughts(item, "content", "reasoning_text", at)
    summarised = _thoughts(item, "summary", "summary_text", at)
    sealed = item.get("encrypted_content")
    item_id = item.get("id")
    if sealed is None or item_id is None:
        history.unused.append(at)
        return
    identity = filled(item_id, f"{at}.id")
    thoughts = [
        Content.from_text_reasoning(
            id=identity, text=thought, additional_properties={"openai": {"reasoning_text": True}}
        )
        for thought in said
    ]
    thoughts += [Content.from_text_reasoning(id=identity, text=thought) for thought in summarised]
    if not thoughts:
        thoughts.append(Content.from_text_reasoning(id=identity, text=""))
    thoughts[0].protected_data = filled(sealed, f"{at}.encrypted_content")
    history.think(thoughts, at)


def _thoughts(item: dict[str, Any], key: str, kind: str, at: str) -> list[str]:
    parts = item.get(key)
    if parts is None:
        return []
    texts: list[str] = []
    for part, place in _placed(array(parts, f"{at}.{key}"), f"{at}.{key}"):
        if _required(json_object(part, place), "type", place) != kind:
            raise wrong_value(f"{place}.type", f"be '{kind}'")
        texts.append(_required(part, "text", place))
    return texts


def _mcp_call(history: History, item: dict[str, Any], at: str) -> None:
    output, error = item.get("output"), item.get("error")
    if item.get("status") == "calling" and output is None and error is None:
        # It waited for the client's answer to another call; without its result the agent would make it again.
        history.unused.append(at)
        return
    if output is not None:
        result = text(output, f"{at}.output")
    elif error is None or isinstance(error, str):
        result = error or ""
    else:
        result = json.dumps(json_object(error, f"{at}.error"), ensure_ascii=False)
    call_id = _required_id(item, "id", at)
    history.ran(call_id, _required_id(item, "name", at), _required(item, "arguments", at), result, at)


def _required(item: dict[str, Any], key: str, at: str) -> str:
    value = item.get(key)
    if value is None:
        raise missing(f"{at}.{key}")
    return text(value, f"{at}.{key}")


def _required_id(item: dict[str, Any], key: str, at: str) -> str:
    return filled(_required(item, key, at), f"{at}.{key}")


def _placed(parts: list[Any], at: str) -> Iterable[tuple[Any, str]]:
    return ((part, f"{at}[{index}]") for index, part in enumerate(parts))


_Reader: TypeAlias = Callable[[History, dict[str, Any], str], None]

_READERS: Final[dict[str, _Reader]] = {
    "message": _message,
    "function_call": _function_call,
    "function_call_output": _function_call_output,
    "reasoning": _reasoning,
    "mcp_approval_request": read_request,
    "mcp_approval_response": read_answer,
    "mcp_call": _mcp_call,
}
READ_ITEMS: Final = frozenset(_READERS)
"""Items that are read here."""
