"""Lists that are handed out in pages."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.parsing.refusals import shown

from ._objects import ItemList
from ._query import Page


async def cut(items: AsyncIterable[Mapping[str, Any]], page: Page) -> ItemList:
    """Return a page of items that come in the order in which they are wanted; reads no further than it needs.

    Raises:
        InvalidRequest: There is no item to begin behind.
    """
    data: list[Mapping[str, Any]] = []
    has_begun, has_more = page.after is None, False
    async for item in items:
        if not has_begun:
            has_begun = item["id"] == page.after
        elif len(data) == page.limit:
            has_more = True
            break
        else:
            data.append(item)
    if not has_begun:
        raise InvalidRequest(
            f"Item with id '{shown(page.after or '')}' not found in this list.", param="after", code="item_not_found"
        )
    return listing(data, has_more=has_more)


def listing(data: Sequence[Mapping[str, Any]], *, has_more: bool = False) -> ItemList:
    """Return the list object for items; the ids of an empty list are null."""
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return {"object": "list", "data": data, "first_id": first, "last_id": last, "has_more": has_more}


async def each(items: Iterable[Mapping[str, Any]]) -> AsyncIterator[Mapping[str, Any]]:
    """Yield items that are there already."""
    for item in items:
        yield item
