"""Which path answers what.

The most particular path stands first: ids of responses may be any text, with slashes in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from agent_framework_hosting.web.endpoint import Endpoint, NotFound

from ._create import Creation
from ._errors import error_response
from ._operation import Handler, JSONOperation
from ._rare import Rare
from ._settings import CreationSettings
from ._turns import Turns

if TYPE_CHECKING:
    from agent_framework_hosting.channel import ChannelContext
    from agent_framework_hosting.web.endpoint import Operation


def responses_routes(context: ChannelContext, turns: Turns, rare: Rare) -> list[Route]:
    """Return the routes below the channel's path; the first one is at the path itself."""

    def json(find: Callable[[], Handler]) -> Operation:
        return JSONOperation(find, limits=context.limits)

    async def retrieve(scope: Scope, receive: Receive, send: Send, *, request_id: bytes) -> None:
        await rare.reading.retrieve(scope, receive, send, request_id=request_id)

    one: dict[str, Operation] = {"GET": retrieve, "DELETE": json(lambda: rare.reading.delete)}
    return [
        _route("/", {"POST": Creation(context, turns, rare)}),
        _route("/compact", {"POST": json(lambda: rare.compaction.compact)}),
        _route("/input_tokens", {"POST": json(lambda: rare.counting.count)}),
        _route("/{response:path}/input_items", {"GET": json(lambda: rare.reading.list_input)}),
        _route("/{response:path}/cancel", {"POST": json(lambda: rare.reading.cancel)}),
        _route("/{response:path}", one),
    ]


def socket_route(context: ChannelContext, settings: CreationSettings) -> WebSocketRoute:
    """Return the WebSocket at the channel's path itself."""
    return WebSocketRoute("/", _Socket(context, settings))


def conversations_routes(context: ChannelContext, rare: Rare, *, prefixes: Sequence[str]) -> list[Route]:
    """Return the routes of conversations, which stand beside the channel's path, and beside its alias."""

    def json(find: Callable[[], Handler]) -> Operation:
        return JSONOperation(find, limits=context.limits)

    create = _endpoint({"POST": json(lambda: rare.conversations.create)})
    item = {
        "GET": json(lambda: rare.conversations.retrieve_item),
        "DELETE": json(lambda: rare.conversations.delete_item),
    }
    items = {
        "GET": json(lambda: rare.conversations.list_items),
        "POST": json(lambda: rare.conversations.create_items),
    }
    one = {
        "GET": json(lambda: rare.conversations.retrieve),
        "POST": json(lambda: rare.conversations.update),
        "DELETE": json(lambda: rare.conversations.delete),
    }
    below: dict[str, ASGIApp] = {
        "": create,
        "/": create,
        "/{conversation}/items/{item}": _endpoint(item),
        "/{conversation}/items": _endpoint(items),
        "/{conversation}": _endpoint(one),
        "/{rest:path}": NotFound(render_error=error_response),
    }
    return [Route(f"{prefix}/conversations{path}", endpoint) for prefix in prefixes for path, endpoint in below.items()]


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
    return Route(path, _endpoint(operations))


def _endpoint(operations: Mapping[str, Operation]) -> Endpoint:
    return Endpoint(operations, render_error=error_response)
