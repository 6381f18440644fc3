"""What start-up has used for a moment, given back to the system."""

from __future__ import annotations

import sys
from contextlib import suppress


def give_back() -> None:
    """Give back what the C library keeps of memory that was freed: glibc does so by itself only at the heap's end.

    Importing takes megabytes for a moment, and what stays is spread all over them. A process that waits for requests
    would hold them for nothing.
    """
    if sys.platform != "linux":
        return
    # Other C libraries have nothing of that name, and a Python without ctypes works as well without it.
    with suppress(ImportError, AttributeError):
        import ctypes

        ctypes.CDLL(None).malloc_trim(0)
