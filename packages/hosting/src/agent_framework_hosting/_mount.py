"""Routes at the paths where they are wanted, each path once."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import msgspec
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute, compile_path

from .channel import ChannelContribution
from .entrances import NOBODY, Entrance
from .errors import ConfigurationError

if TYPE_CHECKING:
    from .channel import Channel, ChannelContext


def normal_path(channel: Channel) -> str:
    """Return a channel's path without a slash at its end; `""` is the app's root."""
    path: Any = channel.path
    if not isinstance(path, str):
        raise ConfigurationError(f"The path of channel {channel.name!r} is {path!r}. Give it one such as '/chat'.")
    if path not in ("", "/") and not path.startswith("/"):
        raise ConfigurationError(f"The path {path!r} of channel {channel.name!r} must start with '/', or be empty.")
    return path.rstrip("/")


def checked_channels(channels: Sequence[Channel]) -> tuple[Channel, ...]:
    """Return the channels of a host.

    Raises:
        ConfigurationError: Something among them is no channel, or two of them cannot stand beside each other.
    """
    given = listed(channels)
    refuse_strangers(given)
    refuse_clashes(given)
    return given


def listed(channels: Any) -> tuple[Channel, ...]:
    """Return the channels that a host is given.

    Raises:
        ConfigurationError: It is one channel where several are wanted, or nothing of the kind.
    """
    if _is_channel(channels):
        raise ConfigurationError(f"channels is the channel {channels.name!r} itself. Give a list: channels=[...].")
    if not isinstance(channels, Iterable):
        raise ConfigurationError(
            f"channels is an object of type {type(channels).__name__}. Give a list, channels=[...], or an empty one."
        )
    return tuple(cast("Iterable[Channel]", channels))


def _is_channel(given: object) -> bool:
    # As `isinstance` looks at it, without the contract's classes, which no host needs.
    return all(hasattr(given, name) for name in ("name", "path", "contribute"))


def refuse_strangers(channels: Sequence[object]) -> None:
    """Raise when something among the channels is none.

    Raises:
        ConfigurationError: It is a class, or lacks what a channel has.
    """
    for index, channel in enumerate(channels):
        if isinstance(channel, type):
            raise ConfigurationError(
                f"channels[{index}] is the class {channel.__name__}. Give an instance: {channel.__name__}(...)."
            )
        if not _is_channel(channel):
            raise ConfigurationError(
                f"channels[{index}] is an object of type {type(channel).__name__}, which is no channel: a channel has "
                "`name`, `path` and `contribute(context)`."
            )


def contribution_of(channel: Channel, context: ChannelContext) -> ChannelContribution:
    """Return what a channel contributes.

    Raises:
        ConfigurationError: It is no contribution.
    """
    given: Any = channel.contribute(context)
    if not isinstance(given, ChannelContribution):
        raise ConfigurationError(
            f"contribute() of channel {channel.name!r} returned {type(given).__name__}; it must return a "
            "ChannelContribution."
        )
    return given


def refuse_clashes(channels: Sequence[Channel]) -> None:
    """Raise when two channels cannot live in one app.

    Raises:
        ConfigurationError: Two channels have one name or one path, or a path is malformed.
    """
    names: set[str] = set()
    paths: dict[str, str] = {}
    for channel in channels:
        path = normal_path(channel)
        if channel.name in names:
            raise ConfigurationError(
                f"Two channels are named {channel.name!r}. Give one of them another name, if its kind takes `name=`; "
                "otherwise leave one of them out."
            )
        if path in paths:
            raise ConfigurationError(
                f"The channels {paths[path]!r} and {channel.name!r} both have the path {path or '/'!r}. "
                "Give one of them another path."
            )
        names.add(channel.name)
        paths[path] = channel.name


def refuse_shared(contributions: Iterable[tuple[str, ChannelContribution]]) -> None:
    """Raise when two channels want what only one of them can have.

    Raises:
        ConfigurationError: They do; the message names it, and both.
    """
    owners: dict[str, str] = {}
    for name, contribution in contributions:
        for thing in contribution.exclusive:
            owner = owners.setdefault(thing, name)
            if owner != name:
                raise ConfigurationError(
                    f"The channels {owner!r} and {name!r} both want {thing}, which only one channel can have. "
                    "Give one of them another, or leave it out."
                )


class Mounts:
    """Collects routes and refuses two that would answer the same request.

    Args:
        reserved: Paths that no channel may have, and whose they are.
    """

    def __init__(self, *, reserved: Mapping[str, str]) -> None:
        self.entrances: list[Entrance] = []
        self._taken = {("http", path): [_Taken(owner, None)] for path, owner in reserved.items()}
        self._shared: set[tuple[str, str]] = set()

    def add(self, entrance: Entrance, *, prefix: str) -> None:
        """Mount a channel's route below its path; its `/` answers with and without the slash."""
        route = entrance.route
        path = getattr(route, "path", None)
        if not isinstance(path, str):
            self.entrances.append(replace(entrance, route=Mount(prefix, routes=[route]) if prefix else route))
        elif path in ("", "/") and prefix and not isinstance(route, Mount):
            self._add(replace(entrance, route=_moved(route, prefix)))
            self._add(replace(entrance, route=_moved(route, f"{prefix}/")))
        else:
            self._add(replace(entrance, route=_moved(route, prefix + path)))

    def add_sibling(self, entrance: Entrance, *, shared_as: str | None) -> None:
        """Mount a route at its own absolute path; one that is shared and at its path already is left out."""
        if shared_as is not None:
            shared = (shared_as, _without_names(getattr(entrance.route, "path", "")))
            if shared in self._shared:
                return
            self._shared.add(shared)
        self._add(entrance)

    def _add(self, entrance: Entrance) -> None:
        route, owner = entrance.route, f"channel {entrance.channel!r}"
        if not entrance.authenticated_by or entrance.authenticated_by == NOBODY:
            raise ConfigurationError(
                f"A route of {owner} names {entrance.authenticated_by!r} as its verifier. Say in words how the channel "
                "tells a genuine request, or declare an ordinary route: the host authenticates its callers."
            )
        kind = "websocket" if isinstance(route, WebSocketRoute) else "http"
        path: str = getattr(route, "path", "")
        methods: set[str] | None = getattr(route, "methods", None)
        others = self._taken.setdefault((kind, _without_names(path)), [])
        for other in others:
            if other.owner != owner and (methods is None or other.methods is None or methods & other.methods):
                raise ConfigurationError(
                    f"The path {path!r} is wanted by {owner} and taken by {other.owner}. Give one of them another path."
                )
        others.append(_Taken(owner, methods))
        self.entrances.append(entrance)


class _Taken(msgspec.Struct, frozen=True):
    owner: str
    methods: set[str] | None


def _without_names(path: str) -> str:
    # `/{id}` and `/{name}` answer the same requests.
    return re.sub(r"\{[^:}]*(?::str)?", "{", path)


def _moved(route: BaseRoute, path: str) -> BaseRoute:
    # A copy of the route object keeps its endpoint, methods and middleware as Starlette has wrapped them.
    moved = copy.copy(route)
    if isinstance(moved, Mount):
        moved.path = path.rstrip("/")
        path = moved.path + "/{path:path}"
    elif isinstance(moved, (Route, WebSocketRoute)):
        moved.path = path
    else:
        return Mount(path, routes=[route])
    moved.path_regex, moved.path_format, moved.param_convertors = compile_path(path)
    return moved
