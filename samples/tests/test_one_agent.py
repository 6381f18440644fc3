"""One agent with one tool, in a process of its own, between the official client and a model on the loopback address."""

from __future__ import annotations

from pathlib import Path

import pytest
from agent_framework import Content
from openai import AsyncOpenAI

from agent_framework_hosting.testing import AgentRun, LoopbackDriver

from .conftest import Load
from .processes import started
from .wires import KEY, openai


def model(run: AgentRun) -> list[str | Content]:
    """Ask for the tool, then say what it gave."""
    given = [content.result for content in run.messages[-1].contents if content.type == "function_result"]
    if given:
        return [f"We are {given[0]}, ", "I am sorry."]
    return [Content.from_function_call("call_1", "opening_hours", arguments={"day": "Sunday"})]


async def test_the_agent_uses_its_tool_and_answers(tmp_path: Path) -> None:
    with LoopbackDriver(openai(model).app) as wire:
        settings = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": wire.base_url}
        with started("one_agent.py", log=tmp_path / "printed", settings=settings) as sample:
            async with (
                AsyncOpenAI(base_url=f"{sample.url}/v1", api_key="unused") as client,
                client.responses.stream(model="mine", input="Are you open on Sunday?") as stream,
            ):
                answer = await stream.get_final_response()
            assert answer.output_text == "We are closed, I am sorry."
            assert [item.type for item in answer.output] == ["mcp_call", "message"]
            assert sample.stop() == 0
            assert "Serving shopkeeper" in sample.printed


def test_without_a_key_it_says_what_to_set(sample: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(SystemExit, match="Set OPENAI_API_KEY"):
        sample("one_agent.py")
