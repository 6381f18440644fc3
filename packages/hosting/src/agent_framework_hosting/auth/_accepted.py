"""What `auth=` may be, for signatures; the host makes one function of it in `authenticator`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.authentication import AuthenticationBackend
from starlette.requests import HTTPConnection

from ..types import Principal

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
