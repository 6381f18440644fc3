"""The channel keeps the contract of all channels, with a header that names the conversation."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, ClassVar

from agent_framework_hosting.testing import Answer, ServerSentEvent
from agent_framework_hosting.testing.contracts import Capability, ChannelContract, HTTPAdapter, Line, Said
from agent_framework_hosting_chat_completions.channel import ChatCompletionsChannel

HEADER = "x-session-id"


class ChatCompletionsAdapter(HTTPAdapter):
    """How one talks to Chat Completions."""

    lacks: ClassVar[Mapping[Capability, str]] = {
        "ids": "the protocol continues no answer: a client sends the conversation, or names it",
        "reading": "no completion is kept to be read again",
        "reset": "a conversation is begun anew under a new name",
    }

    def make(self, **options: Any) -> ChatCompletionsChannel:
        """Return a channel that remembers the conversations of a header."""
        return ChatCompletionsChannel(session_header=HEADER, **options)

    def headers(self, line: Line) -> dict[str, str]:
        """Name the conversation."""
        return {**line.headers, HEADER: line.name}

    def message(self, line: Line, text: str, *, stream: bool) -> Any:
        """Return a request with the one message that is new."""
        return {"model": "any", "messages": [{"role": "user", "content": text}], "stream": stream}

    def answered(self, answer: Answer) -> Said:
        """Return the text of a completion."""
        return Said(text=answer.json()["choices"][0]["message"]["content"])

    def check_error(self, said: Said) -> None:
        """Check that it is an error object of the API."""
        super().check_error(said)
        assert all(key in said.wire for key in (b'"message"', b'"type"', b'"param"', b'"code"'))

    async def shown(self, events: AsyncIterator[ServerSentEvent]) -> AsyncGenerator[str | Said, None]:
        """Yield the text as it grows."""
        text, end = "", Said()
        async for event in events:
            if event.data == "[DONE]":
                yield end
                return
            chunk = event.json()
            if "error" in chunk:
                end = Said(error=chunk["error"]["code"])
                continue
            if said := chunk["choices"][0]["delta"].get("content"):
                text += said
                yield text
            end = Said(text=text)


class TestChatCompletionsChannel(ChannelContract):
    """Over real sockets."""

    adapter = ChatCompletionsAdapter
