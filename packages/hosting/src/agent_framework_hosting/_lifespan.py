"""Starts and stops what channels bring, in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .channel import ChannelContribution
from .hooks import settled
from .logs import logger

Step = Callable[[], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class NamedContribution:
    """A contribution and the channel that it is from."""

    name: str
    path: str
    contribution: ChannelContribution


async def start(contributions: Sequence[NamedContribution]) -> None:
    """Run all start-up steps; when one fails, stop the channels that had started and raise its error."""
    for index, started in enumerate(contributions):
        try:
            for step in started.contribution.on_startup:
                await settled(step())
        except BaseException as error:
            logger.error("Channel %r failed to start: %s", started.name, type(error).__name__, exc_info=error)
            for later in await _stopped(contributions[:index]):
                logger.error("... and while the others were stopped: %s", type(later).__name__, exc_info=later)
            raise


async def stop(contributions: Sequence[NamedContribution]) -> None:
    """Run all shutdown steps, the last channel's first; raises the first error once all were tried."""
    errors = await _stopped(contributions)
    for error in errors[1:]:
        logger.error("A shutdown step failed: %s", type(error).__name__, exc_info=error)
    if errors:
        raise errors[0]


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
        because: The error that made it necessary; it is the first one, and its raiser's to raise.
    """
    errors: list[BaseException] = []
    for step in steps:
        try:
            await settled(step())
        except BaseException as error:  # noqa: BLE001 - every step is taken; what came of it is raised below
            errors.append(error)
    first = because or next((error for error in errors if not isinstance(error, Exception)), None)
    first = first or next(iter(errors), None)
    for error in errors:
        if error is not first:
            logger.error("... and another step failed: %s", type(error).__name__, exc_info=error)
    if first is not None and because is None:
        raise first
