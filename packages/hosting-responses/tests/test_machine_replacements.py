"""Replacements: what was sent cannot be unsent, and is not sent twice."""

import pytest
from agent_framework import AgentResponseUpdate, Content
from responses_rules import check
from responses_tools import found, searches
from responses_updates import FULL_REASONING, calls, refusal, returns, says, stream, text, thinks, uses

from agent_framework_hosting_responses._sealed_thoughts import Thought, unseal


def replaced(said: str) -> Content:
    return text(said, merge_mode="replace")


def shown(*updates: AgentResponseUpdate) -> list[str]:
    items = check(stream(*updates)).body["output"]
    return ["|".join(part.get("text", part.get("refusal")) for part in item["content"]) for item in items]


def test_a_replacement_that_says_the_same_adds_nothing() -> None:
    assert check(stream(says("Hel"), says("lo"), says(replaced("Hello")))).deltas() == ["Hel", "lo"]


def test_a_replacement_that_goes_on_adds_the_rest_as_a_delta() -> None:
    assert check(stream(says("Hel"), says(replaced("Hello")), says("!"))).deltas() == ["Hel", "lo", "!"]


def test_a_replacement_that_contradicts_leaves_the_item_as_it_stands_and_starts_anew() -> None:
    assert shown(says("Hello"), says(replaced("Goodbye")), says("!")) == ["Hello", "Goodbye!"]


def test_a_replacement_of_nothing_is_said_in_full() -> None:
    assert shown(says(replaced("Hello"))) == ["Hello"]


def test_a_replacement_by_nothing_ends_the_item() -> None:
    assert shown(says("Draft"), says(replaced("")), says("Final")) == ["Draft", "Final"]


def test_a_stream_of_growing_replacements_is_a_stream_of_deltas() -> None:
    assert check(stream(*(says(replaced("Hello"[:end])) for end in range(1, 6)))).deltas() == list("Hello")


def test_each_part_of_a_providers_message_may_end_in_a_replacement() -> None:
    """The framework's OpenAI client sends `merge_mode="replace"` at the end of every part, not of the message."""
    updates = [says("One. "), says(replaced("One. ")), says("Two"), says("."), says(replaced("Two."))]
    assert shown(*updates) == ["One. Two."]


def test_a_replacement_after_a_call_that_is_not_shown_is_about_what_was_said_since() -> None:
    """Agent Framework keeps texts apart that the client sees as one."""
    again = says(replaced("One."))
    updates = [says("One."), says(calls("c1", "look", "{}")), says("One."), again, again]
    whole = stream(*updates, show_tool_calls=False)
    assert check(whole).deltas() == ["One.", "One."]


def test_a_second_replacement_right_after_the_first_is_about_all_of_it() -> None:
    assert shown(says("a"), says(replaced("a")), says(replaced("ab")), says(replaced("b"))) == ["ab", "b"]


def test_a_replacement_in_a_new_message_does_not_touch_the_old_one() -> None:
    assert shown(says("Hello", message_id="m1"), says(replaced("Hello"), message_id="m2")) == ["Hello", "Hello"]


def test_a_refusal_is_replaced_like_a_text() -> None:
    assert shown(says(refusal("No")), says(refusal("No.", merge_mode="replace"))) == ["No."]


def test_a_replacement_of_another_kind_is_another_part() -> None:
    assert shown(says("No"), says(refusal("No", merge_mode="replace"))) == ["No|No"]


@pytest.mark.parametrize("marks", [None, FULL_REASONING])
def test_reasoning_is_replaced_like_a_text(marks: dict[str, object] | None) -> None:
    done = thinks("Hm, yes", id="r1", merge_mode="replace", additional_properties=marks)
    checked = check(stream(says(thinks("Hm", id="r1", additional_properties=marks)), says(done)))
    assert checked.deltas() == ["Hm", ", yes"]


def test_reasoning_that_contradicts_starts_anew() -> None:
    checked = check(stream(says(thinks("Hm", id="r1")), says(thinks("Ah", id="r1", merge_mode="replace"))))
    assert [item["summary"][0]["text"] for item in checked.body["output"]] == ["Hm", "Ah"]


def test_a_replacement_of_reasoning_takes_its_encrypted_form_along() -> None:
    updates = [
        says(thinks("Hm", protected_data="old")),
        says(thinks("Hm", merge_mode="replace")),
        says(thinks("", protected_data="new")),
    ]
    assert "encrypted_content" not in check(stream(*updates[:2], encrypted_reasoning=True)).body["output"][0]
    [item] = check(stream(*updates, encrypted_reasoning=True)).body["output"]
    assert unseal(item["encrypted_content"]) == Thought("", "new")


def test_a_replacement_of_reasoning_after_a_search_that_is_not_shown_leaves_what_was_sealed_before() -> None:
    updates = [
        says(thinks("Hm", protected_data="first")),
        says(searches("s1", "web_search", {"query": "q"}), found("s1", "web_search", None)),
        says(thinks("So", protected_data="second")),
        says(thinks("So", merge_mode="replace")),
    ]
    [item] = check(stream(*updates, encrypted_reasoning=True, show_tool_calls=False)).body["output"]
    assert unseal(item["encrypted_content"]) == Thought("", "first")


@pytest.mark.parametrize("whole", ['{"a":1,"b":2}', '{ "b": 2, "a": 1 }', {"b": 2, "a": 1}])
def test_arguments_said_again_as_a_whole_add_nothing(whole: object) -> None:
    updates = [says(calls("c1", "ask", '{"a":1,')), says(calls("c1", "ask", '"b":2}'))]
    checked = check(stream(*updates, says(calls("c1", "ask", whole, merge_mode="replace"))))
    assert checked.deltas() == ['{"a":1,', '"b":2}']
    assert checked.body["status"] == "completed"


