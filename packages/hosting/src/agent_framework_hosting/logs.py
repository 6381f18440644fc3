"""The log of the host and its channels: no content, no forged line, and the id of the request in each.

Three loggers: `agent_framework.hosting`, and below it `agent_framework.hosting.access`, which says a line about each
request at INFO and is silent until `serve`, `configure_logs`, or its level asks for it, and
`agent_framework.hosting.server`, which says what Hypercorn has to say under `serve`.
"""

from __future__ import annotations

import logging
import os
import re
import textwrap
import traceback
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, TextIO, TypeAlias, cast

from ._handled import handled_request
from .errors import ConfigurationError, HostError

logger: Final = logging.getLogger("agent_framework.hosting")
access_logger: Final = logging.getLogger("agent_framework.hosting.access")
server_logger: Final = logging.getLogger("agent_framework.hosting.server")

LogFormat: TypeAlias = Literal["console", "json"]

FORMAT_VARIABLE: Final = "AF_HOSTING_LOG_FORMAT"
CONTENT_VARIABLE: Final = "AF_HOSTING_LOG_CONTENT"

_LONGEST: Final = 4_000
"""Characters of one value in a line."""
_LEFT_OUT: Final = f"(What exceptions say is left out, since it may quote callers; {CONTENT_VARIABLE}=1 shows it.)"
# What ends a line, moves a terminal's cursor, turns the reading direction, or cannot be encoded.
_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_PLAIN: Final = (bool, int, float, type(None))


class _Content:
    """Whether logs may show what exceptions say."""

    is_shown = os.environ.get(CONTENT_VARIABLE, "").lower() in ("1", "true", "yes")


def configure_logs(
    log_format: LogFormat = "console",
    *,
    level: int | str = logging.INFO,
    access: bool = True,
    content: bool | None = None,
    stream: TextIO | None = None,
) -> None:
    """Send the log of the host and its channels to a stream; other loggers stay as they are.

    Args:
        log_format: `"console"`, or `"json"` for one object a line.
        level: What is left out below.
        access: Whether each request gets a line.
        content: Whether to show what exceptions say, which may quote callers and secrets. Left out, the environment
            variable `AF_HOSTING_LOG_CONTENT` says so.
        stream: Where to; standard error when left out.

    Raises:
        ConfigurationError: There is no such format.

    Example:
        >>> configure_logs("json", level="WARNING")
    """
    if log_format not in ("console", "json"):
        raise ConfigurationError(f"The log format {log_format!r} is unknown. Use 'console' or 'json'.")
    from ._log_lines import OwnHandler

    for handler in [each for each in logger.handlers if isinstance(each, OwnHandler)]:
        logger.removeHandler(handler)
    logger.addHandler(OwnHandler(stream, is_json=log_format == "json"))
    logger.setLevel(level)
    # A handler of the root would say everything a second time.
    logger.propagate = False
    access_logger.setLevel(logging.NOTSET if access else logging.WARNING)
    if content is not None:
        _Content.is_shown = content


def show_logs(log_format: LogFormat | None, *, access: bool) -> None:
    """Let a program that serves see its log: as it is told to, or at all when it has set up no logging.

    Raises:
        ConfigurationError: There is no such format.
    """
    chosen: Any = log_format or os.environ.get(FORMAT_VARIABLE)
    level = logger.level if logger.level != logging.NOTSET else logging.INFO
    if chosen:
        configure_logs(chosen, level=level, access=access)
        return
    access_logger.setLevel(logging.NOTSET if access else logging.WARNING)
    if not logger.hasHandlers():
        from ._log_lines import OwnHandler

        logger.addHandler(OwnHandler())
        logger.setLevel(level)


class _Careful(logging.Filter):
    """Sees every record before any handler does, so that what it takes out reaches nobody.

    It puts the request's id in, escapes what could end a line, and says of exceptions what they are and where they
    came from, not what they say: their messages quote what callers sent, addresses with tokens in them, and worse.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        request = handled_request()
        record.request_id = "-" if request is None else request.id
        record.client_request_id = None if request is None else request.client_id
        record.msg = _shown(record.msg)
        args: Any = record.args
        if isinstance(args, tuple):
            record.args = tuple(_shown(each) for each in args)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - logging types its arguments as anything
        elif isinstance(args, Mapping):
            record.args = {key: _shown(value) for key, value in args.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - likewise
        if record.exc_info and record.exc_info[1] is not None and not _Content.is_shown:
            record.exc_text, record.exc_info = frames_of(record.exc_info[1]), None
        stack = getattr(record, "frames", None)
        if stack is not None:
            record.stack_info = stack
        return True


def escaped(text: str) -> str:
    r"""Return a text that cannot end its line, nor do anything to a terminal.

    Example:
        >>> print(escaped("one\ntwo"))
        one\ntwo
    """
    short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode("ascii"), short)


def said(error: BaseException) -> str:
    """Return what a log may say of an exception: its kind, and its message when that was written for logs."""
    name = type(error).__qualname__
    if _Content.is_shown or getattr(error, "is_for_logs", False):
        return escaped(f"{name}: {error}")
    if isinstance(error, HostError):
        return f"{name} ({getattr(error, 'detail_code', None) or error.code})"
    if isinstance(error, OSError) and error.errno is not None:
        return f"{name} ({os.strerror(error.errno)})"
    return name


def frames_of(error: BaseException) -> str:
    """Return the way of an exception, and of those that it came from, through the code; without their messages."""
    return f"{''.join(_frames(error))}{_LEFT_OUT}"


def _frames(error: BaseException) -> Iterator[str]:
    for each, joint in reversed(list(_chain(error))):
        yield "Traceback (most recent call last):\n"
        yield from traceback.format_tb(each.__traceback__)
        yield f"{said(each)}\n"
        if isinstance(each, BaseExceptionGroup):
            for number, one in enumerate(cast("BaseExceptionGroup[BaseException]", each).exceptions, 1):
                yield textwrap.indent(f"{number}. {''.join(_frames(one))}", "  | ")
        yield joint


def _chain(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    seen: set[int] = set()
    each, joint = error, ""
    while id(each) not in seen:
        seen.add(id(each))
        yield each, joint
        if each.__cause__ is not None:
            each, joint = each.__cause__, "\nThe above exception was the direct cause of the following one:\n\n"
        elif each.__context__ is not None and not each.__suppress_context__:
            each, joint = each.__context__, "\nDuring its handling another exception occurred:\n\n"


class _Shown:
    """A value of a line, said when the line is."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __str__(self) -> str:
        return escaped(str(self._value))

    def __repr__(self) -> str:
        return escaped(repr(self._value))


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, BaseException):
        return said(value)
    return value if isinstance(value, _PLAIN) else _Shown(value)


for _each in (logger, access_logger, server_logger):
    _each.addFilter(_Careful())
if access_logger.level == logging.NOTSET:
    access_logger.setLevel(logging.WARNING)
