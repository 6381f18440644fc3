"""Responses that were accepted and have no record yet: what was asked, and what can be told of them meanwhile.

Rules of this file:
1. What is kept here goes when the record of the turn is there. A response of which no turn was ever stored, such as one
   that was cancelled before it began, stays here with its end.
2. An end that is kept here is the end, whatever is stored under the same id later.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, cast

from agent_framework_hosting.channel import ChannelContext
from agent_framework_hosting.errors import IdempotencyConflict
from agent_framework_hosting.types import JSON, IdempotencyKey

_RESPONSE: Final = "responses.accepted"
_KEY: Final = "responses.key"


class Accepted(NamedTuple):
    """A response that was accepted.

    Args:
        record: Its record until now.
        line: The line that its run stands in.
        body: The body of its request as long as it is open.
    """

    record: Mapping[str, Any]
    line: str
    body: dict[str, Any] | None

    @property
    def is_open(self) -> bool:
        """Whether it may still become something else."""
        return self.body is not None


class AcceptedResponses:
    """The accepted responses of whoever is calling."""

    def __init__(self, context: ChannelContext) -> None:
        self._documents = context.documents
        self._ttl = context.limits.idempotency_ttl

    async def add(self, response: str, accepted: Accepted, *, key: str) -> bool:
        """Keep a response with the conversation of a session key; `False` when there is one of that id."""
        return await self._documents.add(_RESPONSE, key, [(response, accepted._asdict())])

    async def find(self, response: str) -> Accepted | None:
        """Return a response; nothing when it is unknown here, or its turn is stored."""
        found = await self._documents.find(_RESPONSE, response)
        if found is None:
            return None
        kept = cast("Mapping[str, Any]", found.body)
        return Accepted(kept["record"], kept["line"], kept["body"])

    async def settle(self, response: str, record: JSON) -> bool:
        """Keep how a response ended of which no turn is stored; `False` when it was forgotten."""
        kept = {"record": record, "line": "", "body": None}
        return await self._documents.replace(_RESPONSE, response, kept)

    async def remove(self, response: str) -> bool:
        """Forget a response; `False` when it was forgotten before."""
        return await self._documents.remove(_RESPONSE, response)

    async def named(self, key: IdempotencyKey) -> str | None:
        """Return the response that was accepted under an idempotency key; nothing when it is free.

        Raises:
            IdempotencyConflict: It was used for another request.
        """
        found = await self._documents.find(_KEY, key.key)
        kept = cast("Mapping[str, Any]", found.body) if found is not None else None
        if kept is None:
            return None
        if kept["at"] + self._ttl < time.time():
            await self.release(key.key)
            return None
        if kept["fingerprint"] != key.fingerprint.hex():
            raise IdempotencyConflict.other_request()
        return kept["response"]

    async def claim(self, key: IdempotencyKey, response: str) -> bool:
        """Let a free key stand for a response; `False` when another one was quicker."""
        note = {"fingerprint": key.fingerprint.hex(), "response": response, "at": time.time()}
        return await self._documents.add(_KEY, response, [(key.key, note)])

    async def release(self, key: str) -> None:
        """Let a key be used again."""
        await self._documents.remove(_KEY, key)
