"""A bot on a played Telegram."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator

import pytest

from agent_framework_hosting_telegram._api import BotApi
from agent_framework_hosting_telegram._outlet import Place, TelegramOutlet
from agent_framework_hosting_telegram._secret import BotToken
from agent_framework_hosting_telegram.testing import BOT_TOKEN, TelegramServer

Outlets = Callable[..., TelegramOutlet]


@pytest.fixture
def telegram() -> Generator[TelegramServer]:
    """Return a Bot API server; left, it complains about calls that nobody has published."""
    with TelegramServer() as telegram:
        yield telegram


@pytest.fixture
async def api(telegram: TelegramServer) -> AsyncGenerator[BotApi]:
    """Return the client of that server."""
    api = BotApi(BotToken(BOT_TOKEN), base_url=telegram.base_url)
    yield api
    await api.aclose()


@pytest.fixture
def outlet(api: BotApi) -> Outlets:
    """Return a function that makes an outlet for a chat."""

    def outlet(chat: int = 7, *, thread: int | None = None, reply_to: int | None = None) -> TelegramOutlet:
        return TelegramOutlet(api, Place(chat=chat, thread=thread, is_group=chat < 0, reply_to=reply_to))

    return outlet
