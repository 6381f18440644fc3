"""Who may talk to the agent. Nobody, until somebody says so."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, TypeAlias, cast

from ..errors import ConfigurationError
from ..hooks import settled
from ..logs import logger
from .incoming import Incoming

Allow: TypeAlias = str | int | Iterable[str | int] | Callable[[Incoming], bool | Awaitable[bool]]
"""Who may talk: ids of persons, `@usernames`, ids of chats, or a function, plain or async, that is asked each time."""

_TOLD_AT_MOST: Final = 10_000


class Access:
    """Decides who is let in.

    Args:
        allow: Ids of persons, `@usernames` (which may change hands), ids of chats (everybody in them), or a function
            `(incoming) -> bool`, plain or async. One that raises lets nobody in.
        open: Let everybody in who finds the bot.
        channel: What the configured object is called, for errors.

    Raises:
        ConfigurationError: It is not said who may talk, or said in two ways.

    Example:
        >>> import asyncio
        >>> from agent_framework_hosting.messaging.incoming import Incoming, Sender
        >>> access = Access(allow=["@ada", 4711])
        >>> asyncio.run(access.admits(Incoming(id="1", chat="9", sender=Sender(id="4711"))))
        True
    """

    def __init__(self, *, allow: Allow | None = None, open: bool = False, channel: str = "The channel") -> None:  # noqa: A002 - the word for it
        if open and allow is not None:
            raise ConfigurationError(
                f"{channel} has allow= and open=True, which say two things about who may talk to the agent. Give one."
            )
        if not open and allow is None:
            raise ConfigurationError(
                f"{channel} does not say who may talk to the agent. Give allow=[...] with ids of persons or chats and "
                "@usernames, or a function that decides; open=True lets everybody in who finds it."
            )
        self._ask = allow if callable(allow) else None
        self._is_open = open
        self._names = frozenset[str]() if open or allow is None or callable(allow) else _names(allow, channel=channel)
        self._told: OrderedDict[str, None] = OrderedDict()

    @property
    def description(self) -> str:
        """Who is let in, for the start line."""
        if self._is_open:
            return "everybody may talk to it"
        if self._ask is not None:
            return "a function decides who may talk to it"
        return f"{len(self._names)} person(s) or chat(s) may talk to it"

    async def admits(self, incoming: Incoming) -> bool:
        """Whether the sender may talk to the agent here."""
        if self._is_open:
            return True
        if self._ask is not None:
            return await self._asked(self._ask, incoming)
        sender = incoming.sender
        known_as = {sender.id, incoming.chat}
        if sender.username:
            known_as.add(f"@{sender.username.casefold()}")
        return not self._names.isdisjoint(known_as)

    def is_to_be_told(self, incoming: Incoming) -> bool:
        """Whether somebody who is not let in, or their group, has not been told so before; says yes once."""
        stranger = f"group {incoming.chat}" if incoming.is_group else incoming.sender.id
        if stranger in self._told:
            self._told.move_to_end(stranger)
            return False
        self._told[stranger] = None
        while len(self._told) > _TOLD_AT_MOST:
            self._told.popitem(last=False)
        return True

    async def _asked(self, ask: Callable[[Incoming], bool | Awaitable[bool]], incoming: Incoming) -> bool:
        try:
            return (await settled(ask(incoming))) is True
        except Exception:  # noqa: BLE001 - a function of the user's: whatever is wrong with it opens no door
            logger.exception("allow= failed, so that nobody was let in.")
            return False


def _names(allow: Any, *, channel: str) -> frozenset[str]:
    entries = [allow] if isinstance(allow, (str, int)) else list(cast("Iterable[object]", allow))
    names: set[str] = set()
    for entry in entries:
        if isinstance(entry, bool) or not isinstance(entry, (str, int)) or not str(entry).strip("@ "):
            raise ConfigurationError(
                f"{channel} has {entry!r} in allow=. Give ids of persons or chats, or @usernames, as text or numbers."
            )
        name = str(entry).strip()
        names.add(name.casefold() if name.startswith("@") else name)
    if not names:
        raise ConfigurationError(
            f"{channel} has an empty allow=, which lets nobody in. Name somebody, or leave it out."
        )
    return frozenset(names)
