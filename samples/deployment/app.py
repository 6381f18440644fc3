"""A host as it goes into a container: keys, database and public address come from the environment.

`Dockerfile`, `kubernetes.yaml` and `nginx.conf` beside it belong to it; docs/deploying.md says what they do.

Run it:  AF_HOSTING_API_KEYS=... PUBLIC_URL=https://agent.example.com .venv/bin/python samples/deployment/app.py
Try it:  curl -s http://127.0.0.1:8000/v1/responses -H "authorization: Bearer $KEY" \
  -H 'content-type: application/json' -d '{"input": "Are you there?"}'
"""

import os

from agent_framework_hosting import AgentFrameworkHost
from agent_framework_hosting.auth import ApiKeys
from agent_framework_hosting.door import Door
from agent_framework_hosting.testing import ScriptedAgent
from agent_framework_hosting_responses import ResponsesChannel

if not os.environ.get("AF_HOSTING_API_KEYS"):
    raise SystemExit("Set AF_HOSTING_API_KEYS to what `af-hosting keys new --name NAME` prints for it.")

host = AgentFrameworkHost(
    ScriptedAgent(),  # any agent of yours
    channels=[ResponsesChannel()],
    auth=ApiKeys.from_environment(),
    database=os.environ.get("AF_HOSTING_DATABASE"),
    # Behind a proxy on this machine: the name by which it is known outside. Other names are refused at loopback.
    door=Door(public_url=os.environ.get("PUBLIC_URL")),
)

if __name__ == "__main__":
    host.serve(
        host=os.environ.get("HOST", "127.0.0.1"),
        port=int(os.environ.get("PORT", "8000")),
        workers=int(os.environ.get("WORKERS", "1")),
    )
