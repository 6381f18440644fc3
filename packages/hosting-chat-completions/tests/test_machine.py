"""What an agent's contents make of a completion, whole and streamed."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import pytest
from agent_framework import AgentResponse, AgentResponseUpdate, Content, Message
from chat_rules import check_completion, folded

from agent_framework_hosting.errors import RunError
from agent_framework_hosting_chat_completions._outbound.machine import ChatFields, ChatMachine, render
from agent_framework_hosting_chat_completions._outbound.showing import Showing

PNG = "data:image/png;base64,iVBORw0KGgo="
REFUSAL: dict[str, Any] = {"core": {"model_output_kind": "refusal"}}


def fields(**showing: Any) -> ChatFields:
    return ChatFields(created=1, model="m", showing=Showing(completion_id="chatcmpl-1", **showing))


def update(*contents: Any, role: Any = "assistant", **more: Any) -> AgentResponseUpdate:
    return AgentResponseUpdate(contents=list(contents), role=role, **more)


def text(said: str, **more: Any) -> Content:
    return Content.from_text(said, **more)


def call(arguments: Any = "", *, call_id: str = "c1", name: str = "f", **more: Any) -> Content:
    return Content.from_function_call(call_id, name, arguments=arguments, **more)


def streamed(updates: Iterable[AgentResponseUpdate], **showing: Any) -> dict[str, Any]:
    """Return the completion that the chunks make, which has to be the one that is stored."""
    machine = ChatMachine(include_usage=True, **fields(**showing))
    stream = machine.start() + b"".join(machine.feed(each) for each in updates)
    body = machine.complete(None).body
    stream += machine.closing()
    assert machine.closing() == machine.fail(b"{}") == machine.cut() == b""
    check_completion(body)
    assert folded(stream) == body
    return body


def message(*updates: AgentResponseUpdate, **showing: Any) -> dict[str, Any]:
    """Return the message that updates make: streamed and whole are the same."""
    body = streamed(updates, **showing)
    whole = render(AgentResponse.from_updates(list(updates)), **fields(**showing)).body
    check_completion(whole)
    assert whole["choices"] == body["choices"]
    return body["choices"][0]["message"]


def test_messages_of_an_agent_are_one_text_with_blank_lines_between() -> None:
    said = message(
        update(text("a"), message_id="1"), update(text("b"), message_id="1"), update(text("c"), message_id="2")
    )
    assert said["content"] == "ab\n\nc"


def test_a_text_that_ends_its_line_needs_no_blank_one() -> None:
    assert message(update(text("a\n"), message_id="1"), update(text("b"), message_id="2"))["content"] == "a\nb"


def test_nothing_is_an_empty_text() -> None:
    assert message(update(text("")))["content"] == ""


def test_a_refusal_is_no_content() -> None:
    said = message(
        update(text("I must ", additional_properties=REFUSAL)), update(text("not.", additional_properties=REFUSAL))
    )
    assert (said["content"], said["refusal"]) == (None, "I must not.")


def test_thoughts_are_shown_only_when_they_are_to_be() -> None:
    thinking = [
        update(Content.from_text_reasoning(text="Hm. ")),
        update(Content.from_text_reasoning(text="So.")),
        update(text("Yes.")),
    ]
    assert "reasoning_content" not in message(*thinking)
    assert message(*thinking, show_reasoning=True)["reasoning_content"] == "Hm. So."


def test_a_replacement_adds_what_is_missing() -> None:
    said = message(update(text("Hel")), update(text("Hello", merge_mode="replace")))
    assert said["content"] == "Hello"


def test_a_message_that_is_told_again_whole_adds_what_is_missing() -> None:
    """Text, calls and pictures are told once."""
    picture = Content.from_uri(PNG, media_type="image/png")
    parts = [text("Hel"), picture, call('{"a"')]
    again = update(text("Hello"), picture, call('{"a": 1}'), merge_mode="replace", message_id="1")
    body = streamed([update(*parts, message_id="1"), again], client_tools=frozenset("f"))
    said = body["choices"][0]["message"]
    assert said["content"].count(PNG) == 1
    assert said["tool_calls"][0]["function"]["arguments"] == '{"a": 1}'


def test_a_replacement_that_contradicts_begins_anew() -> None:
    """What was sent cannot be unsent; whoever asks for the whole answer gets the last word alone."""
    updates = [update(text("Yes")), update(text("No", merge_mode="replace"))]
    assert streamed(updates)["choices"][0]["message"]["content"] == "Yes\n\nNo"


def test_chunks_of_a_call_are_one_call() -> None:
    pieces = [update(call('{"a"')), update(call(": 1", call_id="", name="")), update(call("}", name=""))]
    (shown,) = message(*pieces, client_tools=frozenset("f"))["tool_calls"]
    assert shown == {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}


def test_calls_side_by_side_are_told_apart_by_their_ids() -> None:
    pieces = [
        update(call('{"a"')),
        update(call('{"b"', call_id="c2")),
        update(call(": 1}")),
        update(call(": 2}", call_id="c2")),
    ]
    shown = streamed(pieces, client_tools=frozenset("f"))["choices"][0]["message"]["tool_calls"]
    assert [each["function"]["arguments"] for each in shown] == ['{"a": 1}', '{"b": 2}']


def test_a_call_without_arguments_has_an_empty_object_of_them() -> None:
    (shown,) = message(update(call()), client_tools=frozenset("f"))["tool_calls"]
    assert shown["function"]["arguments"] == "{}"


def test_arguments_that_come_as_values_are_json() -> None:
    (shown,) = message(update(call({"a": [1]})), client_tools=frozenset("f"))["tool_calls"]
    assert shown["function"]["arguments"] == '{"a":[1]}'


def test_a_call_that_core_marks_as_the_clients_is_told_then() -> None:
    """Nobody could know before; its arguments came earlier, and come once."""
    mark = call(None, id="o")
    mark.user_input_request = True
    pieces = [update(call('{"a"', id="o")), update(call(": 1}", id="o")), update(mark)]
    (shown,) = message(*pieces)["tool_calls"]
    assert shown["function"]["arguments"] == '{"a": 1}'


def test_two_calls_never_have_one_id(caplog: pytest.LogCaptureFixture) -> None:
    """The client could not answer them."""
    body = streamed(
        [update(call("{}"), message_id="1"), update(call("{}"), message_id="2")], client_tools=frozenset("f")
    )
    assert len(body["choices"][0]["message"]["tool_calls"]) == 1
    assert "one call id for two calls" in caplog.text


def test_a_call_without_an_id_gets_one() -> None:
    (shown,) = streamed([update(call("{}", call_id=""))], client_tools=frozenset("f"))["choices"][0]["message"][
        "tool_calls"
    ]
    assert shown["id"].startswith("call_")


def test_other_arguments_for_a_call_that_was_sent_are_an_error() -> None:
    """The client may have begun to act upon it."""
    machine = ChatMachine(**fields(client_tools=frozenset("f")))
    machine.feed(update(call('{"a": 1}')))
    machine.feed(update(call({"a": 2})))
    with pytest.raises(RunError, match="changed the arguments"):
        machine.complete(None)
    assert machine.fail(b'{"error":{}}') == b'data: {"error":{}}\n\ndata: [DONE]\n\n'


def test_what_tools_did_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever ran them."""
    hidden = [
        call("{}"),
        Content.from_mcp_server_tool_call("c3", "ask", server_name="s"),
        Content.from_mcp_server_tool_result("c3", output=[text("no")]),
        Content.from_code_interpreter_tool_call(call_id="c4", inputs=[text("1+1")]),
    ]
    result = update(Content.from_function_result("c1", result="no"), role="tool")
    assert message(update(*hidden), result, update(text("yes")))["content"] == "yes"
    assert caplog.text == ""


