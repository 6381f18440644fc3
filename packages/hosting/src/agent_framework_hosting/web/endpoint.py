"""One path of an API as an ASGI app: methods, request ids, and errors in the API's own shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from starlette.types import Message, Receive, Scope, Send

from .._handled import request_id as current_request_id
from .body import ClientGone
from .error_objects import RenderError, error_response
from .errors import ErrorDescription, describe
from .upload import Upload, answer_early


class Operation(Protocol):
    """What one method of a path does."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *, request_id: bytes) -> None:
        """Answer; whatever is raised before the answer has begun becomes an error object."""
        ...


class Endpoint:
    """Hands a request to the operation for its method.

    Args:
        operations: What each method does.
        render_error: Says an error in the protocol of the path.
    """

    def __init__(self, operations: Mapping[str, Operation], *, render_error: RenderError = error_response) -> None:
        self._operations = operations
        self._render_error = render_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; no error leaves here while it can still be told to the client."""
        request_id = current_request_id().encode()
        upload = Upload(receive)
        operation = self._operations.get(scope["method"])
        if operation is None:
            allowed = ", ".join(sorted(self._operations))
            message = f"{scope['method']} is not offered here. Use {allowed}."
            description = ErrorDescription(405, "method_not_allowed", message)
            answer = self._render_error(description, request_id=request_id)
            answer.headers["allow"] = allowed
            await answer_early(answer, scope, send, upload=upload)
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
            answer = self._render_error(describe(error), request_id=request_id)
            await answer_early(answer, scope, send, upload=upload)


class NotFound:
    """Says that nothing is here."""

    def __init__(self, *, render_error: RenderError = error_response) -> None:
        self._render_error = render_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        description = ErrorDescription(404, "not_found", f"Invalid URL ({scope['method']} {scope['path']}).")
        await answer_early(self._render_error(description), scope, send, upload=Upload(receive))


async def send_json(
    send: Send,
    status: int,
    body: bytes,
    *,
    request_id: bytes,
    headers: list[tuple[bytes, bytes]],
) -> None:
    """Send a whole answer."""
    fixed = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id),
    ]
    await send({"type": "http.response.start", "status": status, "headers": [*fixed, *headers]})
    await send({"type": "http.response.body", "body": body})
