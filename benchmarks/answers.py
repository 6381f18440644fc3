"""What every answer must say, and the check that it does: a benchmark of wrong answers would be worth nothing."""

from __future__ import annotations

from typing import Any, Final

import msgspec

CHUNK: Final = "chunk "

_OPENING: Final = (
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
)
_DELTA: Final = "response.output_text.delta"
_CLOSING: Final = (
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
)


class WrongAnswer(Exception):
    """A server sent something else than the answer; the message says what."""


def check_stream(body: bytes, *, chunks: int) -> None:
    """Raise unless `body` is the right event stream of so many chunks, from its first byte to its last.

    Raises:
        WrongAnswer: It is not.
    """
    *blocks, last, rest = body.split(b"\n\n")
    _require(last == b"data: [DONE]" and not rest, f"The stream ends with {body[-60:]!r} instead of [DONE].")
    events = [_event(block) for block in blocks]
    _require_order([event["type"] for event in events], chunks)
    text = CHUNK * chunks
    numbers = [event["sequence_number"] for event in events]
    _require(numbers == list(range(len(events))), "The sequence numbers are not 0, 1, 2, ...")
    deltas = events[len(_OPENING) : -len(_CLOSING)]
    _require("".join(event["delta"] for event in deltas) == text, "The deltas do not add up to the text.")
    created, _, added, _ = events[: len(_OPENING)]
    told, _, item, completed = events[-len(_CLOSING) :]
    _require(told["text"] == text, "output_text.done does not carry the text.")
    ids = {added["item"]["id"], item["item"]["id"], *(event["item_id"] for event in deltas)}
    _require(len(ids) == 1, f"The message has {len(ids)} ids: {sorted(ids)[:3]}")
    _require(created["response"]["id"] == completed["response"]["id"], "The response's id changed.")
    _require_response(completed["response"], text)


def check_whole(body: bytes, *, chunks: int) -> None:
    """Raise unless `body` is the right response object, with the text of so many chunks.

    Raises:
        WrongAnswer: It is not.
    """
    _require_response(_json(body), CHUNK * chunks)


def _event(block: bytes) -> dict[str, Any]:
    name, _, data = block.partition(b"\n")
    _require(data.startswith(b"data: "), f"This is no event: {block[:80]!r}")
    event = _json(data[len(b"data: ") :])
    _require(name == b"event: " + event["type"].encode(), f"{name!r} carries a {event['type']}.")
    return event


def _require_order(names: list[str], chunks: int) -> None:
    due = [*_OPENING, *[_DELTA] * chunks, *_CLOSING]
    for at, (got, wanted) in enumerate(zip(names, due, strict=False)):
        _require(got == wanted, f"Event {at} is a {got}; a {wanted} is due.")
    _require(len(names) == len(due), f"There are {len(names)} events; {len(due)} are due.")


def _require_response(response: dict[str, Any], expected: str) -> None:
    _require(response.get("object") == "response", "This is no response object.")
    _require(response["status"] == "completed", f"The response is {response['status']}.")
    text = "".join(part["text"] for item in response["output"] for part in item["content"])
    _require(text == expected, "The response does not carry the text.")


def _json(data: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise WrongAnswer(f"{error}: {data[:80]!r}") from None


def _require(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise WrongAnswer(otherwise)
