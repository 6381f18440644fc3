"""One path of the API as an ASGI app: methods, request ids, and errors in the API's own shape."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

from starlette.types import Message, Receive, Scope, Send

from agent_framework_hosting.ids import mint
from agent_framework_hosting.web.body import ClientGone
from agent_framework_hosting.web.errors import ErrorDescription, describe

from ._errors import error_body, error_headers

_LINGER: Final = 5.0
"""Seconds for a client to finish sending what will not be read."""


class Operation(Protocol):
    """What one method of a path does."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *, request_id: bytes) -> None:
        """Answer; whatever is raised before the answer has begun becomes an error object."""
        ...


class Endpoint:
    """Hands a request to the operation for its method."""

    def __init__(self, operations: Mapping[str, Operation]) -> None:
        self._operations = operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; no error leaves here while it can still be told to the client."""
        request_id = mint("req_").encode()
        upload = Upload(receive)
        operation = self._operations.get(scope["method"])
        if operation is None:
            allowed = ", ".join(sorted(self._operations))
            message = f"{scope['method']} is not offered here. Use {allowed}."
            description = ErrorDescription(405, "method_not_allowed", message)
            headers = [(b"allow", allowed.encode())]
            await send_error(send, description, request_id=request_id, headers=headers, upload=upload)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await operation(scope, upload.receive, watched, request_id=request_id)
        except ClientGone:
            return
        except Exception as error:
            if begun:
                raise
            await send_error(send, describe(error), request_id=request_id, upload=upload)


class NotFound:
    """Says that nothing is here."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        description = ErrorDescription(404, "not_found", f"Invalid URL ({scope['method']} {scope['path']}).")
        await send_error(send, description, request_id=mint("req_").encode(), upload=Upload(receive))


class Upload:
    """The body of a request, which may be answered before it has arrived."""

    __slots__ = ("_receive", "is_over")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.is_over = False

    async def receive(self) -> Message:
        """Return what comes next; the ASGI callable."""
        message = await self._receive()
        self.is_over = not message.get("more_body", False)
        return message

    async def pass_over(self) -> None:
        """Let the client finish sending, within a bounded time, and keep nothing of it."""
        try:
            async with asyncio.timeout(_LINGER):
                while not self.is_over:
                    await self.receive()
        except TimeoutError:
            return


async def send_error(
    send: Send,
    description: ErrorDescription,
    *,
    request_id: bytes,
    upload: Upload,
    headers: list[tuple[bytes, bytes]] | None = None,
) -> None:
    """Send an error object, at once; the connection is left open for what the client is still sending.

    Otherwise the server would reset it, and most clients would report that instead of what they were told.
    """
    more = [*(headers or ()), *error_headers(description)]
    body = error_body(description)
    await send_json(send, description.status, body, request_id=request_id, headers=more, is_last=upload.is_over)
    if not upload.is_over:
        await upload.pass_over()
        await send({"type": "http.response.body", "body": b""})


async def send_json(
    send: Send,
    status: int,
    body: bytes,
    *,
    request_id: bytes,
    headers: list[tuple[bytes, bytes]],
    is_last: bool = True,
) -> None:
    """Send a whole answer; `is_last` is false when the caller ends it later."""
    fixed = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id),
    ]
    await send({"type": "http.response.start", "status": status, "headers": [*fixed, *headers]})
    await send({"type": "http.response.body", "body": body, "more_body": not is_last})
