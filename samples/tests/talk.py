"""What a caller of a sample says, and what it hears."""

from __future__ import annotations

from typing import Any

from agent_framework_hosting.testing import Answer, Driver, ServerSentEvent


async def ask(driver: Driver, said: str, *, path: str = "/responses", authorization: str = "", **fields: Any) -> Answer:
    """Send one request to a Responses channel."""
    headers = {"authorization": authorization} if authorization else {}
    return await driver.request("POST", path, json={"input": said, **fields}, headers=headers)


async def events(driver: Driver, said: str, **fields: Any) -> list[ServerSentEvent]:
    """Send one request for a stream and return its events."""
    return (await ask(driver, said, stream=True, **fields)).events()


def deltas(streamed: list[ServerSentEvent]) -> str:
    """Return the text that was streamed."""
    return "".join(event.json()["delta"] for event in streamed if event.event == "response.output_text.delta")


def final(streamed: list[ServerSentEvent]) -> dict[str, Any]:
    """Return the body at the end of a stream."""
    assert streamed[-2].event == "response.completed"
    return streamed[-2].json()["response"]


def text(body: Any) -> str:
    """Return the text of a response's body."""
    return "".join(part["text"] for item in body["output"] if item["type"] == "message" for part in item["content"])
