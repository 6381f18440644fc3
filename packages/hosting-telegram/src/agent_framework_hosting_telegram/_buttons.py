"""What a button says when it is pressed: what is chosen, behind the mark of what it answers."""

from __future__ import annotations

import re
from typing import Final

_MARKED: Final = re.compile(r"~(?P<mark>[0-9a-f]{1,32}):(?P<said>.*)", re.DOTALL)


def data_of(said: str, *, mark: str) -> str:
    """Return the data of a button.

    Example:
        >>> data_of("yes", mark="5f2c")
        '~5f2c:yes'
    """
    return f"~{mark}:{said}" if mark else said


def read_data(data: str) -> tuple[str, str | None]:
    """Return what the data of a button says, and its mark.

    Example:
        >>> read_data("~5f2c:yes")
        ('yes', '5f2c')
    """
    found = _MARKED.fullmatch(data)
    return (data, None) if found is None else (found["said"], found["mark"])
