"""A custom tool takes one text: a function to the agent, a `custom_tool_call` to the client."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from agent_framework import Content
from hypothesis import given
from hypothesis import strategies as st
from openai import AsyncOpenAI
from openai.types.responses import CustomToolParam, Response, ResponseCustomToolCall
from responses_updates import calls, machine, rendered, says, stream

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import ScriptedAgent, events_from
from agent_framework_hosting_responses._inbound.request import parse
from agent_framework_hosting_responses._inbound.tools import CUSTOM_MEMBERS, custom_arguments
from agent_framework_hosting_responses._outbound.custom_input import custom_input
from agent_framework_hosting_responses.channel import ResponsesChannel

SPEAK: CustomToolParam = {"type": "custom", "name": "speak", "description": "Speaks."}
CUSTOM: dict[str, Any] = {"client_tools": frozenset({"ask", "speak"}), "custom_tools": frozenset({"speak"})}


def read(*tools: Any, **fields: Any) -> Any:
    return parse({"input": "x", "tools": list(tools), **fields})


def refusal(*tools: Any, **fields: Any) -> tuple[str | None, str | None]:
    with pytest.raises(InvalidRequest) as caught:
        read(*tools, **fields)
    return caught.value.param, caught.value.detail_code


# ---------------------------------------------------------------------------------------------------------- declared
def test_it_is_declared_as_a_function_of_one_text() -> None:
    request = read(SPEAK)
    [tool] = request.client_tools
    assert (tool.name, tool.description, tool.declaration_only) == ("speak", "Speaks.", True)
    assert tool.parameters()["required"] == ["input"]
    assert tool.parameters()["properties"]["input"]["type"] == "string"
    assert request.custom_tools == {"speak"}


def test_it_is_shown_as_it_was_given() -> None:
    assert read(SPEAK, {"type": "custom", "name": "b", "format": {"type": "text"}}).echo["tools"] == [
        {**SPEAK, "format": {"type": "text"}},
        {"type": "custom", "name": "b", "format": {"type": "text"}},
    ]


def test_every_member_of_the_sdks_is_known() -> None:
    """And no other."""
    assert {*CustomToolParam.__required_keys__, *CustomToolParam.__optional_keys__} == set(CUSTOM_MEMBERS)


def test_it_can_be_chosen() -> None:
    chosen = read(SPEAK, tool_choice={"type": "custom", "name": "speak"})
    assert chosen.requested_options["tool_choice"] == {"mode": "required", "required_function_name": "speak"}
    assert chosen.echo["tool_choice"] == {"type": "custom", "name": "speak"}
    among = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "custom", "name": "speak"}]}
    assert read(SPEAK, tool_choice=among).requested_options["tool_choice"]["allowed_tools"] == ["speak"]
    assert read(SPEAK, tool_choice=among).echo["tool_choice"] == among


@pytest.mark.parametrize(
    ("tool", "param", "code"),
    [
        ({"type": "custom"}, "tools[0].name", "missing_required_parameter"),
        ({"type": "custom", "custom": {"name": "a"}}, "tools[0].name", "missing_required_parameter"),
        ({**SPEAK, "name": "a b"}, "tools[0].name", "invalid_value"),
        ({**SPEAK, "parameters": {}}, "tools[0].parameters", "unknown_parameter"),
        ({**SPEAK, "format": "text"}, "tools[0].format", "invalid_type"),
        ({**SPEAK, "format": {}}, "tools[0].format.type", "missing_required_parameter"),
        ({**SPEAK, "format": {"type": "song"}}, "tools[0].format.type", "invalid_value"),
        (
            {**SPEAK, "format": {"type": "grammar", "syntax": "lark", "definition": "x"}},
            "tools[0].format.type",
            "unsupported_parameter",
        ),
    ],
)
def test_what_is_malformed_or_cannot_be_kept_is_refused(tool: Any, param: str, code: str) -> None:
    """A grammar that nobody enforces would be a promise broken in silence."""
    assert refusal(tool) == (param, code)


def test_a_choice_must_name_a_tool_of_its_kind() -> None:
    function = {"type": "function", "name": "f", "parameters": None, "strict": None}
    assert refusal(SPEAK, tool_choice={"type": "function", "name": "speak"}) == ("tool_choice.name", "invalid_value")
    assert refusal(function, tool_choice={"type": "custom", "name": "f"}) == ("tool_choice.name", "invalid_value")
    assert refusal(SPEAK, {**function, "name": "speak"}) == ("tools[1].name", "invalid_value")


# ------------------------------------------------------------------------------------------------------------- shown
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ('{"input": "1 + 1"}', "1 + 1"),
        ('{"input": ""}', ""),
        ("", ""),
        ("{}", ""),
        ('{"text": "1"}', '{"text": "1"}'),
        ('{"input": 1}', '{"input": 1}'),
        ("[1]", "[1]"),
        ("1 + 1", "1 + 1"),
        ('{"input": "cut o', '{"input": "cut o'),
    ],
)
def test_the_input_is_the_text_in_the_arguments_or_the_arguments_themselves(arguments: str, said: str) -> None:
    """Models do not always keep to a schema; what they said is not lost."""
    assert custom_input(arguments) == said
    [item] = rendered_calls(arguments)
    assert (item["type"], item["name"], item["call_id"], item["input"]) == ("custom_tool_call", "speak", "c1", said)


def rendered_calls(arguments: str) -> list[dict[str, Any]]:
    sent = stream(says(calls("c1", "speak", arguments)), **CUSTOM)
    return events_from(sent)[-2].json()["response"]["output"]


@given(st.text())
def test_any_text_survives_the_way_there_and_back(text: str) -> None:
    assert custom_input(custom_arguments(text)) == text


def test_its_events_are_those_of_the_protocol() -> None:
    """One delta, once the text is whole."""
    sent = stream(says(calls("c1", "speak", '{"inp')), says(calls("c1", "speak", 'ut":"hi"}')), **CUSTOM)
    events = [event.json() for event in events_from(sent)[:-1]]
    assert [event["type"].removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
        "completed",
    ]
    added, delta, done = events[2], events[3], events[4]
    assert (added["item"]["input"], delta["delta"], done["input"]) == ("", "hi", "hi")
    assert delta["item_id"] == done["item_id"] == added["item"]["id"]
    Response.model_validate(events[-1]["response"], strict=True)


def test_functions_beside_it_stay_functions() -> None:
    sent = stream(says(calls("c1", "ask", "{}"), calls("c2", "speak", '{"input":"x"}')), **CUSTOM)
    body = events_from(sent)[-2].json()["response"]
    assert [item["type"] for item in body["output"]] == ["function_call", "custom_tool_call"]


def test_a_call_that_was_cut_shows_what_there_is() -> None:
    responder = machine(**CUSTOM)
    responder.start()
    responder.feed(says(calls("c1", "speak", '{"input":"h')))
    cut = events_from(responder.cancel(status="incomplete", reason="max_output_tokens"))[-2].json()["response"]
    assert [(item["status"], item["input"]) for item in cut["output"]] == [("incomplete", '{"input":"h')]


# -------------------------------------------------------------------------------------------------------- end to end
class Served:
    """A scripted agent behind the channel, and the official client of it."""

    def __init__(self, *turns: Any) -> None:
        self.agent = ScriptedAgent(*turns)
        app = AgentFrameworkHost(self.agent, channels=[ResponsesChannel()]).app
        http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app))
        self.api = AsyncOpenAI(api_key="key", base_url="http://host/v1", http_client=http, max_retries=0)


@pytest.mark.parametrize("is_stored", [True, False])
@pytest.mark.parametrize("is_streamed", [True, False])
async def test_the_official_client_is_asked_and_answers(*, is_stored: bool, is_streamed: bool) -> None:
    """By continuing the response, or by sending the whole history."""
    served = Served([Content.from_function_call("c1", "speak", arguments='{"input":"hi"}')], "Thanks")
    if is_streamed:
        async with served.api.responses.stream(model="m", input="Speak", tools=[SPEAK]) as events:
            async for _ in events:
                pass
            asked: Any = await events.get_final_response()
    else:
        asked = await served.api.responses.create(model="m", input="Speak", tools=[SPEAK])
    [call] = asked.output
    assert isinstance(call, ResponseCustomToolCall)
    assert (call.name, call.input, call.call_id) == ("speak", "hi", "c1")
    output: Any = {"type": "custom_tool_call_output", "call_id": call.call_id, "output": "said"}
    if is_stored:
        done = await served.api.responses.create(
            model="m", input=[output], tools=[SPEAK], previous_response_id=asked.id
        )
    else:
        again: Any = [{"role": "user", "content": "Speak"}, call.to_dict(), output]
        done = await served.api.responses.create(model="m", input=again, tools=[SPEAK])
    assert done.output_text == "Thanks"
    [result] = served.agent.runs[1].messages[-1].contents
    assert (result.type, result.call_id, result.result) == ("function_result", "c1", "said")
    if not is_stored:
        [made] = served.agent.runs[1].messages[1].contents
        assert json.loads(str(made.arguments)) == {"input": "hi"}


async def test_a_call_that_is_left_unanswered_is_asked_for() -> None:
    served = Served([Content.from_function_call("c1", "speak", arguments="{}")], every_turn_fails())
    asked = await served.api.responses.create(model="m", input="Speak", tools=[SPEAK])
    with pytest.raises(Exception, match="No tool output found"):
        await served.api.responses.create(model="m", input="Well?", tools=[SPEAK], previous_response_id=asked.id)


def every_turn_fails() -> Exception:
    return AssertionError("the agent must not run")


def test_an_answer_without_streaming_shows_it_alike() -> None:
    from agent_framework import AgentResponse, Message

    result = AgentResponse(messages=[Message("assistant", [calls("c1", "speak", {"input": "hi"})])])
    [item] = rendered(result, **CUSTOM)["output"]
    assert (item["type"], item["input"], item["status"]) == ("custom_tool_call", "hi", "completed")
