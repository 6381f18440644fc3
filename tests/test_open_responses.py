"""The Open Responses specification (2026-04-24), section by section: what it demands of a server, shown over HTTP.

Each test is named after the section that it is of; docs/open-responses.md says which words it holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pytest
from agent_framework import AgentResponseUpdate, Content

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import Answer, Finish, InMemoryDriver, ScriptedAgent, recall
from agent_framework_hosting_responses.channel import ResponsesChannel

NEVER_NULL: Final = {
    *("id", "object", "created_at", "status", "model", "output", "tools", "tool_choice", "truncation", "text"),
    *("parallel_tool_calls", "top_p", "presence_penalty", "frequency_penalty", "top_logprobs", "temperature"),
    *("store", "background", "service_tier", "metadata"),
}
KEYS: Final = {
    *NEVER_NULL,
    *("completed_at", "incomplete_details", "previous_response_id", "instructions", "error", "reasoning", "usage"),
    *("max_output_tokens", "max_tool_calls", "safety_identifier", "prompt_cache_key"),
}
ITEM_TYPES: Final = {"message", "function_call", "function_call_output", "reasoning", "compaction"}
TERMINAL: Final = {"response.completed", "response.failed", "response.incomplete"}
F: Final[dict[str, Any]] = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}
G: Final[dict[str, Any]] = {**F, "name": "g"}
PDF: Final = "data:application/pdf;base64,JVBERi0="


def calls(name: str = "f", call_id: str = "call_1", arguments: str = '{"a": 1}') -> Content:
    return Content.from_function_call(call_id, name, arguments=arguments)


def refuses(words: str) -> Content:
    return Content.from_text(words, additional_properties={"core": {"model_output_kind": "refusal"}})


def serving(agent: Any, **options: Any) -> InMemoryDriver:
    return InMemoryDriver(AgentFrameworkHost(agent, channels=[ResponsesChannel(**options)]).app)


async def create(driver: InMemoryDriver, asked: Any = "Hello", **fields: Any) -> Answer:
    return await driver.request("POST", "/v1/responses", json={"model": "m", "input": asked, **fields})


async def answered(driver: InMemoryDriver, asked: Any = "Hello", **fields: Any) -> dict[str, Any]:
    answer = await create(driver, asked, **fields)
    assert answer.status == 200, answer
    return answer.json()


async def streamed(driver: InMemoryDriver, asked: Any = "Hello", **fields: Any) -> list[dict[str, Any]]:
    answer = await create(driver, asked, stream=True, **fields)
    assert answer.status == 200, answer
    *events, _ = answer.events()
    return [event.json() for event in events]


def types_of(events: Sequence[Mapping[str, Any]], *, of: int | None = None) -> list[str]:
    """Return the types of events, without the common `response.`; those of one item when `of` is its index."""
    return [
        event["type"].removeprefix("response.") for event in events if of is None or event.get("output_index") == of
    ]


def everything() -> ScriptedAgent:
    """An agent that thinks, speaks and calls a tool of the client's."""
    return ScriptedAgent([Content.from_text_reasoning(text="Hm."), "Hel", "lo", calls()])


# HTTP Requests ------------------------------------------------------------------------------------------------------
async def test_http_requests_bodies_are_json() -> None:
    async with serving(ScriptedAgent("hi")) as driver:
        assert (await create(driver)).status == 200
        bad = await driver.request("POST", "/v1/responses", body=b"input=hi", headers={"content-type": "text/plain"})
    assert bad.status in (400, 415)


# HTTP Responses -----------------------------------------------------------------------------------------------------
async def test_http_responses_without_a_stream_all_is_json() -> None:
    async with serving(ScriptedAgent("hi", RuntimeError("no"))) as driver:
        answers = [await create(driver), await create(driver), await create(driver, "")]
        answers.append(await driver.request("GET", "/v1/responses/resp_unknown"))
    assert [answer.status for answer in answers] == [200, 500, 400, 404]
    assert {answer.headers["content-type"] for answer in answers} == {"application/json"}


async def test_http_responses_a_stream_is_of_events_whose_data_is_json_and_ends_with_done() -> None:
    async with serving(everything()) as driver:
        answer = await create(driver, stream=True, tools=[F])
    assert answer.headers["content-type"].partition(";")[0] == "text/event-stream"
    assert answer.body.endswith(b"data: [DONE]\n\n")
    *events, done = answer.events()
    assert done.data == "[DONE]"
    assert all(isinstance(event.json(), dict) for event in events)


