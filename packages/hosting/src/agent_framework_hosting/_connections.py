"""What connections may cost under Hypercorn, before a request is there and after its answer is written."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from .limits import Limits

if TYPE_CHECKING:
    from hypercorn.config import Config, Sockets

_BACKLOG: Final = 1024
"""Connections that may wait to be accepted: many clients connect in the same moment after a restart."""
_GRACE: Final = 5.0
"""Seconds beyond the stall time: a stream cuts its reader itself, and says so in the log."""
_USER_TIMEOUT: Final = getattr(socket, "TCP_USER_TIMEOUT", None)
"""Known on Linux alone."""


def bounds(limits: Limits) -> Mapping[str, Any]:
    """Return options of Hypercorn's configuration.

    Its keep-alive time begins with the connection and again with every answer, ends when the head of a request is
    there, and no byte in between makes it longer. So it bounds the time for a head, too. Its read timeout is no use:
    that would also cut those who listen to a long answer.
    """
    return {
        "keep_alive_timeout": limits.idle_timeout,
        "ssl_handshake_timeout": limits.idle_timeout,
        "websocket_max_message_size": limits.max_request_bytes,
        "backlog": _BACKLOG,
    }


def bounded(kind: type[Config], *, stall_timeout: float) -> type[Config]:
    """Return a configuration whose connections are given up when their other ends take nothing for too long.

    Whoever serves has written an answer when it is in the buffers of the connection; only the system sees whether it is
    read. Without this, a reader that stands still keeps its connection for ever, also one whose stream was cut.
    """

    class Bounded(kind):
        def create_sockets(self) -> Sockets:
            sockets = super().create_sockets()
            _give_up_after((*sockets.secure_sockets, *sockets.insecure_sockets), seconds=stall_timeout + _GRACE)
            return sockets

    return Bounded


def _give_up_after(listening: Iterable[socket.socket], *, seconds: float) -> None:
    for each in listening:
        if _USER_TIMEOUT is not None and each.family in (socket.AF_INET, socket.AF_INET6):
            # What is accepted inherits it.
            each.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, int(seconds * 1000))
