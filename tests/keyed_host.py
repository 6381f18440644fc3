"""A host whose callers need an API key: python keyed_host.py PORT

The keys come from the environment, as in production.
"""

from __future__ import annotations

import logging
import sys

from agent_framework_hosting.auth import ApiKeys
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import ScriptedAgent, recall
from agent_framework_hosting_responses.channel import ResponsesChannel

if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG)
    host = AgentFrameworkHost(
        ScriptedAgent(every=recall), channels=[ResponsesChannel()], auth=ApiKeys.from_environment(), debug=True
    )
    host.serve(port=int(sys.argv[1]), accesslog="-")
