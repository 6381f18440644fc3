"""The port: what `auth=` of the host may be, and the one function that the host makes of it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeAlias, cast

from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, BaseUser
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from .._headers import bearer_in, headers_of
from ..errors import ConfigurationError
from ..types import ANONYMOUS, Principal
from .users import principal_of

Caller: TypeAlias = Callable[[HTTPConnection], Principal | None | Awaitable[Principal | None]]
"""Says who is calling, `None` for nobody; gets a `Request`, for a WebSocket an `HTTPConnection`, and no body."""

Authenticator: TypeAlias = AuthenticationBackend | Caller
"""What `auth=` may be.

- `ApiKeys`, or any function `(request) -> Principal | None`. A plain function runs in a thread, so it may block.
- A Starlette `AuthenticationBackend`. Its user and credentials are in `request.user` and `request.auth` as well.

Nobody passes without a principal. `None`, an anonymous principal, Starlette's `AuthenticationError` and an
`HTTPException` with 401 or 403 (what FastAPI's security classes raise) all mean 401. A `RequestError` or `Unavailable`
of the host's own is told as it is; any other exception is a 500 that tells nothing.
"""

Authenticate: TypeAlias = Callable[[HTTPConnection], Coroutine[Any, Any, Principal | None]]

_ACCEPTED: Final = (
    "Give auth= an object such as ApiKeys.from_environment(), a Starlette AuthenticationBackend, or a function "
    "(request) -> Principal | None."
)
_REFUSALS: Final = (401, 403)


def authenticate_with(auth: object) -> Authenticate:
    """Return the one function that says who is calling.

    Raises:
        ConfigurationError: `auth` is nothing that can say it; the message says what can.
    """
    if isinstance(auth, type):
        raise ConfigurationError(f"auth= is the class {auth.__name__}, not an object made from it. {_ACCEPTED}")
    if isinstance(auth, AuthenticationBackend):
        return partial(_by_backend, auth)
    if not callable(auth):
        raise ConfigurationError(f"auth= is an object of type {type(auth).__name__}. {_ACCEPTED}")
    if not _takes_one(auth):
        raise ConfigurationError(f"{name_of(auth)}, given as auth=, cannot be called with the request. {_ACCEPTED}")
    return partial(_by_function, cast("Caller", auth), in_thread=not _is_async(auth))


def name_of(auth: object) -> str:
    """Return how the start line calls an authenticator."""
    return getattr(auth, "__name__", None) or type(auth).__name__


def bearer_token(connection: HTTPConnection) -> str | None:
    """Return the token of `Authorization: Bearer TOKEN` (RFC 6750), `None` when there is not exactly one sound one.

    Example:
        >>> bearer_token(HTTPConnection({"type": "http", "headers": [(b"authorization", b"Bearer abc")]}))
        'abc'
    """
    return bearer_in(headers_of(connection.scope))


async def _by_function(caller: Caller, connection: HTTPConnection, *, in_thread: bool) -> Principal | None:
    try:
        told: Any = await run_in_threadpool(caller, connection) if in_thread else caller(connection)
        if inspect.isawaitable(told):
            told = await told
    except AuthenticationError:
        return None
    except HTTPException as error:
        if error.status_code in _REFUSALS:
            return None
        raise
    return _checked(told)


async def _by_backend(backend: AuthenticationBackend, connection: HTTPConnection) -> Principal | None:
    try:
        told: tuple[AuthCredentials, BaseUser] | None = await backend.authenticate(connection)
    except AuthenticationError:
        return None
    if told is None:
        return None
    credentials, user = told
    # As Starlette's own middleware does it, so that `request.user` and `requires(...)` work in a channel's endpoints.
    connection.scope["auth"], connection.scope["user"] = credentials, user
    return principal_of(user, credentials=credentials)


def _checked(told: object) -> Principal | None:
    if told is None:
        return None
    if not isinstance(told, Principal):
        raise TypeError(f"The authenticator returned {type(told).__name__}; it must return a Principal or None.")
    if not isinstance(told.id, str) or not told.id or not isinstance(told.tenant, str) or not told.tenant:  # pyright: ignore[reportUnnecessaryIsInstance] # it comes from code that nobody has type-checked
        raise TypeError("The authenticator returned a principal whose id or tenant is not a text, or is empty.")
    if told.kind != ANONYMOUS.kind:
        return told
    # `Principal(id="ada")` names somebody; `Principal()` names nobody, and nobody can become the anonymous owner.
    return None if told.id == ANONYMOUS.id else replace(told, kind="caller")


def _is_async(auth: Any) -> bool:
    while isinstance(auth, partial):
        auth = cast("Any", auth).func
    return inspect.iscoroutinefunction(auth) or inspect.iscoroutinefunction(type(auth).__call__)


def _takes_one(auth: Callable[..., object]) -> bool:
    try:
        inspect.signature(auth).bind(object())
    except TypeError:
        return False
    except ValueError:  # written in C, without a signature to look at
        return True
    return True
