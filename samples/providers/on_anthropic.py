"""An agent on Anthropic's models; `agent-framework-anthropic` brings the client.

The key comes from ANTHROPIC_API_KEY, another address from ANTHROPIC_BASE_URL.

Run it:  ANTHROPIC_API_KEY=... .venv/bin/python samples/providers/on_anthropic.py
Try it:  curl -s http://127.0.0.1:8000/responses --json '{"input": "Hello!"}'
"""

import os

from agent_framework import Agent
from agent_framework.anthropic import AnthropicClient

from agent_framework_hosting import AgentFrameworkHost
from agent_framework_hosting_responses import ResponsesChannel

if not os.environ.get("ANTHROPIC_API_KEY"):
    raise SystemExit("Set ANTHROPIC_API_KEY to a key of your Anthropic account.")

client = AnthropicClient(model=os.environ.get("ANTHROPIC_MODEL", "claude-sonnet-4-5"))
agent = Agent(client, name="guide", instructions="You are kind and brief.")
host = AgentFrameworkHost(agent, channels=[ResponsesChannel()])

if __name__ == "__main__":
    host.serve(port=int(os.environ.get("PORT", "8000")))
