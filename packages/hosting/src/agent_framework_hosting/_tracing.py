"""Keeps the request's OpenTelemetry context the parent of what its run emits, whoever pulls the updates.

Attaching costs, and a stream is nearly always pulled where it was started: then nothing is done at all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from opentelemetry import context as otel

T = TypeVar("T")


def unless_current(parent: otel.Context) -> otel.Context | None:
    """Return what has to be made the current context; `None` when it is that already."""
    return None if otel.get_current() == parent else parent


def under(parent: otel.Context | None, work: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T]:
    """Return `work`, to be awaited with `parent` as the current context, if there is one."""
    return work if parent is None else _attached(parent, work)


def each_under(parent: otel.Context | None, items: AsyncIterator[T]) -> AsyncIterator[T]:
    """Return `items`, each of them pulled with `parent` as the current context, if there is one."""
    return items if parent is None else _each_attached(parent, items)


async def _attached(parent: otel.Context, work: Coroutine[Any, Any, T]) -> T:
    token = otel.attach(parent)
    try:
        return await work
    finally:
        otel.detach(token)


async def _each_attached(parent: otel.Context, items: AsyncIterator[T]) -> AsyncIterator[T]:
    iterator = aiter(items)
    while True:
        token = otel.attach(parent)
        try:
            item = await anext(iterator)
        except StopAsyncIteration:
            return
        finally:
            otel.detach(token)
        yield item
