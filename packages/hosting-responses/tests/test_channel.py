"""The channel over HTTP: what a client sends, what it gets, and what the agent saw of it."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest
from agent_framework import Agent, AgentResponse, AgentResponseUpdate, AgentSession, Content, Message, tool
from agent_framework.exceptions import ChatClientContentFilterException, ChatClientInvalidAuthException
from fastapi import FastAPI
from openai.types.responses import Response

from agent_framework_hosting.channel import ChannelContribution
from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import (
    Answer,
    Finish,
    Gate,
    InMemoryDriver,
    OptionlessAgent,
    ScriptedAgent,
    ScriptedChatClient,
    events_from,
)
from agent_framework_hosting.types import ChannelRequest, ChannelSession, HostedRunResult
from agent_framework_hosting_responses._record import body_of
from agent_framework_hosting_responses.channel import ResponsesChannel

GET_WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {}},
}


def serving(agent: Any, **options: Any) -> InMemoryDriver:
    """Return a driver of a host that serves this agent; options of the host are told apart by name."""
    host_options = {name: options.pop(name) for name in ("limits", "trust_isolation_headers") if name in options}
    return InMemoryDriver(AgentFrameworkHost(agent, channels=[ResponsesChannel(**options)], **host_options).app)


async def create(driver: InMemoryDriver, text: Any = "hi", **fields: Any) -> dict[str, Any]:
    """Create a response that has to succeed."""
    answer = await driver.request("POST", "/responses", json={"input": text, **fields})
    assert answer.status == 200, answer
    return answer.json()


async def refused(driver: InMemoryDriver, text: Any = "hi", **fields: Any) -> tuple[int, str, str | None]:
    """Ask for a response that has to be refused; return status, code and param."""
    answer = await driver.request("POST", "/responses", json={"input": text, **fields})
    return answer.status, answer.json()["error"]["code"], answer.json()["error"]["param"]


def final(answer: Answer) -> dict[str, Any]:
    """Return the response in the last event of a stream."""
    events = events_from(answer.body)
    assert events[-1].data == "[DONE]"
    return events[-2].json()["response"]


def text_of(response: dict[str, Any]) -> str:
    """Return the text of a response."""
    parts = [part for item in response["output"] if item["type"] == "message" for part in item["content"]]
    return "".join(part.get("text") or part.get("refusal") for part in parts)


@pytest.mark.parametrize("path", ["/responses", "/responses/", "/v1/responses", "/v1/responses/"])
async def test_it_answers_where_clients_look_for_it(path: str) -> None:
    """The default path has an alias under /v1, and none of them redirects."""
    async with serving(ScriptedAgent(every="hello")) as driver:
        answer = await driver.request("POST", path, json={"input": "hi"})
    assert text_of(answer.json()) == "hello"
    Response.model_validate(answer.json(), strict=True)


async def test_another_path_has_no_alias() -> None:
    """Who chooses a path gets that path."""
    async with serving(ScriptedAgent(every="ok"), path="/chat") as driver:
        assert (await driver.request("POST", "/chat", json={"input": "hi"})).status == 200
        assert (await driver.request("POST", "/v1/responses", json={"input": "hi"})).status == 404


async def test_the_agent_is_listed_as_a_model_beside_the_alias() -> None:
    """Where the official clients look for it; another path has no list."""
    async with serving(ScriptedAgent(name="shop")) as driver:
        listed = (await driver.request("GET", "/v1/models")).json()
        assert (await driver.request("GET", "/v1/models/shop")).json() == listed["data"][0]
        unknown = await driver.request("GET", "/v1/models/other")
    assert (unknown.status, unknown.json()["error"]["code"]) == (404, "model_not_found")
    async with serving(ScriptedAgent(), path="/chat") as driver:
        assert (await driver.request("GET", "/v1/models")).status == 404


@pytest.mark.parametrize("path", ["/responses/nothing", "/v1/responses/a/b", "/elsewhere"])
async def test_what_is_not_there_is_a_404_in_the_apis_shape(path: str) -> None:
    """With a request id, below the channel and beside it."""
    async with serving(ScriptedAgent()) as driver:
        answer = await driver.request("GET", path)
    assert answer.status == 404
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_a_405_that_says_what_is_allowed(method: str) -> None:
    """With a request id."""
    async with serving(ScriptedAgent()) as driver:
        answer = await driver.request(method, "/responses")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["error"]["code"] == "method_not_allowed"
    assert answer.headers["x-request-id"].startswith("req_")


async def test_a_chain_remembers_and_forks_do_not_see_each_other() -> None:
    """By `previous_response_id`, streamed or not."""
    agent = ScriptedAgent(every="ok")
    async with serving(agent) as driver:
        root = await create(driver, "root")
        left = await create(driver, "left", previous_response_id=root["id"])
        right = await driver.request(
            "POST", "/responses", json={"input": "right", "previous_response_id": root["id"], "stream": True}
        )
        await create(driver, "left again", previous_response_id=left["id"])
        await create(driver, "right again", previous_response_id=final(right)["id"])
    assert agent.runs[3].seen == ["root", "ok", "left", "ok", "left again"]
    assert agent.runs[4].seen == ["root", "ok", "right", "ok", "right again"]


class Brief:
    """An agent that remembers nothing, so that a long conversation takes no time."""

    id = name = description = "brief"

    def create_session(self, *, session_id: str | None = None) -> AgentSession:
        return AgentSession(session_id=session_id)

    def get_session(self, service_session_id: Any, *, session_id: str | None = None) -> AgentSession:
        return AgentSession(session_id=session_id, service_session_id=service_session_id)

    async def run(self, *_: Any, **options: Any) -> AgentResponse[Any]:
        return AgentResponse(messages=[Message("assistant", ["yes"])])


async def test_a_chain_in_memory_may_be_longer_than_the_interpreters_stack() -> None:
    async with serving(Brief()) as driver:
        last = await create(driver)
        for _ in range(sys.getrecursionlimit() // 2):
            last = await create(driver, previous_response_id=last["id"])
    assert last["status"] == "completed"


async def test_an_unknown_previous_response_is_refused_as_openai_does() -> None:
    """Streams are refused before they begin."""
    async with serving(ScriptedAgent(every="ok")) as driver:
        for stream in (False, True):
            told = await refused(driver, previous_response_id="resp_0", stream=stream)
            assert told == (400, "previous_response_not_found", "previous_response_id")


async def test_a_response_that_is_not_stored_cannot_be_continued_and_leaves_no_trace() -> None:
    """It still sees what it continues."""
    agent = ScriptedAgent(every="ok")
    async with serving(agent) as driver:
        root = await create(driver, "root")
        aside = await create(driver, "aside", previous_response_id=root["id"], store=False)
        assert (await refused(driver, previous_response_id=aside["id"]))[0] == 400
        lone = await create(driver, "lone", store=False)
        assert (await refused(driver, previous_response_id=lone["id"]))[0] == 400
        await create(driver, "on", previous_response_id=root["id"])
    assert agent.runs[1].seen == ["root", "ok", "aside"]
    assert agent.runs[3].seen == ["root", "ok", "on"]


async def test_a_failed_response_does_not_move_its_parent() -> None:
    """The parent can be continued as if nothing had been said."""
    agent = ScriptedAgent("ok", ValueError("broken"), "fine")
    async with serving(agent) as driver:
        root = await create(driver, "root")
        answer = await driver.request(
            "POST", "/responses", json={"input": "bad", "previous_response_id": root["id"], "stream": True}
        )
        failed = final(answer)
        assert failed["status"] == "failed"
        assert (await refused(driver, previous_response_id=failed["id"]))[0] == 400
        await create(driver, "again", previous_response_id=root["id"])
    assert agent.runs[2].seen == ["root", "ok", "again"]


KEYS = {"x-agent-user-isolation-key": "ada", "x-agent-chat-isolation-key": "room"}


async def test_a_trusted_chat_key_is_the_session_and_an_anchor_in_the_body_beats_it() -> None:
    """Two requests of one chat share a session without naming each other."""
    agent = ScriptedAgent(every="ok")
    async with serving(agent, trust_isolation_headers=True) as driver:

        async def ask(text: str, **fields: Any) -> dict[str, Any]:
            return (await driver.request("POST", "/responses", json={"input": text, **fields}, headers=KEYS)).json()

        first = await ask("one")
        await ask("two")
        await ask("fork", previous_response_id=first["id"])
    assert agent.runs[1].session_id == "room"
    assert agent.runs[1].seen == ["one", "ok", "two"]
    assert agent.runs[2].seen == ["one", "ok", "fork"]


async def test_a_response_that_is_not_stored_is_still_said_in_its_chat() -> None:
    """The platform's chat key is the session; what is not kept is the response."""
    agent = ScriptedAgent(every="ok")
    async with serving(agent, trust_isolation_headers=True) as driver:

        async def ask(text: str, **fields: Any) -> Answer:
            return await driver.request("POST", "/responses", json={"input": text, **fields}, headers=KEYS)

        aside = (await ask("one", store=False)).json()
        await ask("two")
        assert (await ask("three", previous_response_id=aside["id"])).status == 400
    assert agent.runs[1].seen == ["one", "ok", "two"]


