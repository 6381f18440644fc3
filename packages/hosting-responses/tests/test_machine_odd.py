"""Odd updates never break a stream, and what cannot be shown is said once in the log."""

import gc
import sys
from typing import Any, cast

import pytest
from agent_framework import AgentResponse, AgentResponseUpdate, Content, Message
from responses_rules import check
from responses_updates import calls, machine, rendered, returns, says, stream, text


@pytest.mark.parametrize("contents", [None, (), 5, "text", [None], [5], [{"type": "text", "text": "x"}], [object()]])
def test_contents_of_an_unexpected_type_are_left_out(contents: Any) -> None:
    update = says()
    update.contents = contents
    assert check(stream(says("a"), update)).deltas() == ["a"]


def test_an_update_of_an_unexpected_type_is_left_out() -> None:
    assert check(stream(cast("AgentResponseUpdate", object()), says("a"))).deltas() == ["a"]


@pytest.mark.parametrize("field", ["role", "author_name", "message_id", "finish_reason", "merge_mode", "response_id"])
@pytest.mark.parametrize("value", [5, "", [], {}])
def test_fields_of_an_unexpected_type_count_as_absent(field: str, value: Any) -> None:
    update = says("b", role=None)
    setattr(update, field, value)
    assert check(stream(says("a"), update, says("c"))).deltas() == ["a", "b", "c"]


@pytest.mark.parametrize("field", ["text", "merge_mode", "additional_properties", "annotations"])
@pytest.mark.parametrize("value", [5, None, [], ""])
def test_parts_of_a_text_of_an_unexpected_type_count_as_absent(field: str, value: Any) -> None:
    odd = text("b")
    setattr(odd, field, value)
    assert check(stream(says("a"), says(odd), says("c"))).body["output"][0]["content"][0]["text"] in ("abc", "ac")


@pytest.mark.parametrize("field", ["call_id", "name", "arguments", "id", "exception", "merge_mode"])
@pytest.mark.parametrize("value", [5, None, [], {}, object()])
def test_parts_of_a_call_of_an_unexpected_type_never_raise(field: str, value: Any) -> None:
    call, result = calls("c1", "look", "{}"), returns("c1")
    setattr(call, field, value)
    setattr(result.contents[0], field, value)
    check(stream(says(call), result))


def test_arguments_that_refer_to_themselves_are_shown_somehow() -> None:
    endless: dict[str, Any] = {}
    endless["self"] = endless
    call = calls("c1", "ask")
    call.arguments = endless
    assert check(stream(says(call))).body["output"][0]["arguments"] == "{'self': {...}}"


def test_a_text_of_a_str_subclass_is_a_text() -> None:
    class Word(str):
        __slots__ = ()

    checked = check(stream(says("a"), says(Content("text", text=Word("b"))), says(Content("text", text=Word("é")))))
    assert checked.deltas() == ["a", "b", "é"]


def test_a_kind_that_cannot_be_shown_is_warned_of_once_and_without_its_content(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sound = Content.from_uri("data:audio/wav;base64,c2VjcmV0", media_type="audio/wav")
    store = Content.from_hosted_vector_store("secret")
    check(stream(says(sound), says(sound, store), says(sound)))
    assert [(record.name, record.levelname) for record in caplog.records] == [
        ("agent_framework.hosting", "WARNING")
    ] * 2
    assert ["'data'" in caplog.messages[0], "'hosted_vector_store'" in caplog.messages[1]] == [True, True]
    assert "c2VjcmV0" not in caplog.text
    assert "secret" not in caplog.text


def test_text_after_something_that_cannot_be_shown_is_a_new_item() -> None:
    sound = Content.from_uri("data:audio/wav;base64,AAAA", media_type="audio/wav")
    checked = check(stream(says("a"), says(sound), says("b")))
    assert [item["content"][0]["text"] for item in checked.body["output"]] == ["a", "b"]


def test_results_that_answer_nothing_are_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    check(stream(returns("c9")))
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_an_agent_that_hands_out_the_same_update_again_and_again_is_heard_each_time() -> None:
    update = says("a")
    assert check(stream(*[update] * 5)).deltas() == ["a"] * 5


@pytest.mark.parametrize(
    "chunk",
    [
        says("a"),
        says("a", role=None),
        says("a", message_id="m1", author_name="ann", response_id="r1", created_at="now"),
        says(text("a", merge_mode="append", additional_properties={"openai": {"logprobs": []}, "logprobs": []})),
    ],
    ids=["plain", "without a role", "with ids", "as the OpenAI client sends it"],
)
def test_a_plain_chunk_takes_the_short_way(chunk: AgentResponseUpdate) -> None:
    """Speed is measured elsewhere; here, that a chunk costs three calls of Python functions, whatever its fields."""
    responder = machine()
    responder.feed(chunk)
    entered: list[str] = []
    sys.setprofile(lambda frame, event, _: entered.append(frame.f_code.co_name) if event == "call" else None)
    try:
        sent = responder.feed(chunk)
    finally:
        sys.setprofile(None)
    assert b'"delta":"a"' in sent
    assert entered == ["feed", "_plain_text", "plain_text"]


def test_nothing_but_text_is_kept_for_a_chunk() -> None:
    """Ten thousand chunks leave ten thousand short strings and no containers for the collector to walk."""
    responder = machine()
    responder.start()
    update = says("a")
    responder.feed(update)
    before = len(gc.get_objects())
    for _ in range(10_000):
        responder.feed(update)
    assert len(gc.get_objects()) - before < 100


def test_messages_with_odd_roles_do_not_break_an_answer_that_is_not_streamed() -> None:
    odd = Message(cast("Any", None), ["a"])
    assert rendered(AgentResponse(messages=[odd]))["output"][0]["content"][0]["text"] == "a"
