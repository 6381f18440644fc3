"""Thoughts of the model that nobody sees while the answer streams.

A stream update hook gets every update of a stream and returns what is sent instead, or `None` for nothing. What it
drops is neither in the stream nor in what is stored of it. It is no filter for everything: answers that are not
streamed never pass it (`redact.py` has a response hook for those), and the session remembers all that the agent said.

The update belongs to the agent, which makes its history of it: change a copy.

Run it:  .venv/bin/python samples/hooks/drop_updates.py
Try it:  curl -sN http://127.0.0.1:8000/responses --json '{"input": "2 + 3?", "stream": true}'
"""

import os
from copy import copy

from agent_framework import Agent, AgentResponseUpdate, Content

from agent_framework_hosting import AgentFrameworkHost
from agent_framework_hosting.testing import ScriptedChatClient
from agent_framework_hosting_responses import ResponsesChannel


def without_thoughts(update: AgentResponseUpdate) -> AgentResponseUpdate | None:
    """Return the update without what the model thinks, or nothing when that was all."""
    kept = [content for content in update.contents if content.type != "text_reasoning"]
    if len(kept) == len(update.contents):
        return update
    if not kept and update.finish_reason is None:
        return None
    shown = copy(update)
    shown.contents = kept
    return shown


thought = Content.from_text_reasoning(text="Five, but I should sound sure.")
client = ScriptedChatClient(every=[thought, "It is ", "5."])  # any chat client of yours
host = AgentFrameworkHost(Agent(client), channels=[ResponsesChannel(stream_update_hook=without_thoughts)])

if __name__ == "__main__":
    host.serve(port=int(os.environ.get("PORT", "8000")))
