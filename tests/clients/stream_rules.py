"""The rules of a Responses stream, checked on its bytes; written from the protocol, without the server's code.

Every event is held against the SDK's own types, strictly. Beyond these, what the stream says piece by piece has to be
what it says as a whole: deltas and their `done`, parts and their item, items and the final response.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from agent_framework_hosting.testing import ServerSentEvent, events_from

TERMINAL: Final = ("response.completed", "response.failed", "response.incomplete")
_LIFECYCLE: Final = ("response.created", "response.queued", "response.in_progress", *TERMINAL)
_SDK_EVENT: Final[TypeAdapter[Any]] = TypeAdapter(ResponseStreamEvent)


def check_stream(body: bytes) -> dict[str, Any]:
    """Return the final response of a whole stream.

    Raises:
        AssertionError: The stream breaks a rule.
    """
    *sent, last = events_from(body)
    assert (last.event, last.data) == ("message", "[DONE]"), "the stream does not end with [DONE]"
    events = [_read(event) for event in sent]
    numbers = [event["sequence_number"] for event in events]
    assert numbers == list(range(len(events))), f"sequence numbers have gaps: {numbers}"
    _check_frame(events)
    items = _Items()
    for event in events:
        items.take(event)
    final = events[-1]["response"]
    assert final["output"] == items.done_in_order(), "the final output is not what was streamed"
    return final


def _read(event: ServerSentEvent) -> dict[str, Any]:
    data = event.json()
    assert event.event == data["type"], f"{event.event!r} carries {data['type']!r}"
    assert event.id is None, "OpenAI's events carry no SSE id"
    _SDK_EVENT.validate_json(event.data, strict=True)
    return data


def _check_frame(events: list[dict[str, Any]]) -> None:
    """Check what opens and closes the stream."""
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    assert [event["type"] in TERMINAL for event in events] == [False] * (len(events) - 1) + [True]
    lifecycle = [event["response"] for event in events if event["type"] in _LIFECYCLE]
    assert len({response["id"] for response in lifecycle}) == 1, "the response's id changed"
    for response in lifecycle[:-1]:
        assert (response["status"], response["output"]) == ("in_progress", [])
    status = lifecycle[-1]["status"]
    # The protocol has no event for a cancelled response.
    assert events[-1]["type"] == f"response.{'incomplete' if status == 'cancelled' else status}"


class _Items:
    """The items of a stream while it is read."""

    def __init__(self) -> None:
        self._open: dict[int, dict[str, Any]] = {}
        self._done: dict[int, dict[str, Any]] = {}
        self._said: dict[tuple[int, str, int], str] = {}
        self._whole: dict[tuple[int, str, int], str] = {}
        self._closed: set[tuple[int, str, int]] = set()
        self._runs: dict[int, list[str]] = {}

    def done_in_order(self) -> list[dict[str, Any]]:
        """Return the finished items; none may be left open, and no identity may come twice."""
        assert not self._open, f"items were never done: {self._open}"
        items = [self._done[index] for index in sorted(self._done)]
        assert len({item["id"] for item in items}) == len(items), "two items have one id"
        return items

    def take(self, event: dict[str, Any]) -> None:
        """Check one event against what came before it."""
        kind: str = event["type"]
        if kind == "response.output_item.added":
            self._add(event)
        elif kind == "response.output_item.done":
            self._finish(event)
        elif "item_id" in event:
            item = self._open.get(event["output_index"])
            assert item is not None, f"{kind} for an item that is not open"
            assert item["id"] == event["item_id"], f"{kind} names another item"
            for end, check in self._CHECKS.items():
                if kind.endswith(end):
                    check(self, event)

    def _add(self, event: dict[str, Any]) -> None:
        index, item = event["output_index"], event["item"]
        assert index == len(self._open) + len(self._done), f"output index {index} is not the next one"
        assert item["status"] == "in_progress"
        assert not item.get("content"), "a new item has content already"
        assert not item.get("arguments"), "a new call has arguments already"
        self._open[index] = item

    def _finish(self, event: dict[str, Any]) -> None:
        index, item = event["output_index"], event["item"]
        added = self._open.pop(index)
        for key in ("id", "type", "call_id", "name", "role"):
            assert item.get(key) == added.get(key), f"{key} changed between added and done"
        assert item["status"] != "in_progress"
        said = {place: text for place, text in self._whole.items() if place[0] == index}
        opened = {place for place in self._said if place[0] == index}
        assert opened == said.keys() == {place for place in self._closed if place[0] == index}, "a part is not closed"
        if "arguments" in item:
            assert said == {(index, "arguments", 0): item["arguments"]}
        if item["type"] == "message":
            parts = enumerate(item["content"])
            assert said == {(index, "text", place): part["text"] for place, part in parts}
        if item["type"] == "mcp_call":
            ended = [] if item["status"] == "calling" else [item["status"]]
            assert self._runs[index] == ["in_progress", *ended]
        self._done[index] = item

    def _part_added(self, event: dict[str, Any]) -> None:
        place = (event["output_index"], "text", event["content_index"])
        assert place not in self._said, "a part was opened twice"
        assert event["part"]["text"] == ""
        self._said[place] = ""

    def _text_delta(self, event: dict[str, Any]) -> None:
        self._said[event["output_index"], "text", event["content_index"]] += event["delta"]

    def _text_done(self, event: dict[str, Any]) -> None:
        place = (event["output_index"], "text", event["content_index"])
        assert self._said[place] == event["text"], "the deltas are not the whole text"
        self._whole[place] = event["text"]

    def _part_done(self, event: dict[str, Any]) -> None:
        place = (event["output_index"], "text", event["content_index"])
        assert event["part"]["text"] == self._whole[place]
        self._closed.add(place)

    def _arguments_delta(self, event: dict[str, Any]) -> None:
        place = (event["output_index"], "arguments", 0)
        self._said[place] = self._said.get(place, "") + event["delta"]

    def _arguments_done(self, event: dict[str, Any]) -> None:
        place = (event["output_index"], "arguments", 0)
        assert self._said[place] == event["arguments"], "the deltas are not the whole arguments"
        self._whole[place] = event["arguments"]
        self._closed.add(place)

    def _run_told(self, event: dict[str, Any]) -> None:
        self._runs.setdefault(event["output_index"], []).append(event["type"].rpartition(".")[2])

    _CHECKS: Final[dict[str, Callable[[_Items, dict[str, Any]], None]]] = {
        "content_part.added": _part_added,
        "output_text.delta": _text_delta,
        "output_text.done": _text_done,
        "content_part.done": _part_done,
        "arguments.delta": _arguments_delta,
        "arguments.done": _arguments_done,
        "mcp_call.in_progress": _run_told,
        "mcp_call.completed": _run_told,
        "mcp_call.failed": _run_told,
    }
