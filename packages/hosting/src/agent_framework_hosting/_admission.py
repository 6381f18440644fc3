"""Whether new work is taken, and which runs are under way: the one place that knows when a host is calm."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from types import TracebackType
from typing import Final, Literal, Self

from ._handled import handled_request
from ._stepping import current_task
from .errors import Draining, LeaseLost, NotStarted, RunCancelled, RunError, RunTimeout

StopReason = Literal[
    "closed", "disconnected", "stalled", "drained", "interrupted", "lease_lost", "cancelled", "timed_out"
]


class Run:
    """One run under way, which another task can stop.

    Used as a context manager by the task that steps the run: a stop is thrown into that task where it waits, and comes
    out of the block as `RunCancelled`, or as `RunTimeout` when it was to `expire`, while a cancellation of the task
    from elsewhere stays what it is. One that comes from nowhere is an error of what was run. A generator that steps the
    run says before it yields that it is `stepped_by` nobody, and calls `resume` after: in between its puller is about
    other things.

    `request` is the one that brought it, for whoever tells of the run from elsewhere; `loop` is where it is stepped.
    """

    __slots__ = ("_admission", "_expired", "_reason", "_thrown", "loop", "request", "stepped_by")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.request: Final = handled_request()
        self._expired: str | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self._reason: StopReason | None = None
        self.stepped_by: asyncio.Task[object] | None = None
        self._thrown: asyncio.Task[object] | None = None

    @property
    def reason(self) -> StopReason | None:
        """Why the run was asked to stop, if it was."""
        return self._reason

    @property
    def cause(self) -> StopReason | None:
        """Why the run, or the one that the code which asks is part of, was asked to stop, if it was."""
        whole = _whole.get()
        return self._reason or (whole.reason if whole is not None else None)

    def stop(self, reason: StopReason) -> None:
        """Ask the run to stop; only the first reason counts."""
        if self._reason is None:
            self._reason = reason
            loop, task = self.loop, self.stepped_by
            if loop is not None and task is not None and task is current_task(loop):
                # A task that cancels itself finds it where it waits next, and that may be behind the block.
                loop.call_soon(self._throw, reason)
            else:
                self._throw(reason)

    def _throw(self, reason: StopReason) -> None:
        if self.stepped_by is not None:
            self._thrown = self.stepped_by
            # The reason goes along, for those inside who have something to say before they end.
            self._thrown.cancel(reason)

    def expire(self, why: str) -> None:
        """Stop the run because it takes too long; a `RunTimeout` comes out of it instead of `RunCancelled`."""
        if self._reason is None:
            self._expired = why
            self.stop("timed_out")

    def resume(self) -> None:
        """Come back into the block."""
        if self._reason is not None:
            self._take_back()
            raise self._stopped(self._reason)
        self.stepped_by = current_task(self.loop)

    def __enter__(self) -> Self:
        if self._reason is not None:
            raise self._stopped(self._reason)
        self.loop = loop = asyncio.get_running_loop()
        self.stepped_by = current_task(loop)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        task, self.stepped_by = self.stepped_by, None
        if self._thrown is None:
            if task is not None and kind is asyncio.CancelledError and not task.cancelling():
                # An error that is raised here knows this frame, and is kept by the task when that ends with it.
                del task
                # Something that the run waited for was cancelled. Passed on, it would end the request without a word.
                raise RunError("What was run ended with a cancellation that nobody had asked for.") from error
            return
        others = self._take_back()
        if task is not None and kind is asyncio.CancelledError and not others and self._reason is not None:
            del task
            raise self._stopped(self._reason) from error

    def _take_back(self) -> int:
        """Let what was thrown count no more; what is run may have taken no notice of it. Returns how many others do."""
        thrown, self._thrown = self._thrown, None
        return 0 if thrown is None else thrown.uncancel()

    def _stopped(self, reason: StopReason) -> RunError:
        # However it was found out, by a look or by the commit, it is told alike.
        # Made anew: an error that was raised knows who held the run, and is not to be kept by it.
        if self._expired is not None:
            return RunTimeout(self._expired)
        return LeaseLost() if reason == "lease_lost" else RunCancelled(reason=reason)

    def settle(self) -> None:
        """Let it go on to its end, whoever asks it to stop from now on: what becomes of it is being stored."""
        self.stepped_by = None

    @contextmanager
    def parts(self) -> Generator[None]:
        """Let what is entered inside the block count as part of this run: it is taken also while the host drains."""
        token = _whole.set(self)
        try:
            yield
        finally:
            _whole.reset(token)

    def call(self, end: Callable[[], None]) -> None:
        """Call this in the run's loop, from whichever thread: at once where that is here, or where it has ended."""
        loop = self.loop
        if loop is not None and not loop.is_closed() and loop is not _running_loop():
            with suppress(RuntimeError):  # it has ended meanwhile
                loop.call_soon_threadsafe(end)
                return
        end()

    def end(self) -> None:
        """Say that the run is over; idempotent."""
        self._admission.leave(self)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


