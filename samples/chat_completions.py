"""One agent for every client of the OpenAI Chat Completions API, and for front ends that speak it, such as Open WebUI.

A front end finds the agent under `/v1/models` and sends the whole conversation each time. A program may name the
conversation instead: then the agent remembers it, each caller's apart.

Run it:  .venv/bin/python samples/chat_completions.py
Try it:  curl -s http://127.0.0.1:8000/v1/chat/completions -H 'x-session-id: tea' \
             --json '{"model": "shopkeeper", "messages": [{"role": "user", "content": "When can I come for tea?"}]}'
"""

import os

from agent_framework_hosting import AgentFrameworkHost
from agent_framework_hosting.testing import ScriptedAgent, recall
from agent_framework_hosting_chat_completions import ChatCompletionsChannel
from agent_framework_hosting_responses import ResponsesChannel

agent = ScriptedAgent(every=recall, name="shopkeeper")  # any agent of yours
chat = ChatCompletionsChannel(
    session_header="x-session-id",
    caller_instructions="append",  # the people who use the front end may set a system prompt
)
host = AgentFrameworkHost(agent, channels=[chat, ResponsesChannel()])

if __name__ == "__main__":
    host.serve(port=int(os.environ.get("PORT", "8000")))
