"""What every store keeps: the contract's tests are functions of a store, and `StoreContract` gathers them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import Parameter, Signature, signature
from typing import Any, Final

import pytest

from ..._state.port import StateStore
from . import _store_history, _store_kept, _store_lines, _store_once

_TESTED: Final = (_store_history, _store_lines, _store_once, _store_kept)


@pytest.mark.anyio
class StoreContract:
    """Everything that a `StateStore` has to keep: inherit, and give a fixture `store`.

    The fixture gives an empty store that was started, and stops it. One whose lines are bounded by more than each
    request's `max_waiting` overrides the fixture `full_after_one` as well.

    Example:
        >>> import pytest
        >>> from agent_framework_hosting.testing.contracts import StoreContract
        >>> class TestMyStore(StoreContract):
        ...     @pytest.fixture
        ...     async def store(self, tmp_path):
        ...         store = MyStore(tmp_path)
        ...         await store.start()
        ...         yield store
        ...         await store.stop()
    """

    @pytest.fixture
    def anyio_backend(self) -> str:
        """Agent Framework runs on asyncio."""
        return "asyncio"

    @pytest.fixture
    def store(self) -> StateStore:
        """Give the store; to be overridden."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `store` that gives the store to be tested.")

    @pytest.fixture
    def full_after_one(self, store: StateStore) -> StateStore:
        """Give a store in whose lines one turn can wait, when that is asked for."""
        return store


def _as_method(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def method(_: StoreContract, **given: Any) -> None:
        await test(**given)

    method.__name__, method.__doc__ = test.__name__, test.__doc__
    own = Parameter("self", Parameter.POSITIONAL_OR_KEYWORD)
    # The fixtures that pytest has to give are read from here.
    vars(method)["__signature__"] = Signature([own, *signature(test).parameters.values()])
    return method


for _name, _test in [named for module in _TESTED for named in vars(module).items()]:
    if _name.startswith("test_"):
        setattr(StoreContract, _name, _as_method(_test))
