"""One Telegram bot as a `ChatPlatform`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from agent_framework_hosting.clock import Clock
from agent_framework_hosting.logs import logger
from agent_framework_hosting.messaging.incoming import Attachment, Incoming
from agent_framework_hosting.messaging.outlet import NotOffered, Outlet

from ._api import BotApi
from ._outlet import Place, TelegramOutlet
from ._update import BotAccount, GroupPolicy, parse_telegram_update

StructT = TypeVar("StructT", bound=Struct)


class _Me(Struct):
    username: str | None = None


class _File(Struct):
    file_path: str


class TelegramPlatform:
    """One bot.

    Args:
        api: The Bot API.
        name: The channel's name.
        groups: Which messages of groups are answered.
        clock: Handed to the outlets.
    """

    def __init__(self, api: BotApi, *, name: str, groups: GroupPolicy, clock: Clock) -> None:
        self.name = name
        self.bot = BotAccount(api.token.bot_id)
        self._api = api
        self._groups: GroupPolicy = groups
        self._clock = clock

    @property
    def account(self) -> str:
        """The bot's id."""
        return str(self.bot.id)

    @property
    def bot_name(self) -> str | None:
        """The bot's username, once it is known."""
        return self.bot.username

    async def introduce(self) -> BotAccount:
        """Find out what the bot is called.

        Raises:
            OutletError: Telegram does not say.
        """
        me = _converted(await self._api.call("getMe"), _Me, "getMe")
        self.bot = BotAccount(self.bot.id, me.username)
        return self.bot

    def parse(self, payload: Any) -> Incoming | None:
        """Return what an update says to the agent."""
        update = parse_telegram_update(payload, bot=self.bot, groups=self._groups)
        if update.complaint is not None:
            logger.warning(
                "Update %d of bot %d cannot be read, and is left out: %s", update.id, self.bot.id, update.complaint
            )
        return update.incoming

    def outlet(self, incoming: Incoming) -> Outlet:
        """Return the chat or the topic that a message came from."""
        message = incoming.attributes["message_id"]
        return TelegramOutlet(
            self._api,
            Place(
                chat=int(incoming.chat),
                thread=None if incoming.thread is None else int(incoming.thread),
                is_group=incoming.is_group,
                reply_to=message if incoming.is_group else None,
            ),
            clock=self._clock,
        )

    async def read(self, attachment: Attachment) -> AsyncGenerator[bytes]:
        """Return a file's bytes as they come; Telegram gives bots files of up to 20 MB."""
        found = await self._api.call("getFile", {"file_id": attachment.ref})
        async for part in self._api.download(_converted(found, _File, "getFile").file_path):
            yield part


def _converted(value: Any, kind: type[StructT], method: str) -> StructT:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        raise NotOffered(f"{method}: what answered is not the Bot API.") from None