def test_arguments_that_go_on_are_completed() -> None:
    checked = check(
        stream(says(calls("c1", "ask", '{"a":')), says(calls("c1", "ask", '{"a":1}', merge_mode="replace")))
    )
    assert checked.deltas() == ['{"a":', "1}"]


@pytest.mark.parametrize("again", [{"a": 1}, '{"a":1}'])
def test_arguments_that_came_as_a_value_are_not_continued_by_the_same_value(again: object) -> None:
    checked = check(
        stream(says(calls("c1", "ask", {"a": 1})), says(calls("c1", "ask")), says(calls("c1", "ask", again)))
    )
    assert checked.deltas() == ['{"a":1}']


def test_a_call_of_the_agent_that_changed_its_arguments_is_shown_as_two_calls() -> None:
    checked = check(
        stream(
            says(calls("c1", "look", '{"a":1}')),
            says("Wait."),
            says(calls("c1", "look", '{"a":2}', merge_mode="replace")),
            returns("c1", "two"),
        )
    )
    first, _, second = checked.body["output"]
    assert (first["arguments"], first["status"], first["output"]) == ('{"a":1}', "failed", None)
    assert (second["arguments"], second["status"], second["output"]) == ('{"a":2}', "completed", "two")


def test_a_clients_call_that_changed_its_arguments_fails_the_response_so_that_nobody_acts_upon_it() -> None:
    checked = check(
        stream(says(calls("c1", "ask", '{"a":1}')), says(calls("c1", "ask", '{"a":2}', merge_mode="replace")))
    )
    assert checked.body["status"] == "failed"
    assert checked.body["error"]["code"] == "server_error"
    assert checked.body["output"][0]["status"] == "incomplete"


def test_arguments_held_back_for_want_of_a_name_are_simply_replaced() -> None:
    checked = check(
        stream(
            says(calls("c1", "", "{1")), says(calls("c1", "", "{2}", merge_mode="replace")), says(calls("c1", "ask"))
        )
    )
    assert checked.deltas() == ["{2}"]


def test_a_message_said_again_as_a_whole_adds_nothing() -> None:
    whole = says("Hello", calls("c1", "ask", "{}"), "bye", merge_mode="replace")
    checked = check(stream(says("Hel"), says("lo"), says(calls("c1", "ask", "{}")), says("bye"), whole))
    assert checked.deltas() == ["Hel", "lo", "{}", "bye"]


def test_a_message_said_again_in_other_chunks_is_the_same_message() -> None:
    assert check(stream(says("Hello"), says("He", "llo", merge_mode="replace"))).deltas() == ["Hello"]


def test_a_call_in_a_message_said_again_goes_on_where_it_stood() -> None:
    again = says("a", calls("c1", "ask", '{"a":1}'), merge_mode="replace")
    assert check(stream(says("a"), says(calls("c1", "ask", '{"a":')), again)).deltas() == ["a", '{"a":', "1}"]


def test_a_message_said_again_that_goes_on_adds_the_rest() -> None:
    assert shown(says("Hel"), says("Hello", merge_mode="replace"), says("!")) == ["Hello!"]


def test_a_message_that_is_replaced_by_another_starts_anew() -> None:
    assert shown(says("Draft"), says("Final", merge_mode="replace"), says("!")) == ["Draft", "Final!"]


def test_a_message_that_is_emptied_does_not_glue_what_follows_to_what_it_said() -> None:
    assert shown(says("Draft"), says(merge_mode="replace"), says("Final")) == ["Draft", "Final"]


def test_a_closed_text_that_goes_on_in_a_replaced_message_goes_on_in_a_new_item() -> None:
    checked = check(stream(says("Hel"), says(thinks("hm")), says("Hello", merge_mode="replace")))
    assert [item["type"] for item in checked.body["output"]] == ["message", "reasoning", "message"]
    assert checked.deltas() == ["Hel", "hm", "lo"]


def test_a_message_said_again_may_have_new_kinds_of_text() -> None:
    assert shown(says("a"), says("a", refusal("no"), merge_mode="replace")) == ["a|no"]


def test_a_replacement_inside_a_message_said_again_counts() -> None:
    assert check(stream(says("Hello"), says("Draft", replaced("Hello"), merge_mode="replace"))).deltas() == ["Hello"]


def test_a_message_said_again_keeps_its_encrypted_reasoning() -> None:
    again = says(thinks("H"), thinks("m", protected_data="sealed"), thinks(""), merge_mode="replace")
    [item] = check(stream(says(thinks("Hm")), again, encrypted_reasoning=True)).body["output"]
    assert unseal(item["encrypted_content"]) == Thought("", "sealed")


def test_a_message_said_again_may_mix_its_kinds_of_text(caplog: pytest.LogCaptureFixture) -> None:
    said = [says("a"), says(refusal("no")), says(thinks("hm", id="r1")), says("z")]
    again = says("a", refusal("n"), refusal("o"), uses(1, 1), thinks("hm", id="r1"), "z!", merge_mode="replace")
    assert check(stream(*said, again)).deltas() == ["a", "no", "hm", "z", "!"]
    assert caplog.records == []


def test_other_contents_of_a_replaced_message_count_as_ever() -> None:
    checked = check(stream(says("a"), says("a", uses(1, 2), merge_mode="replace")))
    assert checked.body["usage"]["total_tokens"] == 3
