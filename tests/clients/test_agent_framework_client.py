"""Agent Framework's own client against the served demo: an agent whose model is another agent."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from agent_framework import Agent, AgentResponse, AgentSession, Content, Message, tool
from agent_framework_openai import OpenAIChatClient
from openai import AsyncOpenAI


class Shouter:
    """An agent of the client's with a tool of its own; remembers what the tool was given."""

    def __init__(self, client: AsyncOpenAI) -> None:
        self.heard: list[str] = []

        @tool(approval_mode="never_require")
        def shout(word: str) -> str:
            """Shout a word."""
            self.heard.append(word)
            return word.upper()

        self.agent = Agent(OpenAIChatClient(model="demo", async_client=client), tools=[shout])

    async def run(self, asked: str, session: AgentSession | None = None, **options: Any) -> AgentResponse[Any]:
        wanted: Any = options
        return await self.agent.run(asked, session=session, options=wanted)


@pytest.fixture
def shouter(async_client: AsyncOpenAI) -> Shouter:
    return Shouter(async_client)


def kinds(response: AgentResponse[Any]) -> list[str]:
    """Return the types of all contents, in order."""
    return [content.type for message in response.messages for content in message.contents]


async def test_an_answer_has_text_usage_and_a_reason(shouter: Shouter) -> None:
    response = await shouter.run("count to 5")
    assert response.text == "1 2 3 4 5"
    assert response.finish_reason == "stop"
    assert response.response_id is not None
    assert response.usage_details is not None
    assert response.usage_details.get("output_token_count") == 5


async def test_a_stream_comes_in_pieces_and_folds_to_the_answer(shouter: Shouter) -> None:
    stream = shouter.agent.run("count to 5", stream=True)
    pieces = [update.text async for update in stream if update.text]
    assert pieces[:5] == ["1 ", "2 ", "3 ", "4 ", "5"]
    response = await stream.get_final_response()
    assert response.text == "1 2 3 4 5"
    assert response.usage_details is not None
    assert response.usage_details.get("output_token_count") == 5


async def test_an_answer_that_was_cut_says_so(shouter: Shouter) -> None:
    response = await shouter.run("count to 9", max_tokens=3)
    assert (response.text.split(), response.finish_reason) == (["1", "2", "3"], "length")


async def test_a_session_lives_on_the_server(shouter: Shouter) -> None:
    """The client keeps an id, and no history."""
    session = shouter.agent.create_session()
    ids: list[object] = []
    for turn in ["My name is Ada.", "say on", "What did I say first?", "What is my name?", "How many messages?"]:
        response = await shouter.run(turn, session)
        ids.append(session.service_session_id)
        assert session.service_session_id == response.response_id
    assert response.text == "With this one you have sent 5 messages."
    assert len(set(ids)) == 5
    assert not session.state


async def test_a_session_goes_on_through_streamed_turns(shouter: Shouter) -> None:
    session = shouter.agent.create_session()
    for count in range(1, 4):
        stream = shouter.agent.run("How many messages?", session=session, stream=True)
        answer = (await stream.get_final_response()).text
        assert answer == f"With this one you have sent {count} message{'s' if count > 1 else ''}."
    assert (await shouter.run("How many messages?", session)).text.endswith("4 messages.")


async def test_a_session_goes_on_in_a_conversation(shouter: Shouter, async_client: AsyncOpenAI) -> None:
    made = (await async_client.conversations.create()).id
    session = shouter.agent.get_session(made)
    for turn in ["My name is Ada.", 'call shout {"word": "hey"}', "What is my name?"]:
        response = await shouter.run(turn, session)
        assert session.service_session_id == made
    assert response.text == "Your name is Ada."
    stream = shouter.agent.run("What is my name?", session=session, stream=True)
    assert (await stream.get_final_response()).text == "Your name is Ada."
    assert shouter.heard == ["hey"]


async def test_sessions_are_kept_apart(shouter: Shouter) -> None:
    ada, grace = shouter.agent.create_session(), shouter.agent.create_session()
    await shouter.run("My name is Ada.", ada)
    await shouter.run("My name is Grace.", grace)
    assert (await shouter.run("What is my name?", ada)).text == "Your name is Ada."
    assert (await shouter.run("What is my name?", grace)).text == "Your name is Grace."