async def test_one_users_response_is_unknown_to_another_user() -> None:
    """The refusal is byte for byte that of an id that never was, apart from the echoed id."""
    async with serving(ScriptedAgent(every="ok"), trust_isolation_headers=True) as driver:

        async def ask(user: str, **fields: Any) -> Answer:
            headers = {"x-agent-user-isolation-key": user}
            return await driver.request("POST", "/responses", json={"input": "hi", **fields}, headers=headers)

        mine = (await ask("ada")).json()["id"]
        foreign = await ask("bob", previous_response_id=mine)
        unknown = await ask("bob", previous_response_id="resp_0")
        assert (await ask("ada", previous_response_id=mine)).status == 200
    assert foreign.status == unknown.status == 400
    assert foreign.body.replace(mine.encode(), b"resp_0") == unknown.body


async def test_the_id_is_in_the_envelope_and_in_the_requests_attributes() -> None:
    """The factory gets the previous id; both ids reach hooks."""
    seen: list[Any] = []
    previous: list[str | None] = []

    def factory(previous_response_id: str | None) -> str:
        previous.append(previous_response_id)
        return f"resp_own{len(previous)}"

    def hook(request: ChannelRequest, *, target: Any, protocol_request: Any) -> ChannelRequest:
        seen.append((request.attributes["response_id"], request.attributes.get("previous_response_id")))
        seen.append(protocol_request["input"])
        return request

    async with serving(ScriptedAgent(every="ok"), response_id_factory=factory, run_hook=hook) as driver:
        first = await create(driver, "one")
        second = await create(driver, "two", previous_response_id=first["id"])
    assert (first["id"], second["id"], second["previous_response_id"]) == ("resp_own1", "resp_own2", "resp_own1")
    assert previous == [None, "resp_own1"]
    assert seen == [("resp_own1", None), "one", ("resp_own2", "resp_own1"), "two"]


