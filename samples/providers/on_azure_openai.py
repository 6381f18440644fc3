"""An agent on a deployment of Azure OpenAI; the client is that of `agent-framework-openai`, told where to go.

Instead of a key, `OpenAIChatClient(credential=AzureCliCredential())` takes an identity (`pip install azure-identity`).

Run it:  AZURE_OPENAI_ENDPOINT=https://<yours>.openai.azure.com AZURE_OPENAI_API_KEY=... \
         AZURE_OPENAI_DEPLOYMENT=... .venv/bin/python samples/providers/on_azure_openai.py
Try it:  curl -s http://127.0.0.1:8000/responses --json '{"input": "Hello!"}'
"""

import os

from agent_framework import Agent
from agent_framework.openai import OpenAIChatClient

from agent_framework_hosting import AgentFrameworkHost
from agent_framework_hosting_responses import ResponsesChannel

NEEDED = ("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_DEPLOYMENT")
missing = [name for name in NEEDED if not os.environ.get(name)]
if missing:
    raise SystemExit(f"Set {', '.join(missing)}; the page of your resource in the Azure portal shows the values.")

client = OpenAIChatClient(
    azure_endpoint=os.environ["AZURE_OPENAI_ENDPOINT"],
    api_key=os.environ["AZURE_OPENAI_API_KEY"],
    model=os.environ["AZURE_OPENAI_DEPLOYMENT"],
)
agent = Agent(client, name="guide", instructions="You are kind and brief.")
host = AgentFrameworkHost(agent, channels=[ResponsesChannel()])

if __name__ == "__main__":
    host.serve(port=int(os.environ.get("PORT", "8000")))
