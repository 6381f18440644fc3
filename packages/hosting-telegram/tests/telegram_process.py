"""A bot in a process of its own: python telegram_process.py PORT DATABASE API_BASE_URL SECRET LEASE [stuck]

With `stuck`, the agent says half of each answer and never the rest.
"""

from __future__ import annotations

import logging
import sys

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Gate, ScriptedAgent, recall
from agent_framework_hosting_telegram.channel import TelegramChannel
from agent_framework_hosting_telegram.testing import BOT_TOKEN

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    port, database, api_base_url, secret, lease, *stuck = sys.argv[1:]
    channel = TelegramChannel(
        bot_token=BOT_TOKEN, open=True, mode="webhook", secret_token=secret, api_base_url=api_base_url
    )
    agent = ScriptedAgent(every=["half ", Gate("never")] if stuck else recall)
    host = AgentFrameworkHost(agent, channels=[channel], database=database, limits=Limits(lease=float(lease)))
    host.serve(port=int(port))
