"""The bot's token, and addresses that hold it: what is shown of either holds nothing."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final

import httpx2

from agent_framework_hosting.errors import ConfigurationError

_TOKEN: Final = re.compile(r"(\d{1,20}):[\w-]{1,128}", re.ASCII)
_SHOWN: Final = "***"


class BotToken:
    """A token of BotFather's, which nobody sees by accident.

    Raises:
        ConfigurationError: It is none.

    Example:
        >>> token = BotToken("42:not-a-real-one")
        >>> token, token.bot_id
        (<BotToken of bot 42>, 42)
    """

    __slots__ = ("_value", "bot_id")

    def __init__(self, value: str) -> None:
        found = _TOKEN.fullmatch(value.strip())
        if found is None:
            raise ConfigurationError(
                "bot_token= is no token of a Telegram bot, which looks like '123456789:' and 35 more characters. "
                "@BotFather shows it to whoever made the bot."
            )
        self._value = value.strip()
        self.bot_id = int(found[1])

    def __repr__(self) -> str:
        return f"<BotToken of bot {self.bot_id}>"

    def url(self, address: str) -> SecretURL:
        """Return an address with the token in the place of `{token}`."""
        return SecretURL(address.replace("{token}", self._value), shown=address.replace("{token}", _SHOWN))

    def derive(self, purpose: str) -> str:
        """Return a secret that only who has the token can know, always the same for a purpose."""
        return hmac.new(self._value.encode(), purpose.encode(), hashlib.sha256).hexdigest()


class SecretURL(httpx2.URL):
    """An address that is opened as it is, and shown without what is secret in it.

    The client shows the addresses of its requests in its log, its errors and its traces.
    """

    def __init__(self, url: str, *, shown: str) -> None:
        super().__init__(url)
        self._shown = shown

    def __str__(self) -> str:
        return self._shown

    def __repr__(self) -> str:
        return f"URL({self._shown!r})"

    @property
    def path(self) -> str:
        """The path as it may be shown; `raw_path` is the one that is sent."""
        return httpx2.URL(self._shown).path
