"""Speaks in one place: an outlet behind the gate of its address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from ..logs import logger
from .chunks import split
from .outlet import (
    FormatRefused,
    Gone,
    MessageRef,
    NotOffered,
    OutcomeUnknown,
    OutgoingFile,
    Outlet,
    OutletError,
    OutletTraits,
)
from .pacing import Gate

ResultT = TypeVar("ResultT")


class Voice:
    """Says things through an outlet.

    `deliver_…` is for what must arrive: it waits and tries again, and raises only when it never will. `show_…` is for
    the moment: it raises when it cannot be done right now. Markup that is refused goes as plain text.
    """

    def __init__(self, outlet: Outlet, gate: Gate) -> None:
        self._outlet = outlet
        self.gate = gate

    @property
    def traits(self) -> OutletTraits:
        """What the place offers."""
        return self._outlet.traits

    async def say(self, text: str, *, choices: Sequence[str] = ()) -> None:
        """Deliver a text of any length; the choices go with its last message."""
        chunks = [chunk.text for chunk in split(text, self.traits.limits)]
        for number, chunk in enumerate(chunks, 1):
            await self.deliver_message(chunk, choices=choices if number == len(chunks) else ())

    async def deliver_message(self, text: str, *, choices: Sequence[str] = ()) -> MessageRef | None:
        """Deliver one message; returns `None` when nobody knows whether it arrived, or the place takes no such message.

        It is not sent a second time then: most calls whose answer is lost have been done, and what is refused for good
        must not keep the rest of the answer back. Choices that are refused do not keep the question back.
        """
        try:
            return await _plain_if_refused(
                lambda plain: self._outlet.send(text, plain=plain, choices=choices), self.gate.deliver
            )
        except OutcomeUnknown as error:
            logger.warning("Nobody knows whether a message arrived; it is not sent again: %s", error)
        except NotOffered as error:
            if choices:
                logger.warning("What can be chosen cannot be shown, so that people have to type it: %s", error)
                return await self.deliver_message(text)
            logger.warning("A message of an answer cannot be sent here, and is left out: %s", error)
        return None

    async def deliver_edit(self, ref: MessageRef, text: str) -> None:
        """Put the text in a message's place; doing so twice does no harm."""
        try:
            await _plain_if_refused(lambda plain: self._outlet.edit(ref, text, plain=plain), self.gate.deliver)
        except OutcomeUnknown as error:
            logger.debug("Nobody knows whether a message was edited, so that it is edited again: %s", error)
            await _plain_if_refused(lambda plain: self._outlet.edit(ref, text, plain=plain), self.gate.deliver)

    async def deliver_file(self, file: OutgoingFile) -> None:
        """Deliver a file."""
        try:
            await self.gate.deliver(lambda: self._outlet.send_file(file))
        except OutcomeUnknown as error:
            logger.warning("Nobody knows whether a file arrived; it is not sent again: %s", error)

    async def show_message(self, text: str) -> MessageRef:
        """Send a message that will be edited."""
        return await _plain_if_refused(lambda plain: self._outlet.send(text, plain=plain), self.gate.show)

    async def show_edit(self, ref: MessageRef, text: str) -> None:
        """Put the text in a message's place for the moment."""
        await _plain_if_refused(lambda plain: self._outlet.edit(ref, text, plain=plain), self.gate.show)

    async def show_draft(self, text: str) -> None:
        """Show the text as the answer so far."""
        await _plain_if_refused(lambda plain: self._outlet.draft(text, plain=plain), self.gate.show)

    @asynccontextmanager
    async def typing(self) -> AsyncGenerator[None]:
        """Show inside the block that an answer is being worked on."""
        every = self.traits.typing_every
        if every is None:
            yield
            return
        task = asyncio.create_task(self._keep_typing(every), name="typing")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _keep_typing(self, every: float) -> None:
        while True:
            try:
                await self.gate.show(self._outlet.typing, counts=False)
            except Gone:
                return
            except OutletError as error:
                logger.debug("Typing is not shown: %s", error)
            await self.gate.clock.sleep(every)


async def _plain_if_refused(
    call: Callable[[bool], Awaitable[ResultT]],
    through: Callable[[Callable[[], Awaitable[ResultT]]], Awaitable[ResultT]],
) -> ResultT:
    try:
        return await through(lambda: call(False))
    except FormatRefused as error:
        logger.debug("Markup was refused, so that the text goes as it is: %s", error)
        return await through(lambda: call(True))
