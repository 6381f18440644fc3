"""What the published description of the Bot API says against a call."""

from typing import Any

import pytest

from agent_framework_hosting_telegram.testing import published_mistakes

BUTTON = {"text": "Yes", "callback_data": "yes"}


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("getMe", {}),
        ("sendMessage", {"chat_id": -7, "text": "x", "parse_mode": "HTML", "reply_parameters": {"message_id": 1}}),
        ("sendMessage", {"chat_id": "@name", "text": "x", "reply_markup": {"inline_keyboard": [[BUTTON]]}}),
        ("sendMessageDraft", {"chat_id": 7, "draft_id": 1, "text": ""}),
        ("sendPhoto", {"chat_id": "7", "photo": "https://a", "reply_parameters": '{"message_id": 1}'}),
        ("setWebhook", {"url": "https://a", "secret_token": "A_-9", "allowed_updates": ["message"]}),
        ("setMyCommands", {"commands": [{"command": "new", "description": "Begin anew"}]}),
    ],
)
def test_a_right_call_has_no_mistakes(method: str, params: dict[str, Any]) -> None:
    assert published_mistakes(method, params) == []


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("sendTelegram", {}),
        ("getMe", {"chat_id": 7}),
        ("sendMessage", {"chat_id": 7}),
        ("sendMessage", {"chat_id": 7.5, "text": "x"}),
        ("sendMessage", {"chat_id": True, "text": "x"}),
        ("sendMessage", {"chat_id": 7, "text": "x", "parse_mode": "html"}),
        ("sendMessage", {"chat_id": 7, "text": "x", "reply_parameters": {"allow_sending_without_reply": True}}),
        ("sendMessage", {"chat_id": 7, "text": "x", "reply_markup": {"inline_keyboard": [[{"callback_data": "x"}]]}}),
        ("sendMessageDraft", {"chat_id": 7, "draft_id": 0, "text": "x"}),
        ("sendMessageDraft", {"chat_id": "@name", "draft_id": 1, "text": "x"}),
        ("sendChatAction", {"chat_id": 7, "action": "dancing"}),
        ("getUpdates", {"limit": 0}),
        ("getUpdates", {"allowed_updates": ["messages"]}),
        ("setWebhook", {"url": "https://a", "secret_token": "no spaces"}),
        ("setMyCommands", {"commands": [{"command": "New", "description": "x"}]}),
        ("sendDocument", {"chat_id": 7, "document": 5}),
    ],
)
def test_a_wrong_call_has_mistakes(method: str, params: dict[str, Any]) -> None:
    assert published_mistakes(method, params)


def test_a_file_counts_as_the_parameter_that_it_is() -> None:
    assert published_mistakes("sendPhoto", {"chat_id": 7}, files=frozenset({"photo"})) == []
    assert published_mistakes("sendPhoto", {"chat_id": 7}, files=frozenset({"picture"}))
