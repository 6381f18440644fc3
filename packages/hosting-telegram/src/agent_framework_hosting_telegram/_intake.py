"""What becomes of an update, however it comes: kept first, then acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from agent_framework_hosting.logs import logger
from agent_framework_hosting.messaging.incoming import Incoming
from agent_framework_hosting.messaging.outlet import OutletError

from ._api import BotApi
from ._platform import TelegramPlatform

ALLOWED_UPDATES: Final = ("message", "callback_query")
"""The kinds of updates that Telegram is asked for."""


class Intake:
    """Takes updates.

    Args:
        api: The Bot API.
        platform: Reads them.
        keep: Keeps an update, and says whether it is new; see `Conversations.take`.
        admits: Whether somebody may talk to the agent; see `Access.admits`.
        is_open: Whether what was pressed answers something that is open; see `Conversations.is_open`.
    """

    def __init__(
        self,
        api: BotApi,
        platform: TelegramPlatform,
        *,
        keep: Callable[[Any], Awaitable[bool]],
        admits: Callable[[Incoming], Awaitable[bool]],
        is_open: Callable[[Incoming], Awaitable[bool]],
    ) -> None:
        self._api = api
        self._platform = platform
        self._keep = keep
        self._admits = admits
        self._is_open = is_open
        self._asides: set[asyncio.Task[None]] = set()

    async def take(self, update: Mapping[str, Any]) -> None:
        """Keep an update; when this returns, it may be acknowledged.

        Raises:
            InvalidRequest: It is no update.
            Unavailable: It cannot be kept now.
        """
        pressed = self._platform.parse(update) if update.get("callback_query") is not None else None
        # Looked at before the turn that answers it.
        is_others = pressed is not None and pressed.answers is not None and not await self._is_open(pressed)
        is_new = await self._keep(update)
        if is_new and pressed is not None:
            aside = asyncio.create_task(self._release(pressed, is_others=is_others))
            self._asides.add(aside)
            aside.add_done_callback(self._asides.discard)

    async def close(self) -> None:
        """Leave off what need not arrive."""
        for aside in self._asides:
            aside.cancel()
        await asyncio.gather(*self._asides, return_exceptions=True)

    async def _release(self, pressed: Incoming, *, is_others: bool) -> None:
        """Let a pressed button go, which shows until then that it waits, and offer no more what was chosen.

        Args:
            pressed: What the button says.
            is_others: Whether it is not open for whoever pressed it; it may be for somebody else, who was asked.
        """
        await self._try("answerCallbackQuery", {"callback_query_id": pressed.attributes["callback_query_id"]})
        if not (is_others and pressed.is_group) and await self._admits(pressed):
            below = {"chat_id": int(pressed.chat), "message_id": pressed.attributes["message_id"]}
            await self._try("editMessageReplyMarkup", below)

    async def _try(self, method: str, params: Mapping[str, Any]) -> None:
        try:
            await self._api.call(method, params)
        except OutletError as error:
            logger.debug("A pressed button stays as it is: %s", error)
