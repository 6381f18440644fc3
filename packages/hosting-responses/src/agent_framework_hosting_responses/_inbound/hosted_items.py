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

from agent_framework_hosting.parsing.checks import (
    Check,
    array,
    array_of,
    filled,
    is_object,
    json_object,
    required,
    required_id,
    some_members,
    text,
)
from agent_framework_hosting.parsing.refusals import missing, wrong_value
from agent_framework_hosting.parsing.schemas import of_kind, schema_of, takes

from .history import History
from .media_parts import image_of, read_image

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
    HOSTED_ITEMS[kind](item, at)
    if kind in _CONTENTS:
        history.use(_CONTENTS[kind](item, at), at)
    elif kind in _CALLS:
        content = _CALLS[kind](item, call_id or item["call_id"], at)
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


def pair_calls(items: Iterable[Any]) -> dict[int, str]:
    """Return the positions of the calls that are answered further on, and of their outputs, with the call's id.

    Malformed items have no pair here; whoever reads them says what is wrong with them.
    """
    pairs: dict[int, str] = {}
    waiting: dict[tuple[str, str], tuple[int, str]] = {}
    for position, item in enumerate(items):
        kind: object = item.get("type") if is_object(item) else None
        if not isinstance(kind, str) or kind == "message":
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


def _code_interpreter_call(item: dict[str, Any], _at: str) -> list[Content]:
    call_id, status, code = item["id"], item.get("status"), item.get("code")
    inputs = [] if code is None else [Content.from_text(code)]
    told = [_code_output(output) for output in item.get("outputs") or ()]
    outputs = [output for output in told if output is not None]
    return [
        Content.from_code_interpreter_tool_call(call_id=call_id, inputs=inputs, status=status),
        Content.from_code_interpreter_tool_result(call_id=call_id, outputs=outputs, status=status),
    ]


def _code_output(output: dict[str, Any]) -> Content | None:
    return Content.from_text(output["logs"]) if output["type"] == "logs" else image_of(output["url"])


def _image_generation_call(item: dict[str, Any], _at: str) -> list[Content]:
    image_id, result = item["id"], item.get("result")
    media_type = _IMAGE_TYPES.get(item.get("output_format") or "", "")
    made = image_of(f"data:{media_type};base64,{result}") if result else None
    return [
        Content.from_image_generation_tool_call(image_id=image_id),
        Content.from_image_generation_tool_result(image_id=image_id, outputs=made),
    ]


def _web_search_call(item: dict[str, Any], _at: str) -> list[Content]:
    return _search("web_search", item, asked=item.get("action"), found=None)


def _file_search_call(item: dict[str, Any], _at: str) -> list[Content]:
    return _search("file_search", item, asked={"queries": item.get("queries") or []}, found=item.get("results"))


def _search(name: str, item: dict[str, Any], *, asked: Any, found: Any) -> list[Content]:
    call_id, status = item["id"], item.get("status")
    arguments = None if asked is None else _json(asked)
    result = None if found is None else _json(found)
    return [
        Content.from_search_tool_call(call_id, tool_name=name, arguments=arguments, status=status),
        Content.from_search_tool_result(call_id, tool_name=name, result=result, status=status),
    ]


def _called(name: str, key: str) -> _Call:
    """Return the reader of a call that is told as one of this function, with an object of the item as arguments."""

    def read(item: dict[str, Any], call_id: str, _at: str) -> Content:
        return Content.from_function_call(call_id, name, arguments=_json(item[key]))

    return read


def _computer_call(item: dict[str, Any], call_id: str, at: str) -> Content:
    """Return actions at a computer; not by the core's own constructor, which warns of being experimental."""
    actions = item.get("actions")
    marks: dict[str, Any] = {}
    if actions is None:
        if item.get("action") is None:
            raise missing(f"{at}.action")
        actions, marks = [item["action"]], {"openai": {"computer_action_format": "single"}}
    if not actions:
        raise wrong_value(f"{at}.actions", "hold at least one action")
    return Content(
        "computer_tool_call",
        id=item["id"],
        call_id=call_id,
        actions=actions,
        status=item.get("status"),
        pending_safety_checks=_checks(item, "pending_safety_checks"),
        additional_properties=marks,
    )


def _screenshot(item: dict[str, Any], call_id: str, at: str) -> Content:
    return Content(
        "computer_tool_result",
        call_id=call_id,
        screenshot=read_image(item["output"], f"{at}.output"),
        acknowledged_safety_checks=_checks(item, "acknowledged_safety_checks"),
    )


def _checks(item: dict[str, Any], key: str) -> list[ComputerSafetyCheck] | None:
    if item.get(key) is None:
        return None
    checks: list[ComputerSafetyCheck] = []
    for check in item[key]:
        known = ComputerSafetyCheck(id=check["id"])
        if code := check.get("code"):
            known["code"] = code
        if message := check.get("message"):
            known["message"] = message
        checks.append(known)
    return checks


def _shell_output(item: dict[str, Any], _at: str) -> str:
    return _json(item["output"])


def _text_output(item: dict[str, Any], _at: str) -> str:
    return item.get("output") or ""


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

_CODE_OUTPUTS: Final[Mapping[str, Check]] = {
    "logs": some_members({"logs": text}, required=("logs",)),
    "image": some_members({"url": text}, required=("url",)),
}


@takes(lambda: {"oneOf": [of_kind(kind, schema_of(check)) for kind, check in _CODE_OUTPUTS.items()]})
def _code_output_members(value: Any, param: str) -> dict[str, Any]:
    kind = required(json_object(value, param), "type", param)
    if kind not in _CODE_OUTPUTS:
        raise wrong_value(f"{param}.type", "be 'logs' or 'image'")
    return _CODE_OUTPUTS[kind](value, param)


_safety: Final = array_of(some_members({"id": filled, "code": text, "message": text}, required=("id",)))
_computer: Final = {
    "id": filled,
    "call_id": filled,
    "actions": array_of(json_object),
    "action": json_object,
    "status": text,
    "pending_safety_checks": _safety,
}
_written = some_members({"output": text})


def _call_with(key: str) -> Check:
    return some_members({"call_id": filled, key: json_object}, required=("call_id", key))


def _done(**members: Check) -> Check:
    return some_members({"id": filled, "status": text, **members}, required=("id",))


HOSTED_ITEMS: Final[Mapping[str, Check]] = {
    "apply_patch_call": _call_with("operation"),
    "apply_patch_call_output": _written,
    "code_interpreter_call": _done(code=text, outputs=array_of(_code_output_members)),
    "computer_call": some_members(_computer, required=("id", "call_id")),
    "computer_call_output": some_members(
        {"call_id": filled, "output": json_object, "acknowledged_safety_checks": _safety},
        required=("call_id", "output"),
    ),
    "file_search_call": _done(queries=array_of(text), results=array),
    "image_generation_call": some_members({"id": filled, "result": text, "output_format": text}, required=("id",)),
    "local_shell_call": _call_with("action"),
    "local_shell_call_output": _written,
    "shell_call": _call_with("action"),
    "shell_call_output": some_members({"output": array_of(json_object)}, required=("output",)),
    "web_search_call": _done(action=json_object),
    **dict.fromkeys(sorted(WITHOUT_EFFECT), some_members({})),
}
"""Items that are read here: the members that are looked at."""
