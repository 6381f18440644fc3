"""The port to a chat platform: what a channel brings, so that everything else here can be used."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Protocol

from .incoming import Attachment, Incoming
from .outlet import Outlet


class ChatPlatform(Protocol):
    """One bot's account on a chat platform."""

    @property
    def name(self) -> str:
        """The channel's name; session keys and stored work carry it, so that it has to stay the same."""
        ...

    @property
    def account(self) -> str:
        """The platform's id of the bot: two bots of one host never meet."""
        ...

    @property
    def bot_name(self) -> str | None:
        """The name that people call the bot by (`/help@bot_name`), once it is known."""
        ...

    def parse(self, payload: Any) -> Incoming | None:
        """Return what a payload of the platform says to the agent, `None` when that is nothing.

        The payload is JSON: it is kept as it is, and parsed again when its turn comes, maybe by another process. The
        same payload gives the same again. Without I/O.
        """
        ...

    def outlet(self, incoming: Incoming) -> Outlet:
        """Return where a message is answered. Without I/O."""
        ...

    def read(self, attachment: Attachment) -> AsyncGenerator[bytes]:
        """Return the bytes of a file as they come.

        Raises:
            OutletError: It cannot be had.
        """
        ...
