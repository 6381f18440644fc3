"""Updates that Telegram sends: one request each, answered once the update is kept."""

from __future__ import annotations

import hmac

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from agent_framework_hosting.errors import Unauthenticated
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.parsing.body import decode
from agent_framework_hosting.web.body import read_body

from ._intake import Intake

_HEADER = b"x-telegram-bot-api-secret-token"


class Webhook:
    """The operation behind the webhook's path.

    Args:
        intake: Where updates go.
        secret: What Telegram was told to send along, so that nobody else is taken for it.
        limits: The host's bounds.
    """

    def __init__(self, intake: Intake, *, secret: str, limits: Limits) -> None:
        self._intake = intake
        self._secret = secret.encode()
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *, request_id: bytes) -> None:
        """Take one update; Telegram sends it again unless this ends with a 2xx."""
        given = [value for name, value in scope["headers"] if name == _HEADER]
        if len(given) != 1 or not hmac.compare_digest(given[0], self._secret):
            raise Unauthenticated
        body = await read_body(scope, receive, limits=self._limits)
        await self._intake.take(decode(body, max_depth=self._limits.max_json_depth))
        await Response(headers={"x-request-id": request_id.decode()})(scope, receive, send)
