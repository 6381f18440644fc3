"""Tool calls: those that the client must answer, and those that the agent ran itself."""

import sys
from collections.abc import Callable
from typing import Any

import pytest
from agent_framework import AgentResponse, Content
from responses_rules import check
from responses_updates import calls, machine, rendered, returns, says, shown, stream, without_ids


def test_a_clients_tool_is_a_function_call_with_its_arguments_in_deltas() -> None:
    checked = check(stream(says(calls("c1", "ask", '{"q":')), says(calls("c1", "", '"x"}'))))
    assert checked.types[2:-1] == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ]
    assert without_ids(checked.body["output"]) == [
        {"type": "function_call", "status": "completed", "name": "ask", "arguments": '{"q":"x"}', "call_id": "c1"}
    ]


def test_a_tool_that_the_agent_ran_is_an_mcp_call_with_its_output() -> None:
    checked = check(stream(says(calls("c1", "look", '{"q":1}')), returns("c1", "found"), server_label="helper"))
    assert checked.types[2:-1] == [
        "output_item.added",
        "mcp_call.in_progress",
        "mcp_call_arguments.delta",
        "mcp_call_arguments.done",
        "mcp_call.completed",
        "output_item.done",
    ]
    assert without_ids(checked.body["output"]) == [
        {
            "type": "mcp_call",
            "status": "completed",
            "name": "look",
            "arguments": '{"q":1}',
            "server_label": "helper",
            "output": "found",
            "error": None,
            "approval_request_id": None,
        }
    ]


def test_a_tool_that_failed_says_what_the_model_saw_and_never_the_exception() -> None:
    failed = returns("c1", "Error: Function failed.", exception="ValueError: secret")
    checked = check(stream(says(calls("c1", "look", "{}")), failed))
    [item] = checked.body["output"]
    assert (item["status"], item["output"]) == ("failed", "Error: Function failed.")
    assert "mcp_call.failed" in checked.types
    assert "secret" not in str(checked.events)


def test_a_call_is_done_as_soon_as_its_result_is_there() -> None:
    responder = machine()
    responder.start()
    responder.feed(says(calls("c1", "look", "{}")))
    assert b"response.output_item.done" in responder.feed(returns("c1"))


def test_the_agents_own_calls_can_be_hidden_but_not_the_clients() -> None:
    updates = [
        says("Let me see."),
        says(calls("c1", "look", "{}")),
        returns("c1", "secret"),
        says("Which one?"),
        says(calls("c2", "ask", "{}")),
    ]
    checked = check(stream(*updates, show_tool_calls=False))
    assert [item["type"] for item in checked.body["output"]] == ["message", "message", "function_call"]
    assert "secret" not in str(checked.events)


def test_text_after_a_tool_call_is_a_new_message() -> None:
    checked = check(stream(says("a"), says(calls("c1", "look", "{}")), returns("c1"), says("b")))
    assert [item["type"] for item in checked.body["output"]] == ["message", "mcp_call", "message"]


def test_chunks_of_parallel_calls_find_their_call_by_its_id() -> None:
    checked = check(
        stream(
            says(calls("c1", "ask", "1")),
            says(calls("c2", "look", "2")),
            says(calls("c1", "", "1"), calls("c2", "", "2")),
            says(calls("c1", "ask", "1")),
        )
    )
    assert [item["arguments"] for item in checked.body["output"]] == ["111", "22"]


def test_a_chunk_without_an_id_continues_the_last_call() -> None:
    checked = check(stream(says(calls("c1", "ask", "1")), says(calls("c2", "pick", "2")), says(calls("", "", "2"))))
    assert [item["arguments"] for item in checked.body["output"]] == ["1", "22"]


def test_text_between_the_chunks_of_a_call_stays_one_text() -> None:
    checked = check(stream(says(calls("c1", "ask", "1")), says("a"), says(calls("c1", "", "1")), says("b")))
    assert [item["type"] for item in checked.body["output"]] == ["function_call", "message"]
    assert checked.body["output"][0]["arguments"] == "11"


