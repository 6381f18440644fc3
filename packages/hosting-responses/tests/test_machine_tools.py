"""What providers' tools did, what lies elsewhere, and annotations: as items, events and text."""

from typing import Any

import pytest
from agent_framework import AgentResponse, AgentResponseUpdate, Content
from responses_rules import Checked, check
from responses_tools import (
    CITATIONS,
    PIXEL,
    acted,
    acts,
    cited,
    codes,
    computed,
    drawn,
    draws,
    found,
    image,
    ran,
    runs,
    searches,
    served,
    serves,
)
from responses_updates import rendered, says, stream, text, without_ids

INCLUDE = frozenset({"code_interpreter_call.outputs", "file_search_call.results", "web_search_call.action.sources"})


def said(*contents: Any, **fields: Any) -> Checked:
    """Return the checked stream of contents that come one by one; what is not streamed says the same."""
    checked = check(stream(*(says(content) for content in contents), **fields))
    whole = rendered(AgentResponse.from_updates([says(content) for content in contents]), **fields)
    assert without_ids(whole["output"]) == without_ids(checked.body["output"])
    return checked


def kinds(checked: Checked) -> list[str]:
    return [item["type"] for item in checked.body["output"]]


# ------------------------------------------------------------------------------------------------------ annotations
def test_citations_are_annotations_of_the_text_in_the_form_that_their_facts_allow() -> None:
    checked = said("See there.", *(cited(citation) for citation in CITATIONS))
    [message] = checked.body["output"]
    assert message["content"][0]["annotations"] == [
        {"type": "url_citation", "url": "http://a", "title": "A", "start_index": 0, "end_index": 1},
        {"type": "url_citation", "url": "http://b", "title": "", "start_index": 0, "end_index": 0},
        {"type": "file_citation", "file_id": "file_1", "filename": "a.pdf", "index": 3},
        {"type": "file_path", "file_id": "file_2", "index": 0},
        {
            "type": "container_file_citation",
            "container_id": "cntr_1",
            "file_id": "file_3",
            "filename": "p.png",
            "start_index": 0,
            "end_index": 0,
        },
    ]
    assert checked.types.count("output_text.annotation.added") == 5


def test_a_citation_comes_before_its_text_is_done_and_only_once() -> None:
    checked = said("a", cited(CITATIONS[0], said="b"), cited(CITATIONS[0]), "c")
    assert checked.types[2:-1] == [
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.annotation.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
    ]


def test_a_citation_of_several_places_is_several_annotations() -> None:
    regions = [{"start_index": 0, "end_index": 1}, {"start_index": 4, "end_index": 5}, {"start_index": "x"}]
    checked = said("a", cited({"type": "citation", "url": "http://a", "annotated_regions": regions}))
    spans = [
        (annotation["start_index"], annotation["end_index"])
        for annotation in checked.body["output"][0]["content"][0]["annotations"]
    ]
    assert spans == [(0, 1), (4, 5)]


def test_a_message_that_is_restated_keeps_its_citations() -> None:
    again = says(cited(*CITATIONS[:2], said="Hello!"), merge_mode="replace")
    checked = check(stream(says("Hello"), says(cited(CITATIONS[0])), again))
    [message] = checked.body["output"]
    assert [annotation["url"] for annotation in message["content"][0]["annotations"]] == ["http://a", "http://b"]


# ------------------------------------------------------------------------------------------------ code interpreter
def test_code_comes_in_deltas_and_its_outputs_when_they_are_asked_for() -> None:
    contents = [codes("ci", "a = "), codes("ci", "1"), computed("ci", text("1\n"), image(), status="completed")]
    checked = said(*contents, include=INCLUDE)
    assert checked.types[2:-1] == [
        "output_item.added",
        "code_interpreter_call.in_progress",
        "code_interpreter_call_code.delta",
        "code_interpreter_call_code.delta",
        "code_interpreter_call_code.done",
        "code_interpreter_call.interpreting",
        "code_interpreter_call.completed",
        "output_item.done",
    ]
    [item] = without_ids(checked.body["output"])
    outputs = [{"type": "logs", "logs": "1\n"}, {"type": "image", "url": PIXEL}]
    assert item == {
        "type": "code_interpreter_call",
        "status": "completed",
        "code": "a = 1",
        "container_id": "",
        "outputs": outputs,
    }
    assert said(*contents).body["output"][0]["outputs"] is None


def test_code_as_the_client_of_agent_framework_streams_it_is_one_item() -> None:
    """It tells of an empty result first, and of what came of the code never."""
    whole = codes("ci", "a = 1", merge_mode="replace")
    checked = said(computed("ci", status="in_progress"), codes("ci", "a ="), codes("ci", " 1"), whole, "Done.")
    assert kinds(checked) == ["code_interpreter_call", "message"]
    assert checked.body["output"][0]["code"] == "a = 1"


