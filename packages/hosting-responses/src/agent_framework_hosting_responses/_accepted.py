"""Responses that were accepted and have no record yet: what was asked, and what can be told of them meanwhile.

Rules of this file:
1. What is kept here goes when the record of the turn is there. A response of which no turn was ever stored, such as one
   that was cancelled before it began, stays here with its end.
2. An end that is kept here is the end, whatever is stored under the same id later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from agent_framework_hosting.errors import IdempotencyConflict
from agent_framework_hosting.types import JSON, IdempotencyKey, Principal

if TYPE_CHECKING:
    from agent_framework_hosting.channel import ChannelContext

_RESPONSE: Final = "responses.accepted"


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
    """The accepted responses of whoever is calling, or of a `principal`."""

    def __init__(self, context: ChannelContext) -> None:
        self._documents = context.documents

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

    async def remove(self, response: str, *, principal: Principal | None = None) -> bool:
        """Forget a response; `False` when it was forgotten before."""
        return await self._documents.remove(_RESPONSE, response, principal=principal)


def run_name(response: str) -> IdempotencyKey:
    """Return the idempotency key under which the turn of a response is run, in all of its attempts."""
    # No header can say this: it holds more than ASCII.
    return IdempotencyKey(f"\u2192{response}", hashlib.sha256(response.encode()).digest())


class AcceptedKeys:
    """The idempotency keys under which responses were accepted; those of runs in the foreground are among the same.

    Args:
        context: The host's.
        channel: What the channel is called.
    """

    def __init__(self, context: ChannelContext, *, channel: str) -> None:
        self._claims = context.claims
        self._channel = channel

    async def find(self, named: IdempotencyKey) -> str | None:
        """Return the response that was accepted under a key; nothing when it is free.

        Raises:
            IdempotencyConflict: It is in use, or was used for another request.
        """
        return _response_of(await self._claims.find(self._channel, named))

    async def claim(self, named: IdempotencyKey, response: str) -> bool:
        """Let a free key stand for a response; `False` when another one was quicker.

        Raises:
            IdempotencyConflict: It is in use, or was used for another request.
        """
        return _response_of(await self._claims.keep(self._channel, named, {"response": response})) == response

    async def release(self, key: str) -> None:
        """Let a key be used again."""
        await self._claims.forget(self._channel, key)

    async def disown(self, response: str) -> None:
        """Have an attempt at a response that is still under way somewhere store nothing; what is stored stays."""
        await self._claims.forget(self._channel, run_name(response).key)

    async def give_back(self, named: IdempotencyKey, response: str, *, principal: Principal) -> None:
        """Let a key be used again if it stands for a response, and leave it to others otherwise."""
        with suppress(IdempotencyConflict):
            answer = await self._claims.find(self._channel, named, principal=principal)
            if _response_of(answer) == response:
                await self._claims.forget(self._channel, named.key, principal=principal)


def _response_of(answer: JSON) -> str | None:
    return cast("Mapping[str, str]", answer)["response"] if answer is not None else None
