"""Text, refusals and reasoning as items of a stream."""

import pytest
from agent_framework import AgentResponse
from responses_rules import check
from responses_updates import FULL_REASONING, calls, refusal, rendered, says, stream, text, thinks, without_ids

from agent_framework_hosting_responses._sealed_thoughts import Thought, unseal


def test_a_text_makes_one_item_with_one_part_and_one_delta_for_each_chunk() -> None:
    checked = check(stream(says("Hel"), says("lo"), says("!")))
    assert checked.types == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert checked.deltas() == ["Hel", "lo", "!"]
    assert without_ids(checked.body["output"]) == [
        {
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hello!", "annotations": [], "logprobs": []}],
        }
    ]


def test_an_agent_that_says_nothing_gives_an_empty_output() -> None:
    checked = check(stream())
    assert checked.types == ["created", "in_progress", "completed"]
    assert checked.body["output"] == []


@pytest.mark.parametrize("encrypted_reasoning", [False, True])
def test_empty_chunks_open_nothing(*, encrypted_reasoning: bool) -> None:
    empty = [says(""), says(refusal("")), says(thinks("")), says(thinks()), says()]
    assert check(stream(*empty, encrypted_reasoning=encrypted_reasoning)).body["output"] == []


def test_several_texts_of_one_update_are_several_deltas_of_one_part() -> None:
    assert check(stream(says("a", "b"), says("c"))).deltas() == ["a", "b", "c"]


def test_a_refusal_is_a_refusal_part() -> None:
    checked = check(stream(says(refusal("I can")), says(refusal("not."))))
    assert checked.types[3:8] == [
        "content_part.added",
        "refusal.delta",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
    ]
    assert checked.body["output"][0]["content"] == [{"type": "refusal", "refusal": "I cannot."}]


def test_the_older_flat_mark_of_a_refusal_counts_too() -> None:
    flat = text("No.", additional_properties={"model_output_kind": "refusal"})
    assert check(stream(says("Well. "), says(flat))).body["output"][0]["content"][1] == {
        "type": "refusal",
        "refusal": "No.",
    }


def test_the_namespaced_mark_wins_over_the_flat_one() -> None:
    both = text("Yes.", additional_properties={"core": {"model_output_kind": "text"}, "model_output_kind": "refusal"})
    assert check(stream(says(both))).body["output"][0]["content"][0]["type"] == "output_text"


def test_a_refusal_after_text_is_a_second_part_of_the_same_message() -> None:
    [message] = check(stream(says("Well, "), says(refusal("no.")), says("Sorry."))).body["output"]
    assert [part["type"] for part in message["content"]] == ["output_text", "refusal", "output_text"]


def test_reasoning_is_a_summary_unless_it_is_marked_as_the_reasoning_itself() -> None:
    checked = check(stream(says(thinks("Hm")), says(thinks(", yes"))))
    assert checked.types[3:8] == [
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
    ]
    assert without_ids(checked.body["output"]) == [
        {"type": "reasoning", "status": "completed", "summary": [{"type": "summary_text", "text": "Hm, yes"}]}
    ]


@pytest.mark.parametrize("marks", [FULL_REASONING, {"reasoning_text": True}])
def test_marked_reasoning_is_content(marks: dict[str, object]) -> None:
    checked = check(stream(says(thinks("Because", additional_properties=marks))))
    assert checked.types[3:7] == [
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
    ]
    assert checked.body["output"][0]["content"] == [{"type": "reasoning_text", "text": "Because"}]
    assert checked.body["output"][0]["summary"] == []


def test_summary_and_reasoning_of_one_stretch_share_an_item() -> None:
    [item] = check(
        stream(says(thinks("short", id="r1")), says(thinks("long", id="r1", additional_properties=FULL_REASONING)))
    ).body["output"]
    assert [item["summary"][0]["text"], item["content"][0]["text"]] == ["short", "long"]


def test_another_stretch_of_reasoning_is_another_item() -> None:
    checked = check(stream(says(thinks("one", id="r1")), says(thinks("two", id="r2"))))
    assert [item["summary"][0]["text"] for item in checked.body["output"]] == ["one", "two"]
    assert "r1" not in str(checked.events)


def test_encrypted_reasoning_is_shown_only_when_asked_for() -> None:
    updates = [says(thinks("Hm")), says(thinks(protected_data="sealed"))]
    assert "sealed" not in str(check(stream(*updates)).events)
    [item] = check(stream(*updates, encrypted_reasoning=True)).body["output"]
    assert unseal(item["encrypted_content"]) == Thought("", "sealed")


def test_encrypted_reasoning_takes_the_providers_id_along_sealed_in() -> None:
    update = says(thinks("Hm", id="rs_provider", protected_data="sealed"))
    [item] = check(stream(update, encrypted_reasoning=True)).body["output"]
    assert item["id"] != "rs_provider"
    assert unseal(item["encrypted_content"]) == Thought("rs_provider", "sealed")


