"""Requests for approval: one item and nothing beside it, and what becomes of the calls that wait."""

from collections.abc import Sequence
from typing import Any

from agent_framework import AgentResponse, Content
from responses_rules import check
from responses_tools import asks
from responses_updates import calls, machine, rendered_whole, returns, says, shown, stream, without_ids

from agent_framework_hosting_responses._waiting import Waiting


def pays(number: int = 1, arguments: str = '{"n":5}', **fields: Any) -> Content:
    return calls(f"c{number}", "pay", arguments, id=f"af-{number}", **fields)


def request(number: int = 1, name: str = "pay") -> Content:
    return asks(f"af-{number}", calls(f"c{number}", name, '{"n":5}', id=f"af-{number}"))


def waiting_after(*updates: Any, **fields: Any) -> Sequence[Waiting]:
    responder = machine(**fields)
    for update in updates:
        responder.feed(update)
    responder.complete(completed_at=1)
    whole = rendered_whole(AgentResponse.from_updates([*updates]), **fields)
    assert whole.waiting == responder.waiting
    return responder.waiting


def test_a_call_that_asks_for_approval_is_one_item_however_it_came() -> None:
    checked = check(stream(says(pays(arguments='{"n":')), says(pays(arguments="5}")), says(request())))
    assert checked.types[2:-1] == ["output_item.added", "output_item.done"]
    assert without_ids(checked.body["output"]) == [
        {"type": "mcp_approval_request", "name": "pay", "arguments": '{"n":5}', "server_label": "agent"}
    ]


def test_a_request_is_shown_whatever_else_is_hidden() -> None:
    checked = check(stream(says(pays()), says(request()), show_tool_calls=False))
    assert [item["type"] for item in checked.body["output"]] == ["mcp_approval_request"]


def test_a_request_that_nobody_could_foresee_ends_the_call_as_one_that_waits() -> None:
    """Middleware may ask for the approval of any tool."""
    checked = check(stream(says(calls("c1", "look", '{"n":5}', id="af-1")), says(request(name="look"))))
    assert [(item["type"], item.get("status")) for item in checked.body["output"]] == [
        ("mcp_call", "calling"),
        ("mcp_approval_request", None),
    ]


def test_a_request_of_an_mcp_server_bears_the_servers_name() -> None:
    call = calls("mcpr_provider", "drop", "{}", hosted=True, server_name="database")
    sent = stream(says(asks("mcpr_provider", call)), show_tool_calls=False)
    [item] = check(sent).body["output"]
    assert (item["server_label"], item["name"]) == ("database", "drop")
    assert b"mcpr_provider" not in sent
    [left] = waiting_after(says(asks("mcpr_provider", call)))
    assert (left.request_id, left.server) == ("mcpr_provider", "database")


def test_a_request_is_shown_once() -> None:
    assert len(check(stream(says(pays()), says(request()), says(request()))).body["output"]) == 1


def test_a_tool_that_needs_approval_and_got_it_at_once_is_shown_with_its_result() -> None:
    checked = check(stream(says(pays()), returns("c1", "paid", id="af-1")))
    [item] = checked.body["output"]
    assert (item["type"], item["arguments"], item["output"]) == ("mcp_call", '{"n":5}', "paid")


def test_a_call_that_was_neither_asked_for_nor_run_is_not_shown() -> None:
    assert (
        check(stream(says("Hm."), says(pays()), says(finish_reason="length"))).body["output"][-1]["type"] == "message"
    )


def test_siblings_of_a_call_that_waits_wait_too() -> None:
    look = calls("c2", "look", '{"k":1}', id="af-2")
    checked = check(stream(says(pays()), says(look), says(request())))
    assert [(item["type"], item.get("status")) for item in checked.body["output"]] == [
        ("mcp_call", "calling"),
        ("mcp_approval_request", None),
    ]
    assert [
        (left.name, left.occurrence, bool(left.request)) for left in waiting_after(says(pays(), look, request()))
    ] == [
        ("look", "af-2", False),
        ("pay", "af-1", True),
    ]


