"""Ids of items, which name the response that they belong to.

An item is found again by its id alone, without an index of items: the id holds the response's id, and whoever cannot
guess that cannot guess the item's.
"""

from __future__ import annotations

import re
from typing import Final

_RESPONSE: Final = "resp_"
_AS_IT_IS: Final = "-"
"""Stands before the id of a response that is of another form than `resp_...`."""

_ITEM_ID: Final = re.compile(r"[a-z]+_(?P<response>.*)_i?(?:0|[1-9][0-9]{0,8})", re.DOTALL)


def item_id(response_id: str, *, prefix: str, index: int, is_input: bool = False) -> str:
    """Return the id of an item of a response's output, or input.

    Args:
        response_id: The response's id, of whatever form.
        prefix: Says what the item is: lower-case letters and an underscore.
        index: Tells the response's items of this prefix apart.
        is_input: Whether the item is one that the response answers; those are counted apart.

    Example:
        >>> item_id("resp_5f2c", prefix="msg_", index=0)
        'msg_5f2c_0'
    """
    rest = response_id.removeprefix(_RESPONSE)
    if rest == response_id or rest.startswith(_AS_IT_IS):
        rest = _AS_IT_IS + response_id
    return f"{prefix}{rest}_{'i' if is_input else ''}{index}"


def response_id_of(item_id: str) -> list[str]:
    """Return the id of the response of an item, the only element; none for an id that is not of the form of ours.

    Whether there is such a response with such an item is for the caller to find out.

    Example:
        >>> response_id_of("msg_5f2c_0")
        ['resp_5f2c']
    """
    match = _ITEM_ID.fullmatch(item_id)
    if match is None:
        return []
    rest = match["response"]
    if not rest.startswith(_AS_IT_IS):
        return [_RESPONSE + rest]
    return [rest[1:]] if rest[1:] else []
