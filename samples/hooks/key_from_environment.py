"""A host that lives for one user: whoever started it says in its environment for whom.

A container per user needs no login of its own when only that user's requests can reach it. Its one conversation has the
user's id as its key, so that with a store outside the container the next one goes on where this one ended.

Run it:  AGENT_USER_ID=ada .venv/bin/python samples/hooks/key_from_environment.py
Try it:  curl -s http://127.0.0.1:8000/responses --json '{"input": "I am Ada"}'
"""

import os
from dataclasses import replace
from typing import Any

from agent_framework_hosting import AgentFrameworkHost, ChannelRequest, ChannelSession
from agent_framework_hosting.testing import ScriptedAgent, recall
from agent_framework_hosting_responses import ResponsesChannel

USER_ID = os.environ.get("AGENT_USER_ID")
if not USER_ID:
    raise SystemExit("Set AGENT_USER_ID to the id of the user whom this host serves.")


def in_the_one_session(request: ChannelRequest, **_: Any) -> ChannelRequest:
    """Give the user one conversation, whatever ids the request names."""
    return replace(request, session=ChannelSession(f"user:{USER_ID}"))


agent = ScriptedAgent(every=recall)  # any agent of yours
host = AgentFrameworkHost(agent, channels=[ResponsesChannel(run_hook=in_the_one_session)])

if __name__ == "__main__":
    host.serve(port=int(os.environ.get("PORT", "8000")))
