"""Telegram played, for tests of bots and of apps around them; this project's own tests stand on it.

- `TelegramServer` is a Bot API on a free port: it keeps chats, drafts, webhooks and updates, refuses what Telegram
  refuses, and holds every call against the published description of the API.
- `published_mistakes` is that last part alone.
"""

from ._chats import SentMessage
from ._published import VERSION, published_mistakes
from ._server import BOT_TOKEN, TelegramServer

__all__ = ["BOT_TOKEN", "VERSION", "SentMessage", "TelegramServer", "published_mistakes"]
