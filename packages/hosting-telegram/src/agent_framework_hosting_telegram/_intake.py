"""What becomes of an update, however it comes: kept first, then acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from agent_framework_hosting.logs import logger
from agent_framework_hosting.messaging.outlet import OutletError

from ._api import BotApi

ALLOWED_UPDATES: Final = ("message", "callback_query")
"""The kinds of updates that Telegram is asked for."""


class Intake:
    """Takes updates.

    Args:
        api: The Bot API.
        keep: Keeps an update; see `Conversations.take`.
    """

    def __init__(self, api: BotApi, keep: Callable[[Any], Awaitable[bool]]) -> None:
        self._api = api
        self._keep = keep
        self._asides: set[asyncio.Task[None]] = set()

    async def take(self, update: Mapping[str, Any]) -> None:
        """Keep an update; when this returns, it may be acknowledged.

        Raises:
            InvalidRequest: It is no update.
            Unavailable: It cannot be kept now.
        """
        await self._keep(update)
        query: Any = update.get("callback_query")
        if isinstance(query, dict) and "id" in query:
            aside = asyncio.create_task(self._release(query["id"]))
            self._asides.add(aside)
            aside.add_done_callback(self._asides.discard)

    async def close(self) -> None:
        """Leave off what need not arrive."""
        for aside in self._asides:
            aside.cancel()
        await asyncio.gather(*self._asides, return_exceptions=True)

    async def _release(self, query_id: Any) -> None:
        """Let the pressed button go, which shows that it waits until then."""
        try:
            await self._api.call("answerCallbackQuery", {"callback_query_id": str(query_id)})
        except OutletError as error:
            logger.debug("A pressed button goes on showing that it waits: %s", error)
