"""An agent on a model that runs on your own machine, with Ollama; `agent-framework-ollama` brings the client.

No key is needed; OLLAMA_HOST names another machine than this one.

Run it:  ollama pull qwen3:4b && OLLAMA_MODEL=qwen3:4b .venv/bin/python samples/providers/on_ollama.py
Try it:  curl -s http://127.0.0.1:8000/responses --json '{"input": "Hello!"}'
"""

import os

from agent_framework import Agent
from agent_framework.ollama import OllamaChatClient

from agent_framework_hosting import AgentFrameworkHost
from agent_framework_hosting_responses import ResponsesChannel

if not os.environ.get("OLLAMA_MODEL"):
    raise SystemExit("Set OLLAMA_MODEL to a model that `ollama list` shows; `ollama pull` fetches one.")

agent = Agent(OllamaChatClient(), name="guide", instructions="You are kind and brief.")
host = AgentFrameworkHost(agent, channels=[ResponsesChannel()])

if __name__ == "__main__":
    host.serve(port=int(os.environ.get("PORT", "8000")))