async def test_http_responses_the_event_field_is_the_type_and_there_is_no_id() -> None:
    async with serving(everything()) as driver:
        *events, _ = (await create(driver, stream=True, tools=[F])).events()
    assert [event.event for event in events] == [event.json()["type"] for event in events]
    assert {event.id for event in events} == {None}


# Core Responses Capabilities: Chat Inference ------------------------------------------------------------------------
async def test_chat_inference_a_text_is_a_message_of_the_user() -> None:
    agent = ScriptedAgent(every="hi")
    async with serving(agent) as driver:
        for asked in ("Hello", [{"type": "message", "role": "user", "content": "Hello"}]):
            body = await answered(driver, asked)
            assert (body["object"], body["model"], body["status"]) == ("response", "m", "completed")
            assert [item["type"] for item in body["output"]] == ["message"]
    assert [[message.role for message in run.messages] for run in agent.runs] == [["user"], ["user"]]


@pytest.mark.parametrize("fields", [{}, {"temperature": 0.5, "tools": [F], "metadata": {"a": "b"}, "store": False}])
async def test_chat_inference_a_response_has_every_key_of_the_schema(fields: dict[str, Any]) -> None:
    async with serving(ScriptedAgent(every="hi")) as driver:
        whole = await answered(driver, **fields)
        events = await streamed(driver, **fields)
    for body in (whole, *(event["response"] for event in events if "response" in event)):
        assert body.keys() >= KEYS
        assert not {key for key in NEVER_NULL if body[key] is None}


# File Input ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "file", [{"file_id": "file-1"}, {"file_url": "https://a.example/b.pdf"}, {"file_data": PDF, "filename": "b.pdf"}]
)
async def test_file_input_each_form_reaches_the_agent(file: dict[str, str]) -> None:
    agent = ScriptedAgent("hi")
    async with serving(agent) as driver:
        await answered(driver, [{"role": "user", "content": [{"type": "input_file", **file}]}])
    assert [content.type for content in agent.runs[0].messages[0].contents] in (["hosted_file"], ["uri"], ["data"])


async def test_file_input_one_form_has_to_be_used() -> None:
    async with serving(ScriptedAgent("hi")) as driver:
        forms: list[dict[str, str]] = [{}, {"file_id": "file-1", "file_url": "https://a.example/b.pdf"}]
        for file in forms:
            answer = await create(driver, [{"role": "user", "content": [{"type": "input_file", **file}]}])
            assert answer.status == 400


# Tool Calling -------------------------------------------------------------------------------------------------------
async def test_tool_calling_a_call_has_an_id_a_name_and_arguments_in_json_and_is_answered_by_its_id() -> None:
    agent = ScriptedAgent([calls()], lambda run: str(run.messages[-1].contents[0].result))
    async with serving(agent) as driver:
        first = await answered(driver, tools=[F])
        (call,) = first["output"]
        assert (call["type"], call["name"], json.loads(call["arguments"])) == ("function_call", "f", {"a": 1})
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "64 degrees"}
        second = await answered(driver, [output], previous_response_id=first["id"], tools=[F])
    assert second["output"][0]["content"][0]["text"] == "64 degrees"


# Stateful Conversations ---------------------------------------------------------------------------------------------
async def test_stateful_conversations_a_response_names_its_conversation() -> None:
    async with serving(ScriptedAgent(every=recall)) as driver:
        made = (await driver.request("POST", "/v1/conversations", json={})).json()["id"]
        for named in (made, {"id": made}):
            assert (await answered(driver, conversation=named))["conversation"] == {"id": made}
        events = await streamed(driver, conversation=made)
    assert events[-1]["response"]["conversation"] == {"id": made}