def test_code_that_failed_says_so() -> None:
    checked = said(codes("ci", "1/0"), computed("ci", text("ZeroDivisionError"), status="failed"))
    assert checked.body["output"][0]["status"] == "failed"


def test_code_that_was_cut_is_incomplete() -> None:
    checked = check(stream(says(codes("ci", "while True:")), says(finish_reason="length")))
    assert checked.body["output"][0]["status"] == "incomplete"


@pytest.mark.parametrize(
    ("result", "shown"),
    [
        (computed("ci", status="completed"), "completed"),
        (computed("ci", status="failed"), "failed"),
        (computed("ci", text("1")), "completed"),
        (computed("ci"), "incomplete"),
    ],
)
def test_code_that_had_ended_was_not_cut_wherever_core_folds_its_result(result: Content, shown: str) -> None:
    def updates() -> list[AgentResponseUpdate]:
        contents = (computed("ci"), codes("ci", "1"), result)
        return [*(says(content) for content in contents), says(finish_reason="length")]

    streamed, whole = check(stream(*updates())).body, rendered(AgentResponse.from_updates(updates()))
    assert [body["output"][0]["status"] for body in (streamed, whole)] == [shown, shown]


def test_code_that_turned_out_to_be_other_code_is_another_item() -> None:
    other = codes("ci", "b", merge_mode="replace")
    checked = check(stream(says(codes("ci", "a")), says(other), says(computed("ci", text("x")))))
    assert [(item["code"], item["status"]) for item in checked.body["output"]] == [("a", "failed"), ("b", "completed")]


# ----------------------------------------------------------------------------------------------------------- images
def test_an_image_is_shown_on_the_way_and_in_the_end() -> None:
    checked = said(draws("ig"), drawn("ig", image(partial=0)), draws("ig"), drawn("ig", image()))
    assert checked.types[2:-1] == [
        "output_item.added",
        "image_generation_call.in_progress",
        "image_generation_call.generating",
        "image_generation_call.partial_image",
        "image_generation_call.completed",
        "output_item.done",
    ]
    [item] = checked.body["output"]
    assert (item["result"], item["status"]) == ("iVBORw0KGgo=", "completed")


def test_several_images_are_several_items() -> None:
    checked = said(draws("ig"), drawn("ig", [image(), image()]))
    assert [item["result"] for item in checked.body["output"]] == ["iVBORw0KGgo="] * 2


def test_an_image_that_did_not_come_has_failed() -> None:
    for contents in ([draws("ig")], [draws("ig"), drawn("ig", None)], [draws("ig"), drawn("ig", image(partial=0))]):
        [item] = said(*contents).body["output"]
        assert (item["result"], item["status"]) == (None, "failed")


def test_an_image_that_lies_elsewhere_is_a_link() -> None:
    checked = said(draws("ig"), drawn("ig", image("http://host/x.png")))
    assert kinds(checked) == ["image_generation_call", "message"]
    assert checked.body["output"][1]["content"][0]["text"] == "http://host/x.png"


def test_image_data_that_the_agent_says_is_an_image() -> None:
    checked = said("Look:", image(), "Nice.")
    assert kinds(checked) == ["message", "image_generation_call", "message"]


# --------------------------------------------------------------------------------------------------------- searches
def test_a_search_of_the_web_tells_what_it_looks_for() -> None:
    action = {"type": "search", "query": "cats", "queries": ["cats"], "sources": [{"type": "url", "url": "http://a"}]}
    contents = [searches("ws", "web_search", {"query": "cats"}), found("ws", "web_search", {"action": action})]
    checked = said(*contents, include=INCLUDE)
    assert checked.types[2:-1] == [
        "output_item.added",
        "web_search_call.in_progress",
        "web_search_call.searching",
        "web_search_call.completed",
        "output_item.done",
    ]
    assert checked.body["output"][0]["action"] == action
    assert "sources" not in said(*contents).body["output"][0]["action"]


@pytest.mark.parametrize(
    ("asked", "action"),
    [
        ("cats", {"type": "search", "query": "cats"}),
        ('{"query":"cats"}', {"type": "search", "query": "cats"}),
        ({"type": "open_page", "url": "http://a"}, {"type": "open_page", "url": "http://a"}),
        (
            {"type": "find_in_page", "url": "http://a", "pattern": "cat"},
            {"type": "find_in_page", "url": "http://a", "pattern": "cat"},
        ),
        (None, {"type": "search", "query": ""}),
    ],
)
def test_what_the_web_is_asked_may_have_many_forms(asked: Any, action: dict[str, Any]) -> None:
    checked = said(searches("ws", "web_search", asked))
    assert checked.body["output"][0]["action"] == action


