"""The channel over HTTP: what a client sends, what it gets, and what the agent saw of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from agent_framework import Agent, AgentResponse, AgentResponseUpdate, Content, Message, tool
from agent_framework.exceptions import ChatClientContentFilterException
from chat_rules import FUNCTION, HELLO, PATH, ask, chunks_of, complete, error_of, folded, message_of, serving

from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import (
    Finish,
    Gate,
    InMemoryDriver,
    OptionlessAgent,
    ScriptedAgent,
    ScriptedChatClient,
    events_from,
    recall,
)
from agent_framework_hosting.types import ChannelRequest, ChannelSession, HostedRunResult
from agent_framework_hosting_chat_completions.channel import ChatCompletionsChannel

WAYS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
USAGE = Content.from_usage(
    {
        "input_token_count": 7,
        "output_token_count": 5,
        "total_token_count": 12,
        "cache_read_input_token_count": 3,
        "reasoning_output_token_count": 2,
    }
)


@tool(approval_mode="never_require")
def opening_hours(day: str) -> str:
    """Say when the shop is open."""
    return f"{day}: 9 to 18"


def call(name: str, call_id: str, arguments: str = "{}") -> Content:
    return Content.from_function_call(call_id, name, arguments=arguments)


@pytest.mark.parametrize("path", [PATH, f"{PATH}/"])
async def test_it_answers_where_clients_look_for_it(path: str) -> None:
    """Without a redirect."""
    async with serving(ScriptedAgent(every="hello")) as driver:
        answer = await driver.request("POST", path, json={"model": "m", "messages": HELLO})
    assert answer.json()["choices"][0]["message"]["content"] == "hello"


@WAYS
async def test_an_answer_says_what_the_agent_says(stream: bool) -> None:
    """With its model's name as the caller calls it."""
    async with serving(ScriptedAgent(["Hel", "lo"])) as driver:
        body = await complete(driver, model="any-name", stream=stream)
    assert body["choices"][0]["message"]["content"] == "Hello"
    assert (body["model"], body["choices"][0]["finish_reason"]) == ("any-name", "stop")


async def test_a_stream_comes_in_pieces_and_ends_as_clients_expect() -> None:
    """The role first, then text, then why it ended."""
    async with serving(ScriptedAgent(["Hel", "lo"])) as driver:
        chunks = chunks_of((await ask(driver, stream=True)).body)
    deltas = [(chunk["choices"][0]["delta"], chunk["choices"][0]["finish_reason"]) for chunk in chunks]
    assert deltas == [
        ({"role": "assistant", "content": ""}, None),
        ({"content": "Hel"}, None),
        ({"content": "lo"}, None),
        ({}, "stop"),
    ]
    assert all("usage" not in chunk for chunk in chunks)


