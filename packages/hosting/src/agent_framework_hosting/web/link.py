"""The connection of one event stream: bounded sends, a beat in silence, and the client's leaving."""

from __future__ import annotations

import asyncio
from asyncio.tasks import _enter_task as enter_task  # pyright: ignore[reportPrivateUsage] - documented for extending
from asyncio.tasks import _leave_task as leave_task  # pyright: ignore[reportPrivateUsage] - documented for extending
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from contextvars import copy_context
from types import CoroutineType
from typing import Any, Final, Literal

from starlette.types import Receive, Send

from .._answer import parts_by
from .._countdown import Countdown
from .._stepping import current_task, resumed, turn
from ..limits import Limits
from .watch import PATIENCE

_SENT: Final = object()
# Without its type, since nothing is known of what a coroutine told apart by it waits for.
_NATIVE: Final[Any] = CoroutineType


class Link:
    """Sends for one task, its creator, and tells it when it is time for a beat or when the client is lost.

    What most sends need is a call of the server, and no waiting: `send_at_once` does them for the task that the link is
    lent to, in the creator's name. What does wait after all is the creator's to `finish`, in the context in which it
    began.

    Many streams are over at once, so the watch for the client's leaving begins when its `patience` is at its end. From
    then on one timer serves silence and stalls; it is moved when it fires, not with every send, since sends are many.

    Args:
        receive: The ASGI callable, from which the whole body has been read.
        send: The ASGI callable.
        limits: For the stall and beat times.
        patience: What all links of a host wait in for their watch.
        wake: Called when the writer, which waits for data, has something else to do.
    """

    __slots__ = (
        "_context",
        "_heartbeat",
        "_interrupted",
        "_loop",
        "_patience",
        "_receive",
        "_rest",
        "_runner",
        "_send",
        "_send_part",
        "_sending",
        "_since",
        "_stall",
        "_task",
        "_timer",
        "_wake",
        "_watching",
        "beat_is_due",
        "lost",
    )

    def __init__(
        self,
        receive: Receive,
        send: Send,
        *,
        limits: Limits,
        patience: Countdown[Link],
        wake: Callable[[], None],
    ) -> None:
        self._loop = loop = asyncio.get_running_loop()
        task = current_task(loop)
        if task is None:
            raise RuntimeError("A link needs a task that sends.")
        self.lost: Literal["left", "stalled"] | None = None
        self.beat_is_due: bool = False
        self._receive = receive
        self._send = send
        self._send_part = parts_by(send)
        self._stall = stall = limits.stall_timeout
        self._heartbeat = heartbeat = limits.heartbeat
        self._wake = wake
        self._task = self._runner = task
        self._sending = False
        self._interrupted = False
        self._since = loop.time()
        self._watching: asyncio.Task[None] | None = None
        self._context = copy_context()
        self._rest: Awaitable[None] | BaseException | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._patience = patience
        if heartbeat < PATIENCE or stall < PATIENCE:
            self._timer = loop.call_at(self._since + self._pause, self.watch)
        else:
            patience.begin(self)

    def send(self, body: bytes, *, more: bool = True) -> Coroutine[Any, Any, None]:
        """Send a part; returns also when the client was lost over it."""
        return self._awaited(self._send({"type": "http.response.body", "body": body, "more_body": more}))

    def lend(self, runner: asyncio.Task[None]) -> None:
        """Let another task send at once in the creator's name."""
        self._runner = runner

    def send_at_once(self, body: bytes) -> bool:
        """Send a part without waiting; returns whether it could be, or whether there is something to `finish`."""
        try:
            sending: Any = self._send_part({"type": "http.response.body", "body": body, "more_body": True})
        except BaseException as error:  # noqa: BLE001 - the creator's to be told: what is around `send` may be a function
            self._rest = error
            return False
        if type(sending) is not _NATIVE:
            self._rest = sending
            return False
        steps: Generator[Any, Any, None] = sending.__await__()
        # What is between it and the socket may remember the task, as a timeout does, and put back what it set in the
        # context. Both have to be the same in the rest; and what a run has set in its own is no business of it.
        loop, task, runner = self._loop, self._task, self._runner
        leave_task(loop, runner)
        enter_task(loop, task)
        try:
            # Not by `send`, whose end would be an error that is made and caught for every chunk.
            waits_for = self._context.run(next, steps, _SENT)
            if waits_for is _SENT:
                self._since = loop.time()
                self.beat_is_due = False
                return True
            self._rest = resumed(steps, waits_for, context=self._context)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the creator is told, as if it had sent this itself
            self._rest = error
        finally:
            leave_task(loop, task)
            enter_task(loop, runner)
        return False

    async def finish(self) -> None:
        """Send the rest of what could not be sent at once; returns also when the client was lost over it."""
        rest, self._rest = self._rest, None
        if rest is not None:
            await self._awaited(_raised(rest) if isinstance(rest, BaseException) else rest)

    async def _awaited(self, sending: Awaitable[None]) -> None:
        self._since, self._sending = self._loop.time(), True
        try:
            await sending
        except asyncio.CancelledError:
            # Ours when the link cut a send that made no progress; anybody else's goes on.
            if not self._take_back():
                raise
        except OSError:
            # How servers say that nobody is there any more, when they say it here.
            self.lost = self.lost or "left"
        finally:
            self._sending = False
            self._since = self._loop.time()
            self.beat_is_due = False
            if self._interrupted:
                # The send took no notice of it, so that it is nobody's any more.
                self._take_back()

    def _take_back(self) -> bool:
        """Let the link's cancellation of its task count no more; says whether that was the only one."""
        interrupted, self._interrupted = self._interrupted, False
        return interrupted and not self._task.uncancel()

    async def close(self) -> None:
        """Stop the timer and the watch, and cancel what was begun and has nobody left who would finish it."""
        self._patience.end(self)
        # The two would keep each other otherwise, until the garbage collector comes.
        self._runner = self._task
        if self._timer is not None:
            self._timer.cancel()
        # Not kept: what a task that was cancelled knows of its end has all that it was doing, and that has this.
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
        rest, self._rest = self._rest, None
        if rest is not None and not isinstance(rest, BaseException):
            self._task.cancel()
            try:
                with suppress(asyncio.CancelledError, OSError):
                    try:
                        await rest
                    finally:
                        # A rest that did not wait has left the cancellation to whatever waits next.
                        await turn()
            finally:
                self._task.uncancel()

    def forget(self) -> None:
        """Know no task any more: one that was cancelled keeps what it was doing, and that has this."""
        del self._task, self._runner

    @property
    def _pause(self) -> float:
        return min(self._heartbeat, self._stall)

    def watch(self) -> None:
        """Watch for the client's leaving from now on."""
        # Whoever calls does so for others as well: what is called here is to see the context of this one.
        self._watching = self._loop.create_task(self._watch(), context=self._context)
        self._timer = self._arm(self._since + self._pause)

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue
        self._lose("left")

    def _lose(self, how: Literal["left", "stalled"]) -> None:
        if self.lost is None:
            self.lost = how
            if self._sending:
                self._interrupted = True
                self._task.cancel()
            else:
                self._wake()

    def _tick(self) -> None:
        now = self._loop.time()
        if self._sending:
            if now >= self._since + self._stall:
                self._lose("stalled")
                return
            self._timer = self._arm(self._since + self._stall)
            return
        if now >= self._since + self._heartbeat:
            self.beat_is_due = True
            self._wake()
        self._timer = self._arm(now + self._pause)

    def _arm(self, when: float) -> asyncio.TimerHandle:
        return self._loop.call_at(when, self._tick, context=self._context)


async def _raised(error: BaseException) -> None:
    raise error