def test_a_search_of_files_shows_what_it_found_only_when_asked() -> None:
    result = {"results": [{"file_id": "f", "filename": "a.md", "score": 0.5, "text": "t", "attributes": {"a": 1}}]}
    contents = [searches("fs", "file_search", {"queries": ["q"]}), found("fs", "file_search", result)]
    [item] = said(*contents).body["output"]
    assert (item["queries"], item["results"]) == (["q"], None)
    [item] = said(*contents, include=INCLUDE).body["output"]
    assert item["results"] == [
        {"file_id": "f", "filename": "a.md", "score": 0.5, "text": "t", "attributes": {"a": 1.0}}
    ]


def test_a_search_of_another_name_is_a_call_of_that_name() -> None:
    checked = said(searches("k", "memory", {"q": 1}), found("k", "memory", {"hits": 2}), server_label="helper")
    [item] = checked.body["output"]
    assert (item["type"], item["name"], item["server_label"]) == ("mcp_call", "memory", "helper")
    assert (item["arguments"], item["output"]) == ('{"q":1}', '{"hits":2}')


# ------------------------------------------------------------------------------------------ servers, shells, computers
def test_a_tool_of_an_mcp_server_is_shown_with_its_server() -> None:
    checked = said(serves("k", "read", "docs", {"page": 1}), served("k", [text("a"), text("b")]), server_label="helper")
    [item] = checked.body["output"]
    assert (item["server_label"], item["name"], item["output"]) == ("docs", "read", "a\nb")
    assert item["arguments"] == '{"page":1}'


def test_a_tool_of_an_mcp_server_of_the_name_of_a_clients_tool_is_not_the_clients() -> None:
    assert kinds(said(serves("k", "ask"), served("k"))) == ["mcp_call"]


def test_commands_and_what_they_wrote_are_two_items() -> None:
    written = [
        Content.from_shell_command_output(stdout="a", stderr="b", exit_code=2),
        Content.from_shell_command_output(timed_out=True),
    ]
    checked = said(runs("sh", "ls", "sleep 9"), ran("sh", *written))
    assert checked.types[2:9] == [
        "output_item.added",
        "shell_call_command.added",
        "shell_call_command.delta",
        "shell_call_command.done",
        "shell_call_command.added",
        "shell_call_command.delta",
        "shell_call_command.done",
    ]
    called, wrote = checked.body["output"]
    assert called["call_id"] == wrote["call_id"] == "sh"
    assert called["action"] == {"commands": ["ls", "sleep 9"], "max_output_length": None, "timeout_ms": None}
    assert wrote["output"] == [
        {"stdout": "a", "stderr": "b", "outcome": {"type": "exit", "exit_code": 2}},
        {"stdout": "", "stderr": "", "outcome": {"type": "timeout"}},
    ]


def test_a_shells_id_that_is_used_again_names_another_call_with_its_own_output() -> None:
    used = [runs("sh", "ls"), ran("sh", Content.from_shell_command_output(stdout="a", exit_code=0))]
    checked = check(stream(says(*used, message_id="m1"), says(*used, message_id="m2")))
    first, second = checked.body["output"][:2], checked.body["output"][2:]
    assert [item["call_id"] for item in first] == ["sh", "sh"]
    assert kinds(checked) == ["shell_call", "shell_call_output"] * 2
    assert len({item["call_id"] for item in second} - {"sh"}) == 1


def test_commands_without_an_id_share_one_with_what_they_wrote() -> None:
    called, wrote = said(runs(None, "ls"), ran(None)).body["output"]
    assert called["call_id"] == wrote["call_id"] != ""


def test_a_call_is_answered_once() -> None:
    screenshots = [acted("cu", image()), acted("cu", image())]
    checked = check(
        stream(says(ran("sh"), *screenshots, message_id="m1"), says(ran("sh"), *screenshots, message_id="m2"))
    )
    assert kinds(checked) == ["shell_call_output", "computer_call_output"]


def test_a_call_is_answered_by_its_own_kind() -> None:
    """A client that sends both back would be told that the call is answered already."""
    assert kinds(said(runs("k", "ls"), ran("k"), acted("k", image()))) == ["shell_call", "shell_call_output"]
    assert kinds(said(runs("k", "ls"), acted("k", image()), ran("k"))) == ["shell_call", "shell_call_output"]
    assert kinds(said(acts("k", {"type": "screenshot"}), ran("k"))) == ["computer_call"]
    assert kinds(said(acted("k", image()), ran("k"))) == ["computer_call_output"]


