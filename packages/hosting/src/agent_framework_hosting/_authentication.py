"""Who is calling: decided once per request, before anything of its body is read, and nobody passes by accident."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable
from functools import cache
from typing import Final

from starlette.requests import HTTPConnection, Request
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from ._addresses import comes_from_named_proxy, is_local
from ._arrival import Arrival, Step, arrival_of
from ._doorway import Doorway
from ._guard import is_mounted
from ._headers import bearer_in, forget_headers
from ._stepping import TimeIsUp, within
from ._ways import Entrances
from .auth.users import mounted_user
from .door import ALLOW_UNAUTHENTICATED_VARIABLE
from .entrances import HOST, Entrance
from .errors import AccessDenied, InsufficientScope, RequestError, Unauthenticated, Unavailable
from .ids import mint
from .logs import logger
from .types import ANONYMOUS, Principal
from .web.error_objects import error_response
from .web.errors import ErrorDescription, describe, noted
from .web.upload import Upload, answer_early

_POLICY_VIOLATION: Final = 1008
_NOBODY_AUTHENTICATES: Final = "nobody_authenticates"
_NOBODY_ASKS: Final = (
    "Nothing says here who is calling, so nobody from another machine is let in. Whoever runs this server can give the "
    "host auth=, for example ApiKeys.from_environment(), or mount it in an app that authenticates, or let everybody in "
    f"with Door(allow_unauthenticated=True) or {ALLOW_UNAUTHENTICATED_VARIABLE}=1."
)
_THE_APP_LETS_IN: Final = (
    "Nothing has told the host who it is: the app around it answers for that. If that app refuses strangers, say so "
    "with Door(allow_unauthenticated=True); if not, give the host auth=, for example ApiKeys.from_environment()."
)


class Authentication:
    """Asks who is calling and tells everything behind; with `auth=` set, whoever is nobody gets 401.

    Which requests are the host's to authenticate is decided by the routes that the router itself would take. What no
    route takes is the host's, too. Where nobody says who is calling, callers from other machines get 403.

    Args:
        step: What is behind; it is told who is calling.
        doorway: Who says who is calling; without `auth=` the user of the app around the host, else it is anonymous.
        entrances: All ways into the app.
        timeout: Seconds that `auth=` may take.
    """

    def __init__(self, step: Step, *, doorway: Doorway, entrances: Entrances, timeout: float) -> None:
        self._step = step
        self._doorway = doorway
        self._authenticate = doorway.authenticate
        self._keys = doorway.keys
        self._demands_scopes = bool(doorway.door.scopes)
        self._scopes_of = cache(doorway.door.scopes_of)
        self._entrances = entrances
        self._timeout = timeout
        self._names_proxies = doorway.door.names_proxies
        self._has_warned = False

    def enter(self, arrival: Arrival, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request; a `Step`."""
        is_asked = self._authenticate is not None or "user" in arrival.scope
        is_stranger = not is_asked and self._is_stranger(arrival.scope)
        if is_asked or is_stranger or self._demands_scopes:
            entrance = None if arrival.place is None else arrival.place.entrance
            if entrance is None or entrance.authenticated_by == HOST:
                try:
                    known = self._known_at_once(arrival, is_stranger=is_stranger)
                    if known is None:
                        return self._ask(arrival, receive, send)
                    if self._demands_scopes:
                        self._check_scopes(known, entrance)
                except Exception as error:  # noqa: BLE001 - whatever keeps the caller from being known, nobody passes
                    return self._refuse(error, arrival, receive, send)
                arrival.principal = known
        return self._step(arrival, receive, send)

    async def _ask(self, arrival: Arrival, receive: Receive, send: Send) -> None:
        try:
            principal = await self._caller(arrival.scope)
            if self._demands_scopes:
                self._check_scopes(principal, arrival.entrance)
        except Exception as error:  # noqa: BLE001 - whatever keeps the caller from being known, nobody passes
            await self._refuse(error, arrival, receive, send)
            return
        # Whoever was asked has had the scope.
        arrival = arrival_of(arrival.scope, entrances=self._entrances)
        arrival.principal = principal
        answered = self._step(arrival, receive, send)
        # An answer may be long, and needs nothing of it.
        del arrival
        await answered

    def _is_stranger(self, scope: Scope) -> bool:
        """Whether somebody from another machine comes where there is nobody who could say who it is."""
        is_vouched = self._names_proxies and comes_from_named_proxy(scope)
        if self._doorway.takes(is_local=is_local(scope), is_vouched=is_vouched):
            return False
        if is_mounted(scope):
            self._warn_once("A caller from another machine was let in. %s", _THE_APP_LETS_IN)
            return False
        return True

    def _warn_once(self, message: str, details: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            logger.warning(message, details)

    def _check_scopes(self, principal: Principal, entrance: Entrance | None) -> None:
        needed = self._scopes_of(None if entrance is None else entrance.channel)
        if not needed <= principal.scopes:
            if principal == ANONYMOUS:
                raise Unauthenticated
            raise InsufficientScope(needed)

    def _known_at_once(self, arrival: Arrival, *, is_stranger: bool) -> Principal | None:
        if is_stranger:
            raise AccessDenied(_NOBODY_ASKS, code=_NOBODY_AUTHENTICATES)
        if self._keys is None:
            return None
        token = bearer_in(arrival.headers)
        principal = None if token is None else self._keys.principal_of(token)
        if principal is None:
            raise Unauthenticated
        return principal

    async def _caller(self, scope: Scope) -> Principal:
        # A request without a body to read: it is still on its way.
        connection = Request(scope) if scope["type"] == "http" else HTTPConnection(scope)
        if self._authenticate is None:
            return mounted_user(connection) or ANONYMOUS
        try:
            principal = await within(self._timeout, self._authenticate(connection))
        except TimeIsUp:
            logger.error("auth= did not say within %g seconds who is calling; the request was refused.", self._timeout)
            raise Unavailable("Who is calling could not be found out in time. Send the request again.") from None
        finally:
            # Whoever was asked has had the scope.
            forget_headers(scope)
        if principal is None:
            raise Unauthenticated
        return principal

    async def _refuse(self, error: Exception, arrival: Arrival, receive: Receive, send: Send) -> None:
        scope, entrance = arrival.scope, arrival.entrance
        description = _told(error)
        if description.code == _NOBODY_AUTHENTICATES:
            self._warn_once("A caller from another machine was refused. %s", description.message)
        if scope["type"] == "websocket":
            await WebSocketClose(_POLICY_VIOLATION)(scope, receive, send)
            return
        render = entrance.render_error if entrance is not None else None
        answer = (render or error_response)(description)
        challenge = _challenge(error, scope)
        if challenge is not None:
            answer.headers["www-authenticate"] = challenge
        await answer_early(answer, scope, send, upload=Upload(receive))


def _challenge(error: Exception, scope: Scope) -> str | None:
    """Return what RFC 6750 wants to be said: that a token is wrong, never that a missing one is."""
    if isinstance(error, InsufficientScope):
        return f'Bearer error="insufficient_scope", scope="{" ".join(sorted(error.scopes))}"'
    if not isinstance(error, Unauthenticated):
        return None
    has_token = any(name == b"authorization" and value[:7].lower() == b"bearer " for name, value in scope["headers"])
    return 'Bearer error="invalid_token"' if has_token else "Bearer"


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
    return noted(ErrorDescription(500, "internal_error", message, may_retry=True))