async def test_an_id_has_128_random_bits_and_says_what_it_is() -> None:
    """`resp_` and 32 hexadecimal digits, never twice the same."""
    async with serving(ScriptedAgent(every="ok")) as driver:
        ids = {(await create(driver))["id"] for _ in range(20)}
    assert len(ids) == 20
    assert all(re.fullmatch(r"resp_[0-9a-f]{32}", each) for each in ids)


async def test_a_conversation_starts_at_its_first_responses_own_id() -> None:
    """Without any anchor, the id of the response is the session's key."""
    agent = ScriptedAgent(every="ok")
    async with serving(agent) as driver:
        first = await create(driver, "one")
        await create(driver, "two")
    assert agent.runs[0].session_id == first["id"]
    assert agent.runs[1].seen == ["two"]


def test_the_channel_is_made_of_keywords_alone() -> None:
    """Named `responses`; hooks and factory may be left out."""
    parameters = inspect.signature(ResponsesChannel).parameters
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters.values())
    first = {name: parameter.default for name, parameter in list(parameters.items())[:5]}
    assert first == {
        "path": "/responses",
        "run_hook": None,
        "response_hook": None,
        "stream_update_hook": None,
        "response_id_factory": None,
    }
    channel = ResponsesChannel()
    assert (channel.name, channel.path) == ("responses", "/responses")