def test_actions_at_a_computer_are_for_the_client_and_never_hidden() -> None:
    click = {"type": "click", "button": "left", "x": 1, "y": 2}
    checks = [{"id": "s1", "code": "malicious", "message": "Beware."}]
    checked = said(acts("cu", click, checks=checks), acted("cu", image()), show_tool_calls=False)
    [item] = checked.body["output"]
    assert (item["type"], item["call_id"], item["actions"]) == ("computer_call", "cu", [click])
    assert item["pending_safety_checks"] == checks


def test_actions_that_wait_for_their_screenshot_are_told_once_and_again_when_it_was_there() -> None:
    click, wait = {"type": "click", "button": "left", "x": 1, "y": 2}, {"type": "wait"}
    twice = check(stream(says(acts("cu", click), message_id="m1"), says(acts("cu", click), message_id="m2")))
    assert kinds(twice) == ["computer_call"]
    anew = (says(acts("cu", click), acted("cu", image()), message_id="m1"), says(acts("cu", wait), message_id="m2"))
    assert kinds(check(stream(*anew))) == ["computer_call", "computer_call_output", "computer_call"]


def test_a_screenshot_is_shown_with_its_call() -> None:
    checked = said(acts("cu", {"type": "screenshot"}), acted("cu", image()))
    assert checked.body["output"][1]["output"] == {"type": "computer_screenshot", "image_url": PIXEL}


def test_providers_tools_are_hidden_with_the_agents_own() -> None:
    used = [
        *(codes("ci", "secret"), computed("ci", text("secret"), status="completed")),
        *(searches("ws", "web_search", "secret"), found("ws", "web_search", "secret")),
        *(serves("k", "secret"), served("k", "secret"), runs("sh", "secret"), ran("sh", text("secret"))),
    ]
    checked = said("a", *used, "b", draws("ig"), drawn("ig", image()), show_tool_calls=False)
    assert kinds(checked) == ["message", "image_generation_call"]
    assert "secret" not in str(checked.events)


# -------------------------------------------------------------------------------------------------- what lies elsewhere
@pytest.mark.parametrize(
    ("content", "shown", "annotation"),
    [
        (
            Content.from_uri("http://host/a.pdf", media_type="application/pdf"),
            "http://host/a.pdf",
            {"type": "url_citation", "url": "http://host/a.pdf", "title": "", "start_index": 0, "end_index": 17},
        ),
        (
            Content.from_hosted_file("file_1", name="a.pdf"),
            "a.pdf",
            {"type": "file_path", "file_id": "file_1", "index": 0},
        ),
        (
            Content.from_oauth_consent_request("http://host/yes"),
            "Please open this link and give your consent: http://host/yes",
            {"type": "url_citation", "url": "http://host/yes", "title": "Consent", "start_index": 45, "end_index": 60},
        ),
    ],
)
def test_what_lies_elsewhere_is_a_message_of_its_own(content: Content, shown: str, annotation: dict[str, Any]) -> None:
    checked = said("See: ", content, "Bye.", show_tool_calls=False)
    texts = [item["content"][0]["text"] for item in checked.body["output"]]
    assert texts == ["See: ", shown, "Bye."]
    assert checked.body["output"][1]["content"][0]["annotations"] == [annotation]


def test_a_message_that_is_restated_says_nothing_twice() -> None:
    contents = [
        *(image(), image("http://host/x"), codes("ci", "1"), searches("ws", "web_search", "q"), runs("sh", "ls")),
        *(serves("k"), draws("ig"), drawn("ig", image()), acts("cu", {"type": "wait"})),
    ]
    once = check(stream(says(*contents)))
    twice = check(stream(says(*contents), says(*contents, merge_mode="replace")))
    assert without_ids(twice.body["output"]) == without_ids(once.body["output"])


def test_a_provider_may_use_its_ids_again_in_its_next_message() -> None:
    used = [codes("ci", "1"), computed("ci", text("1")), runs("sh", "ls"), searches("ws", "web_search", "q")]
    checked = check(stream(says(*used, message_id="m1"), says(*used, message_id="m2")))
    assert kinds(checked) == ["code_interpreter_call", "shell_call", "web_search_call"] * 2


def test_ids_of_a_provider_never_reach_the_wire() -> None:
    contents = [codes("PROVIDER", "1"), draws("PROVIDER"), drawn("PROVIDER", image()), serves("PROVIDER")]
    assert b"PROVIDER" not in stream(says(*contents, searches("PROVIDER", "web_search", "q")))
