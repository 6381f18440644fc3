"""The rules of a Responses stream, checked on its bytes, by somebody who does not know how they were made.

`check` reads server-sent events as a client does, validates each with the official SDK's types, and follows every item
through its life. Any breach is an `AssertionError` that says what was broken.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel
from responses_description import check_described
from responses_tool_rules import AT_ONCE, IN_ORDER, STATUSES, check_steps, step
from responses_tool_rules import EMPTY as EMPTY_TOOLS
from responses_tool_rules import PREFIXES as TOOL_PREFIXES

NEVER_NULL: Final = {
    *("id", "object", "created_at", "status", "model", "output", "tools", "tool_choice", "truncation"),
    *("parallel_tool_calls", "text", "top_p", "presence_penalty", "frequency_penalty", "top_logprobs", "temperature"),
    *("store", "background", "service_tier"),
}
KEYS: Final = {
    *NEVER_NULL,
    *("completed_at", "incomplete_details", "previous_response_id", "instructions", "error", "reasoning", "usage"),
    *("max_output_tokens", "max_tool_calls", "metadata", "safety_identifier", "prompt_cache_key"),
}
OPTIONAL_KEYS: Final = {"user", "conversation", "prompt_cache_retention", "prompt_cache_options"}
PREFIXES: Final = {
    "message": "msg_",
    "reasoning": "rs_",
    "function_call": "fc_",
    "mcp_call": "mcp_",
    "custom_tool_call": "ctc_",
    **TOOL_PREFIXES,
}
ENDS: Final = {
    "response.completed": {"completed"},
    "response.failed": {"failed"},
    "response.incomplete": {"incomplete", "cancelled"},
}


def _event_types() -> dict[str, type[BaseModel]]:
    union = get_args(ResponseStreamEvent)[0]
    return {get_args(model.model_fields["type"].annotation)[0]: model for model in get_args(union)}


EVENT_TYPES: Final = _event_types()


def read_events(stream: bytes) -> list[dict[str, Any]]:
    """Read the events of a whole stream, which must end in `[DONE]`."""
    blocks = stream.decode().split("\n\n")
    assert blocks.pop() == "", "the stream ends in the middle of an event"
    assert blocks.pop() == "data: [DONE]", "the last data line is not [DONE]"
    events: list[dict[str, Any]] = []
    for block in blocks:
        # Some clients split at every kind of line break that Unicode knows, so there must be none inside.
        lines = block.splitlines()
        assert len(lines) == 2, f"an event has {len(lines)} lines: {block!r}"
        assert lines[0].startswith("event: "), block
        assert lines[1].startswith("data: "), block
        event = json.loads(lines[1].removeprefix("data: "))
        assert event["type"] == lines[0].removeprefix("event: "), "event: and type differ"
        EVENT_TYPES[event["type"]].model_validate(event, strict=True)
        check_described(event)
        events.append(event)
    return events


def check_body(body: Mapping[str, Any]) -> None:
    """Check a response object by itself."""
    Response.model_validate(body, strict=True)
    check_described(body, "Response")
    assert body.keys() >= KEYS, f"keys are missing: {KEYS - body.keys()}"
    assert body.keys() - KEYS <= OPTIONAL_KEYS
    assert not {key for key in NEVER_NULL if body[key] is None}
    status = body["status"]
    assert (body["completed_at"] is not None) == (status == "completed")
    assert (body["error"] is not None) == (status == "failed")
    assert body["incomplete_details"] is None or status == "incomplete"
    if body["usage"] is not None:
        _check_usage(body["usage"])
    _check_items(body["output"], is_cut=status not in ("completed", "in_progress"))


def _check_usage(usage: Mapping[str, Any]) -> None:
    counts = [usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]]
    counts += [usage["input_tokens_details"]["cached_tokens"], usage["input_tokens_details"]["cache_write_tokens"]]
    counts.append(usage["output_tokens_details"]["reasoning_tokens"])
    assert all(type(count) is int and count >= 0 for count in counts)


def _check_items(output: list[dict[str, Any]], *, is_cut: bool) -> None:
    ids = [item["id"] for item in output]
    assert len(set(ids)) == len(ids), "two items share an id"
    for item in output:
        assert re.fullmatch(PREFIXES[item["type"]] + ".*_[0-9]+", item["id"]), f"not an id of ours: {item['id']}"
        others = {"failed", "calling"} if item["type"] == "mcp_call" else set[str]()
        status = item.get("status")
        assert status in STATUSES.get(item["type"], {"completed", "incomplete"} | others)
        assert status != "incomplete" or (is_cut and item is output[-1]), "an incomplete item in the wrong place"
        assert item["type"] not in ("function_call", "mcp_approval_request") or item["name"] is not None
        assert item["type"] != "mcp_call" or (item["error"] is not None) == (item["status"] == "failed")
        assert item["type"] not in ("function_call", "mcp_call", "mcp_approval_request") or item["arguments"], (
            "a call without arguments"
        )
    calls = [item["call_id"] for item in output if item["type"] in ("function_call", "custom_tool_call")]
    assert len(set(calls)) == len(calls), "two calls that the client must answer share a call_id"


@dataclass
class Part:
    """An open or closed part of an item, as its events tell it."""

    kind: str
    text: str = ""
    annotations: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    is_text_done: bool = False
    is_done: bool = False


@dataclass
class Item:
    """An item, as its events tell it."""

    added: dict[str, Any]
    parts: dict[tuple[str, int], Part] = field(default_factory=dict[tuple[str, int], Part])
    arguments: str = ""
    are_arguments_done: bool = False
    progress: list[str] = field(default_factory=list[str])
    steps: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    done: dict[str, Any] | None = None

    @property
    def type(self) -> str:
        return self.added["type"]


EMPTY: Final[dict[str, dict[str, Any]]] = {
    "message": {"content": [], "role": "assistant"},
    "reasoning": {"summary": []},
    "function_call": {"arguments": ""},
    "custom_tool_call": {"input": ""},
    "mcp_call": {"arguments": "", "output": None, "error": None},
    **EMPTY_TOOLS,
}
TEXT_FIELD: Final = {"output_text": "text", "refusal": "refusal", "reasoning_text": "text", "summary_text": "text"}
PART_HOLDER: Final = {
    "output_text": "content",
    "refusal": "content",
    "reasoning_text": "content",
    "summary_text": "summary",
}
TEXT_EVENTS: Final = {
    "response.output_text": "output_text",
    "response.refusal": "refusal",
    "response.reasoning_text": "reasoning_text",
    "response.reasoning_summary_text": "summary_text",
}


class Follower:
    """Follows the items of one stream."""

    def __init__(self) -> None:
        self.items: list[Item] = []

    def take(self, event: dict[str, Any]) -> None:
        """Take the next event between `response.in_progress` and the terminal one."""
        name, _, verb = event["type"].rpartition(".")
        if name == "response.output_item":
            self._added(event) if verb == "added" else self._done(event)
            return
        item = self._open_item(event)
        if name in ("response.content_part", "response.reasoning_summary_part"):
            self._part(item, event, verb)
        elif name in TEXT_EVENTS:
            self._text(item, event, TEXT_EVENTS[name], verb)
        elif name in ("response.function_call_arguments", "response.mcp_call_arguments"):
            assert item.type == name.removeprefix("response.").removesuffix("_arguments")
            self._arguments(item, event, verb)
        elif name == "response.custom_tool_call_input":
            assert item.type == "custom_tool_call"
            self._input(item, event, verb)
        elif name == "response.output_text.annotation":
            self._annotation(item, event)
        elif name == "response.mcp_call":
            assert item.type == "mcp_call"
            item.progress.append(verb)
            assert item.are_arguments_done == (verb != "in_progress")
        else:
            assert step(event["type"])[0] == item.type, "a step of another type of item"
            item.steps.append(event)

    def output(self) -> list[dict[str, Any]]:
        """Return the output that the events told."""
        for item in self.items:
            assert item.done is not None, "an item was added but never done"
        return [item.done for item in self.items if item.done is not None]

    def _added(self, event: dict[str, Any]) -> None:
        item = event["item"]
        assert event["output_index"] == len(self.items), "output indexes are not contiguous"
        assert item["id"] not in {other.added["id"] for other in self.items}, "an id was added twice"
        assert item.get("status") == (None if item["type"] == "mcp_approval_request" else "in_progress")
        assert item.items() >= EMPTY.get(item["type"], {}).items(), "an item was added with content"
        still_open = {other.type for other in self.items if other.done is None}
        assert not still_open & {"message", "reasoning", *AT_ONCE}, "a text item stayed open beside another item"
        self.items.append(Item(item))

    def _item(self, event: dict[str, Any]) -> Item:
        index: int = event["output_index"]
        return self.items[index]

    def _open_item(self, event: dict[str, Any]) -> Item:
        item = self._item(event)
        assert item.added["id"] == event["item_id"], "item_id and output_index name different items"
        assert item.done is None, "an event for an item that is done"
        return item

    def _part(self, item: Item, event: dict[str, Any], verb: str) -> None:
        kind = event["part"]["type"]
        index = _index(event)
        key = (PART_HOLDER[kind], index)
        assert (item.type == "message") == (kind in ("output_text", "refusal")), "a part in the wrong family of items"
        if verb == "added":
            assert all(part.is_done for part in item.parts.values()), "two parts of an item are open"
            assert index == sum(holder == key[0] for holder, _ in item.parts), "part indexes are not contiguous"
            assert event["part"][TEXT_FIELD[kind]] == ""
            item.parts[key] = Part(kind)
            return
        part = item.parts[key]
        assert part.is_text_done, "a part is done before its text is"
        assert not part.is_done, "a part is done twice"
        assert event["part"] == shown_part(part)
        part.is_done = True

    def _text(self, item: Item, event: dict[str, Any], kind: str, verb: str) -> None:
        index = _index(event)
        part = item.parts[PART_HOLDER[kind], index]
        assert part.kind == kind
        assert not part.is_text_done, "text for a part whose text is done"
        if verb == "delta":
            assert event["delta"], "an empty delta"
            part.text += event["delta"]
        else:
            assert event[TEXT_FIELD[kind]] == part.text, "done differs from the deltas"
            part.is_text_done = True

    def _annotation(self, item: Item, event: dict[str, Any]) -> None:
        part = item.parts["content", event["content_index"]]
        assert part.kind == "output_text"
        assert not part.is_text_done, "an annotation of a text that is done"
        assert event["annotation_index"] == len(part.annotations), "annotations are not counted one by one"
        part.annotations.append(event["annotation"])

    def _arguments(self, item: Item, event: dict[str, Any], verb: str) -> None:
        assert not item.are_arguments_done, "arguments after they were done"
        if verb == "delta":
            assert event["delta"], "an empty delta"
            item.arguments += event["delta"]
        else:
            assert event["arguments"] == item.arguments, "done differs from the deltas"
            assert event["name"] == item.added["name"]
            item.are_arguments_done = True

    def _input(self, item: Item, event: dict[str, Any], verb: str) -> None:
        assert not item.are_arguments_done, "input after it was done"
        if verb == "delta":
            assert event["delta"], "an empty delta"
            item.arguments += event["delta"]
        else:
            assert event["input"] == item.arguments, "done differs from the deltas"
            item.are_arguments_done = True

    def _done(self, event: dict[str, Any]) -> None:
        item, done = self._item(event), event["item"]
        assert item.done is None, "an item is done twice"
        identity = ("id", "type", "call_id", "name", "role", "server_label")
        assert [done.get(key) for key in identity] == [item.added.get(key) for key in identity], "identity changed"
        assert all(part.is_done for part in item.parts.values()), "an item is done before its parts"
        for holder in ("content", "summary"):
            parts = [shown_part(part) for (where, _), part in item.parts.items() if where == holder]
            assert done.get(holder, []) == parts, "the done item differs from its parts"
        if item.type in ("function_call", "mcp_call"):
            assert item.are_arguments_done
            assert done["arguments"] == item.arguments
        if item.type == "custom_tool_call":
            assert item.are_arguments_done
            assert done["input"] == item.arguments
        if item.type == "mcp_call":
            assert item.progress == ["in_progress", *([] if done["status"] == "calling" else [done["status"]])]
        if item.type in IN_ORDER:
            check_steps(item.steps, done)
        item.done = done


def _index(event: dict[str, Any]) -> int:
    return event["summary_index"] if "summary_index" in event else event["content_index"]


def shown_part(part: Part) -> dict[str, Any]:
    """Return a part as it has to be shown."""
    shown: dict[str, Any] = {"type": part.kind, TEXT_FIELD[part.kind]: part.text}
    return shown | ({"annotations": part.annotations, "logprobs": []} if part.kind == "output_text" else {})


@dataclass(frozen=True)
class Checked:
    """A stream that keeps the rules: its events, the final body, and the output as the events told it."""

    events: list[dict[str, Any]]
    body: dict[str, Any]
    told: list[dict[str, Any]]

    @property
    def types(self) -> list[str]:
        """The types of the events, without the common `response.`."""
        return [event["type"].removeprefix("response.") for event in self.events]

    def deltas(self) -> list[str]:
        """Every delta, in order."""
        return [event["delta"] for event in self.events if event["type"].endswith(".delta")]


def check(stream: bytes, *, is_overridden: bool = False) -> Checked:
    """Check a whole stream; an overridden body need not say what the events said."""
    events = read_events(stream)
    assert [event["sequence_number"] for event in events] == list(range(len(events))), "numbers are not contiguous"
    created, in_progress, *middle, terminal = events
    assert created["type"] == "response.created"
    assert in_progress["type"] == "response.in_progress"
    for event in (created, in_progress):
        assert event["response"]["output"] == []
        assert event["response"]["status"] == "in_progress"
    body = terminal["response"]
    assert body["status"] in ENDS[terminal["type"]]
    for event in (created, in_progress, terminal):
        check_body(event["response"])
        assert event["response"]["id"] == body["id"]
        assert event["response"]["created_at"] == body["created_at"]
    follower = Follower()
    for event in middle:
        follower.take(event)
    told = follower.output()
    _check_items(told, is_cut=body["status"] != "completed")
    assert is_overridden or body["output"] == told, "the final body differs from what the events told"
    return Checked(events, body, told)
