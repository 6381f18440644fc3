"""Items in which a client replays what a tool of the model's provider, or of the client itself, did.

Rule 1: code interpreters, searches and pictures become the contents that Agent Framework has for them. Its OpenAI
        clients keep such contents to themselves, so that no provider is asked about calls that it never made.
Rule 2: shells, patches and computers become function calls with their results. Agent Framework's own contents for them
        can be sent on by the provider's client alone that made them; a pair of call and result is understood by all.
Rule 3: of such a pair, neither half is of use without the other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from agent_framework import Content

from .checks import array, is_object, json_object, text
from .history import History
from .parts import image_of_base64, image_of_url, optional, placed, read_image, required, required_id
from .refusals import missing, unsupported_content, wrong_value

WITHOUT_EFFECT: Final = frozenset(
    {"mcp_list_tools", "program", "program_output", "tool_search_call", "tool_search_output"}
)
"""Items that say nothing to an agent, and do no harm in a history."""


def read_hosted_item(history: History, item: dict[str, Any], at: str, *, call_id: str | None) -> None:
    """Add what an item of `HOSTED_ITEMS` tells; `call_id` is that of the pair to which it belongs, if it does.

    Raises:
        InvalidRequest: The item is malformed, or answers a call that is not in the input.
    """
    kind = item["type"]
    if kind in _CONTENTS:
        history.use(_CONTENTS[kind](item, at), at)
    elif kind in _CALLS:
        call = _CALLS[kind]
        arguments = _json(call.arguments(item, at))
        if call_id is None:
            history.unused.append(at)
        else:
            history.call(call_id, call.name, arguments, at)
    elif kind in _OUTPUTS:
        result = _OUTPUTS[kind](item, at)
        if call_id is not None:
            history.answer(call_id, result, at)
        elif kind == "computer_call_output":
            raise unsupported_content(at, kind)
        else:
            history.unused.append(at)
    else:
        history.unused.append(at)


def pair_calls(items: Iterable[tuple[int, Any]]) -> dict[int, str]:
    """Return the positions of the calls that are answered further on, and of their outputs, with the call's id.

    Malformed items have no pair here; whoever reads them says what is wrong with them.
    """
    pairs: dict[int, str] = {}
    waiting: dict[tuple[str, str], tuple[int, str]] = {}
    for position, item in items:
        kind: object = item.get("type") if is_object(item) else None
        if not isinstance(kind, str):
            continue
        call_id = item.get("call_id")
        if kind in _CALLS and isinstance(call_id, str) and call_id:
            for name in {call_id, item.get("id")}:
                if isinstance(name, str):
                    waiting[kind, name] = (position, call_id)
        elif kind in _OUTPUTS:
            # The output of a local shell names the item of the call, or the call, as its own id.
            name = call_id if call_id is not None else item.get("id")
            made = waiting.pop((kind.removesuffix("_output"), name), None) if isinstance(name, str) else None
            if made is not None and made[0] not in pairs:
                pairs[made[0]] = pairs[position] = made[1]
    return pairs


def _code_interpreter_call(item: dict[str, Any], at: str) -> list[Content]:
    call_id, status = required_id(item, "id", at), optional(item, "status", at)
    code = optional(item, "code", at)
    inputs = [] if code is None else [Content.from_text(code)]
    outputs = [_code_output(output, place) for output, place in placed(item.get("outputs") or [], f"{at}.outputs")]
    return [
        Content.from_code_interpreter_tool_call(call_id=call_id, inputs=inputs, status=status),
        Content.from_code_interpreter_tool_result(call_id=call_id, outputs=outputs, status=status),
    ]


def _code_output(output: Any, at: str) -> Content:
    kind = required(json_object(output, at), "type", at)
    if kind == "logs":
        return Content.from_text(required(output, "logs", at))
    if kind == "image":
        return image_of_url(required(output, "url", at), f"{at}.url")
    raise wrong_value(f"{at}.type", "be 'logs' or 'image'")


def _image_generation_call(item: dict[str, Any], at: str) -> list[Content]:
    image_id, result = required_id(item, "id", at), optional(item, "result", at)
    made = image_of_base64(result, _image_type(item, at), f"{at}.result") if result else None
    return [
        Content.from_image_generation_tool_call(image_id=image_id),
        Content.from_image_generation_tool_result(image_id=image_id, outputs=made),
    ]


def _image_type(item: dict[str, Any], at: str) -> str | None:
    return _IMAGE_TYPES.get(optional(item, "output_format", at) or "")


def _web_search_call(item: dict[str, Any], at: str) -> list[Content]:
    action = item.get("action")
    found = None if action is None else json_object(action, f"{at}.action")
    return _search("web_search", item, at, asked=found, found=None)


def _file_search_call(item: dict[str, Any], at: str) -> list[Content]:
    queries = [text(query, place) for query, place in placed(item.get("queries") or [], f"{at}.queries")]
    results = item.get("results")
    found = None if results is None else array(results, f"{at}.results")
    return _search("file_search", item, at, asked={"queries": queries}, found=found)


def _search(name: str, item: dict[str, Any], at: str, *, asked: Any, found: Any) -> list[Content]:
    """Return a search as call and result, with JSON as text: objects of a caller's could pass for the core's own."""
    call_id, status = required_id(item, "id", at), optional(item, "status", at)
    arguments = None if asked is None else _json(asked)
    result = None if found is None else _json(found)
    return [
        Content.from_search_tool_call(call_id, tool_name=name, arguments=arguments, status=status),
        Content.from_search_tool_result(call_id, tool_name=name, result=result, status=status),
    ]


def _action(item: dict[str, Any], at: str) -> dict[str, Any]:
    return _object(item, "action", at)


def _operation(item: dict[str, Any], at: str) -> dict[str, Any]:
    return _object(item, "operation", at)


def _actions(item: dict[str, Any], at: str) -> Any:
    if item.get("actions") is None:
        return _object(item, "action", at)
    return [json_object(action, place) for action, place in placed(item["actions"], f"{at}.actions")]


def _object(item: dict[str, Any], key: str, at: str) -> dict[str, Any]:
    if item.get(key) is None:
        raise missing(f"{at}.{key}")
    return json_object(item[key], f"{at}.{key}")


def _shell_output(item: dict[str, Any], at: str) -> str:
    if item.get("output") is None:
        raise missing(f"{at}.output")
    return _json([json_object(chunk, place) for chunk, place in placed(item["output"], f"{at}.output")])


def _text_output(item: dict[str, Any], at: str) -> str:
    return optional(item, "output", at) or ""


def _screenshot(item: dict[str, Any], at: str) -> list[Content]:
    return [read_image(_object(item, "output", at), f"{at}.output")]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class _Call:
    """How a kind of call is told: as a call of this function, with these arguments."""

    name: str
    arguments: Callable[[dict[str, Any], str], Any]


_Contents: TypeAlias = Callable[[dict[str, Any], str], list[Content]]
_Result: TypeAlias = Callable[[dict[str, Any], str], str | list[Content]]

_IMAGE_TYPES: Final = {
    "gif": "image/gif",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "svg": "image/svg+xml",
    "webp": "image/webp",
}
_CONTENTS: Final[Mapping[str, _Contents]] = {
    "code_interpreter_call": _code_interpreter_call,
    "file_search_call": _file_search_call,
    "image_generation_call": _image_generation_call,
    "web_search_call": _web_search_call,
}
_CALLS: Final[Mapping[str, _Call]] = {
    "apply_patch_call": _Call("apply_patch", _operation),
    "computer_call": _Call("computer", _actions),
    "local_shell_call": _Call("local_shell", _action),
    "shell_call": _Call("shell", _action),
}
_OUTPUTS: Final[Mapping[str, _Result]] = {
    "apply_patch_call_output": _text_output,
    "computer_call_output": _screenshot,
    "local_shell_call_output": _text_output,
    "shell_call_output": _shell_output,
}

HOSTED_ITEMS: Final = frozenset({*_CONTENTS, *_CALLS, *_OUTPUTS, *WITHOUT_EFFECT})
"""Items that are read here."""
