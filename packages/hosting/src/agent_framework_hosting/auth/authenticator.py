"""The port: what `auth=` of the host may be, and the one function that the host makes of it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeGuard, cast

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from .._headers import bearer_in, headers_of
from .._late import late, listed
from ..errors import ConfigurationError
from ..types import ANONYMOUS, Principal
from .users import principal_of

if TYPE_CHECKING:
    from starlette.authentication import AuthCredentials, AuthenticationBackend, BaseUser

    from ._accepted import Authenticator, Caller

__all__ = ["Authenticate", "Authenticator", "Caller", "authenticate_with", "bearer_token", "name_of"]

Authenticate: TypeAlias = Callable[[HTTPConnection], Coroutine[Any, Any, Principal | None]]

_ACCEPTED: Final = (
    "Give auth= an object such as ApiKeys.from_environment(), a Starlette AuthenticationBackend, or a function "
    "(request) -> Principal | None."
)
_REFUSALS: Final = (401, 403)
_BACKENDS: Final = "starlette.authentication"

if not TYPE_CHECKING:
    __getattr__ = late(globals(), {"Authenticator": "_accepted", "Caller": "_accepted"})
    __dir__ = listed(globals(), __all__)


def authenticate_with(auth: object) -> Authenticate:
    """Return the one function that says who is calling.

    Raises:
        ConfigurationError: `auth` is nothing that can say it; the message says what can.
    """
    if isinstance(auth, type):
        raise ConfigurationError(f"auth= is the class {auth.__name__}, not an object made from it. {_ACCEPTED}")
    if _is_backend(auth):
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
    except Exception as error:
        if _refuses(error):
            return None
        raise
    return _checked(told)


async def _by_backend(backend: AuthenticationBackend, connection: HTTPConnection) -> Principal | None:
    try:
        told: tuple[AuthCredentials, BaseUser] | None = await backend.authenticate(connection)
    except Exception as error:
        if _is_of_backends(error, "AuthenticationError"):
            return None
        raise
    if told is None:
        return None
    credentials, user = told
    # As Starlette's own middleware does it, so that `request.user` and `requires(...)` work in a channel's endpoints.
    connection.scope["auth"], connection.scope["user"] = credentials, user
    return principal_of(user, credentials=credentials)


def _is_backend(auth: object) -> TypeGuard[AuthenticationBackend]:
    return _is_of_backends(auth, "AuthenticationBackend")


def _refuses(error: Exception) -> bool:
    if isinstance(error, HTTPException):
        return error.status_code in _REFUSALS
    return _is_of_backends(error, "AuthenticationError")


def _is_of_backends(value: object, kind: str) -> bool:
    # Whoever has something of Starlette's backends has loaded them; most hosts have keys.
    loaded = sys.modules.get(_BACKENDS)
    return loaded is not None and isinstance(value, getattr(loaded, kind))


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
