"""Which path answers what.

The most particular path stands first: ids of responses may be any text, with slashes in it.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from agent_framework_hosting.channel import ChannelContext
from agent_framework_hosting.web.endpoint import Endpoint, NotFound, Operation

from ._background import Background
from ._compact import Compaction
from ._conversations import ConversationEndpoints
from ._counting import Counting
from ._create import Creation
from ._errors import error_response
from ._following import Following
from ._operation import Handler, JSONOperation
from ._reading import Reading
from ._settings import CreationSettings
from ._standing import Standing
from ._turns import Turns


def responses_routes(context: ChannelContext, settings: CreationSettings) -> list[Route]:
    """Return the routes below the channel's path; the first one is at the path itself."""
    turns = Turns(context, settings)
    standing = Standing(context, channel=settings.channel)
    background, following = Background(context, turns, standing), Following(context, standing)
    reading, compaction = Reading(context, background, standing, following), Compaction(context)
    counting = Counting(context, turns, settings.tokenizer)

    def json(handle: Handler) -> Operation:
        return JSONOperation(handle, limits=context.limits)

    one: dict[str, Operation] = {"GET": reading.retrieve, "DELETE": json(reading.delete)}
    return [
        _route("/", {"POST": Creation(context, turns, background, following)}),
        _route("/compact", {"POST": json(compaction.compact)}),
        _route("/input_tokens", {"POST": json(counting.count)}),
        _route("/{response:path}/input_items", {"GET": json(reading.list_input)}),
        _route("/{response:path}/cancel", {"POST": json(reading.cancel)}),
        _route("/{response:path}", one),
    ]


def socket_route(context: ChannelContext, settings: CreationSettings) -> WebSocketRoute:
    """Return the WebSocket at the channel's path itself."""
    return WebSocketRoute("/", _Socket(context, settings))


def conversations_routes(context: ChannelContext, settings: CreationSettings, *, prefix: str) -> list[Route]:
    """Return the routes of conversations, which stand beside the channel's path."""
    does = ConversationEndpoints(context, caller_instructions=settings.caller_instructions)

    def json(handle: Handler) -> Operation:
        return JSONOperation(handle, limits=context.limits)

    items, item = {"GET": json(does.list_items), "POST": json(does.create_items)}, "items/{item}"
    one = {"GET": json(does.retrieve), "POST": json(does.update), "DELETE": json(does.delete)}
    at = f"{prefix}/conversations"
    nothing = NotFound(render_error=error_response)
    return [
        _route(at, {"POST": json(does.create)}),
        _route(f"{at}/", {"POST": json(does.create)}),
        _route(f"{at}/{{conversation}}/{item}", {"GET": json(does.retrieve_item), "DELETE": json(does.delete_item)}),
        _route(f"{at}/{{conversation}}/items", items),
        _route(f"{at}/{{conversation}}", one),
        Route(f"{at}/{{rest:path}}", nothing),
    ]


class _Socket:
    """The endpoint of WebSockets, which few clients open: it is loaded with the first of them; an ASGI app."""

    def __init__(self, context: ChannelContext, settings: CreationSettings) -> None:
        self._context = context
        self._settings = settings
        self._serve: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection until it ends."""
        if self._serve is None:
            from ._socket import SocketEndpoint

            self._serve = SocketEndpoint(self._context, self._settings)
        await self._serve(scope, receive, send)


def _route(path: str, operations: Mapping[str, Operation]) -> Route:
    return Route(path, Endpoint(operations, render_error=error_response))
