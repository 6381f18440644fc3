"""The items of `input`, read into messages.

Read is all that a server of this API hands back: messages (with and without `type`), calls of functions and custom
tools and their outputs, reasoning, what tools of a provider did (see `hosted_items`), and the `mcp_call` items in which
this server shows the calls that its agent ran itself. References stand for items that this server has sent, and
compactions for those that it has packed. What asks for more than a history can give is refused with the code
`unsupported_content`. Members of an item that say nothing to an agent (`id`, `status`) are passed over, whatever they
hold: items come back from many versions of many clients.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final, TypeAlias, cast

import msgspec
from agent_framework import Content

from agent_framework_hosting.errors import InvalidRequest, RequestTooLarge
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.parsing.checks import (
    Check,
    anything,
    filled,
    is_list,
    is_object,
    json_object,
    required,
    text,
)
from agent_framework_hosting.parsing.contents import message_of, text_content
from agent_framework_hosting.parsing.refusals import missing, shown, unsupported_content, wrong_type, wrong_value
from agent_framework_hosting.parsing.schemas import object_of, of_kind, schema_of, takes

from .history import COMPACTION, History, Role
from .members import all_of
from .parts import content_schema, read_content

PARTS_PER_ITEM: Final = 4
"""Content parts that a request may have for each item that it may have."""

LATER_ITEMS: Final = frozenset(
    {
        "additional_tools",
        "compaction_trigger",
        "configuration_update",
    }
)
"""Items that OpenAI knows and that are not read here: they would have to change what the agent is or remembers."""

_ASKING: Final = "mcp_approval_request"
REFERENCE: Final = "item_reference"
"""The kind of items that stand for one that this server has sent."""

Referenced: TypeAlias = Mapping[str, Mapping[str, Any] | None]
"""Items by the ids under which they are referred to; none for one that the continued conversation holds already."""

_ROLES: Final[dict[str, Role]] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "system",  # one rank to Agent Framework, whose clients know no developers
}


def read_input(
    value: Any,
    *,
    limits: Limits | None = None,
    referenced: Referenced | None = None,
    name: str = "input",
) -> History:
    """Return the messages of an `input` field; null is an empty input. Without `limits` it may be of any length.

    `name` is what the field is called.

    Raises:
        InvalidRequest: An item is malformed, refers to one that is not among the `referenced`, or is of a kind that is
            not read; `param` says which.
        RequestTooLarge: There are more than `max_input_items` items, or many times as many parts; or a compaction
            holds more than a request may.
    """
    if isinstance(value, str) and value:
        return History(messages=[message_of("user", [text_content(value)])], origins=[name])
    history = History()
    if value is None or value == "":
        return history
    if not is_list(value):
        raise wrong_type(value, name, "a string or an array")
    if limits is not None:
        refuse_too_many(value, limits.max_input_items, name)
    items = _resolved(unpacked(value, limits or Limits(), name), referenced or {}, name)
    if limits is not None and len(items) > len(value):
        refuse_too_many([item for _, item in items], limits.max_input_items, name)
    # Those of one compaction share a place, but not a pair.
    pairs = _pairs([item for _, item in items])
    for number, (index, item) in enumerate(items):
        at = f"{name}[{index}]"
        kind = _kind(item, at)
        known = _own(kind)
        if known is not None:
            members, read = known
            read(history, members(item, at), at)
        else:
            from .hosted_items import read_hosted_item

            read_hosted_item(history, item, at, call_id=pairs.get(number))
    history.end()
    return history


def reference_of(item: Any) -> str | None:
    """Return the id to which an item refers, if it is a reference; whatever is wrong with it is said later."""
    if not is_object(item):
        return None
    kind, known = item.get("type"), item.get("id")
    is_reference = kind == REFERENCE or (kind is None and item.get("role") is None)
    return known if is_reference and isinstance(known, str) else None


def refuse_too_many(items: list[Any], limit: int, name: str = "input") -> None:
    """Refuse more items, or many times as many parts, than `limit`.

    Raises:
        RequestTooLarge: There are more.
    """
    if len(items) > limit:
        raise RequestTooLarge(
            f"'{name}' has {len(items)} items; this server takes {limit}. Continue with 'previous_response_id' instead"
            " of sending the whole conversation.",
            param=name,
        )
    parts = 0
    for item in items:
        if is_object(item):
            for part in item.values():
                if isinstance(part, list):
                    parts += len(cast("list[Any]", part))
    if parts > limit * PARTS_PER_ITEM:
        raise RequestTooLarge(
            f"The items of '{name}' have {parts} parts; this server takes {limit * PARTS_PER_ITEM}.", param=name
        )


def unpacked(items: list[Any], limits: Limits, name: str) -> list[tuple[int, Any]]:
    """Return the items with their positions, and in place of compactions what they hold."""
    found: list[tuple[int, Any]] = []
    left = limits.max_request_bytes
    for index, item in enumerate(items):
        if not is_object(item) or item.get("type") != COMPACTION:
            found.append((index, item))
            continue
        at = f"{name}[{index}]"
        from .compaction import unpack

        inner = unpack(required(item, "encrypted_content", at), max_bytes=max(left, 1), max_depth=limits.max_json_depth)
        if inner is None:
            raise wrong_value(f"{at}.encrypted_content", "be what this server's 'compact' has returned")
        # In all, they hold no more than a request may.
        left -= len(msgspec.json.encode(inner))
        found += [(index, each) for each in inner]
    return found


def _resolved(items: list[tuple[int, Any]], referenced: Referenced, name: str) -> list[tuple[int, Any]]:
    """Return the items with their positions, and in place of references what they stand for."""
    found: list[tuple[int, Any]] = []
    seen: set[str] = set()
    for index, item in items:
        reference = reference_of(item)
        if reference is None:
            found.append((index, item))
        elif reference in seen:
            # A few bytes stand for much: named a thousand times, one picture would fill the memory.
            raise InvalidRequest(
                f"Duplicate item found with id '{shown(reference)}'. Refer to it once.",
                param=f"{name}[{index}]",
                code="duplicate_item",
            )
        elif reference not in referenced:
            raise InvalidRequest(
                f"Item with id '{shown(reference)}' not found.", param=f"{name}[{index}]", code="item_not_found"
            )
        else:
            seen.add(reference)
            known = referenced[reference]
            # A request that is only referred to was ours: an answer to it counts.
            if known is not None and known.get("type") != _ASKING:
                found.append((index, known))
    return found


def _kind(item: Any, at: str) -> str:
    """Return which reader an item is for."""
    kind = json_object(item, at).get("type")
    if kind == "message":
        return kind
    if kind is None:
        if item.get("role") is None:
            raise missing(f"{at}.type")
        kind = "message"
    kind = text(kind, f"{at}.type")
    if kind in _ITEMS or kind in _MORE_ITEMS or kind in read_items():
        if kind == REFERENCE:
            raise missing(f"{at}.id")
        return kind
    if kind in LATER_ITEMS:
        raise unsupported_content(at, kind)
    raise wrong_value(f"{at}.type", "be the type of an item")


def _message(history: History, item: dict[str, Any], at: str) -> None:
    role = _ROLES.get(required(item, "role", at))
    if role is None:
        raise wrong_value(
            f"{at}.role",
            "be 'user', 'assistant', 'system' or 'developer' (a tool's result is an item of type"
            " 'function_call_output')",
        )
    content = read_content(item.get("content"), role, f"{at}.content")
    history.say(role, [text_content(content)] if isinstance(content, str) else content, at)


def _function_call(history: History, item: dict[str, Any], at: str) -> None:
    history.call(Content.from_function_call(item["call_id"], item["name"], arguments=item["arguments"]), at)


def _call_output(history: History, item: dict[str, Any], at: str) -> None:
    history.answer(Content.from_function_result(item["call_id"], result=item["output"]), at)


@takes(lambda: content_schema("tool"))
def _result(value: Any, param: str) -> Any:
    return read_content(value, "tool", param)


_Reader: TypeAlias = Callable[[History, dict[str, Any], str], None]


_OwnItem: TypeAlias = tuple[Check, _Reader]
"""A kind of items: its members, and what is made of one."""

_ITEMS: Final[Mapping[str, _OwnItem]] = {
    "message": (anything, _message),
    "function_call": (all_of(call_id=filled, name=filled, arguments=text), _function_call),
    "function_call_output": (answer := all_of(call_id=filled, output=_result), _call_output),
    "custom_tool_call_output": (answer, _call_output),
}
_MORE_ITEMS: Final = frozenset(
    {"custom_tool_call", "mcp_approval_request", "mcp_approval_response", "mcp_call", "reasoning"}
)
"""Items of this server's that fewer clients send back; see `more_items`."""


