"""One agent with one tool, for every client of the OpenAI Responses API.

Run it:  OPENAI_API_KEY=... .venv/bin/python samples/one_agent.py
Try it:  curl -s http://127.0.0.1:8000/responses --json '{"input": "When can I come on Sunday?"}'
"""

import os
from typing import Annotated

from agent_framework import Agent, tool
from agent_framework.openai import OpenAIChatClient

from agent_framework_hosting import AgentFrameworkHost
from agent_framework_hosting_responses import ResponsesChannel

if not os.environ.get("OPENAI_API_KEY"):
    raise SystemExit("Set OPENAI_API_KEY to a key of your OpenAI account; samples/providers shows other models.")


@tool(approval_mode="never_require")
def opening_hours(day: Annotated[str, "Day of the week, in English"]) -> str:
    """Say when the shop is open."""
    return "closed" if day.lower() == "sunday" else "9 to 18"


agent = Agent(
    OpenAIChatClient(model=os.environ.get("OPENAI_MODEL", "gpt-5-mini")),
    name="shopkeeper",
    instructions="You keep a small shop. Be kind and brief.",
    tools=[opening_hours],
)
host = AgentFrameworkHost(agent, channels=[ResponsesChannel()])

if __name__ == "__main__":
    host.serve(port=int(os.environ.get("PORT", "8000")))
