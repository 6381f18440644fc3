"""An agent on OpenAI's models; `agent-framework-openai` brings the client.

The key comes from OPENAI_API_KEY, another address from OPENAI_BASE_URL.

Run it:  OPENAI_API_KEY=... .venv/bin/python samples/providers/on_openai.py
Try it:  curl -s http://127.0.0.1:8000/responses --json '{"input": "Hello!"}'
"""

import os

from agent_framework import Agent
from agent_framework.openai import OpenAIChatClient

from agent_framework_hosting import AgentFrameworkHost
from agent_framework_hosting_responses import ResponsesChannel

if not os.environ.get("OPENAI_API_KEY"):
    raise SystemExit("Set OPENAI_API_KEY to a key of your OpenAI account.")

client = OpenAIChatClient(model=os.environ.get("OPENAI_MODEL", "gpt-5-mini"))
agent = Agent(client, name="guide", instructions="You are kind and brief.")
host = AgentFrameworkHost(agent, channels=[ResponsesChannel()])

if __name__ == "__main__":
    host.serve(port=int(os.environ.get("PORT", "8000")))