def test_the_frameworks_own_id_of_a_call_wins_over_the_models() -> None:
    checked = check(
        stream(
            says(calls("c1", "look", "1", id="one")),
            says(calls("c1", "look", "2", id="two")),
            says(calls("c1", "", "1", id="one")),
            returns("c1", "second", id="two"),
            returns("c1", "first", id="one"),
        )
    )
    assert [(item["arguments"], item["output"]) for item in checked.body["output"]] == [
        ("11", "first"),
        ("2", "second"),
    ]


def test_the_frameworks_own_id_may_come_late_and_be_all_there_is() -> None:
    checked = check(
        stream(
            says(calls("c1", "look", "1")),
            says(calls("c1", "look", "2", id="one")),
            says(calls("c2", "count", "4", id="two")),
            says(calls("", "", "3", id="one")),
            returns("", "found", id="two"),
            returns("", "seen", id="one"),
        )
    )
    assert [(item["arguments"], item["output"]) for item in checked.body["output"]] == [("123", "seen"), ("4", "found")]


def test_a_result_of_another_occurrence_answers_nothing() -> None:
    checked = check(stream(says(calls("c1", "look", "1", id="one")), returns("c1", id="two")))
    assert checked.body["output"][0]["status"] == "failed"


def test_a_call_that_was_answered_is_not_opened_again() -> None:
    call = says(calls("c1", "look", "{}", id="one"))
    assert len(check(stream(call, returns("c1", id="one"), call)).body["output"]) == 1


def test_a_model_may_use_its_ids_again_in_its_next_turn() -> None:
    turn = [says(calls("call_0", "look", '{"n":1}')), returns("call_0", "done")]
    checked = check(stream(*turn, *turn))
    assert [item["output"] for item in checked.body["output"]] == ["done", "done"]


def test_an_unanswered_call_does_not_swallow_one_with_the_same_id_in_the_next_message() -> None:
    checked = check(
        stream(
            says(calls("c", "look", "1"), message_id="m1"), says(calls("c", "look", "2"), message_id="m2"), returns("c")
        )
    )
    assert [(item["arguments"], item["status"]) for item in checked.body["output"]] == [
        ("1", "completed"),
        ("2", "failed"),
    ]


def test_a_call_id_that_the_client_was_given_already_is_not_given_twice(caplog: pytest.LogCaptureFixture) -> None:
    checked = check(
        stream(says(calls("c", "ask", "1"), message_id="m1"), says(calls("c", "ask", "2"), message_id="m2"))
    )
    assert [item["arguments"] for item in checked.body["output"]] == ["1"]
    assert "one call id for two calls" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (None, "{}"),
        ("", "{}"),
        ({"a": [1, None], "é": "x"}, '{"a":[1,null],"é":"x"}'),
        ({}, "{}"),
        ({"when": complex(1, 2)}, '{"when":"(1+2j)"}'),
    ],
)
def test_arguments_are_always_json_text(arguments: Any, shown: str) -> None:
    checked = check(stream(says(calls("c1", "ask", arguments))))
    assert checked.body["output"][0]["arguments"] == shown
    assert checked.deltas() == [shown]


@pytest.mark.parametrize(
    ("result", "shown"),
    [
        ("text", "text"),
        ("", ""),
        (None, ""),
        ({"a": 1}, '{"a": 1}'),
        ([Content.from_text("a"), Content.from_text("b")], "a\nb"),
    ],
)
def test_the_output_of_a_tool_is_always_text(result: Any, shown: str) -> None:
    assert check(stream(says(calls("c1", "look", "{}")), returns("c1", result))).body["output"][0]["output"] == shown


def test_a_result_that_was_set_by_hand_is_shown_as_json() -> None:
    result = Content("function_result", call_id="c1", result={"a": 1})
    assert (
        check(stream(says(calls("c1", "look", "{}")), says(result, role="tool"))).body["output"][0]["output"]
        == '{"a":1}'
    )


def test_a_result_that_has_only_items_is_their_text() -> None:
    items = [
        Content.from_text("a"),
        Content.from_uri("https://host/x.png", media_type="image/png"),
        Content.from_text("b"),
    ]
    result = Content("function_result", call_id="c1", items=items)
    checked = check(stream(says(calls("c1", "look", "{}")), says(result, role="tool")))
    assert checked.body["output"][0]["output"] == "a\nb"