# Context Compaction -------------------------------------------------------------------------------------------------
async def test_context_compaction_gives_a_compaction_that_stands_for_what_was_said() -> None:
    agent = ScriptedAgent("Hello Ada.", "Yes.")
    async with serving(agent) as driver:
        first = await answered(driver, "I am Ada.")
        asked = {"model": "m", "previous_response_id": first["id"], "instructions": "Be short."}
        packed = (await driver.request("POST", "/v1/responses/compact", json=asked)).json()
        assert packed["object"] == "response.compaction"
        assert [item["type"] for item in packed["output"]] == ["compaction"]
        await answered(driver, [*packed["output"], {"role": "user", "content": "Who am I?"}])
    assert [message.text for message in agent.runs[1].messages] == ["I am Ada.", "Hello Ada.", "Who am I?"]


# Semantic Search, Offline Web Search --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "tool",
    [{"type": "file_search", "vector_store_ids": ["vs_1"]}, {"type": "web_search", "external_web_access": False}],
)
async def test_search_what_is_not_offered_is_refused_and_not_passed_over(tool: dict[str, Any]) -> None:
    agent = ScriptedAgent("hi")
    async with serving(agent) as driver:
        answer = await create(driver, tools=[tool])
    assert (answer.status, answer.json()["error"]["param"]) == (400, "tools[0].type")
    assert not agent.runs


# Items --------------------------------------------------------------------------------------------------------------
async def test_items_every_item_has_id_type_and_status() -> None:
    async with serving(everything()) as driver:
        events = await streamed(driver, tools=[F])
    items = [event["item"] for event in events if "item" in event] + events[-1]["response"]["output"]
    assert {item["type"] for item in items} == {"reasoning", "message", "function_call"}
    assert all(item["id"] and item["status"] for item in items)
    assert len({item["id"] for item in events[-1]["response"]["output"]}) == 3


@pytest.mark.parametrize("cut", [[Finish("length")], [RuntimeError("gone")]])
async def test_items_one_that_is_incomplete_is_the_last_and_so_is_its_response(cut: list[Any]) -> None:
    async with serving(ScriptedAgent([Content.from_text_reasoning(text="Hm."), "Hel", *cut])) as driver:
        final = (await streamed(driver))[-1]["response"]
    assert [item["status"] for item in final["output"]] == ["completed", "incomplete"]
    assert final["status"] in ("incomplete", "failed")


async def test_items_nothing_is_told_of_an_item_that_is_done() -> None:
    async with serving(everything()) as driver:
        events = await streamed(driver, tools=[F])
    for index in range(3):
        told = types_of(events, of=index)
        assert told[0] == "output_item.added"
        assert told[-1] == "output_item.done"
        assert told.count("output_item.added") == told.count("output_item.done") == 1
        (done,) = (
            event["item"]
            for event in events
            if event["type"] == "response.output_item.done" and event["output_index"] == index
        )
        assert done["status"] == "completed"
        assert done == events[-1]["response"]["output"][index]


async def test_items_are_added_with_what_is_known_and_values_for_the_rest() -> None:
    async with serving(everything()) as driver:
        events = await streamed(driver, tools=[F])
    thought, message, call = (event["item"] for event in events if event["type"] == "response.output_item.added")
    assert {thought["status"], message["status"], call["status"]} == {"in_progress"}
    assert (message["role"], message["content"], thought["summary"]) == ("assistant", [], [])
    assert (call["name"], call["call_id"], call["arguments"]) == ("f", "call_1", "")


async def test_items_text_lies_in_parts_that_open_grow_and_close() -> None:
    async with serving(ScriptedAgent(["Hel", "lo", refuses("No.")])) as driver:
        events = await streamed(driver)
    assert types_of(events, of=0) == [
        "output_item.added",
        *("content_part.added", "output_text.delta", "output_text.delta", "output_text.done", "content_part.done"),
        *("content_part.added", "refusal.delta", "refusal.done", "content_part.done"),
        "output_item.done",
    ]
    assert "".join(event["delta"] for event in events if event["type"].endswith("text.delta")) == "Hello"
    assert [event["content_index"] for event in events if event["type"].endswith("part.added")] == [0, 1]


async def test_items_of_kinds_that_the_specification_does_not_have_can_be_left_out() -> None:
    """They are OpenAI's own, under OpenAI's names: its clients know no others."""
    ran = [calls("own"), Content.from_function_result("call_1", result="42"), "Done."]
    for shown, kinds in ((True, ["mcp_call", "message"]), (False, ["message"])):
        async with serving(ScriptedAgent(ran), show_tool_calls=shown) as driver:
            assert [item["type"] for item in (await answered(driver))["output"]] == kinds
    assert set(kinds) <= ITEM_TYPES


