"""The input of a response as it is listed afterwards: typed items that all have an id.

What the caller wrote is shown as it was written. What an item may leave out and the clients' types want is filled in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from agent_framework_hosting.parsing.checks import is_list, is_object

from .._item_ids import item_id
from .input import Referenced, reference_of

_LONGEST_ID: Final = 512
_PREFIXES: Final[Mapping[str, str]] = {
    "compaction": "cmp_",
    "function_call": "fc_",
    "mcp_approval_request": "mcpr_",
    "mcp_approval_response": "mcpr_",
    "mcp_call": "mcp_",
    "message": "msg_",
    "reasoning": "rs_",
}
_WITHOUT_STATUS: Final = frozenset(
    {
        "additional_tools",
        "compaction",
        "configuration_update",
        "mcp_approval_request",
        "mcp_approval_response",
        "mcp_list_tools",
        "program",
    }
)


def listed(
    value: Any, *, response_id: str, referenced: Referenced | None = None, keeps_ids: bool = True, first: int = 0
) -> list[dict[str, Any]]:
    """Return the items of an `input` field that has been read.

    Args:
        value: The field.
        response_id: What the ids of items are made of that have none.
        referenced: What references stand for. One to an item that the conversation holds already says nothing new.
        keeps_ids: Let an item keep the id that it came with, if no other has it. In a conversation, where items of
            many turns stand together, all get ids of their own.
        first: The number of the first id.
    """
    if isinstance(value, str):
        return [_said(value, response_id, first)] if value else []
    items: list[dict[str, Any]] = []
    used: set[str] = set()
    for index, item in enumerate(_items(value, referenced or {}), start=first):
        shown = _shown(item)
        given = shown.pop("id", None)
        if not (keeps_ids and isinstance(given, str) and 0 < len(given) <= _LONGEST_ID and given not in used):
            prefix = _PREFIXES.get(shown["type"], "item_")
            given = item_id(response_id, prefix=prefix, index=index, is_input=True)
        used.add(given)
        items.append({"id": given, **shown})
    return items


def _said(text: str, response_id: str, number: int) -> dict[str, Any]:
    """Return the item that an input of one text stands for."""
    return {
        "id": item_id(response_id, prefix="msg_", index=number, is_input=True),
        "role": "user",
        "content": [{"type": "input_text", "text": text}],
        "type": "message",
        "status": "completed",
    }


def _items(value: Any, referenced: Referenced) -> Iterable[Mapping[str, Any]]:
    if not is_list(value):
        return []
    found = (item if (name := reference_of(item)) is None else referenced.get(name) for item in value)
    return [item for item in found if item is not None]


def _shown(item: Mapping[str, Any]) -> dict[str, Any]:
    kind = item.get("type") or "message"
    shown = {name: value for name, value in item.items() if value is not None}
    shown["type"] = kind
    if kind not in _WITHOUT_STATUS:
        shown.setdefault("status", "completed")
    if kind == "message":
        shown["content"] = _content(shown["content"], shown["role"])
    elif is_list(shown.get("output")):
        shown["output"] = [_part(part) for part in shown["output"]]
    return shown


def _content(content: Any, role: str) -> list[Any]:
    if isinstance(content, str):
        if role == "assistant":
            return [{"annotations": [], "type": "output_text", "text": content}]
        return [{"type": "input_text", "text": content}]
    return [_part(part) for part in content]


def _part(part: Any) -> Any:
    if not is_object(part):
        return part
    if part.get("type") == "output_text":
        return {"annotations": [], **part}
    return {"detail": "auto", **part} if part.get("type") == "input_image" else part