async def test_a_stream_tells_the_usage_when_asked_in_a_chunk_of_its_own() -> None:
    """All others have the member, empty."""
    async with serving(ScriptedAgent(every=["Hello", USAGE])) as driver:
        whole = (await complete(driver))["usage"]
        chunks = chunks_of((await ask(driver, stream=True, stream_options={"include_usage": True})).body)
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == whole
    assert whole == {
        "prompt_tokens": 7,
        "completion_tokens": 5,
        "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)


@WAYS
@pytest.mark.parametrize("reason", ["length", "content_filter", "stop"])
async def test_why_an_answer_ended_is_told(reason: Any, stream: bool) -> None:
    async with serving(ScriptedAgent(["Hello", Finish(reason)])) as driver:
        assert (await complete(driver, stream=stream))["choices"][0]["finish_reason"] == reason


@WAYS
async def test_the_whole_conversation_reaches_the_agent_and_nothing_is_remembered(stream: bool) -> None:
    """The protocol is stateless: two requests never meet."""
    agent = ScriptedAgent(every="ok")
    history = [
        {"role": "user", "content": "My name is Ada."},
        {"role": "assistant", "content": "Hello Ada."},
        {"role": "user", "content": [{"type": "text", "text": "Who am I?"}]},
    ]
    async with serving(agent) as driver:
        await complete(driver, history, stream=stream)
        await complete(driver, stream=stream)
    assert agent.runs[0].seen == ["My name is Ada.", "Hello Ada.", "Who am I?"]
    assert [message.role for message in agent.runs[0].messages] == ["user", "assistant", "user"]
    assert agent.runs[1].seen == ["hi"]
    assert [run.session for run in agent.runs] == [None, None]


@WAYS
async def test_the_clients_tools_are_called_and_answered(stream: bool) -> None:
    """By a real agent's loop, with the call and its result in the history that the client sends."""
    client = ScriptedChatClient([call("f", "c1", '{"a": 1}'), call("f", "c2", '{"a": 2}')], "done")
    async with serving(Agent(client, name="shop")) as driver:
        asked = await complete(driver, tools=[FUNCTION], stream=stream)
        message = asked["choices"][0]["message"]
        results = [{"role": "tool", "tool_call_id": each["id"], "content": "R"} for each in message["tool_calls"]]
        told = await message_of(driver, [*HELLO, message, *results], tools=[FUNCTION], stream=stream)
    assert asked["choices"][0]["finish_reason"] == "tool_calls"
    assert [(each["id"], each["function"]) for each in message["tool_calls"]] == [
        ("c1", {"name": "f", "arguments": '{"a": 1}'}),
        ("c2", {"name": "f", "arguments": '{"a": 2}'}),
    ]
    assert told["content"] == "done"
    sent = client.calls[1].messages
    assert [each.role for each in sent] == ["user", "assistant", "tool"]
    assert [content.result for content in sent[2].contents] == ["R", "R"]


@WAYS
async def test_tools_that_the_agent_runs_itself_are_not_shown(stream: bool) -> None:
    """A front end would try to run them."""
    client = ScriptedChatClient(["Let me see.", call("opening_hours", "c1", '{"day": "Monday"}')], "9 to 18.")
    async with serving(Agent(client, tools=[opening_hours])) as driver:
        message = await message_of(driver, stream=stream)
    assert message["content"] == "Let me see.\n\n9 to 18."
    assert "tool_calls" not in message


@WAYS
async def test_a_tool_of_the_agents_and_one_of_the_clients_go_together(stream: bool) -> None:
    """Only the client's is shown."""
    client = ScriptedChatClient([call("opening_hours", "c1", '{"day": "Monday"}')], [call("f", "c2")])
    async with serving(Agent(client, tools=[opening_hours])) as driver:
        message = await message_of(driver, tools=[FUNCTION], stream=stream)
    assert [each["id"] for each in message["tool_calls"]] == ["c2"]


async def test_a_clients_tool_must_not_be_called_like_one_of_the_agents() -> None:
    tools = [FUNCTION, {"type": "function", "function": {"name": "opening_hours"}}]
    async with serving(Agent(ScriptedChatClient(), tools=[opening_hours])) as driver:
        answer = await ask(driver, tools=tools)
    assert error_of(answer) == (400, "invalid_value", "tools[1].function.name")


async def test_an_agent_without_options_takes_no_tools() -> None:
    async with serving(OptionlessAgent()) as driver:
        assert error_of(await ask(driver, tools=[FUNCTION]))[0::2] == (400, "tools")


@WAYS
async def test_an_answer_in_the_form_of_a_schema(stream: bool) -> None:
    """The agent gets the form, the client the answer."""
    form = {"type": "json_schema", "json_schema": {"name": "point", "schema": {"type": "object"}, "strict": True}}
    agent = ScriptedAgent(every='{"x": 1}')
    async with serving(agent) as driver:
        assert (await message_of(driver, response_format=form, stream=stream))["content"] == '{"x": 1}'
    assert agent.runs[0].options["response_format"] == form


async def test_what_a_caller_steers_reaches_the_agent_and_the_rest_is_named() -> None:
    agent = ScriptedAgent(every="ok")
    asked: dict[str, Any] = {
        "model": "other",
        "temperature": 0.5,
        "top_p": 0.9,
        "max_completion_tokens": 9,
        "presence_penalty": 1,
        "frequency_penalty": 1,
        "parallel_tool_calls": False,
        "stop": ["a", "b"],
        "tool_choice": "none",
        "seed": 7,
        "logit_bias": {"50256": -100},
        "logprobs": True,
        "top_logprobs": 2,
        "reasoning_effort": "low",
        "verbosity": "low",
        "store": True,
        "service_tier": "flex",
        "prediction": {"type": "content", "content": "x"},
        "metadata": {"k": "v"},
        "user": "ada",
        "prompt_cache_key": "k",
        "n": 1,
        "modalities": ["text"],
        "chat_id": "7",
        "odd name\r\nx: y": 1,
    }
    async with serving(agent) as driver:
        answer = await ask(driver, [{"role": "system", "content": "Be a pirate."}, *HELLO], **asked)
    assert answer.status == 200
    assert agent.runs[0].options == {
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 9,
        "presence_penalty": 1,
        "frequency_penalty": 1,
        "allow_multiple_tool_calls": False,
        "stop": ["a", "b"],
        "tool_choice": "none",
    }
    assert sorted(answer.headers["x-ignored-parameters"].split(", ")) == sorted(
        [
            *("messages[0]", "seed", "logit_bias", "logprobs", "top_logprobs", "reasoning_effort", "verbosity"),
            *("store", "service_tier", "prediction", "chat_id", "?"),
        ]
    )
    assert agent.runs[0].seen == ["hi"]
    assert (answer.json()["metadata"], answer.json()["service_tier"]) == ({"k": "v"}, "default")


async def test_a_plain_request_names_nothing_as_ignored() -> None:
    """As the official clients send it."""
    async with serving(ScriptedAgent()) as driver:
        answer = await ask(driver, model="m", stream=False, n=1, temperature=None, stop=None, logprobs=False)
    assert "x-ignored-parameters" not in answer.headers


async def test_a_hook_may_grant_what_was_held_back() -> None:
    """From all that the caller asked for."""
    agent = ScriptedAgent(every="ok")

    def grant(request: ChannelRequest, *, target: Any, protocol_request: Any) -> ChannelRequest:
        assert protocol_request["seed"] == 7
        return replace(request, options={"seed": request.attributes["requested_options"]["seed"]})

    async with serving(agent, run_hook=grant) as driver:
        await complete(driver, seed=7)
    assert agent.runs[0].options == {"seed": 7}


async def test_instructions_of_callers_follow_the_policy() -> None:
    messages = [{"role": "developer", "content": "Be brief."}, *HELLO, {"role": "system", "content": "Be kind."}]
    appended, ignored = ScriptedAgent(every="ok"), ScriptedAgent(every="ok")
    async with serving(appended, caller_instructions="append") as driver:
        assert "x-ignored-parameters" not in (await ask(driver, messages)).headers
    async with serving(ignored) as driver:
        assert (await ask(driver, messages)).headers["x-ignored-parameters"] == "messages[0], messages[2]"
        assert error_of(await ask(driver, messages[:1])) == (400, "invalid_value", "messages")
    async with serving(ScriptedAgent(), caller_instructions="refuse") as driver:
        assert error_of(await ask(driver, messages)) == (400, "unsupported_parameter", "messages[0].role")
    assert [message.role for message in appended.runs[0].messages] == ["system", "user", "system"]
    assert ignored.runs[0].seen == ["hi"]


async def test_unknown_fields_are_refused_when_that_is_wanted() -> None:
    """With the mend where another protocol's name is known."""
    async with serving(ScriptedAgent(), unknown_fields="refuse") as driver:
        assert error_of(await ask(driver, chat_id="7")) == (400, "unknown_parameter", "chat_id")
        told = await ask(driver, max_output_tokens=7)
    assert "max_completion_tokens" in told.json()["error"]["message"]


@WAYS
async def test_a_response_hook_has_the_last_word(stream: bool) -> None:
    """Also over a stream, which says nothing before the hook has spoken."""

    def redact(result: HostedRunResult[Any], *, request: ChannelRequest, channel_name: str) -> HostedRunResult[Any]:
        said = result.result.text.replace("secret", "...")
        return result.replace(result=AgentResponse(messages=[Message("assistant", [said])]))

    async with serving(ScriptedAgent(["a sec", "ret", USAGE]), response_hook=redact) as driver:
        answer = await ask(driver, stream=stream)
    assert "sec" not in answer.text
    body = folded(answer.body) if stream else answer.json()
    assert body["choices"][0]["message"]["content"] == "a ..."


async def test_an_update_hook_rewrites_and_drops() -> None:
    """What is stored is what was sent."""

    def shape(update: AgentResponseUpdate) -> AgentResponseUpdate | None:
        if update.text == "no":
            return None
        return AgentResponseUpdate(role=update.role, contents=[Content.from_text(update.text.upper())])

    async with serving(ScriptedAgent(every=["a", "no", "b"]), stream_update_hook=shape) as driver:
        headers = {"idempotency-key": "k"}
        first = await complete(driver, stream=True, headers=headers)
        again = await complete(driver, stream=True, headers=headers)
    assert first["choices"][0]["message"]["content"] == "AB"
    assert again == first


async def test_a_failure_before_the_stream_is_an_answer_and_one_after_it_an_event() -> None:
    """Both say the same, and no text of an exception."""
    async with serving(ScriptedAgent(every=["Hello", ValueError("secret")])) as driver:
        whole = await ask(driver)
        streamed = await ask(driver, stream=True)
    assert error_of(whole)[:2] == (500, "server_error")
    assert whole.headers["x-should-retry"] == "false"
    *events, told, done = events_from(streamed.body)
    assert [event.json()["choices"][0]["delta"] for event in events][1] == {"content": "Hello"}
    assert (told.json()["error"]["code"], done.data) == ("server_error", "[DONE]")
    assert "secret" not in whole.text + streamed.text


@WAYS
async def test_an_agent_that_reports_an_error_has_failed(stream: bool) -> None:
    """The protocol has no completion that failed."""
    failing = ["Hello", Content.from_error(message="The cellar is on fire.")]
    async with serving(ScriptedAgent(every=failing)) as driver:
        answer = await ask(driver, stream=stream)
    assert '"code":"server_error"' in answer.text
    assert "cellar" not in answer.text


async def test_a_refusal_by_a_filter_of_the_services_is_said_so() -> None:
    async with serving(ScriptedAgent(every=ChatClientContentFilterException("no"))) as driver:
        assert error_of(await ask(driver))[:2] == (400, "content_filter")


@WAYS
async def test_who_leaves_has_the_run_cancelled(stream: bool) -> None:
    gate = Gate()
    agent = ScriptedAgent(every=["Hello", gate, "there"])
    async with serving(agent) as driver:
        if stream:
            async with driver.stream("POST", PATH, json={"messages": HELLO, "stream": True}) as answer:
                await anext(answer)
                await agent.wait_started()
                await answer.disconnect()
        else:
            asking = asyncio.create_task(ask(driver))
            await agent.wait_started()
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        await agent.runs[0].wait_ended()
    assert agent.runs[0].outcome in ("cancelled", "closed")


async def test_a_silent_agent_is_kept_alive_with_comments() -> None:
    gate = Gate()
    async with (
        serving(ScriptedAgent([gate, "Hello"]), limits=Limits(heartbeat=0.01)) as driver,
        driver.stream("POST", PATH, json={"messages": HELLO, "stream": True}) as answer,
    ):
        first = await anext(answer)
        second = await anext(answer)
        gate.open()
        rest = await answer.read()
    assert second == b": \n\n"
    assert folded(first + second + rest)["choices"][0]["message"]["content"] == "Hello"


async def test_an_answer_that_grows_too_large_is_cut() -> None:
    """And says that there would have been more."""
    async with serving(ScriptedAgent(["x" * 4000] * 8), limits=Limits(max_response_bytes=8000)) as driver:
        body = folded((await ask(driver, stream=True)).body)
    assert body["choices"][0]["finish_reason"] == "length"


@WAYS
async def test_one_key_is_one_run(stream: bool) -> None:
    """The same answer again, marked; another body under the key is a conflict."""
    agent = ScriptedAgent(every=lambda run: f"run {run.index}")
    headers = {"idempotency-key": "k"}
    async with serving(agent) as driver:
        first = await complete(driver, stream=stream, headers=headers)
        again = await ask(driver, stream=stream, headers=headers)
        other = await ask(driver, [{"role": "user", "content": "other"}], headers=headers)
    assert again.headers["idempotent-replayed"] == "true"
    assert (folded(again.body) if stream else again.json()) == first
    assert error_of(other)[:2] == (409, "idempotency_conflict")
    assert len(agent.runs) == 1


async def test_a_replayed_stream_says_all_that_was_said() -> None:
    """Thoughts, text, a refusal, calls, citations and usage."""
    cited = Content.from_text("Look", annotations=[{"type": "citation", "url": "http://x", "title": "X"}])
    refused = Content.from_text("I must not.", additional_properties={"core": {"model_output_kind": "refusal"}})
    said = [Content.from_text_reasoning(text="Hm."), cited, refused, call("f", "c1", '{"a": 1}'), USAGE]
    fields: dict[str, Any] = {"tools": [FUNCTION], "stream": True, "stream_options": {"include_usage": True}}
    async with serving(ScriptedAgent(said), show_reasoning=True) as driver:
        first = await complete(driver, **fields, headers={"idempotency-key": "k"})
        again = await complete(driver, **fields, headers={"idempotency-key": "k"})
    assert again == first
    message = first["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"], message["refusal"]) == ("Hm.", "Look", "I must not.")
    assert message["annotations"][0]["url_citation"]["url"] == "http://x"
    assert first["usage"]["total_tokens"] == 12


