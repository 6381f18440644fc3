"""An agent that people talk to on Telegram, and that answers what it has taken also after a crash.

@BotFather gives you a bot and its token. Telegram is asked for messages; with `TELEGRAM_PUBLIC_URL`, the https address
at which this server is reached from outside, it sends them here. Whom you let in is up to you: ids or @usernames.

Run it:  TELEGRAM_BOT_TOKEN=... TELEGRAM_ALLOW=@you .venv/bin/python samples/telegram.py
Try it:  write to your bot
"""

import os

from agent_framework_hosting import AgentFrameworkHost
from agent_framework_hosting.channel import ChannelCommand, ChannelCommandContext
from agent_framework_hosting.testing import ScriptedAgent, recall
from agent_framework_hosting_telegram import TelegramChannel

if not os.environ.get("TELEGRAM_BOT_TOKEN") or not os.environ.get("TELEGRAM_ALLOW"):
    raise SystemExit("Set TELEGRAM_BOT_TOKEN to the token that @BotFather gave you, and TELEGRAM_ALLOW to @your_name.")


async def about(command: ChannelCommandContext) -> None:
    await command.reply("I repeat **all** that you have said since `/new`.")


host = AgentFrameworkHost(
    ScriptedAgent(every=recall),  # any agent of yours
    channels=[
        TelegramChannel(
            bot_token=os.environ["TELEGRAM_BOT_TOKEN"],
            allow=os.environ["TELEGRAM_ALLOW"].split(","),
            public_url=os.environ.get("TELEGRAM_PUBLIC_URL"),
            api_base_url=os.environ.get("TELEGRAM_API_URL", "https://api.telegram.org"),
            commands=[ChannelCommand("about", "Say what I am", about)],
        )
    ],
    database=os.environ.get("DATABASE", "sqlite:///./state/telegram.db"),
)

if __name__ == "__main__":
    host.serve(port=int(os.environ.get("PORT", "8000")))
