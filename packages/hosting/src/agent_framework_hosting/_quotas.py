"""How many tokens each principal may use, by what the agent reports.

A principal has an account for a minute and one for a day, which fill evenly up to what is granted. A run is let in
while there is a token in all of them, and is charged as it reports what it used; what is overdrawn has to fill up
again first. So bursts are as large as the grant, and over any longer time nobody uses more than is granted, plus what
was under way.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import msgspec

from .errors import QuotaExceeded
from .limits import Limits
from .rendering.usage import UsageTally
from .types import Owner
from .workflows import as_agent_response, is_workflow_result

_ACCOUNTS: Final = 100_000
"""Principals whose use is remembered; beyond them, that of whoever was idle for longest is forgotten."""


class _Grant(msgspec.Struct, frozen=True):
    tokens: int
    seconds: float
    name: str


class _Account(msgspec.Struct):
    left: list[float]
    at: float


class Quotas:
    """Lets principals in while they have tokens left, and charges what their runs use. In this process alone.

    Args:
        limits: What is granted.
        clock: Tells the time.
    """

    def __init__(self, limits: Limits, *, clock: Callable[[], float] = time.monotonic) -> None:
        granted = ((limits.tokens_per_minute, 60.0, "minute"), (limits.tokens_per_day, 86400.0, "day"))
        self._grants = tuple(_Grant(tokens, seconds, name) for tokens, seconds, name in granted if tokens is not None)
        self._clock = clock
        self._accounts: OrderedDict[Owner, _Account] = OrderedDict()

    def check(self, owner: Owner) -> None:
        """Let a run in.

        Raises:
            QuotaExceeded: Nothing is left; the error says when there will be.
        """
        account = self._accounts.get(owner)
        if account is None:
            return
        self._fill(account)
        short = [
            ((1 - left) * grant.seconds / grant.tokens, grant)
            for left, grant in zip(account.left, self._grants, strict=True)
            if left < 1
        ]
        if short:
            wait, grant = max(short, key=lambda each: each[0])
            seconds = math.floor(wait) + 1
            raise QuotaExceeded(
                f"You have used up the {grant.tokens} tokens that this server grants in a {grant.name}. Send the "
                f"request again in {seconds} seconds.",
                retry_after=seconds,
            )

    def charge(self, owner: Owner, tokens: int) -> None:
        """Take what a run has used."""
        if not tokens or not self._grants:
            return
        account = self._accounts.get(owner)
        if account is None:
            account = self._accounts[owner] = _Account([float(grant.tokens) for grant in self._grants], self._clock())
            if len(self._accounts) > _ACCOUNTS:
                self._accounts.popitem(last=False)
        self._fill(account)
        account.left = [left - tokens for left in account.left]
        self._accounts.move_to_end(owner)

    def meter(self, owner: Owner) -> Meter:
        """Return what charges one run."""
        return Meter(self, owner)

    def _fill(self, account: _Account) -> None:
        now = self._clock()
        passed, account.at = now - account.at, now
        account.left = [
            min(float(grant.tokens), left + passed * grant.tokens / grant.seconds)
            for left, grant in zip(account.left, self._grants, strict=True)
        ]


class Meter:
    """Charges one run: as it goes by what its updates report, and at its end by what its result does."""

    __slots__ = ("_charged", "_owner", "_quotas", "_tally")

    def __init__(self, quotas: Quotas, owner: Owner) -> None:
        self._quotas = quotas
        self._owner = owner
        self._charged = 0
        self._tally = UsageTally()

    def read(self, update: Any) -> None:
        """Charge what an update reports: whoever leaves in the middle has used it all the same."""
        for content in update.contents:
            if content.type == "usage":
                self._tally.add(content.usage_details)
                self._settle()

    def finish(self, result: Any) -> None:
        """Charge what the result reports beyond what was charged."""
        if is_workflow_result(result):
            result = as_agent_response(result)
        # Agents of one's own may return something else; whoever has to show it says so.
        self._tally.add(getattr(result, "usage_details", None), replaces=True)
        self._settle()

    def _settle(self) -> None:
        counts = self._tally.counts
        if counts is not None and counts.total > self._charged:
            self._quotas.charge(self._owner, counts.total - self._charged)
            self._charged = counts.total
