"""The Responses channel keeps the contract of channels."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, ClassVar, cast

from agent_framework_hosting.channel import Channel
from agent_framework_hosting.testing import Answer, ServerSentEvent
from agent_framework_hosting.testing.contracts import Capability, ChannelContract, HTTPAdapter, Line, Said
from agent_framework_hosting_responses.channel import ResponsesChannel


class ResponsesAdapter(HTTPAdapter):
    """Names a conversation by the chat key of a trusted platform, until there is an answer to continue from."""

    lacks: ClassVar[Mapping[Capability, str]] = {
        "private": "a chat key of a trusted platform says what is shared",
        "reset": "a request that names no response begins anew",
    }
    host_options: ClassVar[Mapping[str, Any]] = {"trust_isolation_headers": True}
    unknown_id = "resp_00000000000000000000000000000000"

    def make(self, **options: Any) -> Channel:
        return ResponsesChannel(**options)

    def headers(self, line: Line) -> dict[str, str]:
        named = {} if line.last_id else {"x-agent-chat-isolation-key": line.name.replace(" ", "-")}
        return {**line.headers, **named}

    def message(self, line: Line, text: str, *, stream: bool) -> Any:
        return {"input": text, "stream": stream, "previous_response_id": line.last_id}

    async def look_up(self, line: Line, answer_id: str) -> Said:
        return self.said(await self.driver.request("GET", f"{self.at}/{answer_id}", headers=line.headers))

    def answered(self, answer: Answer) -> Said:
        return said_by(answer.json())

    async def shown(self, events: AsyncIterator[ServerSentEvent]) -> AsyncGenerator[str | Said, None]:
        text = ""
        async for event in events:
            match event.event:
                case "response.output_text.delta":
                    text += event.json()["delta"]
                    yield text
                case "response.completed" | "response.failed" | "response.incomplete":
                    yield said_by(event.json()["response"])
                case "message":
                    assert event.data == "[DONE]"
                case _:
                    continue


def said_by(response: dict[str, Any]) -> Said:
    if response["error"] is not None:
        return Said(error=response["error"]["code"], id=response["id"])
    items = cast("list[dict[str, Any]]", response["output"])
    parts = [part["text"] for item in items if item["type"] == "message" for part in item["content"]]
    return Said(text="".join(parts), id=response["id"])


class TestResponsesChannel(ChannelContract):
    adapter = ResponsesAdapter
