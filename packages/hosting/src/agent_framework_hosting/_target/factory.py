"""A function that makes what is served, called when the host starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .._state.encoded import Encoded
from .._state.turns import SessionName
from ..errors import NotStarted
from ..hooks import settled
from ..types import ChannelRequest

if TYPE_CHECKING:
    from .target import AnswerStore, SessionState, Target, TargetStream


class FactoryTarget:
    """Stands in for a target that does not exist before the host has started.

    Args:
        make: The user's function.
        accept: Makes a target of what it returned.
    """

    needs_start = True

    def __init__(self, make: Callable[[], Any], *, accept: Callable[[Any], Target]) -> None:
        self._make = make
        self._accept = accept
        self._made: Target | None = None

    @property
    def name(self) -> str:
        """See `Target`."""
        return self._made.name if self._made is not None else getattr(self._make, "__name__", "factory")

    @property
    def served(self) -> Any:
        """See `Target`."""
        return self._made.served if self._made is not None else self._make

    @property
    def accepts_options(self) -> bool:
        """See `Target`."""
        return self._made is not None and self._made.accepts_options

    @property
    def forkable(self) -> bool:
        """See `Target`."""
        return self._made is not None and self._made.forkable

    @property
    def is_well(self) -> bool:
        """See `Target`."""
        return self._made is None or self._made.is_well

    @property
    def notes(self) -> Sequence[str]:
        """See `Target`."""
        return self._made.notes if self._made is not None else ()

    async def start(self) -> None:
        """See `Target`."""
        target = self._accept(await settled(self._make()))
        await target.start()
        self._made = target

    async def stop(self) -> None:
        """See `Target`."""
        made, self._made = self._made, None
        if made is not None:
            await made.stop()

    async def fresh(self, name: SessionName, *, is_new: bool) -> SessionState:
        """See `Target`."""
        return await self._target.fresh(name, is_new=is_new)

    async def branch(self, name: SessionName, snapshot: Any) -> SessionState:
        """See `Target`."""
        return await self._target.branch(name, snapshot)

    async def resume(self, name: SessionName, snapshot: Any) -> SessionState:
        """See `Target`."""
        return await self._target.resume(name, snapshot)

    def encode(self, snapshot: Any) -> Encoded:
        """See `Target`."""
        return self._target.encode(snapshot)

    def decode(self, chain: Sequence[Encoded], rest: bytes | None) -> Any:
        """See `Target`."""
        return self._target.decode(chain, rest)

    def can_branch(self, snapshot: Any, head: Any) -> bool:
        """See `Target`."""
        return self._target.can_branch(snapshot, head)

    def check(self, request: ChannelRequest) -> None:
        """See `Target`."""
        self._target.check(request)

    async def run(self, request: ChannelRequest, state: Any) -> Any:
        """See `Target`."""
        return await self._target.run(request, state)

    async def stream(self, request: ChannelRequest, state: Any) -> TargetStream:
        """See `Target`."""
        return await self._target.stream(request, state)

    def apart(self, answers: AnswerStore) -> Target:
        """See `Target`."""
        return self._target.apart(answers)

    @property
    def _target(self) -> Target:
        if self._made is None:
            raise NotStarted("The host has not been started, so what it serves has not been made yet.")
        return self._made
