"""How a response ends: completed, cut short, failed, cancelled; once, and with what was said."""

from typing import Any

import pytest
from agent_framework import AgentResponse, Content, Message
from responses_rules import check, check_body
from responses_updates import calls, machine, rendered, says, shown, stream, thinks, uses

AT = 1_700_000_009


def ended(*updates: Any, by: str, **flags: Any) -> Any:
    responder = machine(**flags)
    sent = [responder.start(), *(responder.feed(update) for update in updates)]
    if by == "fail":
        sent.append(responder.fail("run_failed", "It went wrong."))
    else:
        sent.append(
            responder.cancel(status="cancelled" if by == "cancel" else "incomplete", reason="max_output_tokens")
        )
    return check(b"".join(sent))


def test_the_opening_says_that_work_is_in_progress() -> None:
    opening = machine().start()
    assert opening.startswith(b"event: response.created\n")
    assert opening.count(b"\n\n") == 2
    assert machine().body is None


def test_the_body_is_there_before_the_terminal_event_and_is_the_one_that_it_carries() -> None:
    responder = machine()
    sent = responder.start() + responder.feed(says("Hi"))
    body = shown(responder.complete(completed_at=AT))
    assert shown(responder.body) == body
    assert check(sent + responder.closing()).body == body
    assert (body["status"], body["completed_at"]) == ("completed", AT)