def answered(*, approved: bool) -> tuple[Waiting, ...]:
    left = waiting_after(says(pays(), calls("c2", "look", '{"k":1}', id="af-2"), request()))
    return tuple(call.answered(approved=approved) if call.request else call for call in left)


def test_what_waited_is_shown_with_its_result_in_a_later_turn() -> None:
    results = [returns("c1", "paid", id="af-1"), returns("c2", "seen", id="af-2"), says("done")]
    checked = check(stream(*results, waiting=answered(approved=True), response_id="resp_2"))
    paid, looked, _ = checked.body["output"]
    assert (paid["name"], paid["output"], paid["approval_request_id"]) == ("pay", "paid", "mcpr_1_1")
    assert (looked["name"], looked["output"], looked["approval_request_id"]) == ("look", "seen", None)
    assert waiting_after(*results, waiting=answered(approved=True)) == []


def test_a_call_that_was_not_approved_has_failed() -> None:
    checked = check(stream(returns("c1", "Error: rejected.", id="af-1"), waiting=answered(approved=False)))
    [item] = checked.body["output"]
    assert (item["status"], item["output"]) == ("failed", "Error: rejected.")
    assert item["error"]["content"][0]["text"] == "The tool call was not approved."


def test_what_waited_can_be_hidden() -> None:
    checked = check(stream(returns("c1", "paid", id="af-1"), waiting=answered(approved=True), show_tool_calls=False))
    assert checked.body["output"] == []


def test_a_request_keeps_waiting_while_something_else_is_talked_about() -> None:
    left = tuple(waiting_after(says(pays(), request())))
    assert waiting_after(says("Not yet."), waiting=left) == list(left)


def test_a_new_request_takes_the_place_of_one_that_nobody_answered() -> None:
    """Agent Framework takes answers to the latest ones only; a call that was approved already still has to run."""
    left = tuple(waiting_after(says(pays(1), pays(2), request(1), request(2))))
    later = (left[0].answered(approved=True), left[1])
    assert waiting_after(says(pays(3), request(3)), waiting=later)[0] == later[0]
    assert [call.occurrence for call in waiting_after(says(pays(3), request(3)), waiting=later)] == ["af-1", "af-3"]


def test_a_request_that_comes_again_is_a_new_item_for_the_same_call() -> None:
    left = tuple(waiting_after(says(pays(1), pays(2), request(1), request(2))))
    again = waiting_after(says(request(2)), waiting=(left[0].answered(approved=True), left[1]), response_id="resp_2")
    assert [(call.occurrence, call.request) for call in again] == [("af-1", "mcpr_1_0"), ("af-2", "mcpr_2_0")]


def test_a_tool_of_the_agent_that_waited_for_the_clients_answer_is_shown_in_the_next_turn() -> None:
    left = waiting_after(says(calls("c1", "ask", "{}", id="af-1"), calls("c2", "look", '{"k":1}', id="af-2")))
    assert [call.name for call in left] == ["look"]
    checked = check(stream(returns("c2", "seen", id="af-2"), waiting=tuple(left)))
    assert [(item["name"], item["output"]) for item in checked.body["output"]] == [("look", "seen")]


def test_an_overridden_body_never_gives_a_request_the_id_of_another_one() -> None:
    responder = machine()
    responder.feed(says(pays(1), asks("af-1", pays(1)), pays(2, "{}"), asks("af-2", pays(2, "{}"))))
    final = AgentResponse.from_updates([says(asks("af-2", pays(2, "{}")))])
    body = shown(responder.complete(final, completed_at=1, override=True))
    assert [item["id"] for item in body["output"]] == ["mcpr_1_1"]
    assert [(call.request, call.occurrence) for call in responder.waiting] == [("mcpr_1_1", "af-2")]


def test_what_a_hook_adds_has_ids_that_nothing_streamed_has() -> None:
    responder = machine()
    responder.feed(says("a"))
    final = AgentResponse.from_updates([says("a"), says(message_id="m2", author_name="x"), says("b", message_id="m3")])
    final.messages[-1].message_id = "m3"
    body = shown(responder.complete(final, completed_at=1, override=True))
    ids = [item["id"] for item in body["output"]]
    assert ids[0] == "msg_1_0"
    assert len(set(ids)) == len(ids)
