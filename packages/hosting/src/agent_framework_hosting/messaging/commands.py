"""Commands: what is said to the bot itself, not to the agent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from ..channel import ChannelCommand
from ..errors import ConfigurationError

_SPOKEN: Final = re.compile(r"/(?P<name>\w{1,64})(?:@(?P<bot>\w+))?(?:\s+(?P<arguments>.*))?", re.DOTALL | re.ASCII)
_NAME: Final = re.compile(r"[a-z0-9_]{1,32}")


@dataclass(frozen=True, slots=True)
class SpokenCommand:
    """A command that somebody gave.

    Args:
        name: Its name in lower case, without the slash.
        arguments: What was said behind it.
        is_ours: Whether it is meant for this bot: commands in a group may name another one.
    """

    name: str
    arguments: str = ""
    is_ours: bool = True


def parse_command(text: str, *, bot_name: str | None = None) -> SpokenCommand | None:
    """Return the command that a text is, `None` when it is something to be said to the agent.

    Args:
        text: What was said.
        bot_name: The name that the bot is called by, as in `/help@bot_name`.

    Example:
        >>> parse_command("/remind@ada_bot  me tomorrow", bot_name="Ada_bot")
        SpokenCommand(name='remind', arguments='me tomorrow', is_ours=True)
        >>> parse_command("/usr/bin is a folder") is None
        True
    """
    found = _SPOKEN.fullmatch(text.strip())
    if found is None:
        return None
    bot = found["bot"]
    is_ours = bot is None or (bot_name is not None and bot.casefold() == bot_name.lstrip("@").casefold())
    return SpokenCommand(found["name"].lower(), (found["arguments"] or "").strip(), is_ours)


def by_name(commands: Iterable[ChannelCommand]) -> Mapping[str, ChannelCommand]:
    """Return commands by their names, without slashes; of two with one name the first counts.

    Raises:
        ConfigurationError: A name is none that people can type everywhere.
    """
    named: dict[str, ChannelCommand] = {}
    for command in commands:
        name = command.name.removeprefix("/").lower()
        if not _NAME.fullmatch(name):
            raise ConfigurationError(
                f"The command {command.name!r} cannot be offered. Use 1 to 32 letters a-z, digits and underscores."
            )
        named.setdefault(name, replace(command, name=name))
    return named