async def test_a_hook_may_choose_a_session() -> None:
    """Which is how conversations are shared with other channels."""
    agent = ScriptedAgent(every="ok")

    def choose(request: ChannelRequest, *, target: Any, protocol_request: Any) -> ChannelRequest:
        return replace(request, input=request.input[-1:], session=ChannelSession("ada"))

    async with serving(agent, run_hook=choose) as driver:
        await complete(driver)
        await complete(driver)
    assert agent.runs[1].seen == ["hi", "ok", "hi"]


async def test_two_runs_of_a_stateless_protocol_never_wait_for_each_other() -> None:
    gate = Gate()
    agent = ScriptedAgent(every=[gate, "ok"])
    async with serving(agent) as driver:
        asking = [asyncio.create_task(ask(driver)) for _ in range(3)]
        await agent.wait_started(3)
        gate.open()
        assert [answer.status for answer in await asyncio.gather(*asking)] == [200] * 3
    assert agent.most_active == 3


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
async def test_other_methods_are_a_405_that_says_what_is_allowed(method: str) -> None:
    async with serving(ScriptedAgent()) as driver:
        answer = await driver.request(method, PATH)
    assert (error_of(answer)[:2], answer.headers["allow"]) == ((405, "method_not_allowed"), "POST")


async def test_stored_completions_are_not_to_be_had() -> None:
    """What OpenAI offers below the path is a 404 in the API's shape."""
    async with serving(ScriptedAgent()) as driver:
        assert error_of(await driver.request("GET", f"{PATH}/chatcmpl-1"))[:2] == (404, "not_found")


