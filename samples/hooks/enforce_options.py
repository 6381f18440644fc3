"""What callers may choose about the model, and what they may not.

A run hook sees the options that the channel lets through (`request.options`) and all that the caller asked for
(`request.attributes["requested_options"]`); what it returns is what the agent gets. Here a temperature is fixed, the
length capped, tools of the caller's are taken away, and a reasoning effort is granted as long as it is a cheap one.

Run it:  .venv/bin/python samples/hooks/enforce_options.py
Try it:  curl -s http://127.0.0.1:8000/responses --json '{"input": "Hi", "max_output_tokens": 9000, "temperature": 2}'
"""

import os
from dataclasses import replace
from typing import Any

from agent_framework_hosting import AgentFrameworkHost, ChannelRequest
from agent_framework_hosting.testing import AgentRun, ScriptedAgent
from agent_framework_hosting_responses import ResponsesChannel

LONGEST = 500
CHEAP_EFFORTS = ("minimal", "low")


def enforce(request: ChannelRequest, **_: Any) -> ChannelRequest:
    """Return the request with the options that this service can afford."""
    options = dict(request.options or {})
    options["temperature"] = 0.2
    options["max_tokens"] = min(options.get("max_tokens", LONGEST), LONGEST)
    options.pop("tools", None)
    options.pop("tool_choice", None)
    reasoning = request.attributes["requested_options"].get("reasoning", {})
    if reasoning.get("effort") in CHEAP_EFFORTS:
        options["reasoning"] = {"effort": reasoning["effort"]}
    return replace(request, options=options)


def tell_options(run: AgentRun) -> str:
    """Answer with the options of the run; any agent of yours would use them instead."""
    return ", ".join(f"{name}={value}" for name, value in sorted(run.options.items()))


host = AgentFrameworkHost(ScriptedAgent(every=tell_options), channels=[ResponsesChannel(run_hook=enforce)])

if __name__ == "__main__":
    host.serve(port=int(os.environ.get("PORT", "8000")))