@pytest.mark.parametrize("stored", [True, False], ids=["kept by the server", "kept by the client"])
async def test_the_clients_tool_runs_in_the_client(shouter: Shouter, stored: bool) -> None:
    """Called by the server's agent, in parallel and turn after turn, with either place for the history."""
    session = shouter.agent.create_session()
    for turn in range(1, 3):
        response = await shouter.run('call shout {"word": "hey"} and shout {"word": "you"}', session, store=stored)
        assert response.text == "shout answered: HEY\nshout answered: YOU"
        # Each call has a thread of its own, so which is heard first is left to them.
        assert Counter(shouter.heard) == {"hey": turn, "you": turn}
    last = await shouter.run("How many messages?", session, store=stored)
    assert last.text == "With this one you have sent 3 messages."
    assert (session.service_session_id is not None) == stored


async def test_the_clients_tool_runs_while_streaming(shouter: Shouter) -> None:
    session = shouter.agent.create_session()
    stream = shouter.agent.run('call shout {"word": "hey"}', session=session, stream=True)
    called = [content.name async for update in stream for content in update.contents if content.name]
    assert set(called) == {"shout"}
    response = await stream.get_final_response()
    assert kinds(response) == ["function_call", "function_result", "text"]
    assert (response.text, shouter.heard) == ("shout answered: HEY", ["hey"])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_the_servers_tool_is_shown_and_not_called_again(shouter: Shouter, stream: bool) -> None:
    """Agent Framework knows it as the tool of a server, with its result."""
    session = shouter.agent.create_session()
    for _ in range(2):
        response = await (
            shouter.agent.run("What is 6 * 7?", session=session, stream=True).get_final_response()
            if stream
            else shouter.run("What is 6 * 7?", session)
        )
        assert kinds(response) == ["mcp_server_tool_call", "mcp_server_tool_result", "text"]
        assert response.text == "calculate answered: 6 * 7 = 42"


async def test_a_history_with_a_tool_of_the_servers_is_taken_back(shouter: Shouter) -> None:
    """The client that keeps the history sends the server's call and its result with it."""
    session = shouter.agent.create_session()
    for turn in ["My name is Ada.", "What is 6 * 7?", "What is my name?"]:
        response = await shouter.run(turn, session, store=False)
    assert response.text == "Your name is Ada."


async def test_a_schema_for_the_answer_is_passed_on(shouter: Shouter) -> None:
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "point", "schema": schema}}
    response = await shouter.run('say {"x": 5}', response_format=wanted)
    assert response.value == {"x": 5}


async def test_an_image_is_passed_on(shouter: Shouter, dot: bytes) -> None:
    image = Content.from_data(dot, "image/png")
    response = await shouter.agent.run(Message("user", ["What is this?", image]))
    assert response.text.startswith("You sent an image (image/png, 70 bytes).")


async def test_an_answer_in_the_background_is_polled_by_its_token(async_client: AsyncOpenAI) -> None:
    client: Any = OpenAIChatClient(model="demo", async_client=async_client)
    asked, options = [Message("user", ["count to 5"])], {"background": True}
    response = await client.get_response(asked, options=options)
    assert response.continuation_token is not None
    while response.continuation_token is not None:
        polling = {**options, "continuation_token": response.continuation_token}
        response = await client.get_response(asked, options=polling)
    assert response.text == "1 2 3 4 5"


async def test_a_stream_in_the_background_is_taken_up_by_its_token(async_client: AsyncOpenAI) -> None:
    client: Any = OpenAIChatClient(model="demo", async_client=async_client)
    asked, options = [Message("user", ["count to 5"])], {"background": True}
    token: Any = None
    async for update in client.get_response(asked, stream=True, options=options):
        if update.continuation_token is not None:
            token = update.continuation_token
            break
    resumed = client.get_response(asked, stream=True, options={**options, "continuation_token": token})
    assert (await resumed.get_final_response()).text == "1 2 3 4 5"
