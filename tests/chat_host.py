"""Serves the demo's agent behind Chat Completions and Responses, until it is told to stop. Argument: a port."""

import sys

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting_chat_completions.channel import ChatCompletionsChannel
from agent_framework_hosting_responses._demo._agent import build_agent
from agent_framework_hosting_responses._demo._settings import DemoSettings, OfflineModel
from agent_framework_hosting_responses.channel import ResponsesChannel

if __name__ == "__main__":
    agent = build_agent(DemoSettings(model=OfflineModel(word_delay=0)))
    chat = ChatCompletionsChannel(session_header="x-session-id")
    AgentFrameworkHost(agent, channels=[ResponsesChannel(), chat]).serve(port=int(sys.argv[1]))