def _own(kind: str) -> _OwnItem | None:
    if kind in _MORE_ITEMS:
        from .more_items import MORE_ITEMS

        return MORE_ITEMS[kind]
    return _ITEMS.get(kind)


def read_items() -> AbstractSet[str]:
    """Return the kinds of items that are read here."""
    # Few clients send what tools of others did; what reads that is large.
    from .hosted_items import HOSTED_ITEMS

    return HOSTED_ITEMS.keys() | {*_ITEMS, *_MORE_ITEMS, REFERENCE, COMPACTION}


def _pairs(items: list[Any]) -> dict[int, str]:
    """Return the pairs of calls and outputs of such tools; see `pair_calls`."""
    if all(_is_own(item) for item in items):
        return {}
    from .hosted_items import pair_calls

    return pair_calls(items)


def _is_own(item: Any) -> bool:
    kind = item.get("type") if is_object(item) else None
    return not isinstance(kind, str) or kind in _ITEMS or kind in _MORE_ITEMS


def item_schema(*, without: Collection[str] = ()) -> dict[str, Any]:
    """Return what an item of an input may be, apart from some kinds."""
    messages = [
        object_of(
            {"type": {"const": "message"}, "role": {"const": role}, "content": content_schema(rank)},
            required=("role", "content"),
            is_open=True,
        )
        for role, rank in _ROLES.items()
    ]
    from .hosted_items import HOSTED_ITEMS
    from .more_items import MORE_ITEMS

    own = {**_ITEMS, **MORE_ITEMS}
    others = {kind: schema_of(members) for kind, (members, _) in own.items() if kind != "message"}
    others |= {kind: schema_of(members) for kind, members in HOSTED_ITEMS.items()}
    others[COMPACTION] = object_of(
        {"encrypted_content": {"type": "string"}}, required=("encrypted_content",), is_open=True
    )
    others[REFERENCE] = object_of({"id": {"type": "string"}, "role": {"type": "null"}}, required=("id",), is_open=True)
    kinds = [of_kind(kind, schema) for kind, schema in others.items() if kind not in without]
    return {"anyOf": [*messages, *kinds]}