def test_text_that_follows_encrypted_reasoning_in_its_item_does_not_lose_it() -> None:
    updates = [says(thinks("Hm", protected_data="sealed")), says(thinks(", yes"))]
    [item] = check(stream(*updates, encrypted_reasoning=True)).body["output"]
    assert (item["summary"][0]["text"], unseal(item["encrypted_content"])) == ("Hm, yes", Thought("", "sealed"))


def test_encrypted_reasoning_without_text_is_an_item_of_its_own_when_asked_for() -> None:
    update = says(thinks(protected_data="sealed"))
    assert check(stream(update)).body["output"] == []
    [item] = check(stream(update, encrypted_reasoning=True)).body["output"]
    assert (item["summary"], unseal(item["encrypted_content"])) == ([], Thought("", "sealed"))


def test_encrypted_reasoning_that_nobody_asked_for_does_not_break_the_text_around_it() -> None:
    checked = check(stream(says("a"), says(thinks(protected_data="sealed")), says("b")))
    assert [item["content"][0]["text"] for item in checked.body["output"]] == ["ab"]


def test_text_after_reasoning_is_a_new_item_and_closes_the_reasoning() -> None:
    checked = check(stream(says(thinks("Hm")), says("So"), says(thinks("Hm again"))))
    assert [item["type"] for item in checked.body["output"]] == ["reasoning", "message", "reasoning"]


@pytest.mark.parametrize(
    "other",
    [{"message_id": "m2"}, {"author_name": "bob"}, {"message_id": "m2", "author_name": "bob"}],
    ids=["another message id", "another author", "both"],
)
def test_a_new_message_of_the_agent_is_a_new_item(other: dict[str, str]) -> None:
    first = says("a", message_id="m1", author_name="ann")
    checked = check(stream(first, says("b", **{"message_id": "m1", "author_name": "ann", **other}), says("c")))
    assert [item["content"][0]["text"] for item in checked.body["output"]] == ["a", "bc"]


def test_a_message_id_that_comes_late_does_not_split_the_message() -> None:
    checked = check(stream(says("a"), says("b", message_id="m1"), says("c", role=None), says("d", message_id="m1")))
    assert [item["content"][0]["text"] for item in checked.body["output"]] == ["abcd"]


def test_a_message_of_a_tool_between_two_texts_makes_them_two_items() -> None:
    checked = check(stream(says("a"), says(role="tool"), says("b")))
    assert [item["content"][0]["text"] for item in checked.body["output"]] == ["a", "b"]


@pytest.mark.parametrize("role", ["user", "system", "tool"])
def test_only_the_assistant_speaks(role: str) -> None:
    echo = says("You said this", calls("c1", "look"), thinks("no"), role=role)
    assert check(stream(echo, says("Hi"))).deltas() == ["Hi"]


def test_without_streaming_each_message_is_an_item_too() -> None:
    result = AgentResponse.from_updates([says("a", message_id="m1"), says("b", message_id="m2")])
    assert [item["content"][0]["text"] for item in rendered(result)["output"]] == ["a", "b"]


def test_ids_of_the_provider_never_reach_the_client() -> None:
    sent = stream(
        says("a", message_id="msg_provider", response_id="resp_provider"),
        says(thinks("b", id="rs_provider")),
        says(calls("c1", "ask", "{}", id="fc_provider")),
    )
    assert b"provider" not in sent


def test_an_item_is_named_after_its_response_and_its_place() -> None:
    said = [says("a"), says(calls("c1", "ask", "{}"))]
    one, other = (check(stream(*said, response_id=name)).body["output"] for name in ("resp_5f2c", "other"))
    assert [item["id"] for item in one] == ["msg_5f2c_0", "fc_5f2c_1"]
    assert [item["id"] for item in other] == ["msg_-other_0", "fc_-other_1"]


@pytest.mark.parametrize(
    "said",
    [
        'quote " and \\ and %d %b %%',
        "two\r\nlines",
        "\u2028\u2029\x85",
        "\x00\x1f\x7f",
        "snow ☃ 😀",
        ": data: [DONE]\n\n",
    ],
)
def test_any_text_arrives_as_it_was_said(said: str) -> None:
    checked = check(stream(says(said), says(said)))
    assert checked.deltas() == [said, said]


def test_what_utf8_cannot_carry_is_replaced_once_and_for_all() -> None:
    checked = check(stream(says("\ud83d\ude00"), says("a\ud83d"), says(calls("c\ud83d", "look", {"é": "\udc00"}))))
    assert checked.deltas() == ["😀", "a", "\ufffd", '{"é":"\ufffd"}']
