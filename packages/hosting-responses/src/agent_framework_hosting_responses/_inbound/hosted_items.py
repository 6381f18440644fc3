"""Items in which a client replays what a tool of the model's provider, or of the client itself, did.

Rule 1: code interpreters, searches and pictures become the contents that Agent Framework has for them. Its OpenAI
        clients keep such contents to themselves, so that no provider is asked about calls that it never made.
Rule 2: shells and patches become function calls with their results. Agent Framework's own contents for them can be sent
        on by the provider's client alone that made them; a pair of call and result is understood by all.
Rule 3: of a pair, neither half is of use without the other; but a screenshot may answer a computer call of an earlier
        turn, which the agent made and the client carried out.
Rule 4: a picture that a tool made is left out where it cannot be passed on: it is history, whatever its address.
Rule 5: JSON stays text: objects of a caller's could pass for the core's own once a session has been stored.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from agent_framework import ComputerSafetyCheck, Content

from agent_framework_hosting.parsing.checks import array, is_object, json_object, text
from agent_framework_hosting.parsing.refusals import missing, wrong_value

from .history import History
from .parts import image_of, optional, placed, read_image, required, required_id

WITHOUT_EFFECT: Final = frozenset(
    {"mcp_list_tools", "program", "program_output", "tool_search_call", "tool_search_output"}
)
"""Items that say nothing to an agent, and do no harm in a history."""


_Call: TypeAlias = Callable[[dict[str, Any], str, str], Content]


def read_hosted_item(history: History, item: dict[str, Any], at: str, *, call_id: str | None) -> None:
    """Add what an item of `HOSTED_ITEMS` tells; `call_id` is that of the pair to which it belongs, if it does.

    Raises:
        InvalidRequest: The item is malformed, or answers a call that is not in the input.
    """
    kind = item["type"]
    if kind in _CONTENTS:
        history.use(_CONTENTS[kind](item, at), at)
    elif kind in _CALLS:
        content = _CALLS[kind](item, call_id or required_id(item, "call_id", at), at)
        if call_id is None:
            history.unused.append(at)
        else:
            history.call(content, at)
    elif kind == "computer_call_output":
        history.answer(_screenshot(item, call_id or required_id(item, "call_id", at), at), at)
    elif kind in _OUTPUTS:
        result = _OUTPUTS[kind](item, at)
        if call_id is None:
            history.unused.append(at)
        else:
            history.answer(Content.from_function_result(call_id, result=result), at)
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
            for name in (call_id, item.get("id")):
                if isinstance(name, str):
                    waiting[kind, name] = (position, call_id)
        elif kind in _OUTPUTS or kind == "computer_call_output":
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
    told = [_code_output(output, place) for output, place in placed(item.get("outputs") or [], f"{at}.outputs")]
    outputs = [output for output in told if output is not None]
    return [
        Content.from_code_interpreter_tool_call(call_id=call_id, inputs=inputs, status=status),
        Content.from_code_interpreter_tool_result(call_id=call_id, outputs=outputs, status=status),
    ]


def _code_output(output: Any, at: str) -> Content | None:
    kind = required(json_object(output, at), "type", at)
    if kind == "logs":
        return Content.from_text(required(output, "logs", at))
    if kind == "image":
        return image_of(required(output, "url", at))
    raise wrong_value(f"{at}.type", "be 'logs' or 'image'")


def _image_generation_call(item: dict[str, Any], at: str) -> list[Content]:
    image_id, result = required_id(item, "id", at), optional(item, "result", at)
    media_type = _IMAGE_TYPES.get(optional(item, "output_format", at) or "", "")
    made = image_of(f"data:{media_type};base64,{result}") if result else None
    return [
        Content.from_image_generation_tool_call(image_id=image_id),
        Content.from_image_generation_tool_result(image_id=image_id, outputs=made),
    ]


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
    call_id, status = required_id(item, "id", at), optional(item, "status", at)
    arguments = None if asked is None else _json(asked)
    result = None if found is None else _json(found)
    return [
        Content.from_search_tool_call(call_id, tool_name=name, arguments=arguments, status=status),
        Content.from_search_tool_result(call_id, tool_name=name, result=result, status=status),
    ]


def _called(name: str, key: str) -> _Call:
    """Return the reader of a call that is told as one of this function, with an object of the item as arguments."""

    def read(item: dict[str, Any], call_id: str, at: str) -> Content:
        return Content.from_function_call(call_id, name, arguments=_json(_object(item, key, at)))

    return read


def _computer_call(item: dict[str, Any], call_id: str, at: str) -> Content:
    """Return actions at a computer; not by the core's own constructor, which warns of being experimental."""
    item_id, actions = required_id(item, "id", at), item.get("actions")
    marks: dict[str, Any] = {}
    if actions is None:
        actions, marks = [_object(item, "action", at)], {"openai": {"computer_action_format": "single"}}
    if not array(actions, f"{at}.actions"):
        raise wrong_value(f"{at}.actions", "hold at least one action")
    return Content(
        "computer_tool_call",
        id=item_id,
        call_id=call_id,
        actions=[json_object(action, place) for action, place in placed(actions, f"{at}.actions")],
        status=optional(item, "status", at),
        pending_safety_checks=_checks(item, "pending_safety_checks", at),
        additional_properties=marks,
    )


def _screenshot(item: dict[str, Any], call_id: str, at: str) -> Content:
    return Content(
        "computer_tool_result",
        call_id=call_id,
        screenshot=read_image(_object(item, "output", at), f"{at}.output"),
        acknowledged_safety_checks=_checks(item, "acknowledged_safety_checks", at),
    )


def _checks(item: dict[str, Any], key: str, at: str) -> list[ComputerSafetyCheck] | None:
    if item.get(key) is None:
        return None
    checks: list[ComputerSafetyCheck] = []
    for check, place in placed(item[key], f"{at}.{key}"):
        known = ComputerSafetyCheck(id=required_id(json_object(check, place), "id", place))
        if code := optional(check, "code", place):
            known["code"] = code
        if message := optional(check, "message", place):
            known["message"] = message
        checks.append(known)
    return checks


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


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


_Contents: TypeAlias = Callable[[dict[str, Any], str], list[Content]]
_Result: TypeAlias = Callable[[dict[str, Any], str], str]

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
    "apply_patch_call": _called("apply_patch", "operation"),
    "computer_call": _computer_call,
    "local_shell_call": _called("local_shell", "action"),
    "shell_call": _called("shell", "action"),
}
_OUTPUTS: Final[Mapping[str, _Result]] = {
    "apply_patch_call_output": _text_output,
    "local_shell_call_output": _text_output,
    "shell_call_output": _shell_output,
}

HOSTED_ITEMS: Final = frozenset({*_CONTENTS, *_CALLS, *_OUTPUTS, "computer_call_output", *WITHOUT_EFFECT})
"""Items that are read here."""
