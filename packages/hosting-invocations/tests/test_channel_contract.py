"""The channel keeps the contract of all channels, with names of sessions that belong to their callers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, ClassVar

from agent_framework_hosting.channel import Channel
from agent_framework_hosting.testing import Answer, ServerSentEvent
from agent_framework_hosting.testing.contracts import Capability, ChannelContract, HTTPAdapter, Line, Said
from agent_framework_hosting.types import Principal
from agent_framework_hosting_invocations.channel import InvocationsChannel


def own(name: str, principal: Principal) -> str:
    """Return a key for a name, which also those have whom nobody knows."""
    return f"{principal.kind}:{principal.id}:{name}"


class InvocationsAdapter(HTTPAdapter):
    """How one talks to the channel."""

    lacks: ClassVar[Mapping[Capability, str]] = {
        "ids": "a session is continued at its end, never from an older answer",
        "reading": "no answer is kept to be read again",
        "reset": "a conversation is begun anew under a new name",
    }

    def make(self, **options: Any) -> Channel:
        """Return a channel that takes names."""
        return InvocationsChannel(session_names=own, **options)

    def message(self, line: Line, text: str, *, stream: bool) -> Any:
        """Return a message in the session of this name."""
        return {"input": text, "stream": stream, "session_id": line.name.replace(" ", "-")}

    def answered(self, answer: Answer) -> Said:
        """Return the text of an answer."""
        return Said(text=answer.json()["output"])

    def refused(self, answer: Answer) -> Said:
        """Return the code of a problem."""
        assert answer.headers["content-type"] == "application/problem+json"
        return Said(error=answer.json()["code"])

    async def shown(self, events: AsyncIterator[ServerSentEvent]) -> AsyncGenerator[str | Said, None]:
        """Yield the text as it grows, and what the last event says."""
        text = ""
        async for event in events:
            data = event.json()
            if event.event == "delta":
                text += data["text"]
                yield text
            elif "status" in data:
                yield Said(text=data["output"], error=data.get("error", {}).get("code"))


class TestInvocationsChannel(ChannelContract):
    """Over real sockets."""

    adapter = InvocationsAdapter
