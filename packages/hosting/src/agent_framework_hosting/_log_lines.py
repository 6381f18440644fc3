"""Where the log goes, and how a record is said there: by a program that serves, or asks for it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import msgspec
from opentelemetry import trace

_CONSOLE: Final = "%(asctime)s %(levelname)s %(message)s"


class OwnHandler(logging.StreamHandler[Any]):
    """A handler that is ours to take away."""

    def __init__(self, stream: TextIO | None = None, *, is_json: bool = False) -> None:
        super().__init__(stream)
        self.setFormatter(_JsonFormatter() if is_json else _ConsoleFormatter(_CONSOLE))


class _JsonFormatter(logging.Formatter):
    """Says a record as one JSON object: time, level, logger, message, request, trace, and what else belongs to it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        said: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        for name in ("request_id", "client_request_id"):
            value = getattr(record, name, None)
            if value not in (None, "-"):
                said[name] = value
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            said |= {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}
        said |= getattr(record, "fields", {})
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        for name, text in (("exception", record.exc_text), ("stack", record.stack_info)):
            if text:
                said[name] = text.encode("utf-8", "backslashreplace").decode()
        return msgspec.json.encode(said).decode()


class _ConsoleFormatter(logging.Formatter):
    """Says a record in a line for people, with the request that it belongs to, if any."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        """Return the line without what went wrong, which follows it."""
        line, request = super().formatMessage(record), getattr(record, "request_id", "-")
        return line if request == "-" else f"{line} [{request}]"
