"""Items of an async iterator, each shown to somebody on its way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class Seen(Generic[T]):
    """Passes the items on; a class and no generator, which would have to be closed.

    Args:
        items: Where they come from.
        see: Called with each of them first.
    """

    __slots__ = ("_items", "_see")

    def __init__(self, items: AsyncIterator[T], see: Callable[[T], None]) -> None:
        self._items = items
        self._see = see

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        item = await anext(self._items)
        self._see(item)
        return item
