"""Serves an agent behind the channels that have OpenAPI documents, until it is told to stop. Argument: a port."""

import sys

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import ScriptedAgent, recall
from agent_framework_hosting_invocations.channel import InvocationsChannel
from agent_framework_hosting_responses.channel import ResponsesChannel

if __name__ == "__main__":
    channels = [ResponsesChannel(), InvocationsChannel()]
    AgentFrameworkHost(ScriptedAgent(every=recall), channels=channels).serve(port=int(sys.argv[1]))
