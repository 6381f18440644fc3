"""What is said to Telegram at the start: whose updates go where, and which commands there are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias, cast
from urllib.parse import urlsplit

from agent_framework_hosting.channel import ChannelCommand
from agent_framework_hosting.clock import Clock
from agent_framework_hosting.errors import ConfigurationError, Unavailable
from agent_framework_hosting.logs import logger
from agent_framework_hosting.messaging.outlet import NotOffered, OutcomeUnknown, OutletError, RetryAfter, Unreachable

from ._answer import Unauthorized
from ._api import BotApi
from ._intake import ALLOWED_UPDATES
from ._platform import TelegramPlatform

Mode: TypeAlias = Literal["auto", "webhook", "polling"]
"""How updates come: `webhook` when Telegram is told an address to send them to, `polling` when it is asked for them."""

_PATIENCE: Final = 30.0
_FIRST_PAUSE: Final = 1.0
_DESCRIPTION: Final = 256
_MOST_COMMANDS: Final = 100


class Start:
    """Makes the calls at the start.

    Args:
        api: The Bot API.
        platform: The bot.
        clock: Waits where Telegram wants that, or does not answer.
    """

    def __init__(self, api: BotApi, platform: TelegramPlatform, *, clock: Clock) -> None:
        self._api = api
        self._platform = platform
        self._clock = clock

    async def introduce(self) -> str:
        """Find out what the bot is called, and return it for people to read.

        Raises:
            ConfigurationError: Telegram does not know the token.
            Unavailable: Telegram does not answer.
        """
        await self._insist(self._platform.introduce)
        return f"@{self._platform.bot_name or self._platform.account}"

    async def set_webhook(self, url: str, *, secret: str) -> None:
        """Have updates sent to an address."""
        await self._call("setWebhook", {"url": url, "secret_token": secret, "allowed_updates": ALLOWED_UPDATES})

    async def give_up_webhook(self, *, is_wanted: bool) -> None:
        """Have updates handed out to whoever asks.

        Args:
            is_wanted: Whether that was asked for; else a webhook of somebody's stays, and the start ends here.

        Raises:
            ConfigurationError: The webhook stays.
        """
        told = await self._call("getWebhookInfo", {})
        address = _address(told)
        if not address:
            return
        if not is_wanted:
            raise ConfigurationError(
                f"Telegram sends the updates of {self._platform.account} to a webhook at "
                f"{urlsplit(address).hostname or 'an address'}, as another program has told it. Give public_url= to "
                "have them sent here, mode='polling' to take them from there, or use a bot of its own for development."
            )
        await self._call("deleteWebhook", {})

    async def offer(self, commands: Iterable[ChannelCommand]) -> None:
        """Put commands into the bot's menu; without it they work all the same."""
        menu = [
            {"command": command.name, "description": command.description[:_DESCRIPTION]}
            for command in commands
            if command.description
        ]
        try:
            await self._api.call("setMyCommands", {"commands": menu[:_MOST_COMMANDS]})
        except OutletError as error:
            logger.warning("The commands of bot %s are not in its menu: %s", self._platform.account, error)

    async def _call(self, method: str, params: Mapping[str, Any]) -> Any:
        return await self._insist(lambda: self._api.call(method, params))

    async def _insist(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """Make a call of the start, for as long as somebody waits for a start."""
        gives_up_at, pause = self._clock.monotonic() + _PATIENCE, _FIRST_PAUSE
        while True:
            try:
                return await call()
            except Unauthorized:
                raise ConfigurationError(
                    f"Telegram does not know the token of bot {self._platform.account}. @BotFather shows the one that "
                    "is valid."
                ) from None
            except NotOffered as error:
                raise ConfigurationError(f"Telegram refuses what is needed at the start: {error}") from None
            except (RetryAfter, Unreachable, OutcomeUnknown) as error:
                wait = error.seconds if isinstance(error, RetryAfter) else pause
                if self._clock.monotonic() + wait > gives_up_at:
                    raise Unavailable(f"Telegram cannot be reached: {error}") from None
                logger.warning("Telegram is asked again in %g seconds: %s", wait, error)
                await self._clock.sleep(wait)
                pause *= 2


def _address(told: Any) -> str:
    url: Any = cast("Mapping[str, Any]", told).get("url") if isinstance(told, Mapping) else None
    return url if isinstance(url, str) else ""
