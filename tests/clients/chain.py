"""LangChain with the demo as its chat model, and two tools of the client's.

Imported by the tests only when they run: LangChain takes seconds to import, and every worker collects every test.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, Final, Literal

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool, tool
from langchain_openai import ChatOpenAI
from pydantic import SecretStr


@tool
def f(a: int) -> str:
    """Do f."""
    return f"F{a}"


@tool
def g() -> str:
    """Do g."""
    return "G"


TOOLS: Final[dict[str, BaseTool]] = {"f": f, "g": g}
Way = Literal["whole", "streamed"]


def chat(base_url: str, *, use_responses_api: bool = True, **settings: Any) -> ChatOpenAI:
    """Return the demo as LangChain's chat model; what fails is not sent again."""
    return ChatOpenAI(
        model="demo",
        base_url=base_url,
        api_key=SecretStr("unused"),
        max_retries=0,
        use_responses_api=use_responses_api,
        **settings,
    )


def ask(model: Runnable[Any, Any], messages: str | Sequence[BaseMessage], *, way: Way = "whole") -> AIMessage:
    """Return the answer; one that was streamed is folded by LangChain's own rules."""
    if way == "whole":
        return model.invoke(messages)
    return reduce(lambda one, other: one + other, model.stream(messages))


class Talk:
    """A conversation of which the client keeps all messages."""

    def __init__(self, model: Runnable[Any, Any], *, way: Way = "whole") -> None:
        self._model = model
        self._way: Way = way
        self._messages: list[BaseMessage] = []

    def say(self, content: Any) -> AIMessage:
        """Say something; return the answer to it, or the calls that come first."""
        return self._send(HumanMessage(content))

    def answer(self, asked: AIMessage) -> AIMessage:
        """Run the tools that were called, and return what is said to their results."""
        return self._send(*(_run(call) for call in asked.tool_calls))

    def _send(self, *messages: BaseMessage) -> AIMessage:
        self._messages += messages
        answer = ask(self._model, self._messages, way=self._way)
        self._messages.append(answer)
        return answer


def _run(call: Any) -> ToolMessage:
    return TOOLS[call["name"]].invoke(call)