@pytest.mark.parametrize(
    ("finish_reason", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_an_answer_that_was_cut_is_incomplete_and_so_is_its_last_item(finish_reason: Any, reason: str) -> None:
    checked = check(stream(says(thinks("Hm")), says("Once upon"), says(finish_reason=finish_reason)))
    assert checked.body["incomplete_details"] == {"reason": reason}
    assert [item["status"] for item in checked.body["output"]] == ["completed", "incomplete"]


@pytest.mark.parametrize("finish_reason", [None, "stop", "tool_calls", "anything"])
def test_any_other_finish_reason_completes(finish_reason: Any) -> None:
    assert check(stream(says("a", finish_reason=finish_reason))).body["status"] == "completed"


def test_the_last_finish_reason_decides() -> None:
    assert (
        check(stream(says("a", finish_reason="length"), says("b", finish_reason="stop"))).body["status"] == "completed"
    )


def test_the_final_response_gives_the_finish_reason_and_usage_that_no_update_gave() -> None:
    responder = machine()
    responder.feed(says("a"))
    final = AgentResponse(finish_reason="length", usage_details={"input_token_count": 3, "output_token_count": 4})
    body = shown(responder.complete(final, completed_at=AT))
    assert (body["status"], body["usage"]["total_tokens"]) == ("incomplete", 7)


def test_of_parallel_calls_that_were_cut_only_the_last_is_incomplete() -> None:
    cut = [says(calls("c1", "ask", "{}"), calls("c2", "pick", '{"a')), says(finish_reason="length")]
    assert [item["status"] for item in check(stream(*cut)).body["output"]] == ["completed", "incomplete"]


def test_an_error_that_the_agent_reports_fails_the_response_and_keeps_what_was_said() -> None:
    error = Content.from_error(
        message="The quota is used up.", error_code="rate_limit_exceeded", error_details="internal"
    )
    checked = check(stream(says("Once"), says(error)))
    assert checked.body["error"] == {"code": "rate_limit_exceeded", "message": "The quota is used up."}
    assert checked.body["output"][0]["content"][0]["text"] == "Once"
    assert "internal" not in str(checked.events)


def test_the_first_error_counts_and_an_unknown_code_is_a_server_error() -> None:
    errors = [Content.from_error(error_code="E42"), Content.from_error(message="later")]
    assert check(stream(says(*errors))).body["error"] == {
        "code": "server_error",
        "message": "The agent reported an error.",
    }


def test_a_run_that_failed_ends_in_response_failed_with_what_was_said() -> None:
    checked = ended(says("Once"), by="fail")
    assert checked.types[-2:] == ["output_item.done", "failed"]
    assert checked.body["error"] == {"code": "server_error", "message": "It went wrong."}
    assert checked.body["output"][0]["status"] == "incomplete"


def test_a_cancelled_response_is_an_incomplete_event_with_status_cancelled() -> None:
    checked = ended(says("Once"), by="cancel")
    assert checked.types[-1] == "incomplete"
    assert (checked.body["status"], checked.body["incomplete_details"]) == ("cancelled", None)


def test_a_drained_response_is_incomplete_with_a_reason() -> None:
    body = ended(says("Once"), by="drain").body
    assert (body["status"], body["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})


def test_usage_is_kept_when_the_run_fails() -> None:
    assert ended(says("Once", uses(1, 2)), by="fail").body["usage"]["total_tokens"] == 3


@pytest.mark.parametrize("by", ["fail", "cancel"])
def test_a_response_that_ends_before_anything_was_sent_still_opens_first(by: str) -> None:
    responder = machine()
    sent = responder.fail("x", "No.") if by == "fail" else responder.cancel()
    assert check(sent).types[:2] == ["created", "in_progress"]


def test_a_response_can_be_fed_and_completed_without_start() -> None:
    responder = machine()
    sent = responder.feed(says("a"))
    responder.complete(completed_at=AT)
    assert check(sent + responder.closing()).deltas() == ["a"]


def test_a_response_whose_commit_failed_still_ends_in_response_failed() -> None:
    responder = machine()
    sent = responder.start() + responder.feed(says("a", uses(1, 2)))
    responder.complete(completed_at=AT)
    checked = check(sent + responder.fail("server_error", "The answer could not be stored."))
    assert checked.body["status"] == "failed"
    assert checked.body["usage"]["total_tokens"] == 3
    assert shown(responder.body) == checked.body


def test_after_the_end_nothing_is_sent_any_more() -> None:
    responder = machine()
    responder.feed(says("a"))
    body = responder.complete(completed_at=AT)
    assert responder.feed(says("b")) == b""
    assert responder.closing().endswith(b"data: [DONE]\n\n")
    assert [responder.start(), responder.feed(says("c")), responder.closing()] == [b"", b"", b""]
    assert [responder.fail("x", "y"), responder.cancel()] == [b"", b""]
    assert responder.complete(completed_at=AT + 1) is body


def test_closing_before_the_body_is_there_is_a_mistake_that_says_so() -> None:
    with pytest.raises(RuntimeError, match="complete"):
        machine().closing()


def overridden(*updates: Any, final: AgentResponse[Any]) -> Any:
    responder = machine()
    sent = [responder.start(), *(responder.feed(update) for update in updates)]
    responder.complete(final, completed_at=AT, override=True)
    return check(b"".join([*sent, responder.closing()]), is_overridden=True)


def test_a_response_hook_has_the_last_word_on_the_body_and_the_ids_stay() -> None:
    final = AgentResponse(messages=[Message("assistant", ["Censored"]), Message("assistant", ["More"])])
    checked = overridden(says(thinks("Hm")), says("Secret"), final=final)
    first, second = checked.body["output"]
    assert [first["content"][0]["text"], second["content"][0]["text"]] == ["Censored", "More"]
    assert first["id"] == checked.told[1]["id"]
    assert second["id"] not in {item["id"] for item in checked.told}
    assert checked.told[1]["content"][0]["text"] == "Secret"


def test_a_response_hook_may_turn_an_error_into_an_answer() -> None:
    final = AgentResponse(messages=[Message("assistant", ["Try later."])])
    checked = overridden(says(Content.from_error(message="no")), final=final)
    assert (checked.body["status"], checked.body["error"]) == ("completed", None)


def test_a_response_hook_may_change_usage_and_keeps_what_it_does_not_name() -> None:
    plain = AgentResponse(messages=[Message("assistant", ["a"])])
    assert overridden(says("a", uses(1, 2)), final=plain).body["usage"]["total_tokens"] == 3
    counted = AgentResponse(messages=[Message("assistant", ["a"])], usage_details={"input_token_count": 9})
    assert overridden(says("a", uses(1, 2)), final=counted).body["usage"]["total_tokens"] == 9


def test_without_override_the_final_response_does_not_change_what_was_said() -> None:
    responder = machine()
    responder.feed(says("a"))
    final = AgentResponse(messages=[Message("assistant", ["b"])])
    assert shown(responder.complete(final, completed_at=AT))["output"][0]["content"][0]["text"] == "a"


def test_override_without_a_final_response_is_what_was_streamed() -> None:
    responder = machine()
    responder.feed(says("a"))
    assert shown(responder.complete(None, completed_at=AT, override=True))["output"][0]["content"][0]["text"] == "a"


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (AgentResponse(messages=[Message("assistant", ["a"])]), "completed"),
        (AgentResponse(messages=[Message("assistant", ["a"])], finish_reason="length"), "incomplete"),
        (AgentResponse(messages=[Message("assistant", ["a", Content.from_error(message="no")])]), "failed"),
        (AgentResponse(), "completed"),
    ],
)
def test_an_answer_that_is_not_streamed_ends_by_the_same_rules(result: AgentResponse[Any], status: str) -> None:
    body = rendered(result)
    check_body(body)
    assert body["status"] == status


def test_the_token_of_a_provider_whose_answer_is_not_finished_is_shown_to_nobody() -> None:
    """Whoever holds it could go on with a run that is not theirs."""
    token: Any = {"response_id": "SECRET"}
    updates = [says("a", continuation_token=token), says("b"), says(continuation_token=token)]
    responder = machine()
    sent = [responder.start(), *(responder.feed(update) for update in updates)]
    final = AgentResponse.from_updates(updates)
    assert final.continuation_token == token
    for override in (False, True):
        assert "SECRET" not in str(shown(responder.complete(final, completed_at=AT, override=override)))
    assert b"SECRET" not in b"".join([*sent, responder.closing()])
    assert "SECRET" not in str(rendered(final))
