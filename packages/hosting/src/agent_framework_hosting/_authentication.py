"""Who is calling: decided once per request, before anything of its body is read, and nobody passes by accident."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Sequence
from typing import Final

from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from .auth.authenticator import Authenticate, name_of
from .auth.users import mounted_user
from .entrances import HOST, Entrance, find
from .errors import RequestError, Unauthenticated, Unavailable
from .ids import mint
from .isolation import calling
from .logs import logger
from .types import ANONYMOUS, Principal
from .web.error_objects import error_response
from .web.errors import ErrorDescription, describe
from .web.upload import Upload, answer_early

_POLICY_VIOLATION: Final = 1008


class Authentication:
    """Asks who is calling and tells everything behind; with `auth=` set, whoever is nobody gets 401.

    Which requests are the host's to authenticate is decided by the routes that the router itself would take. What no
    route takes is the host's, too.

    Args:
        app: What is behind.
        authenticate: What `auth=` became; without it, the user of the app around the host, else anonymous.
        entrances: All routes of the app, in the router's order.
        timeout: Seconds that `authenticate` may take.
    """

    def __init__(
        self, app: ASGIApp, *, authenticate: Authenticate | None, entrances: Sequence[Entrance], timeout: float
    ) -> None:
        self._app = app
        self._authenticate = authenticate
        self._entrances = entrances
        self._timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        principal, entrance = ANONYMOUS, None
        if self._authenticate is not None or "user" in scope:
            entrance = find(self._entrances, scope)
            if entrance is None or entrance.authenticated_by == HOST:
                try:
                    principal = await self._caller(scope)
                except Exception as error:  # noqa: BLE001 - whatever keeps the caller from being known, nobody passes
                    await _refuse(_told(error), entrance, scope, receive, send)
                    return
        # Also when nobody is calling: an agent of another host in this process may be the one who asks.
        with calling(principal):
            await self._app(scope, receive, send)

    async def _caller(self, scope: Scope) -> Principal:
        # A request without a body to read: it is still on its way.
        connection = Request(scope) if scope["type"] == "http" else HTTPConnection(scope)
        if self._authenticate is None:
            return mounted_user(connection) or ANONYMOUS
        limit = asyncio.timeout(self._timeout)
        try:
            async with limit:
                principal = await self._authenticate(connection)
        except TimeoutError:
            if not limit.expired():
                raise
            logger.error("auth= did not say within %g seconds who is calling; the request was refused.", self._timeout)
            raise Unavailable("Who is calling could not be found out in time. Send the request again.") from None
        if principal is None:
            raise Unauthenticated
        return principal


def who_says(auth: object | None, *, trusts_headers: bool) -> str:
    """Return how the start line says where callers get their names from."""
    by_headers = "named by the isolation headers of a trusted platform"
    if auth is None:
        return by_headers if trusts_headers else "anonymous, unless an app around the host names them"
    by_auth = f"authenticated by {name_of(auth)}"
    return f"{by_auth}, then {by_headers}" if trusts_headers else by_auth


def _told(error: Exception) -> ErrorDescription:
    if isinstance(error, (RequestError, Unavailable)):
        return describe(error)
    incident = mint("err_")
    logger.error(
        "%s: finding out who is calling failed with %s; its message is left out, since it may quote credentials.",
        incident,
        type(error).__name__,
        extra={"frames": "".join(traceback.format_tb(error.__traceback__))},
    )
    message = f"The server failed to find out who is calling. (error id {incident})"
    return ErrorDescription(500, "internal_error", message, may_retry=True)


async def _refuse(
    description: ErrorDescription, entrance: Entrance | None, scope: Scope, receive: Receive, send: Send
) -> None:
    if scope["type"] == "websocket":
        await WebSocketClose(_POLICY_VIOLATION)(scope, receive, send)
        return
    render = entrance.render_error if entrance is not None else None
    answer = (render or error_response)(description)
    if description.status == Unauthenticated.status:
        answer.headers["www-authenticate"] = "Bearer"
    await answer_early(answer, scope, send, upload=Upload(receive))
