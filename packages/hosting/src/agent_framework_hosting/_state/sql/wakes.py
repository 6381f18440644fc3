"""Waking other processes of this machine, by a datagram on the loopback address.

A datagram says nothing and proves nothing: whoever gets one looks into the database. One that is lost, or that cannot
be sent because the other process lives in another container, costs time only.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Final

from .lanes import Wake

_LOOPBACK: Final = "127.0.0.1"


class LoopbackWakes:
    """Wakes others, and is woken by them."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._on_wake: Callable[[], None] | None = None

    @property
    def address(self) -> str:
        """Where this process is woken."""
        return f"udp:{self._socket.getsockname()[1]}" if self._socket is not None else ""

    async def start(self, on_wake: Callable[[], None]) -> None:
        """Listen."""
        self._on_wake = on_wake
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((_LOOPBACK, 0))
        asyncio.get_running_loop().add_reader(self._socket, self._woken)

    async def stop(self) -> None:
        """Listen no more."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def send(self, wakes: Sequence[Wake]) -> None:
        """Wake other processes."""
        if self._socket is None:
            return
        for address in {wake.address for wake in wakes}:
            kind, _, port = address.partition(":")
            if kind == "udp" and port.isdigit():
                try:
                    self._socket.sendto(b".", (_LOOPBACK, int(port)))
                except OSError:  # a full buffer, a port that nobody has any more: they look by themselves
                    continue

    def _woken(self) -> None:
        if self._socket is not None:
            try:
                while self._socket.recv(16):
                    pass
            except BlockingIOError:  # all have been read
                pass
            except OSError:  # the answer to a datagram that reached nobody
                return
            if self._on_wake is not None:
                self._on_wake()
