"""The trace that a request's headers name; loaded where there are traces, since its imports take long."""

from __future__ import annotations

from typing import Final

from opentelemetry import propagate
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter


class _Headers(Getter[list[tuple[bytes, bytes]]]):
    def get(self, carrier: list[tuple[bytes, bytes]], key: str) -> list[str] | None:
        name = key.lower().encode()
        return [value.decode("latin-1") for header, value in carrier if header == name] or None

    def keys(self, carrier: list[tuple[bytes, bytes]]) -> list[str]:
        return [name.decode("latin-1") for name, _ in carrier]


_HEADERS: Final = _Headers()


def extracted(headers: list[tuple[bytes, bytes]], context: Context) -> Context:
    """Return the context with the trace that the headers name, if they do."""
    return propagate.extract(headers, context, _HEADERS)
