"""What stands behind the `?` of a request, checked as strictly as a body.

Names that nobody here knows are passed over, since clients of other services add theirs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias
from urllib.parse import parse_qsl

from starlette.types import Scope

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.parsing.refusals import wrong_value

from ._inbound.fields import include

Order: TypeAlias = Literal["asc", "desc"]

_LISTED: Final = re.compile(r"include(\[\d*\])?")
_FLAGS: Final[Mapping[str, bool]] = {"true": True, "false": False}
MOST: Final = 100
"""Items of a page at most."""
_FIELDS: Final = 1_000
USUAL: Final = 20
"""Items of a page when nothing is said."""
LARGEST: Final = 2**31 - 1
"""The largest number that is read."""


class Page(NamedTuple):
    """Which part of a list is wanted, from behind the item `after`."""

    after: str | None
    limit: int
    order: Order

    @property
    def newest_first(self) -> bool:
        """Whether the list is wanted from its end."""
        return self.order == "desc"


class Query:
    """The parameters of one request."""

    def __init__(self, scope: Scope) -> None:
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=_FIELDS)
        self._pairs: dict[str, str] = {}
        included: list[str] = []
        for name, value in pairs:
            if _LISTED.fullmatch(name):
                included.append(value)
            elif name in self._pairs:
                raise InvalidRequest(f"'{name[:64]}' was sent more than once. Send it once.", param=name[:64])
            else:
                self._pairs[name] = value
        include(included, "include")

    def flag(self, name: str) -> bool:
        """Return a boolean, false when it was not sent.

        Raises:
            InvalidRequest: It is neither `true` nor `false`.
        """
        value = self._pairs.get(name, "false")
        if value not in _FLAGS:
            raise wrong_value(name, "be 'true' or 'false'")
        return _FLAGS[value]

    def count(self, name: str, *, low: int, high: int = LARGEST) -> int | None:
        """Return an integer, nothing when it was not sent.

        Raises:
            InvalidRequest: It is none, or out of range.
        """
        value = self._pairs.get(name)
        if value is None:
            return None
        if not (value.isascii() and value.isdecimal() and len(value) <= len(str(high)) and low <= int(value) <= high):
            raise wrong_value(name, f"be an integer from {low} to {high}")
        return int(value)

    def page(self) -> Page:
        """Return which part of a list is wanted.

        Raises:
            InvalidRequest: A parameter is out of range.
        """
        order = self._pairs.get("order", "desc")
        if order not in ("asc", "desc"):
            raise wrong_value("order", "be 'asc' or 'desc'")
        limit = self.count("limit", low=1, high=MOST)
        return Page(self._pairs.get("after") or None, limit or USUAL, order)
