"""One path of an API as an ASGI app: methods, request ids, and errors in the API's own shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .._answer import answer_by
from .._handled import request_id as current_request_id
from .._late import late, listed
from . import _named
from .body import ClientGone
from .error_objects import error_response
from .errors import ErrorDescription, describe, noted
from .upload import Upload, answer_early

if TYPE_CHECKING:
    from ._types import Operation

__all__ = ["Endpoint", "NotFound", "Operation", "send_json"]

_JSON: Final = (b"content-type", b"application/json")

if not TYPE_CHECKING:
    __getattr__ = late(globals(), {"Operation": "_types"})
    __dir__ = listed(globals(), __all__)


class Endpoint:
    """Hands a request to the operation for its method.

    Args:
        operations: What each method does.
        render_error: Says an error in the protocol of the path.
    """

    def __init__(
        self, operations: Mapping[str, _named.Operation], *, render_error: _named.RenderError = error_response
    ) -> None:
        self._operations = operations
        self._render_error = render_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; no error leaves here while it can still be told to the client."""
        request_id = current_request_id().encode()
        upload = Upload(receive)
        operation = self._operations.get(scope["method"])
        if operation is None:
            await answer_early(self._not_offered(scope, request_id), scope, send, upload=upload)
            return
        answer = answer_by(send)
        try:
            await operation(scope, upload, answer, request_id=request_id)
        except ClientGone:
            return
        except Exception as error:
            if answer.has_begun:
                raise
            told = self._render_error(describe(error), request_id=request_id)
            await answer_early(told, scope, send, upload=upload)

    def _not_offered(self, scope: Scope, request_id: bytes) -> Response:
        allowed = ", ".join(sorted(self._operations))
        message = f"{scope['method']} is not offered here. Use {allowed}."
        described = noted(ErrorDescription(405, "method_not_allowed", message))
        refusal = self._render_error(described, request_id=request_id)
        refusal.headers["allow"] = allowed
        return refusal


class NotFound:
    """Says that nothing is here."""

    def __init__(self, *, render_error: _named.RenderError = error_response) -> None:
        self._render_error = render_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        description = noted(ErrorDescription(404, "not_found", f"Invalid URL ({scope['method']} {scope['path']})."))
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
    named = [_JSON, (b"content-length", b"%d" % len(body)), (b"x-request-id", request_id), *headers]
    await send({"type": "http.response.start", "status": status, "headers": named})
    await send({"type": "http.response.body", "body": body})