# Content, Reasoning -------------------------------------------------------------------------------------------------
async def test_content_the_user_sends_many_kinds_and_the_model_text() -> None:
    agent = ScriptedAgent("A dot.")
    picture = {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="}
    async with serving(agent) as driver:
        body = await answered(driver, [{"role": "user", "content": [{"type": "input_text", "text": "What?"}, picture]}])
    assert [content.type for content in agent.runs[0].messages[0].contents] == ["text", "data"]
    assert [part["type"] for part in body["output"][0]["content"]] == ["output_text"]


async def test_reasoning_is_a_summary_or_the_reasoning_itself_and_comes_back_sealed() -> None:
    marks = {"openai": {"reasoning_text": True}}
    thoughts = [
        Content.from_text_reasoning(text="Short.", protected_data="sealed"),
        Content.from_text_reasoning(text="Long.", additional_properties=marks),
    ]
    agent = ScriptedAgent([*thoughts, "Hello."], "Again.")
    async with serving(agent) as driver:
        first = await answered(driver, include=["reasoning.encrypted_content"], store=False)
        thought = first["output"][0]
        assert [part["text"] for part in thought["summary"]] == ["Short."]
        assert [part["text"] for part in thought["content"]] == ["Long."]
        assert thought["encrypted_content"]
        await answered(driver, [*first["output"], {"role": "user", "content": "Go on."}])
    assert any(content.protected_data == "sealed" for content in agent.runs[1].messages[0].contents)


# Errors -------------------------------------------------------------------------------------------------------------
async def test_errors_have_a_type_a_code_a_param_and_a_message() -> None:
    async with serving(ScriptedAgent(RuntimeError("secret"))) as driver:
        answers = [
            (await create(driver, temperature="hot"), 400, "invalid_request_error", "temperature"),
            (await create(driver, previous_response_id="resp_0"), 400, "invalid_request_error", "previous_response_id"),
            (await driver.request("GET", "/v1/responses/resp_0"), 404, "invalid_request_error", "response_id"),
            (await driver.request("GET", "/v1/nothing"), 404, "invalid_request_error", None),
            (await create(driver), 500, "server_error", None),
        ]
    for answer, status, kind, param in answers:
        error = answer.json()["error"]
        assert (answer.status, error["type"], error["param"]) == (status, kind, param)
        assert error["message"]
        assert error["code"]
        assert "secret" not in answer.text


async def test_errors_of_a_stream_end_it_with_failed() -> None:
    async with serving(ScriptedAgent(["Hel", RuntimeError("secret")])) as driver:
        events = await streamed(driver)
    assert types_of(events)[-1] == "failed"
    failed = events[-1]["response"]
    assert (failed["status"], failed["error"]["code"]) == ("failed", "server_error")
    assert "secret" not in json.dumps(events)


# Streaming ----------------------------------------------------------------------------------------------------------
async def test_streaming_goes_from_created_over_in_progress_to_one_end() -> None:
    for script, end in (("hi", "completed"), (["hi", Finish("length")], "incomplete"), (RuntimeError("no"), "failed")):
        async with serving(ScriptedAgent(script)) as driver:
            events = await streamed(driver)
        assert types_of(events)[:2] == ["created", "in_progress"]
        assert [event["type"] in TERMINAL for event in events] == [False] * (len(events) - 1) + [True]
        assert events[-1]["response"]["status"] == end
        assert [event["sequence_number"] for event in events] == list(range(len(events)))


async def test_streaming_deltas_add_up_to_what_is_done() -> None:
    async with serving(everything()) as driver:
        events = await streamed(driver, tools=[F])
    for kind, said in (("output_text", "text"), ("function_call_arguments", "arguments")):
        deltas = "".join(event["delta"] for event in events if event["type"] == f"response.{kind}.delta")
        assert [event[said] for event in events if event["type"] == f"response.{kind}.done"] == [deltas]


async def test_streaming_no_event_is_of_a_kind_that_nobody_else_knows() -> None:
    async with serving(everything()) as driver:
        events = await streamed(driver, tools=[F])
    assert all(event["type"].startswith("response.") for event in events)


# previous_response_id -----------------------------------------------------------------------------------------------
async def test_previous_response_id_loads_input_and_output_in_their_order() -> None:
    agent = ScriptedAgent("First answer.", "Second answer.", "Third answer.")
    async with serving(agent) as driver:
        last = None
        for text in ("One.", "Two.", "Three."):
            last = (await answered(driver, text, **({"previous_response_id": last} if last else {})))["id"]
    assert agent.runs[2].seen == ["One.", "First answer.", "Two.", "Second answer.", "Three."]


async def test_previous_response_id_goes_on_from_that_response_and_no_later_one() -> None:
    agent = ScriptedAgent(every="ok")
    async with serving(agent) as driver:
        first = (await answered(driver, "One."))["id"]
        for text in ("Left.", "Right."):
            await answered(driver, text, previous_response_id=first)
    assert [run.seen for run in agent.runs[1:]] == [["One.", "ok", "Left."], ["One.", "ok", "Right."]]


async def test_previous_response_id_that_is_unknown_is_refused() -> None:
    async with serving(ScriptedAgent("hi")) as driver:
        answer = await create(driver, previous_response_id="resp_unknown")
    assert (answer.status, answer.json()["error"]["code"]) == (400, "previous_response_not_found")


# tool_choice --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("choice", "option"),
    [
        ("auto", "auto"),
        ("required", "required"),
        ("none", "none"),
        ({"type": "function", "name": "f"}, {"mode": "required", "required_function_name": "f"}),
    ],
)
async def test_tool_choice_reaches_the_model(choice: Any, option: Any) -> None:
    agent = ScriptedAgent("hi")
    async with serving(agent) as driver:
        body = await answered(driver, tools=[F], tool_choice=choice)
    assert body["tool_choice"] == choice
    assert (agent.runs[0].options or {})["tool_choice"] == option


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "choice", ["none", {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}]
)
async def test_allowed_tools_a_call_of_another_tool_never_gets_to_the_client(choice: Any, stream: bool) -> None:
    """Whatever the model does: this one calls what it was forbidden."""
    async with serving(ScriptedAgent(["Let me see.", calls("g")])) as driver:
        if stream:
            events = await streamed(driver, tools=[F, G], tool_choice=choice)
            assert "function_call" not in str([event for event in events if "response" not in event])
            body = events[-1]["response"]
        else:
            body = await answered(driver, tools=[F, G], tool_choice=choice)
    assert (body["status"], body["error"]["code"]) == ("failed", "server_error")
    assert [item["type"] for item in body["output"]] == ["message"]