_whole: Final[ContextVar[Run | None]] = ContextVar("agent_framework_hosting_whole_run", default=None)


class Admission:
    """Takes new work or refuses it, and waits for what was taken."""

    def __init__(self) -> None:
        self._needs_start = False
        self._started = False
        self._draining = False
        self._runs: set[Run] = set()
        self._calm: set[asyncio.Future[None]] = set()
        self._told: set[asyncio.Future[None]] = set()

    @property
    def draining(self) -> bool:
        """Whether no new work is taken any more."""
        return self._draining

    def require_start(self) -> None:
        """Take no work before `start`: there is something to start."""
        self._needs_start = True

    def start(self) -> None:
        """Take work from now on."""
        self._started, self._draining = True, False

    def stop(self) -> None:
        """Be as before the start."""
        self._started = self._draining = False

    def begin_drain(self) -> None:
        """Take no new work; what runs goes on."""
        self._draining = True
        for told in list(self._told):
            # Whoever drains a host may do so from another thread than the one that serves.
            if not told.get_loop().is_closed():
                told.get_loop().call_soon_threadsafe(_tell, told)

    async def until_drain(self) -> None:
        """Return once no new work is taken any more."""
        if self._draining:
            return
        told = asyncio.get_running_loop().create_future()
        self._told.add(told)
        try:
            await told
        finally:
            self._told.discard(told)

    async def drain(self, *, timeout: float, grace: float = 5.0) -> bool:
        """Take no new work, let what runs finish for `timeout` seconds, then stop it and wait for that.

        Returns:
            Whether nothing runs any more. What holds on to its task against a cancellation cannot be stopped.
        """
        self.begin_drain()
        try:
            if await self.calm(timeout=timeout):
                return True
        except asyncio.CancelledError:
            # Nobody waits for what runs any more, and what it uses is about to be let go of.
            self.stop_all("drained")
            raise
        self.stop_all("drained")
        return await self.calm(timeout=grace)

    def check(self) -> None:
        """Raise when no new work is taken.

        Raises:
            Draining: The host is shutting down.
            NotStarted: The host has something to start, and was not started.
        """
        if self._started and not self._draining:
            return
        whole = _whole.get()
        if whole is not None and whole in self._runs and whole.reason is None:
            return
        if self._draining:
            raise Draining("The server is shutting down and takes no new requests. Send the request again.")
        if self._needs_start and not self._started:
            raise NotStarted(
                "The host has not been started. Pass lifespan=host.lifespan to the application that mounts host.app, "
                "or use `async with host:`."
            )

    def enter(self) -> Run:
        """Count a new run; raises what `check` does."""
        if self._draining or not self._started:
            self.check()
        run = Run(self)
        self._runs.add(run)
        return run

    def leave(self, run: Run) -> None:
        """Count a run that is over; called by `Run.end`."""
        self._runs.discard(run)
        if not self._runs:
            for told in self._calm:
                _tell(told)

    async def calm(self, *, timeout: float | None) -> bool:
        """Wait until nothing runs any more; returns whether that came within `timeout` seconds."""
        if not self._runs:
            return True
        told = asyncio.get_running_loop().create_future()
        self._calm.add(told)
        try:
            async with asyncio.timeout(timeout):
                await told
        except TimeoutError:
            return False
        finally:
            self._calm.discard(told)
        return True

    def stop_all(self, reason: StopReason) -> None:
        """Ask every run to stop."""
        for run in list(self._runs):
            run.stop(reason)


def _tell(told: asyncio.Future[None]) -> None:
    if not told.done():
        told.set_result(None)