def test_a_result_that_has_nothing_is_an_empty_text() -> None:
    result = Content("function_result", call_id="c1")
    checked = check(stream(says(calls("c1", "look", "{}")), says(result, role="tool")))
    assert checked.body["output"][0]["output"] == ""


def test_a_call_whose_result_never_came_has_failed_in_a_response_that_goes_on() -> None:
    checked = check(stream(says(calls("c1", "look", "{}")), says("Never mind.")))
    call, message = checked.body["output"]
    assert (call["status"], call["output"], message["status"]) == ("failed", None, "completed")
    assert call["error"]["content"][0]["text"] == "The tool call did not return a result."


def test_a_call_that_waits_for_the_clients_answer_to_another_one_has_not_failed() -> None:
    """Agent Framework runs it in the next turn; told as failed, it would be made twice."""
    checked = check(stream(says(calls("c1", "ask", "{}"), calls("c2", "look", "{}"))))
    asked, looked = checked.body["output"]
    assert (asked["type"], looked["type"]) == ("function_call", "mcp_call")
    assert (looked["status"], looked["output"], looked["error"]) == ("calling", None, None)


def test_a_result_that_answers_nothing_is_left_out() -> None:
    assert check(stream(returns("c9"), says("a"), returns("c1"))).deltas() == ["a"]


def test_a_result_for_a_call_that_is_the_clients_to_answer_is_left_out() -> None:
    checked = check(stream(says(calls("c1", "ask", "{}")), returns("c1", "answered here")))
    assert "answered here" not in str(checked.events)


def test_a_call_that_the_framework_hands_to_the_client_is_a_function_call_whatever_its_name() -> None:
    call = calls("c1", "look", "{}")
    call.user_input_request = True
    assert check(stream(says(call))).body["output"][0]["type"] == "function_call"


def test_the_frameworks_mark_on_a_call_that_was_streamed_already_adds_nothing() -> None:
    mark = calls("c1", "ask", None, id="one")
    mark.user_input_request = True
    checked = check(stream(says(calls("c1", "ask", "{}", id="one")), says(mark)))
    assert [item["arguments"] for item in checked.body["output"]] == ["{}"]


def test_a_call_is_shown_once_its_name_is_known() -> None:
    responder = machine()
    responder.start()
    assert responder.feed(says(calls("c1", "", '{"a":'))) == b""
    assert b"response.function_call_arguments.delta" in responder.feed(says(calls("c1", "ask", "1}")))
    assert shown(responder.complete(completed_at=1))["output"][0]["arguments"] == '{"a":1}'


def test_a_call_that_never_got_a_name_is_left_out() -> None:
    assert check(stream(says(calls("c1", "", "1")), returns("c1"), says(calls("", "", "1")))).body["output"] == []


def test_a_clients_call_without_an_id_gets_one() -> None:
    [item] = check(stream(says(calls("", "ask", "{}")))).body["output"]
    assert item["call_id"].startswith("call_")


def test_calls_without_ids_are_answered_in_turn() -> None:
    checked = check(
        stream(says(calls("", "look", "1")), says(calls("", "count", "2")), returns("", "first"), returns("", "second"))
    )
    assert [(item["name"], item["output"]) for item in checked.body["output"]] == [
        ("look", "first"),
        ("count", "second"),
    ]


def test_without_streaming_calls_look_the_same() -> None:
    updates = [says(calls("c1", "look", "{}")), returns("c1"), says(calls("c2", "ask", "{}"))]
    streamed = check(stream(*updates)).body
    assert without_ids(rendered(AgentResponse.from_updates(updates))["output"]) == without_ids(streamed["output"])


def work_of(run: Callable[[], object]) -> int:
    """Return how many functions were called: a measure of work that no busy machine changes."""
    count = 0

    def watch(*_: object) -> None:
        nonlocal count
        count += 1

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        run()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("are_answered", [True, False])
def test_the_work_for_each_of_many_calls_is_the_same(are_answered: bool) -> None:
    """All are under way at once, as when a model asks for everything in one message."""

    def run(many: int) -> None:
        asked = [calls(f"c{number}", "look", "{}") for number in range(many)]
        answered = [returns(f"c{number}", "found") for number in range(many)] if are_answered else []
        stream(says(*asked), *answered)

    few, many = work_of(lambda: run(250)), work_of(lambda: run(1_000))
    assert many < 5 * few
