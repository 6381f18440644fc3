"""Starts and stops what channels bring, in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from .channel import ChannelContribution
from .hooks import settled
from .logs import logger

Step = Callable[[], Awaitable[None] | None]


class NamedContribution(msgspec.Struct, frozen=True):
    """A contribution and the channel that it is from."""

    name: str
    path: str
    contribution: ChannelContribution


class Channels:
    """The channels of a host, as they start and stop.

    Args:
        contributions: What they bring, in the order in which they start.
        may_fail: Whether the others serve when one of them fails to start; it is disabled then. When none is left, the
            start fails all the same.
    """

    def __init__(self, contributions: Sequence[NamedContribution], *, may_fail: bool) -> None:
        self.disabled: set[str] = set()
        self.contributions = contributions
        self._may_fail = may_fail

    async def start(self) -> None:
        """Run all start-up steps; a failure that counts stops the channels that had started, and is raised."""
        self.disabled.clear()
        for index, started in enumerate(self.contributions):
            try:
                for step in started.contribution.on_startup:
                    await settled(step())
            except BaseException as error:
                logger.error("Channel %r failed to start: %s", started.name, type(error).__name__, exc_info=error)
                if not self._may_do_without(started, error):
                    had_started = [each for each in self.contributions[:index] if each.name not in self.disabled]
                    await self._stop_logging(had_started)
                    raise
                self.disabled.add(started.name)
                await self._stop_logging([started])

    async def stop(self) -> None:
        """Run all shutdown steps, the last channel's first; raises the first error once all were tried."""
        errors = await _stopped([each for each in self.contributions if each.name not in self.disabled])
        for error in errors[1:]:
            logger.error("A shutdown step failed: %s", type(error).__name__, exc_info=error)
        if errors:
            raise errors[0]

    def _may_do_without(self, failed: NamedContribution, error: BaseException) -> bool:
        left = {each.name for each in self.contributions} - self.disabled - {failed.name}
        return self._may_fail and isinstance(error, Exception) and bool(left)

    async def _stop_logging(self, contributions: Sequence[NamedContribution]) -> None:
        for error in await _stopped(contributions):
            logger.error("... and while what had started was stopped: %s", type(error).__name__, exc_info=error)


async def _stopped(contributions: Sequence[NamedContribution]) -> list[Exception]:
    errors: list[Exception] = []
    for stopped in reversed(contributions):
        for step in stopped.contribution.on_shutdown:
            try:
                await settled(step())
            except Exception as error:  # noqa: BLE001 - every step is tried; the caller raises what came of it
                errors.append(error)
    return errors


async def undo(steps: Sequence[Callable[[], Any]], *, because: BaseException | None = None) -> None:
    """Take all steps, whatever becomes of those before; then raise the first error, and log the others.

    Args:
        steps: What to do, in order; plain or async, whatever they return.
        because: The error that made it necessary; it is the first one, and its raiser's to raise unless a cancellation
            takes its place.
    """
    errors: list[BaseException] = []
    for step in steps:
        try:
            await settled(step())
        except BaseException as error:  # noqa: BLE001 - every step is taken; what came of it is raised below
            errors.append(error)
    all_of_them = errors if because is None else [because, *errors]
    # A cancellation that came meanwhile is for whoever called; nobody would learn of it another time.
    first = next((error for error in all_of_them if not isinstance(error, Exception)), None)
    first = first or next(iter(all_of_them), None)
    for error in all_of_them:
        if error is not first:
            logger.error("... and another step failed: %s", type(error).__name__, exc_info=error)
    if first is not None and first is not because:
        raise first
