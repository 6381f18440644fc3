"""What the endpoints share beside creating responses: a body, a path's parts, an answer in JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from starlette.types import Receive, Scope, Send

from agent_framework_hosting.limits import Limits
from agent_framework_hosting.parsing.body import decode
from agent_framework_hosting.rendering.text import to_json
from agent_framework_hosting.web.body import read_body
from agent_framework_hosting.web.endpoint import send_json

Headers: TypeAlias = list[tuple[bytes, bytes]]


class Call:
    """One request at an endpoint."""

    def __init__(self, scope: Scope, receive: Receive, *, limits: Limits) -> None:
        self.scope = scope
        self.headers: Headers = []
        self._receive = receive
        self._limits = limits

    def part(self, name: str) -> str:
        """Return a part of the path."""
        return self.scope["path_params"][name]

    async def body(self) -> dict[str, Any]:
        """Return the body, which may be left out.

        Raises:
            RequestError: It is malformed, or too large.
        """
        data = await read_body(self.scope, self._receive, limits=self._limits)
        return decode(data, max_depth=self._limits.max_json_depth) if data.strip() else {}


Handler: TypeAlias = Callable[[Call], Awaitable[Mapping[str, Any]]]


class JSONOperation:
    """An operation whose answer is one JSON object.

    Args:
        find: Returns what answers; called for each request, so that it may be loaded with the first one.
        limits: The host's.
    """

    def __init__(self, find: Callable[[], Handler], *, limits: Limits) -> None:
        self._find = find
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *, request_id: bytes) -> None:
        """Answer one request."""
        call = Call(scope, receive, limits=self._limits)
        answer = to_json(await self._find()(call))
        await send_json(send, 200, answer, request_id=request_id, headers=call.headers)