async def test_the_models_are_beside_the_path() -> None:
    """Wherever that is, under a name that can be chosen."""
    async with serving(ScriptedAgent(name="shop")) as driver:
        assert (await driver.request("GET", "/v1/models/shop")).status == 200
        assert (await complete(driver))["model"] == "shop"
        assert error_of(await driver.request("GET", "/v1/models/other"))[:2] == (404, "model_not_found")
    async with serving(ScriptedAgent(name="shop"), path="/api/chat/completions", model_name="keeper") as driver:
        listed = (await driver.request("GET", "/api/models")).json()
        answer = await driver.request("POST", "/api/chat/completions", json={"messages": HELLO})
    assert ([model["id"] for model in listed["data"]], answer.json()["model"]) == (["keeper"], "keeper")
    async with serving(ScriptedAgent(), path="/talk") as driver:
        assert (await driver.request("GET", "/models")).status == 404
        assert (await driver.request("POST", "/talk", json={"messages": HELLO})).status == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"caller_instructions": "drop"},
        {"unknown_fields": "keep"},
        {"requests_as": "mail"},
        {"session_header": "x session"},
        {"session_header": ""},
        {"model_name": ""},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        ChatCompletionsChannel(**wrong)


async def test_what_a_front_end_sends_is_answered() -> None:
    """A list of models, a stream with fields of its own, and the request for a title, which is a plain one."""
    agent = ScriptedAgent(every=recall, name="shop")
    async with serving(agent) as driver:
        model = (await driver.request("GET", "/v1/models")).json()["data"][0]["id"]
        more: dict[str, Any] = {
            "model": model,
            "stream": True,
            "chat_id": "c",
            "session_id": "s",
            "features": {},
            "files": None,
        }
        said = await complete(driver, [{"role": "system", "content": ""}, *HELLO], **more)
        title = await complete(driver, [{"role": "user", "content": "Make a title."}], model=model, max_tokens=50)
    assert said["choices"][0]["message"]["content"] == "hi"
    assert title["choices"][0]["message"]["content"] == "Make a title."


async def test_a_host_that_drains_says_so() -> None:
    """In the API's shape, with the time to come again."""
    host = AgentFrameworkHost(ScriptedAgent(), channels=[ChatCompletionsChannel()])
    async with InMemoryDriver(host.app) as driver:
        host.begin_drain()
        answer = await ask(driver)
    assert (error_of(answer)[0], answer.headers["retry-after"]) == (503, "1")
