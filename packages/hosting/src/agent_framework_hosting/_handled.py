"""The request that is being handled, as its log lines, its spans and its answer name it."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import msgspec

from .ids import mint

_SANE: Final = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


class HandledRequest(msgspec.Struct, eq=False, gc=False):
    """One request, from its arrival to its end.

    Args:
        id: The id that the host gave it. Never the caller's: two callers would share one, or forge another's.
        client_id: What the caller calls it, if that is a sane name.
        error: The code of what the caller was told, when it was an error.
        is_counted: Whether that error is in the metrics already.
    """

    id: str
    client_id: str | None = None
    error: str | None = None
    is_counted: bool = False


_current: Final[ContextVar[HandledRequest | None]] = ContextVar("agent_framework_hosting_request", default=None)


handled_request: Final[Callable[[], HandledRequest | None]] = _current.get
"""Return the request that is being handled; `None` outside of one."""


def request_id() -> str:
    """Return the id of the request that is being handled; a new one outside of one.

    Example:
        >>> with handling(HandledRequest("req_1")):
        ...     request_id()
        'req_1'
    """
    request = _current.get()
    return mint("req_") if request is None else request.id


@contextmanager
def handling(request: HandledRequest) -> Generator[HandledRequest]:
    """Let this be the request that is handled, for whatever is started inside the block."""
    token = _current.set(request)
    try:
        yield request
    finally:
        _current.reset(token)


begin: Final = _current.set
"""Let this request be the one that is handled, until `end` gets the token: `handling` for every request."""
end: Final = _current.reset
"""Undo the matching `begin`."""


def sane(client_id: bytes) -> str | None:
    """Return a caller's own id of a request when it may stand in a log line, `None` otherwise.

    Example:
        >>> sane(b"checkout-42"), sane(b"a b"), sane(b"x" * 129)
        ('checkout-42', None, None)
    """
    text = client_id.decode("latin-1")
    return text if _SANE.fullmatch(text) else None
