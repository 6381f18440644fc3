"""A Telegram bot as a channel of agent-framework-hosting. Not affiliated with Telegram or Microsoft."""

from ._foreign import refuse_foreign_base

refuse_foreign_base()

# Everything that imports the base comes after the guard.
from agent_framework_hosting._project import __version__

from ._html import html_from_markdown
from ._update import BotAccount, TelegramUpdate, parse_telegram_update
from .channel import TelegramChannel

__all__ = [
    "BotAccount",
    "TelegramChannel",
    "TelegramUpdate",
    "__version__",
    "html_from_markdown",
    "parse_telegram_update",
]