async def test_allowed_tools_a_call_of_one_of_them_does() -> None:
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}
    async with serving(ScriptedAgent([calls("f")])) as driver:
        body = await answered(driver, tools=[F, G], tool_choice=choice)
    assert [item["type"] for item in body["output"]] == ["function_call"]
    assert [tool["name"] for tool in body["tools"]] == ["f", "g"]


# truncation, service_tier -------------------------------------------------------------------------------------------
async def test_truncation_that_is_disabled_drops_nothing() -> None:
    agent = ScriptedAgent(every="ok")
    turns = [{"role": "user", "content": f"Turn {number}."} for number in range(500)]
    async with serving(agent) as driver:
        body = await answered(driver, turns, truncation="disabled")
    assert body["truncation"] == "disabled"
    assert agent.runs[0].seen == [turn["content"] for turn in turns]


async def test_service_tier_says_what_was_done() -> None:
    async with serving(ScriptedAgent(every="ok")) as driver:
        for wished in ("auto", "default", "priority"):
            answer = await create(driver, service_tier=wished)
            assert answer.json()["service_tier"] == "default"
            assert ("service_tier" in answer.headers.get("x-ignored-parameters", "")) == (wished == "priority")


# Extending Open Responses -------------------------------------------------------------------------------------------
async def test_extending_schemas_nothing_of_the_standard_is_changed_and_what_is_added_is_openais() -> None:
    update = AgentResponseUpdate(contents=[Content.from_text("hi")], role="assistant")
    async with serving(ScriptedAgent([update])) as driver:
        body = await answered(driver, user="ada", prompt_cache_options={})
    assert body.keys() - KEYS <= {"user", "conversation", "prompt_cache_retention", "prompt_cache_options"}
