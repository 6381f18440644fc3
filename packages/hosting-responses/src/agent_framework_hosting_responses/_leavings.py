"""What is left of responses that were refused after some of them had been kept.

Rules of this file:
1. It is removed at once, or, when the database takes nothing, before the next response is accepted: so it never grows
   beyond what was under way at once. What a process leaves that dies meanwhile goes with its conversation.
2. A response whose run was accepted stays, although its caller may never have been told.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from agent_framework_hosting.errors import Unavailable, UnknownId
from agent_framework_hosting.isolation import current_principal
from agent_framework_hosting.types import IdempotencyKey, Principal

from ._accepted import AcceptedKeys, AcceptedResponses
from ._settings import BACKGROUND

if TYPE_CHECKING:
    from agent_framework_hosting.channel import ChannelContext


class _Leaving(NamedTuple):
    response: str
    named: IdempotencyKey | None
    principal: Principal


class Leavings:
    """Removes them, whoever's they are."""

    def __init__(self, context: ChannelContext, accepted: AcceptedResponses, keys: AcceptedKeys) -> None:
        self._runs = context.runs
        self._accepted = accepted
        self._keys = keys
        self._known: list[_Leaving] = []

    async def add(self, response: str, named: IdempotencyKey | None) -> None:
        """Remove what may be left of a response of whoever is calling; if that fails, later."""
        leaving = _Leaving(response, named, current_principal())
        self._known.append(leaving)
        with suppress(Unavailable):
            await self._remove(leaving)

    async def remove_all(self) -> None:
        """Remove what could not be removed before.

        Raises:
            Unavailable: It cannot be now, either.
        """
        for leaving in tuple(self._known):
            await self._remove(leaving)

    async def _remove(self, leaving: _Leaving) -> None:
        response, named, principal = leaving
        try:
            await self._runs.status(response, kind=BACKGROUND, principal=principal)
        except UnknownId:
            await self._accepted.remove(response, principal=principal)
            if named is not None:
                await self._keys.give_back(named, response, principal=principal)
        if leaving in self._known:
            # Another request may have removed it at the same time.
            self._known.remove(leaving)
