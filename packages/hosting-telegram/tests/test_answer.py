"""What an answer of the Bot API means."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_framework_hosting.messaging.outlet import (
    FormatRefused,
    Gone,
    NotOffered,
    OutcomeUnknown,
    OutletError,
    RetryAfter,
    Unreachable,
)
from agent_framework_hosting_telegram._answer import Moved, OtherPoller, Unauthorized, Unchanged, result_of


def failed(status: int, description: str, **parameters: Any) -> OutletError:
    body = {"ok": False, "error_code": status, "description": description, "parameters": parameters}
    with pytest.raises(OutletError) as raised:
        result_of("sendMessage", status=status, body=json.dumps(body).encode())
    return raised.value


@pytest.mark.parametrize(
    ("status", "description", "kind"),
    [
        (400, 'Bad Request: can\'t parse entities: Unsupported start tag "x" at byte offset 0', FormatRefused),
        (400, "Bad Request: can't parse entities: Can't find end tag corresponding to start tag b", FormatRefused),
        (400, "Bad Request: ENTITIES_TOO_LONG", FormatRefused),
        (400, "Bad Request: ENTITY_BOUNDS_INVALID", FormatRefused),
        (400, "Bad Request: message is not modified: specified new message content", Unchanged),
        (400, "Bad Request: message to edit not found", NotOffered),
        (400, "Bad Request: TEXTDRAFT_PEER_INVALID", NotOffered),
        (404, "Not Found", NotOffered),
        (400, "Bad Request: chat not found", Gone),
        (400, "Bad Request: message thread not found", Gone),
        (400, "Bad Request: not enough rights to send text messages to the chat", Gone),
        (400, "Bad Request: not enough rights to send photos to the chat", NotOffered),
        (400, "Bad Request: not enough rights to send documents to the chat", NotOffered),
        (403, "Forbidden: bot was blocked by the user", Gone),
        (403, "Forbidden: bot was kicked from the supergroup chat", Gone),
        (401, "Unauthorized", Unauthorized),
        (409, "Conflict: terminated by other getUpdates request", OtherPoller),
        (500, "Internal Server Error", Unreachable),
        (502, "Bad Gateway", Unreachable),
    ],
)
def test_what_went_wrong_says_what_to_do(status: int, description: str, kind: type[OutletError]) -> None:
    assert type(failed(status, description)) is kind


def test_silence_is_as_long_as_telegram_says() -> None:
    error = failed(429, "Too Many Requests: retry after 126", retry_after=126)
    assert isinstance(error, RetryAfter)
    assert error.seconds == 126


def test_nobody_is_silenced_for_ever() -> None:
    error = failed(429, "Too Many Requests: retry after ever", retry_after=1e300)
    assert isinstance(error, RetryAfter)
    assert error.seconds == 24 * 3600


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), (None, 5.0), ("Wed, 21 Oct 2026", 5.0), ("9" * 400, 24 * 3600.0)]
)
def test_silence_that_a_proxy_wants_is_kept_too(header: str | None, seconds: float) -> None:
    with pytest.raises(RetryAfter) as raised:
        result_of("sendMessage", status=429, body=b"<html>slow down</html>", retry_after=header)
    assert raised.value.seconds == seconds


def test_a_group_that_moved_says_where_to() -> None:
    error = failed(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-1001)
    assert isinstance(error, Moved)
    assert error.chat == -1001


def test_what_was_sent_is_not_repeated_in_the_error() -> None:
    told = str(failed(400, 'Bad Request: can\'t parse entities: Unsupported start tag "secret" at byte offset 1'))
    assert told == "sendMessage: 400 Bad Request: can't parse entities"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"<html>", OutcomeUnknown),
        (200, b"", OutcomeUnknown),
        (502, b"<html>", Unreachable),
        (404, b"", NotOffered),
        (200, b'{"ok": true, "result": ' + b"[" * 100_000, OutcomeUnknown),
    ],
)
def test_what_answers_in_telegrams_place_is_told_apart(status: int, body: bytes, kind: type[OutletError]) -> None:
    with pytest.raises(kind):
        result_of("sendMessage", status=status, body=body)


@given(
    st.integers(200, 599),
    st.binary(max_size=80) | st.dictionaries(st.text(), st.integers()).map(lambda d: json.dumps(d).encode()),
)
def test_nothing_but_an_outlet_error_comes_of_whatever_is_answered(status: int, body: bytes) -> None:
    with pytest.raises(OutletError):
        result_of("sendMessage", status=status, body=body)
