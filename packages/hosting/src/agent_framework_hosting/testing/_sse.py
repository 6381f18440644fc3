"""A strict, incremental reader of Server-Sent Events.

It reads what the HTML standard defines (lines end in CR, LF or CRLF), and refuses what a browser would silently drop
or mend: unknown fields, an event without data, a stream that ends inside an event, bytes that are not UTF-8.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Any, NoReturn


class SSEError(ValueError):
    """The bytes are no clean stream of Server-Sent Events."""


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event. `data` is raw text (OpenAI's `[DONE]` too); `id` is what this very event carries."""

    event: str = "message"
    data: str = ""
    id: str | None = None

    def json(self) -> Any:
        """Return the data as JSON; `NaN` and `Infinity`, which are no JSON, are refused."""
        return load_json(self.data)


class SSEReader:
    """Turns the bytes of an event stream into events, however the bytes are split.

    Example:
        >>> from agent_framework_hosting.testing import SSEReader
        >>> reader = SSEReader()
        >>> reader.feed(b": hello" + bytes([10]) + b"data: a"), reader.comments
        ([], 1)
        >>> reader.feed(bytes([10, 10]))
        [ServerSentEvent(event='message', data='a', id=None)]
        >>> reader.close()
    """

    def __init__(self) -> None:
        self.comments: int = 0
        """How many comment lines (heartbeats) came."""
        self.retry: int | None = None
        """The reconnection time in milliseconds, when the stream set one."""
        self._rest = b""
        self._after_cr = False
        self._clear()

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Take the next bytes and return the events that they complete.

        Raises:
            SSEError: The bytes break a rule of the format; the message quotes the line.
        """
        return [event for line in self._lines(chunk) if (event := self._take(line)) is not None]

    def close(self) -> None:
        """Say that nothing follows.

        Raises:
            SSEError: The stream ends inside an event.
        """
        if self._rest or self._in_event:
            raise SSEError(f"The stream ends inside an event, after {self._rest or self._data}.")

    def _lines(self, chunk: bytes) -> list[str]:
        if self._after_cr and chunk:
            # The line end was split between CR and LF; the CR has ended the line already.
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        *whole, self._rest = _split(self._rest + chunk)
        if whole and not self._rest:
            self._after_cr = chunk.endswith(b"\r")
        try:
            return [line.decode() for line in whole]
        except UnicodeDecodeError as error:
            raise SSEError(f"A line is not UTF-8: {error.object!r}") from error

    def _take(self, line: str) -> ServerSentEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "":
                self.comments += 1
                return None
            case "data":
                self._data.append(value)
            case "event":
                self._event = value
            case "id":
                self._id = self._checked_id(value, line)
            case "retry":
                self.retry = int(value) if value.isascii() and value.isdigit() else _refuse(line)
            case _:
                _refuse(line)
        self._in_event = True
        return None

    def _dispatch(self) -> ServerSentEvent | None:
        if not self._data:
            if self._event is not None:
                raise SSEError(f"The event {self._event!r} has no data; every reader would drop it.")
            self._clear()
            return None
        event = ServerSentEvent(self._event or "message", "\n".join(self._data), self._id)
        self._clear()
        return event

    def _clear(self) -> None:
        self._event: str | None = None
        self._data: list[str] = []
        self._id: str | None = None
        self._in_event = False

    @staticmethod
    def _checked_id(value: str, line: str) -> str:
        return _refuse(line) if "\0" in value else value


def _split(data: bytes) -> list[bytes]:
    # bytes.splitlines splits at exactly CR, LF and CRLF, but does not tell whether the last line is whole.
    lines = data.splitlines(keepends=True)
    ends_whole = data.endswith((b"\r", b"\n"))
    stripped = [line.rstrip(b"\r\n") for line in lines]
    return [*stripped, b""] if ends_whole or not stripped else stripped


def _refuse(line: str) -> NoReturn:
    raise SSEError(f"No such line in an event stream: {line!r}")


async def read_events(
    chunks: AsyncIterable[bytes], *, reader: SSEReader | None = None
) -> AsyncIterator[ServerSentEvent]:
    """Read events from chunks of bytes as they come; pass a reader to count its comments."""
    reader = reader or SSEReader()
    async for chunk in chunks:
        for event in reader.feed(chunk):
            yield event
    reader.close()


def events_from(body: bytes) -> list[ServerSentEvent]:
    r"""Read a whole event stream.

    Example:
        >>> from agent_framework_hosting.testing import events_from
        >>> first, last = events_from(b'event: sum\ndata: {"n": 5}\n\ndata: [DONE]\n\n')
        >>> first.event, first.json(), last.data
        ('sum', {'n': 5}, '[DONE]')
    """
    reader = SSEReader()
    events = reader.feed(body)
    reader.close()
    return events


def load_json(text: str | bytes) -> Any:
    """Return decoded JSON, as strict as the standard: no `NaN`, no `Infinity`."""
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON.")
