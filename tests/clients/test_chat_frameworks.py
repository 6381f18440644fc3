"""Agent Framework's client, LangChain and LiteLLM at Chat Completions."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from agent_framework import Agent, tool
from agent_framework_openai import OpenAIChatCompletionClient
from openai import AsyncOpenAI
from pydantic import BaseModel

pytestmark = [
    pytest.mark.timeout(300),  # the first test waits for imports
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),  # LiteLLM's own
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),  # likewise
    pytest.mark.filterwarnings("ignore:.*using the `ReadOnly` qualifier:UserWarning"),  # likewise
]
WAYS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


class Point(BaseModel):
    """A point."""

    x: int
    name: str


@pytest.fixture
def heard() -> list[str]:
    """Return what the client's tool was given."""
    return []


@pytest.fixture
def shouter(async_chat_client: AsyncOpenAI, heard: list[str]) -> Agent[Any]:
    """Return an agent with a tool of its own whose model is the served agent."""

    @tool(approval_mode="never_require")
    def shout(word: str) -> str:
        """Shout a word."""
        heard.append(word)
        return word.upper()

    return Agent(OpenAIChatCompletionClient(model="demo", async_client=async_chat_client), tools=[shout])


async def run(agent: Agent[Any], asked: str, *, stream: bool, session: Any = None, **options: Any) -> Any:
    wanted: Any = options
    if stream:
        return await agent.run(asked, stream=True, session=session, options=wanted).get_final_response()
    return await agent.run(asked, session=session, options=wanted)


@WAYS
async def test_agent_framework_keeps_the_conversation(shouter: Agent[Any], stream: bool) -> None:
    session = shouter.create_session()
    for asked in ("My name is Ada.", "say on", "What is my name?"):
        response = await run(shouter, asked, stream=stream, session=session)
    assert (response.text, response.finish_reason) == ("Your name is Ada.", "stop")
    assert response.usage_details["output_token_count"] == 4


@WAYS
async def test_agent_framework_runs_its_tool(shouter: Agent[Any], heard: list[str], stream: bool) -> None:
    """And that of the served agent runs there."""
    response = await run(shouter, 'call shout {"word": "hi"}', stream=stream)
    assert (response.text, heard) == ("shout answered: HI", ["hi"])
    assert (await run(shouter, "What is 6 * 7?", stream=stream)).text == "calculate answered: 6 * 7 = 42"
    assert len(heard) == 1


@WAYS
async def test_agent_framework_reads_an_answer_into_a_class(shouter: Agent[Any], stream: bool) -> None:
    response = await run(shouter, "Go to 3", stream=stream, response_format=Point)
    assert response.value == Point(x=3, name="Go to 3")


@pytest.fixture(scope="module")
def langchain(chat: str) -> Generator[Any]:
    """Return LangChain's chat model; it calls nobody but the host."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANGSMITH_TRACING", "false")
        from . import chain

        yield chain.chat(chat, use_responses_api=False, stream_usage=True)


@WAYS
def test_langchain_calls_tools_and_answers_them(langchain: Any, stream: bool) -> None:
    from . import chain as module

    chain: Any = module
    bound = langchain.bind_tools(list(chain.TOOLS.values()))
    way = "streamed" if stream else "whole"
    asked = chain.ask(bound, 'call f {"a": 1} and g {}', way=way)
    assert [(call["name"], call["args"]) for call in asked.tool_calls] == [("f", {"a": 1}), ("g", {})]
    results = [chain.TOOLS[call["name"]].invoke(call) for call in asked.tool_calls]
    told = chain.ask(bound, [("user", 'call f {"a": 1} and g {}'), asked, *results], way=way)
    assert told.text == "f answered: F1\ng answered: G"
    assert told.usage_metadata["output_tokens"] > 0
    assert told.response_metadata["finish_reason"] == "stop"


def test_langchain_reads_an_answer_into_a_class(langchain: Any) -> None:
    assert langchain.with_structured_output(Point, method="json_schema").invoke("Go to 3") == Point(x=3, name="Go to 3")


@pytest.fixture(scope="module")
def lite(chat: str) -> Generator[Any]:
    """Return LiteLLM's `completion` at the host."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        patch.setenv("LITELLM_MODE", "PRODUCTION")
        from . import lite

        yield lite.Lite(chat)


@WAYS
def test_litellm_answers_and_calls_tools(lite: Any, stream: bool) -> None:
    parameters: dict[str, Any] = {"type": "object", "properties": {}}
    f = {"type": "function", "function": {"name": "f", "parameters": parameters}}
    said = lite.chat([{"role": "user", "content": "count to 5"}], stream=stream)
    assert (said.choices[0].message.content, said.choices[0].finish_reason) == ("1 2 3 4 5", "stop")
    assert said.usage.completion_tokens == 5
    question = {"role": "user", "content": "call f {}"}
    asked = lite.chat([question], tools=[f], stream=stream).choices[0].message
    (call,) = asked.tool_calls
    result = {"role": "tool", "tool_call_id": call.id, "content": "R"}
    told = lite.chat([question, asked.model_dump(exclude_none=True), result], tools=[f], stream=stream)
    assert told.choices[0].message.content == "f answered: R"
