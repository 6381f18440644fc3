"""What a worker tells its supervisor: once, about its start."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

from .._users_part import users_part
from ..errors import HostError


@dataclass(frozen=True, slots=True)
class Report:
    """That a worker serves, with the host's own description of it; or why it cannot."""

    is_up: bool
    text: str


@contextmanager
def reporting(reports: Connection) -> Generator[Callable[[str], None]]:
    """Give a function that reports the start; report an error that comes before it, and end the process with 1."""
    is_told = False

    def tell(description: str) -> None:
        nonlocal is_told
        if not is_told:
            is_told = True
            reports.send(Report(is_up=True, text=description))

    try:
        yield tell
    except Exception as error:
        if is_told:
            raise
        text = error.message if isinstance(error, HostError) else f"a worker cannot start:\n{users_part(error)}"
        reports.send(Report(is_up=False, text=text))
        sys.exit(1)
    finally:
        reports.close()