def test_pictures_files_addresses_and_consents_are_said_in_markdown() -> None:
    consent = Content.from_oauth_consent_request("https://x/consent")
    contents = [
        text("Look:"),
        Content.from_uri(PNG, media_type="image/png"),
        Content.from_uri("https://x/a b(1).png", media_type="image/png"),
        Content.from_uri("https://x/report", media_type="text/html"),
        Content.from_hosted_file("file_1", name="report.pdf"),
        consent,
        text("Done."),
    ]
    assert message(update(*contents))["content"].split("\n\n") == [
        "Look:",
        f"![image]({PNG})",
        "![image](https://x/a%20b%281%29.png)",
        "https://x/report",
        "report.pdf",
        "Please open this link and give your consent: https://x/consent",
        "Done.",
    ]


def test_a_picture_that_a_tool_of_the_providers_made_is_shown_and_its_sketches_are_not() -> None:
    sketch = Content.from_uri(PNG, media_type="image/png", additional_properties={"is_partial_image": True})
    done = Content.from_uri(PNG, media_type="image/png")
    results = [Content.from_image_generation_tool_result(image_id="i", outputs=each) for each in (sketch, done)]
    assert streamed([update(each) for each in results])["choices"][0]["message"]["content"] == f"![image]({PNG})"


def test_what_cannot_be_shown_is_left_out_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    sound = Content.from_uri("data:audio/wav;base64,UklGRg==", media_type="audio/wav")
    with caplog.at_level(logging.WARNING):
        said = streamed([update(text("a")), update(sound), update(sound)])["choices"][0]["message"]
    assert said["content"] == "a"
    assert caplog.text.count("cannot show") == 1


