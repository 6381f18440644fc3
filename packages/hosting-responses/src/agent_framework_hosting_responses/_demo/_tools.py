"""The demo agent's three local tools: really executed, with answers that anybody can check."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from agent_framework import FunctionTool

from ._calculator import CalculationError, evaluate, show

_MAX_ZONE: Final = 64


def local_tools(*, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> list[FunctionTool]:
    """Return new instances of the tools.

    Args:
        now: Where `current_time` gets the time from, as an aware `datetime`.
    """

    def current_time(
        timezone: Annotated[str, "An IANA name such as Asia/Tokyo, or its city alone; UTC when left out."] = "UTC",
    ) -> str:
        """Tell the date and time in a time zone."""
        zone = find_zone(timezone)
        if zone is None:
            return f"There is no time zone {timezone[:_MAX_ZONE]!r}; a name looks like Europe/Paris."
        return f"{now().astimezone(zone):%Y-%m-%d %H:%M:%S UTC%z} in {zone}"

    return [
        FunctionTool(name=tool.__name__, description=tool.__doc__ or "", func=tool)
        for tool in (current_time, calculate, count_words)
    ]


def calculate(expression: Annotated[str, "Arithmetic such as (1 + 2) * 3 ** 2."]) -> str:
    """Work out an arithmetic expression."""
    try:
        return f"{expression} = {show(evaluate(expression))}"
    except CalculationError as error:
        return f"This cannot be calculated: {error}."


def count_words(text: Annotated[str, "The text whose words are counted."]) -> str:
    """Count the words of a text."""
    count = len(text.split())
    return f"{count} word" if count == 1 else f"{count} words"


def find_zone(name: str) -> tzinfo | None:
    """Return the time zone of an IANA name, or of a city that such a name ends with; `None` when there is none."""
    key = name.strip().replace(" ", "_")
    if len(key) > _MAX_ZONE:
        return None
    if key.upper() in {"", "UTC", "GMT", "Z"}:
        return UTC
    known = _zone_names().get(key.casefold())
    if known is None:
        return None
    try:
        return ZoneInfo(known)
    except ZoneInfoNotFoundError:
        return None


@lru_cache(maxsize=1)
def _zone_names() -> dict[str, str]:
    """Every zone's name by its full name and by its city, in any case; reads the time zone database once."""
    names = sorted(available_timezones(), reverse=True)
    cities = {name.rpartition("/")[2].casefold(): name for name in names}
    return cities | {name.casefold(): name for name in names}
