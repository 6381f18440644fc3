"""What is usual is not kept with each response, and is there when one is read."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agent_framework_hosting_responses._outbound.envelope import Body, Head
from agent_framework_hosting_responses._outbound.showing import ResponseFields
from agent_framework_hosting_responses._record import Private, body_of, is_background, sealed


def response(**echo: Any) -> Body:
    head = Head(ResponseFields(response_id="resp_7", created_at=7, model="m", echo=echo))
    return head.body(status="completed", completed_at=8, output=b'[{"id":"msg_7","text":"Hi."}]')


def kept_and_read(body: Body) -> bytes:
    record = msgspec.json.decode(msgspec.json.encode(sealed(body.kept, Private())))
    return msgspec.json.encode(body_of(record))


@pytest.mark.parametrize(
    "echo",
    [
        {},
        {"reasoning": {"effort": None, "summary": None}},
        {"temperature": 1, "top_p": True, "top_logprobs": 0.0},
        {"presence_penalty": -0.0, "frequency_penalty": -0.0},
        {"tools": [{"type": "function"}], "store": False, "background": True, "metadata": {"a": "b"}},
        {"conversation": {"id": "conv_7"}, "user": "ada"},
    ],
)
def test_a_response_is_read_as_it_was_sent_to_the_last_byte(echo: dict[str, Any]) -> None:
    body = response(**echo)
    assert kept_and_read(body) == body.json


def test_nothing_is_kept_of_what_most_responses_say() -> None:
    assert response().kept.keys() == {"id", "object", "created_at", "completed_at", "status", "model", "output"}


def test_a_record_of_an_earlier_release_is_read_as_it_is() -> None:
    earlier: dict[str, Any] = {"id": "resp_7", "object": "response", "background": True, "_hosting": {}}
    assert body_of(earlier) == {"id": "resp_7", "object": "response", "background": True}
    assert is_background(earlier)
