"""The log: an id in every line, no content, no forged line, in the format that is wanted."""

from __future__ import annotations

import io
import json
import logging
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_framework_hosting import logs
from agent_framework_hosting._handled import HandledRequest, handling
from agent_framework_hosting.errors import ConfigurationError, InvalidRequest, QueueFull, StateUnavailable
from agent_framework_hosting.logs import access_logger, configure_logs, escaped, logger
from agent_framework_hosting.messaging.outlet import Unreachable

CANARY = "hunter2-canary"


@pytest.fixture
def console() -> io.StringIO:
    stream = io.StringIO()
    configure_logs("console", level="DEBUG", stream=stream)
    return stream


@pytest.fixture
def objects() -> io.StringIO:
    stream = io.StringIO()
    configure_logs("json", level="DEBUG", stream=stream)
    return stream


def fail(text: str = CANARY) -> None:
    try:
        {}[text]
    except KeyError as error:
        raise ValueError(f"and {text}") from error


@given(st.text())
def test_no_value_can_end_its_line_or_move_a_cursor(text: str) -> None:
    shown = escaped(text)
    assert len(f"before {shown} after".splitlines()) == 1
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202e]", shown)
    shown.encode()


@pytest.mark.parametrize(
    "value", ["a\nb", ["a\nb"], ValueError("a\nb"), Unreachable("a\nb"), b"a\nb"], ids=lambda each: type(each).__name__
)
@pytest.mark.parametrize("template", ["said %s", "said %r"])
def test_a_line_stays_one_whatever_is_said_in_it(console: io.StringIO, value: Any, template: str) -> None:
    logger.warning(template, value)
    assert len(console.getvalue().splitlines()) == 1


def test_arguments_by_name_are_careful_as_well(console: io.StringIO) -> None:
    logger.warning("said %(what)s in %(seconds).1f s", {"what": "a\nb", "seconds": 1.25})
    assert r"said a\nb in 1.2 s" in console.getvalue()


def test_a_traceback_shows_the_way_and_no_message(console: io.StringIO) -> None:
    """Of all exceptions of the chain; the line says how to see more."""
    try:
        fail()
    except ValueError:
        logger.exception("It went wrong.")
    said = console.getvalue()
    assert CANARY not in said
    assert "in fail" in said
    assert "KeyError\n" in said
    assert "direct cause" in said
    assert "ValueError\n" in said
    assert "AF_HOSTING_LOG_CONTENT=1" in said


def test_a_group_of_exceptions_shows_the_way_of_each(console: io.StringIO) -> None:
    try:
        fail()
    except ValueError as error:
        logger.error("All went wrong.", exc_info=ExceptionGroup(CANARY, [error, error]))
    said = console.getvalue()
    assert said.count("in fail") == 4
    assert CANARY not in said


def test_no_handler_gets_the_exception_itself(caplog: pytest.LogCaptureFixture) -> None:
    """One that sends it to a service would send its message, and the variables of its frames."""
    try:
        fail()
    except ValueError:
        logger.exception("It went wrong.")
    (record,) = caplog.records
    assert record.exc_info is None
    assert CANARY not in caplog.text


def test_who_wants_to_sees_what_exceptions_say(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("agent_framework_hosting.logs._Content.is_shown", False)
    configure_logs(stream=stream, content=True)
    try:
        fail()
    except ValueError as error:
        logger.exception("It went wrong: %s", error)
    assert f"ValueError: and {CANARY}" in stream.getvalue()
    configure_logs(content=False)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError(CANARY), "ValueError"),
        (InvalidRequest(CANARY), "InvalidRequest (invalid_request)"),
        (InvalidRequest(CANARY, code="odd"), "InvalidRequest (odd)"),
        (QueueFull(CANARY), "QueueFull (queue_full)"),
        (StateUnavailable("The disk is full."), "StateUnavailable: The disk is full."),
        (Unreachable("getMe: 502"), "Unreachable: getMe: 502"),
        (FileNotFoundError(2, CANARY, CANARY), "FileNotFoundError (No such file or directory)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_exception_says_what_it_is_and_only_what_was_written_for_logs(error: Exception, said: str) -> None:
    assert logs.said(error) == said


def test_lines_of_a_request_have_its_id(console: io.StringIO) -> None:
    with handling(HandledRequest("req_1", "checkout-7")):
        logger.info("inside")
    logger.info("outside")
    inside, outside = console.getvalue().splitlines()
    assert inside.endswith("INFO inside [req_1]")
    assert outside.endswith("INFO outside")


def test_json_is_one_object_a_line(objects: io.StringIO) -> None:
    with handling(HandledRequest("req_1", "checkout-7")):
        logger.warning("said %s", "a\nb")
        try:
            fail()
        except ValueError:
            logger.exception("wrong")
    said, wrong = map(json.loads, objects.getvalue().splitlines())
    assert {key: said[key] for key in ("level", "logger", "message", "request_id", "client_request_id")} == {
        "level": "WARNING",
        "logger": "agent_framework.hosting",
        "message": r"said a\nb",
        "request_id": "req_1",
        "client_request_id": "checkout-7",
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", said["time"])
    assert "in fail" in wrong["exception"]
    assert CANARY not in wrong["exception"]


def test_json_names_the_trace(objects: io.StringIO, collected: Any) -> None:
    with collected.tracer_provider.get_tracer("test").start_as_current_span("around") as span:
        logger.info("inside")
    said = json.loads(objects.getvalue())
    assert said["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    assert said["span_id"] == f"{span.get_span_context().span_id:016x}"


def test_the_root_and_other_loggers_stay_as_they_are() -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers), logging.getLogger("agent_framework").handlers)
    configure_logs("json", stream=io.StringIO())
    configure_logs("console", stream=io.StringIO())
    assert (root.level, list(root.handlers), logging.getLogger("agent_framework").handlers) == before
    assert len(logger.handlers) == 1


def test_an_unknown_format_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"'xml' is unknown. Use 'console' or 'json'"):
        configure_logs("xml")  # pyright: ignore[reportArgumentType] - that is what is refused


def test_the_environment_says_the_format(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("AF_HOSTING_LOG_FORMAT", "json")
    logs.show_logs(None, access=False)
    logger.info("hello")
    assert json.loads(capsys.readouterr().err)["message"] == "hello"
    assert not access_logger.isEnabledFor(logging.INFO)


def test_the_access_log_is_silent_until_it_is_asked_for() -> None:
    logger.setLevel(logging.INFO)
    assert not access_logger.isEnabledFor(logging.INFO)
    logs.show_logs(None, access=True)
    assert access_logger.isEnabledFor(logging.INFO)
