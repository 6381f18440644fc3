"""One way to walk through whatever can be walked through."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from typing import Any, TypeVar, cast

T = TypeVar("T")


async def each(source: Iterable[T] | AsyncIterable[T]) -> AsyncGenerator[T]:
    """Yield every item; a generator behind it is closed at once when this one is."""
    if isinstance(source, AsyncIterable):
        iterator = aiter(source)
        try:
            async for item in iterator:
                yield item
        finally:
            await _close(iterator)
    else:
        for item in source:
            yield item


async def _close(iterator: AsyncIterator[Any]) -> None:
    if isinstance(iterator, AsyncGenerator):
        await cast("AsyncGenerator[Any]", iterator).aclose()
