"""Reading a request body, to a bound in bytes and in time."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
from starlette.types import Message, Receive, Scope

from .._headers import Headers, forget_headers, headers_of
from .._stepping import within
from ..errors import Overloaded, RequestTimeout, RequestTooLarge, UnsupportedMedia
from ..limits import Limits

_PLAIN: Final = (b"", b"identity")
_DIGITS: Final = 20
"""Digits of an announced length that are read: it is beyond every limit by then, and Python reads no 5,000."""


ARRIVING: Final = "agent_framework_hosting.arriving"
"""Where the scope of a request has what all bodies are counted in, if they are."""


class Arriving(msgspec.Struct, kw_only=True):
    """What is held of all bodies that are not there whole, in bytes."""

    max_bytes: int
    held: int = 0


class ClientGone(Exception):
    """The client left before its request had arrived."""


async def read_body(scope: Scope, receive: Receive, *, limits: Limits) -> bytes:
    """Return the whole body.

    It has `limits.receive_timeout` to arrive, and as much longer as its bytes take at `limits.min_receive_rate`: a slow
    line gets through with a large body, and nobody holds a request open with a byte now and then.

    Raises:
        UnsupportedMedia: It is compressed: what it grows to would be known too late.
        RequestTooLarge: It is longer than `limits.max_request_bytes`; an announced length is refused unread.
        RequestTimeout: It did not arrive in time.
        Overloaded: All bodies that are still arriving are as many bytes as the host holds.
        ClientGone: The client left.
    """
    headers, most = headers_of(scope), limits.max_request_bytes
    if b"content-encoding" in headers.by_name:
        _check_unpacked(headers)
    announced = headers.by_name.get(b"content-length", b"")[:_DIGITS]
    if announced.isdigit() and int(announced) > most:
        raise _too_large(most)
    # They are mostly not looked at any more, and an answer may be long.
    forget_headers(scope)
    begun = asyncio.get_running_loop().time()
    try:
        first, more = _chunk(await within(limits.receive_timeout, receive()))
        if len(first) > most:
            raise _too_large(most)
        if not more:
            return first
        async with asyncio.timeout_at(begun + limits.receive_timeout) as limit:
            return await _rest(first, receive, scope.get(ARRIVING), begun=begun, limit=limit, limits=limits)
    except TimeoutError:
        raise RequestTimeout(
            f"The request body did not arrive in time: this server waits {limits.receive_timeout:g} seconds, and "
            f"longer for what comes at {limits.min_receive_rate} bytes a second or more. Send it faster."
        ) from None


async def _rest(
    first: bytes, receive: Receive, arriving: Arriving | None, *, begun: float, limit: asyncio.Timeout, limits: Limits
) -> bytes:
    # Not a list of chunks: of tiny ones that would hold many times what they say.
    body, more, held = bytearray(first), True, 0
    try:
        while more:
            limit.reschedule(begun + limits.receive_timeout + len(body) / limits.min_receive_rate)
            if arriving is not None:
                arriving.held += len(body) - held
                held = len(body)
                if arriving.held > arriving.max_bytes:
                    raise Overloaded("The server is taking as many bytes as it can hold. Send the request again.")
            chunk, more = _chunk(await receive())
            body += chunk
            if len(body) > limits.max_request_bytes:
                raise _too_large(limits.max_request_bytes)
    finally:
        if arriving is not None:
            arriving.held -= held
    return bytes(body)


def _chunk(message: Message) -> tuple[bytes, bool]:
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message.get("body", b""), message.get("more_body", False)


def _check_unpacked(headers: Headers) -> None:
    for value in headers.all(b"content-encoding"):
        if value.strip().lower() not in _PLAIN:
            raise UnsupportedMedia("This server reads no compressed bodies. Send it without Content-Encoding.")


def _too_large(most: int) -> RequestTooLarge:
    return RequestTooLarge(f"The request body is larger than the {most} bytes that this server takes.")
