"""A stream folded from a response's final body, for those who ask again for what they were answered before.

The events are those of a stream that says every text in one piece. Of what a provider's tool did those steps are told
that its outcome tells of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from agent_framework_hosting.rendering.text import to_json

from .events import EventWriter, say_queued
from .items import CallItem, FlowItem, MessageItem, Part, ReasoningItem
from .replaying import BEGUN
from .tape import terminal_event
from .wire import DONE
from .words import PartKind

Step: TypeAlias = tuple[str, Mapping[str, Any]]

_SAID: Final[Mapping[str, str]] = {"refusal": "refusal"}
_EMPTY: Final[Mapping[str, Mapping[str, Any]]] = {
    "message": {"content": []},
    "reasoning": {"summary": [], "content": []},
    "function_call": {"arguments": ""},
    "mcp_call": {"arguments": "", "output": None, "error": None},
    "custom_tool_call": {"input": ""},
    "code_interpreter_call": {"code": "", "outputs": None},
    "image_generation_call": {"result": None},
    "file_search_call": {"results": None},
    "shell_call_output": {"output": []},
}
"""What an item of a type does not say yet when it is added."""
_SAY_COMPLETED: Final = frozenset(
    {"code_interpreter_call", "image_generation_call", "web_search_call", "file_search_call"}
)


def fold(body: Mapping[str, Any], *, first: int = 0, after: int = -1) -> bytes:
    """Return the stream whose final body this is, from behind the sequence number `after`.

    Args:
        body: The final body. One of the background that never began to run says that it has waited.
        first: The sequence number of the first event.
        after: Where the reader is.

    Example:
        >>> fold({"id": "resp_1", "status": "completed", "output": []}).count(b"event: ")
        3
    """
    writer = EventWriter(first=first, after=after)
    begun = {**body, **BEGUN}
    if body.get("background") and not first:
        say_queued(writer, to_json({**begun, "status": "queued"}))
    else:
        writer.begin(to_json(begun))
    for index, item in enumerate(body["output"]):
        _item(writer, index, item)
    writer.write_response(terminal_event(body["status"]), to_json(body))
    return writer.take() + DONE


def _item(writer: EventWriter, index: int, item: Mapping[str, Any]) -> None:
    kind = item["type"]
    unsaid = {name: value for name, value in _EMPTY.get(kind, {}).items() if name in item}
    status = {"status": "in_progress"} if "status" in item else {}
    writer.write("response.output_item.added", output_index=index, item={**item, **unsaid, **status})
    if kind == "message":
        _parts(writer, MessageItem(index, item["id"]), item["content"])
    elif kind == "reasoning":
        _parts(writer, ReasoningItem(index, item["id"]), [*item["summary"], *item.get("content", ())])
    elif kind in ("function_call", "mcp_call", "custom_tool_call"):
        _call(writer, index, item)
    else:
        for step, fields in _steps(item):
            writer.write(f"response.{step}", item_id=item["id"], output_index=index, **fields)
    writer.write("response.output_item.done", output_index=index, item=item)


def _parts(writer: EventWriter, item: FlowItem, shown: list[Mapping[str, Any]]) -> None:
    for each in shown:
        kind: PartKind = each["type"]
        part = item.add_part(kind)
        writer.part_added(item, part)
        text = each[_SAID.get(kind, "text")]
        if text:
            part.chunks.append(text)
            writer.text_added(part, text)
        _annotate(writer, item, part, each.get("annotations", ()))
        writer.part_done(item, part)


def _annotate(writer: EventWriter, item: FlowItem, part: Part, annotations: Any) -> None:
    for annotation in annotations:
        part.annotations.append(annotation)
        writer.annotation_added(item, part, annotation)


def _call(writer: EventWriter, index: int, item: Mapping[str, Any]) -> None:
    where = {"item_id": item["id"], "output_index": index}
    if item["type"] == "custom_tool_call":
        writer.custom_input(where, item["input"])
        return
    call = CallItem(index, item["type"], item["name"], "", "", item["id"])
    writer.call_added(call, where)
    writer.arguments_added(call, item["arguments"])
    call.chunks.append(item["arguments"])
    call.status = item["status"]
    writer.call_ended(call, where)


def _steps(item: Mapping[str, Any]) -> Iterator[Step]:
    """Yield the steps of a provider's tool, as far as its outcome tells of them."""
    kind = item["type"]
    telling = _TELLING.get(kind)
    if telling is not None:
        yield from telling(item)
    if kind in _SAY_COMPLETED and item["status"] == "completed":
        yield f"{kind}.completed", {}


def _code(item: Mapping[str, Any]) -> Iterator[Step]:
    kind, code = item["type"], item["code"]
    yield f"{kind}.in_progress", {}
    if code:
        yield f"{kind}_code.delta", {"delta": code}
    yield f"{kind}_code.done", {"code": code}
    if item["status"] != "incomplete":
        yield f"{kind}.interpreting", {}


def _image(item: Mapping[str, Any]) -> Iterator[Step]:
    yield f"{item['type']}.in_progress", {}
    yield f"{item['type']}.generating", {}


def _search(item: Mapping[str, Any]) -> Iterator[Step]:
    yield f"{item['type']}.in_progress", {}
    yield f"{item['type']}.searching", {}


def _shell(item: Mapping[str, Any]) -> Iterator[Step]:
    step = f"{item['type']}_command"
    for number, command in enumerate(item["action"]["commands"]):
        yield f"{step}.added", {"command_index": number, "command": ""}
        if command:
            yield f"{step}.delta", {"command_index": number, "delta": command}
        yield f"{step}.done", {"command_index": number, "command": command}


def _shell_output(item: Mapping[str, Any]) -> Iterator[Step]:
    for number, output in enumerate(item["output"]):
        yield f"{item['type']}_content.done", {"command_index": number, "output": [output]}


_TELLING: Final[Mapping[str, Callable[[Mapping[str, Any]], Iterator[Step]]]] = {
    "code_interpreter_call": _code,
    "image_generation_call": _image,
    "web_search_call": _search,
    "file_search_call": _search,
    "shell_call": _shell,
    "shell_call_output": _shell_output,
}