@pytest.mark.parametrize("minted", [None, "", 7, "resp_\0", "resp_\ud83d"])
async def test_an_id_factory_that_gives_no_id_is_the_servers_fault(
    minted: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says whose; the agent does not run."""

    def factory(_: str | None) -> Any:
        return minted

    agent = ScriptedAgent(every="ok")
    async with serving(agent, response_id_factory=factory) as driver:
        assert (await refused(driver))[:2] == (500, "server_error")
    assert agent.runs == []
    assert "response_id_factory returned" in caplog.text


async def test_a_hook_may_grant_what_the_policy_held_back() -> None:
    """A hook that only looks grants nothing."""
    granted: list[bool] = [False, True]

    def hook(request: ChannelRequest, **_: Any) -> ChannelRequest:
        asked = request.attributes["requested_options"]
        assert asked["instructions"] == "be rude"
        options = {**(request.options or {}), "instructions": asked["instructions"]}
        return replace(request, options=options) if granted.pop(0) else request

    agent = ScriptedAgent(every="ok")
    async with serving(agent, run_hook=hook) as driver:
        await create(driver, instructions="be rude", temperature=0.5)
        await create(driver, instructions="be rude", temperature=0.5)
    assert agent.runs[0].options == {"temperature": 0.5}
    assert agent.runs[1].options == {"temperature": 0.5, "instructions": "be rude"}


async def test_a_hook_that_chooses_the_session_is_not_asked_about_the_callers_anchor() -> None:
    """One's own login decides; the ids that the caller names are not even looked at."""

    def hook(request: ChannelRequest, **_: Any) -> ChannelRequest:
        return replace(request, session=ChannelSession("login-ada"))

    agent = ScriptedAgent(every="ok")
    async with serving(agent, run_hook=hook) as driver:
        first = await create(driver, "one")
        await create(driver, "two", previous_response_id=first["id"])
        await create(driver, "three", previous_response_id="resp_of_another_day")
    assert agent.runs[2].seen == ["one", "ok", "two", "ok", "three"]


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_response_hook_has_the_last_word_on_the_final_body(streamed: bool) -> None:
    """Streamed items keep their ids."""

    def hook(result: HostedRunResult[Any], *, request: ChannelRequest, channel_name: str) -> HostedRunResult[Any]:
        return result.replace(result=AgentResponse(messages=[Message("assistant", [f"redacted on {channel_name}"])]))

    async with serving(ScriptedAgent(every=["the ", "secret"]), response_hook=hook) as driver:
        answer = await driver.request("POST", "/responses", json={"input": "hi", "stream": streamed})
    body = final(answer) if streamed else answer.json()
    assert text_of(body) == "redacted on responses"
    if streamed:
        added = next(e.json() for e in events_from(answer.body) if e.event == "response.output_item.added")
        assert body["output"][0]["id"] == added["item"]["id"]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("given", [None, "redacted"])
async def test_a_response_hook_that_gives_no_response_fails_the_run_and_is_told_so(
    caplog: pytest.LogCaptureFixture, given: object, streamed: bool
) -> None:
    """Nothing is no redaction: what the hook was to shape is not stored as it was."""

    def hook(result: HostedRunResult[Any], **_: Any) -> HostedRunResult[Any]:
        return result.replace(result=given)

    async with serving(ScriptedAgent(every="secret"), response_hook=hook) as driver:
        answer = await driver.request("POST", "/responses", json={"input": "hi", "stream": streamed})
        body = final(answer) if streamed else answer.json()
        assert body["error"]["code"] == "server_error"
        if streamed:
            continuing = await refused(driver, previous_response_id=body["id"])
            assert continuing == (400, "previous_response_not_found", "previous_response_id")
    assert f"not {type(given).__name__}. Look at what the response hook" in caplog.text


async def test_the_end_of_a_stream_is_folded_from_the_hooked_updates() -> None:
    """What was dropped or rewritten does not come back at the end."""

    def hook(update: AgentResponseUpdate) -> AgentResponseUpdate | None:
        if update.text == "secret ":
            return None
        return AgentResponseUpdate(contents=[Content.from_text(update.text.upper())], role="assistant")

    async with serving(ScriptedAgent(every=["my ", "secret ", "plan"]), stream_update_hook=hook) as driver:
        answer = await driver.request("POST", "/responses", json={"input": "hi", "stream": True})
    assert text_of(final(answer)) == "MY PLAN"
    assert b"secret" not in answer.body


async def test_an_answer_that_is_not_streamed_never_sees_the_stream_update_hook() -> None:
    """It is no redaction: what has to be kept from everybody is a response hook's business."""

    def hook(_: AgentResponseUpdate) -> None:
        return None

    async with serving(ScriptedAgent(every="plain"), stream_update_hook=hook) as driver:
        assert text_of(await create(driver)) == "plain"
        streamed = await driver.request("POST", "/responses", json={"input": "hi", "stream": True})
    assert text_of(final(streamed)) == ""


async def test_a_caller_cannot_choose_model_store_or_conversation_of_the_agent() -> None:
    """Nothing of them reaches the agent; a conversation id of a service is not even taken."""
    agent = ScriptedAgent(every="ok")
    async with serving(agent) as driver:
        await create(driver, model="gpt-1", store=False, user="ada", metadata={"a": "b"}, instructions="be rude")
        assert (await refused(driver, conversation_id="svc-bob"))[0] == 400
        assert (await refused(driver, conversation="conv_bob"))[0] == 400
    assert [run.options for run in agent.runs] == [{}]


async def test_ignored_parameters_are_named_in_a_header() -> None:
    """On whole answers and on streams."""
    async with serving(ScriptedAgent(every="ok")) as driver:
        for stream in (False, True):
            fields = {"input": "hi", "instructions": "x", "truncation": "auto", "stream": stream}
            answer = await driver.request("POST", "/responses", json=fields)
            assert answer.headers["x-ignored-parameters"] == "instructions, truncation"
        assert "x-ignored-parameters" not in (await driver.request("POST", "/responses", json={"input": "a"})).headers


async def test_caller_instructions_can_be_appended_or_refused() -> None:
    """One switch for `instructions` and for system and developer messages."""
    agent = ScriptedAgent(every="ok")
    items = [{"role": "developer", "content": "be kind"}, {"role": "user", "content": "hi"}]
    async with serving(agent, caller_instructions="append") as driver:
        await create(driver, items, instructions="be brief")
    assert agent.runs[0].seen == ["be kind", "hi"]
    assert agent.runs[0].options == {"instructions": "be brief"}
    async with serving(agent, caller_instructions="refuse") as driver:
        assert await refused(driver, items) == (400, "unsupported_parameter", "input[0]")
    async with serving(agent) as driver:
        ignored = await create(driver, items, instructions="be brief")
    assert agent.runs[1].seen == ["hi"]
    assert ignored["instructions"] is None
    with pytest.raises(ConfigurationError, match="'ignore', 'append' or 'refuse'"):
        ResponsesChannel(caller_instructions="forget")  # type: ignore[arg-type]


@tool
def lookup(key: str) -> str:
    """Look a key up."""
    return f"value of {key}"


def call(name: str, call_id: str, arguments: str = "{}") -> Content:
    """Return a model's call of a tool."""
    return Content.from_function_call(call_id, name, arguments=arguments)


async def test_a_client_tool_makes_a_round_trip() -> None:
    """The call goes out, its output comes in by `previous_response_id`, and the model sees both."""
    client = ScriptedChatClient([call("get_weather", "c1")], "sunny")
    async with serving(Agent(client)) as driver:
        asked = await create(driver, "weather?", tools=[GET_WEATHER])
        item = asked["output"][0]
        assert (item["type"], item["call_id"], item["name"]) == ("function_call", "c1", "get_weather")
        output = [{"type": "function_call_output", "call_id": "c1", "output": "21 C"}]
        told = await create(driver, output, previous_response_id=asked["id"], tools=[GET_WEATHER])
    assert text_of(told) == "sunny"
    kinds = [content.type for message in client.calls[1].messages for content in message.contents]
    assert kinds == ["text", "function_call", "function_result"]


async def test_an_agents_tool_that_waits_for_the_client_runs_once_and_is_never_told_as_failed() -> None:
    """The model asked for both at once; the agent's own runs when the client has answered."""
    looked: list[str] = []

    @tool
    def look(key: str) -> str:
        """Look."""
        looked.append(key)
        return "seen"

    both = [call("get_weather", "c1"), call("look", "c2", '{"key": "k"}')]
    client = ScriptedChatClient(both, "done", "done again")
    async with serving(Agent(client, tools=[look])) as driver:
        asked = await create(driver, "go", tools=[GET_WEATHER])
        assert [(item["type"], item["status"]) for item in asked["output"]] == [
            ("function_call", "completed"),
            ("mcp_call", "calling"),
        ]
        output = {"type": "function_call_output", "call_id": "c1", "output": "21 C"}
        told = await create(driver, [output], previous_response_id=asked["id"], tools=[GET_WEATHER])
        replayed = [{"role": "user", "content": "go"}, *asked["output"], output]
        assert text_of(await create(driver, replayed, tools=[GET_WEATHER])) == "done again"
    assert text_of(told) == "done"
    assert looked == ["k"]
    results = [c.result for m in client.calls[2].messages for c in m.contents if c.type == "function_result"]
    assert results == ["21 C"]


async def test_outputs_have_to_match_the_calls_that_were_made() -> None:
    """Unknown, missing and foreign calls are refused before the agent runs."""
    client = ScriptedChatClient([call("get_weather", "c1"), call("get_weather", "c2")], "never")
    async with serving(Agent(client)) as driver:
        asked = await create(driver, "weather?", tools=[GET_WEATHER])
        after: dict[str, Any] = {"previous_response_id": asked["id"], "tools": [GET_WEATHER]}

        def output(call_id: str) -> dict[str, Any]:
            return {"type": "function_call_output", "call_id": call_id, "output": "21 C"}

        assert await refused(driver, [output("c9")], **after) == (400, "invalid_value", "input[0]")
        assert await refused(driver, [output("c1")], **after) == (400, "invalid_value", "input")
        assert await refused(driver, "never mind", **after) == (400, "invalid_value", "input")
        assert (await refused(driver, [output("c1")]))[0] == 400
    assert len(client.calls) == 1


@pytest.mark.parametrize("streamed", [False, True])
async def test_tools_that_the_agent_runs_are_never_calls_for_the_client(streamed: bool) -> None:
    """They are shown as `mcp_call` with their output, or not at all."""
    for show, kinds in ((True, ["mcp_call", "message"]), (False, ["message"])):
        client = ScriptedChatClient([call("lookup", "c1", '{"key": "k"}')], "done")
        async with serving(Agent(client, name="clerk", tools=[lookup]), show_tool_calls=show) as driver:
            answer = await driver.request("POST", "/responses", json={"input": "look", "stream": streamed})
        body = final(answer) if streamed else answer.json()
        assert [item["type"] for item in body["output"]] == kinds
        if show:
            item = body["output"][0]
            assert (item["server_label"], item["output"], item["status"]) == ("clerk", "value of k", "completed")


async def test_a_declaration_of_the_agents_own_is_for_the_client_to_answer() -> None:
    """The agent's author may leave a tool to whoever calls."""
    from agent_framework import FunctionTool

    declared = FunctionTool(name="ask_human", description="Ask", func=None)
    async with serving(Agent(ScriptedChatClient([call("ask_human", "c1")]), tools=[declared])) as driver:
        assert (await create(driver))["output"][0]["type"] == "function_call"


async def test_a_tool_that_the_agent_has_already_is_refused() -> None:
    """Whose tool would run is not left to chance."""
    async with serving(Agent(ScriptedChatClient(every="ok"), tools=[lookup])) as driver:
        clash = {"type": "function", "name": "lookup", "parameters": None}
        status, _, param = await refused(driver, tools=[clash])
    assert (status, param) == (400, "tools[0].name")


async def test_tools_for_an_agent_that_takes_none_are_refused() -> None:
    """Rather than dropped in silence."""
    async with serving(OptionlessAgent(every="ok")) as driver:
        assert (await refused(driver, tools=[GET_WEATHER]))[::2] == (400, "tools")
        assert text_of(await create(driver)) == "ok"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ValueError("the secret"), 500, "server_error"),
        (ChatClientContentFilterException("the secret"), 400, "content_filter"),
        (ChatClientInvalidAuthException("the secret"), 502, "upstream_error"),
    ],
)
async def test_an_agents_error_is_shaped_and_keeps_its_text_to_itself(error: Exception, status: int, code: str) -> None:
    """A whole answer has the status; official clients are told not to run the agent again by themselves."""
    async with serving(ScriptedAgent(every=error)) as driver:
        answer = await driver.request("POST", "/responses", json={"input": "hi"})
        streamed = await driver.request("POST", "/responses", json={"input": "hi", "stream": True})
    assert (answer.status, answer.json()["error"]["code"]) == (status, code)
    assert answer.headers.get("x-should-retry") == ("false" if status >= 500 else None)
    failed = final(streamed)
    assert failed["status"] == "failed"
    assert failed["error"]["code"] in {"server_error", "invalid_prompt"}
    assert b"secret" not in answer.body + streamed.body
    Response.model_validate(failed, strict=True)


