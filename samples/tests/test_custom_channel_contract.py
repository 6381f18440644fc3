"""The channel of plain JSON and server-sent events keeps the contract of channels."""

from __future__ import annotations

import runpy
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, ClassVar

from agent_framework_hosting.channel import Channel
from agent_framework_hosting.testing import Answer, ServerSentEvent
from agent_framework_hosting.testing.contracts import Capability, ChannelContract, HTTPAdapter, Line, Said

from .conftest import SAMPLES

CHANNEL = runpy.run_path(str(SAMPLES / "custom_channel.py"))["AskChannel"]


class AskAdapter(HTTPAdapter):
    lacks: ClassVar[Mapping[Capability, str]] = {
        "conversations": "a question names the answer before it",
        "reset": "a question that names none is the first of a conversation",
    }
    unknown_id = "ans_00000000000000000000000000000000"

    def make(self, **options: Any) -> Channel:
        return CHANNEL(**options)

    def message(self, line: Line, text: str, *, stream: bool) -> Any:
        return {"question": text, "after": line.last_id, "stream": stream}

    def answered(self, answer: Answer) -> Said:
        return Said(text=answer.json()["answer"], id=answer.json()["id"])

    async def shown(self, events: AsyncIterator[ServerSentEvent]) -> AsyncGenerator[str | Said, None]:
        text = ""
        async for event in events:
            match event.event:
                case "piece":
                    text += event.json()
                    yield text
                case "error":
                    yield Said(error=event.json())
                case _:
                    yield Said(text=event.json()["answer"], id=event.json()["id"])

    async def look_up(self, line: Line, answer_id: str) -> Said:
        return self.said(await self.driver.request("GET", f"{self.at}/{answer_id}", headers=line.headers))


class TestAskChannel(ChannelContract):
    adapter = AskAdapter
