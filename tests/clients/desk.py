"""An agent of the OpenAI Agents SDK, with function tools of its own.

Imported by the tests only when they run: the SDK takes seconds to import, and every worker collects every test.
"""

from __future__ import annotations

from typing import Any

from agents import (
    Agent,
    ModelSettings,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    RunResult,
    RunResultStreaming,
    function_tool,
)
from openai import AsyncOpenAI

QUIET = RunConfig(tracing_disabled=True)


class Desk:
    """An agent of the SDK's with two function tools; remembers what these were given."""

    def __init__(self, client: AsyncOpenAI) -> None:
        self.given: list[str] = []

        @function_tool
        def f(a: int) -> str:
            """Do f."""
            self.given.append(f"f {a}")
            return f"F{a}"

        @function_tool
        def g() -> str:
            """Do g."""
            self.given.append("g")
            return "G"

        self._agent = Agent[None](
            name="desk", instructions="Be kind.", model=OpenAIResponsesModel("demo", client), tools=[f, g]
        )

    def set(self, **settings: Any) -> None:
        """Choose model settings for the runs to come."""
        self._agent.model_settings = ModelSettings(**settings)

    def answer_as(self, form: type[Any]) -> None:
        """Choose what the answers of the runs to come are read into."""
        self._agent.output_type = form

    async def run(self, asked: Any, **options: Any) -> RunResult:
        return await Runner.run(self._agent, asked, run_config=QUIET, **options)

    async def stream(self, asked: Any, **options: Any) -> tuple[RunResultStreaming, list[str]]:
        """Return the result, and what it was made of in the order of its coming: raw events and items."""
        result = Runner.run_streamed(self._agent, asked, run_config=QUIET, **options)
        seen: list[str] = []
        async for event in result.stream_events():
            if event.type == "raw_response_event":
                seen.append(event.data.type)
            elif event.type == "run_item_stream_event":
                seen.append(event.name)
        return result, seen

    @staticmethod
    def items_of(result: RunResult | RunResultStreaming) -> list[str]:
        """Return the types of the items that a run has made."""
        return [item.type for item in result.new_items]