def test_citations_have_their_places_in_the_whole_text() -> None:
    region: dict[str, Any] = {"type": "text_span", "start_index": 0, "end_index": 2}
    cited: Any = {"type": "citation", "url": "http://x", "title": "X", "annotated_regions": [region]}
    said = message(update(text("ab"), message_id="1"), update(text("cd", annotations=[cited]), message_id="2"))
    (shown,) = said["annotations"]
    where = shown["url_citation"]
    assert said["content"][where["start_index"] : where["end_index"]] == "cd"
    assert (shown["type"], where["url"], where["title"]) == ("url_citation", "http://x", "X")


def test_text_that_breaks_lines_in_odd_ways_stays_one_event() -> None:
    odd = "a\u2028b\u0085c\r\nd\ud800 👩"
    said = streamed([update(text("x")), update(text(odd))])["choices"][0]["message"]["content"]
    assert said == "xa\u2028b\u0085c\r\nd\ufffd 👩"


def test_a_model_named_oddly_breaks_no_chunk() -> None:
    """A caller may name the model as it likes."""
    named = ChatFields(created=1, model='\x00"%d\u2028', showing=Showing(completion_id="chatcmpl-1"))
    machine = ChatMachine(**named)
    stream = machine.start() + machine.feed(update(text("a"))) + machine.feed(update(text("b")))
    machine.complete(None)
    body = folded(stream + machine.closing())
    assert (body["model"], body["choices"][0]["message"]["content"]) == ('\x00"%d\u2028', "ab")


def test_usage_is_summed_over_the_steps_of_a_run() -> None:
    uses = Content.from_usage({"input_token_count": 2, "output_token_count": 1})
    usage = streamed([update(text("a"), uses), update(uses)])["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (4, 2, 6)


def test_usage_that_only_the_final_response_knows_is_told() -> None:
    machine = ChatMachine(include_usage=True, **fields())
    stream = machine.start() + machine.feed(update(text("a")))
    machine.complete(AgentResponse[Any](usage_details={"input_token_count": 2, "output_token_count": 3}))
    assert folded(stream + machine.closing())["usage"]["total_tokens"] == 5


def test_a_cut_stream_says_what_was_said_and_that_there_was_more() -> None:
    machine = ChatMachine(**fields())
    stream = machine.start() + machine.feed(update(text("a"))) + machine.cut()
    assert folded(stream)["choices"][0]["finish_reason"] == "length"


def test_what_is_held_back_for_a_hook_never_leaves_when_the_stream_is_cut() -> None:
    machine = ChatMachine(holds_back=True, **fields())
    stream = machine.start() + machine.feed(update(text("secret"))) + machine.cut()
    assert b"secret" not in stream


def test_an_error_of_the_agents_is_one_of_the_run() -> None:
    failed = AgentResponse[Any](messages=[Message("assistant", [Content.from_error(message="no")])])
    with pytest.raises(RunError):
        render(failed, **fields())


def test_odd_contents_break_nothing() -> None:
    """An agent may put anything there."""
    odd = [text("a"), Content("text", text=7), object(), Content("function_call", name=None), None]  # type: ignore[arg-type] - what an untyped agent may do
    assert streamed([AgentResponseUpdate(contents=odd, role="assistant")])["choices"][0]["message"]["content"] == "a"  # type: ignore[arg-type] - likewise
