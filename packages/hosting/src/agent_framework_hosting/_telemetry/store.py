"""How long the transactions of a database take."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from . import names
from .instruments import instruments
from .turns import kind_of

if TYPE_CHECKING:
    from .meters import Instruments

T = TypeVar("T")


def timed(transaction: Callable[[], Any], run: Callable[[], Awaitable[T]]) -> Awaitable[T]:
    """Run a transaction, and tell how long it took when somebody wants to know."""
    found = instruments()
    return run() if found is None else _timed(found, transaction, run)


def timed_now(transaction: Callable[[], Any], run: Callable[[], T]) -> T:
    """Do the same with one that waits for no event loop."""
    found = instruments()
    if found is None:
        return run()
    began, labels = time.perf_counter(), _labels(transaction)
    try:
        return run()
    except BaseException as error:
        labels[names.ERROR_TYPE] = kind_of(error)
        raise
    finally:
        found.store_duration.record(time.perf_counter() - began, labels)


async def _timed(found: Instruments, transaction: Callable[[], Any], run: Callable[[], Awaitable[T]]) -> T:
    began, labels = time.perf_counter(), _labels(transaction)
    try:
        return await run()
    except BaseException as error:
        labels[names.ERROR_TYPE] = kind_of(error)
        raise
    finally:
        found.store_duration.record(time.perf_counter() - began, labels)


def _labels(transaction: Any) -> dict[str, str]:
    # A transaction is a function of a module, with its arguments bound.
    function: Any = getattr(transaction, "func", transaction)
    module = str(getattr(function, "__module__", "")).rpartition(".")[2]
    name = str(getattr(function, "__name__", "transaction")).strip("_<>")
    return {names.STORE_OPERATION: f"{module}.{name}"}