@pytest.mark.parametrize(
    ("reason", "expected"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
async def test_an_answer_that_was_cut_is_incomplete(reason: Any, expected: str) -> None:
    """Never reported as completed."""
    async with serving(ScriptedAgent(every=["half", Finish(reason)])) as driver:
        body = await create(driver)
    assert (body["status"], body["incomplete_details"]) == ("incomplete", {"reason": expected})


async def test_an_answer_that_grows_too_large_is_cut_and_told() -> None:
    """The stream ends by the rules; the turn is no part of the history."""
    agent = ScriptedAgent(["x" * 1000] * 1000, "ok")
    async with serving(agent, limits=Limits(max_response_bytes=20_000)) as driver:
        answer = await driver.request("POST", "/responses", json={"input": "hi", "stream": True})
        assert (await refused(driver, previous_response_id=final(answer)["id"]))[0] == 400
    body = final(answer)
    assert (body["status"], agent.runs[0].stopped) == ("incomplete", True)
    told = [json.loads(event.data) for event in answer.events()[:-1]]
    heard = "".join(event["delta"] for event in told if event["type"] == "response.output_text.delta")
    assert heard == body["output"][0]["content"][0]["text"]


async def test_a_client_that_leaves_stops_its_run_and_frees_its_session(
    only: Callable[[float], AbstractContextManager[None]],
) -> None:
    """Within a second, streamed or not."""
    for stream in (False, True):
        gate = Gate()
        agent = ScriptedAgent("ok", [gate, "never"], "ok")
        async with serving(agent) as driver:
            root = await create(driver)
            fields = {"input": "wait", "previous_response_id": root["id"], "stream": stream}
            leaving = asyncio.ensure_future(driver.request("POST", "/responses", json=fields))
            await gate.wait_reached()
            leaving.cancel()
            with only(1):
                await agent.runs[1].wait_ended()
            await create(driver, "next", previous_response_id=root["id"])
        assert agent.runs[1].stopped
        assert agent.runs[2].seen == ["hi", "ok", "next"]


async def test_a_full_queue_is_a_429_that_says_when_to_come_back() -> None:
    """Before the stream begins."""
    gate = Gate()
    agent = ScriptedAgent([gate, "ok"], every="ok")
    async with serving(agent, limits=Limits(max_waiting=1), trust_isolation_headers=True) as driver:

        async def ask() -> Answer:
            return await driver.request("POST", "/responses", json={"input": "hi", "stream": True}, headers=KEYS)

        running = [asyncio.ensure_future(ask())]
        await gate.wait_reached()
        async with driver.stream("POST", "/responses", json={"input": "hi", "stream": True}, headers=KEYS) as waiting:
            full = await ask()
            gate.open()
            await waiting.read()
        await asyncio.gather(*running)
    assert (full.status, full.headers["retry-after"]) == (429, "1")
    assert full.json()["error"]["code"] == "rate_limit_exceeded"


async def test_a_draining_host_refuses_new_requests() -> None:
    """503, safe to send again."""
    host = AgentFrameworkHost(ScriptedAgent(every="ok"), channels=[ResponsesChannel()])
    async with InMemoryDriver(host.app) as driver:
        host.begin_drain()
        answer = await driver.request("POST", "/responses", json={"input": "hi"})
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert "x-should-retry" not in answer.headers
    assert answer.json()["error"]["code"] == "draining"


async def test_a_forgotten_lifespan_is_a_503_that_names_the_mend() -> None:
    """A host that has something to start, mounted in an app that does not start it."""

    class NeedsStart:
        name, path = "other", "/other"

        def contribute(self, _: Any) -> ChannelContribution:
            return ChannelContribution(on_startup=[lambda: None])

    app = FastAPI()
    app.mount("/agent", AgentFrameworkHost(ScriptedAgent(), channels=[ResponsesChannel(), NeedsStart()]).app)
    async with InMemoryDriver(app) as driver:
        for stream in (False, True):
            answer = await driver.request("POST", "/agent/responses", json={"input": "hi", "stream": stream})
            assert (answer.status, answer.json()["error"]["code"]) == (503, "not_started")
            assert "lifespan=host.lifespan" in answer.json()["error"]["message"]


async def test_sizes_are_bounded() -> None:
    """Bytes, depth and items each have a limit with its own answer."""
    async with serving(ScriptedAgent(every="ok"), limits=Limits(max_request_bytes=5000, max_input_items=3)) as driver:
        assert (await refused(driver, "x" * 6000))[:2] == (413, "request_too_large")
        assert (await refused(driver, [{"role": "user", "content": "a"}] * 4))[:2] == (413, "request_too_large")
        deep = b'{"input":' + b"[" * 100 + b"]" * 100 + b"}"
        answer = await driver.request("POST", "/responses", body=deep)
        assert answer.status == 400


async def test_how_the_caller_names_its_user_reaches_the_agent_as_metadata() -> None:
    """It never links or authorises anything by itself."""
    agent = ScriptedAgent(every="ok")
    async with serving(agent) as driver:
        await create(driver, safety_identifier="u1")
    hosting = agent.runs[0].messages[-1].additional_properties["hosting"]
    assert hosting == {
        "channel": "responses",
        "identity": {"channel": "responses", "native_id": "u1", "attributes": None},
    }


async def test_what_is_stored_is_what_was_sent() -> None:
    """What is read under the response's id is the body that the client got."""
    channel = ResponsesChannel()
    records: list[Any] = []
    contribute = channel.contribute

    def keep(context: Any) -> Any:
        records.append(context)
        return contribute(context)

    channel.contribute = keep  # type: ignore[method-assign]
    async with InMemoryDriver(AgentFrameworkHost(ScriptedAgent(every=["a", "b"]), channels=[channel]).app) as driver:
        whole = await create(driver)
        answer = await driver.request("POST", "/responses", json={"input": "hi", "stream": True})
    assert body_of(await records[0].read_record(whole["id"])) == whole
    assert body_of(await records[0].read_record(final(answer)["id"])) == final(answer)
