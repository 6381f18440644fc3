"""From the user of an app or a backend to a principal."""

from __future__ import annotations

from typing import Any, cast

from starlette.requests import HTTPConnection

from ..types import Principal


def mounted_user(connection: HTTPConnection) -> Principal | None:
    """Return the user whom the app around the host has put into `request.user`; `None` when nobody is logged in.

    A host without `auth=` uses it by itself and takes everybody else as anonymous. As `auth=mounted_user` everybody
    else is refused. Starlette's and FastAPI's `AuthenticationMiddleware` set `request.user`.

    Example:
        >>> from starlette.authentication import SimpleUser
        >>> mounted_user(HTTPConnection({"type": "http", "user": SimpleUser("ada")})).id
        'ada'
    """
    return principal_of(connection.scope.get("user"), credentials=connection.scope.get("auth"))


def principal_of(user: object, *, credentials: object = None) -> Principal | None:
    """Return the principal of a Starlette user; `None` for one who is not authenticated.

    Its scopes are those of the credentials. The id is the user's `identity`, or the `display_name` when there is none:
    Starlette's base class has none.

    Raises:
        ValueError: The user is authenticated and has neither.
    """
    # Exactly true: a framework where this is a method would make everybody authenticated otherwise.
    if getattr(user, "is_authenticated", False) is not True:
        return None
    for name in ("identity", "display_name"):
        value = _read(user, name)
        if value not in (None, ""):
            return Principal(id=str(value), kind="caller", scopes=_scopes_of(credentials))
    raise ValueError("The authenticated user has neither an identity nor a display_name to tell them from others by.")


def _scopes_of(credentials: object) -> frozenset[str]:
    scopes: Any = getattr(credentials, "scopes", None)
    listed = cast("list[object]", scopes) if isinstance(scopes, (list, tuple, set, frozenset)) else []
    return frozenset(scope for scope in listed if isinstance(scope, str))


def _read(user: Any, name: str) -> object:
    try:
        return getattr(user, name, None)
    except NotImplementedError:
        return None
