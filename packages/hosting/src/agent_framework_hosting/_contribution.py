"""What a channel gives to the host; see `channel`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from starlette.responses import Response
from starlette.routing import BaseRoute

from ._alike import alike
from .types import JSON, ChannelRequest
from .web.errors import ErrorDescription


@alike
@dataclass(frozen=True, slots=True)
class ChannelCommandContext:
    """What a command's handler gets: the request that called it, and a way to answer."""

    request: ChannelRequest
    reply: Callable[[str], Awaitable[None]]


@alike
@dataclass(frozen=True, slots=True)
class ChannelCommand:
    """A command of a channel or an app (`/new`), offered by every channel that knows commands."""

    name: str
    description: str
    handle: Callable[[ChannelCommandContext], Awaitable[None]]


@alike
@dataclass(frozen=True, slots=True)
class SiblingRoute:
    """A route beside a channel's own path, absolute below the app's root.

    Args:
        route: The Starlette route, with its full path.
        shared_as: Siblings that several channels declare under one key at one path are mounted once, the first one
            winning; without a key a second route at the same path is a clash.
        verifier: See `VerifiedRoute`; the host authenticates when it is left out.
    """

    route: BaseRoute
    shared_as: str | None = None
    verifier: str | None = field(default=None, kw_only=True)


@alike
@dataclass(frozen=True, slots=True)
class VerifiedRoute:
    """A route whose requests the channel verifies itself, as webhooks of a platform are: the host asks nobody.

    Args:
        route: The Starlette route, relative to the channel's path.
        verifier: How the channel tells a genuine request, in words for the operator (`"signature of the platform"`).
    """

    route: BaseRoute
    verifier: str


ErrorRenderer: TypeAlias = Callable[[ErrorDescription], Response]
"""Says an error in a channel's protocol."""


@alike
@dataclass(frozen=True, slots=True)
class ChannelContribution:
    """All that a channel adds to the app.

    `routes` are relative to the channel's path, `siblings` absolute. `on_startup` and `on_shutdown` take no argument
    and may be plain or async. The host authenticates the callers of all routes but those that name a verifier of the
    channel's: `verified_routes`, and siblings with one. `render_error` says in the channel's protocol what the host
    refuses at its routes, before the channel sees the request. `body_types` are the media types of bodies that those
    routes take, such as `application/json` (which stands for `application/*+json`, too); any other one, and a body that
    is packed (`Content-Encoding`), is refused with 415. Left out, whatever comes is the channel's to judge. `exclusive`
    names, in words for the operator, what only one channel of a host can have, such as an account elsewhere whose
    messages are handed out once.
    """

    routes: Sequence[BaseRoute] = ()
    commands: Sequence[ChannelCommand] = ()
    on_startup: Sequence[Callable[[], Awaitable[None] | None]] = ()
    on_shutdown: Sequence[Callable[[], Awaitable[None] | None]] = ()
    siblings: Sequence[SiblingRoute] = field(default=(), kw_only=True)
    verified_routes: Sequence[VerifiedRoute] = field(default=(), kw_only=True)
    render_error: ErrorRenderer | None = field(default=None, kw_only=True)
    body_types: Sequence[str] | None = field(default=None, kw_only=True)
    exclusive: Sequence[str] = field(default=(), kw_only=True)


class Replayed(Exception):
    """The request was run before, under the same idempotency key; `record` is what was sealed then."""

    def __init__(self, record: JSON) -> None:
        super().__init__("The request was run before under its idempotency key.")
        self.record = record
