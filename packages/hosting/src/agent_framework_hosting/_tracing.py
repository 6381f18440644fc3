"""Keeps the request's OpenTelemetry context the parent of what its run emits, whoever pulls the updates.

Attaching costs, and a stream is nearly always pulled where it was started: then nothing is done at all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar

from opentelemetry import context as otel

T = TypeVar("T")


async def under(parent: otel.Context, work: Awaitable[T]) -> T:
    """Await `work` with `parent` as the current context."""
    if otel.get_current() == parent:
        return await work
    token = otel.attach(parent)
    try:
        return await work
    finally:
        otel.detach(token)


def each_under(parent: otel.Context, items: AsyncIterator[T]) -> AsyncIterator[T]:
    """Return `items`, each of them pulled with `parent` as the current context."""
    return items if otel.get_current() == parent else _attached(parent, items)


async def _attached(parent: otel.Context, items: AsyncIterator[T]) -> AsyncIterator[T]:
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
