"""What https://core.telegram.org/bots/api says about the methods that are called, and what it says against a call.

A line holds the parameters of a method, or the members of an object, as `name:types`; `!` marks what is required.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, cast

VERSION: Final = "10.1"
"""The version of the Bot API that the tables below were taken from, of 11 June 2026."""

_SENT: Final = (
    "business_connection_id:str message_thread_id:int direct_messages_topic_id:int disable_notification:bool "
    "protect_content:bool allow_paid_broadcast:bool message_effect_id:str suggested_post_parameters:object "
    "reply_parameters:ReplyParameters reply_markup:InlineKeyboardMarkup chat_id:int|str!"
)
_CAPTION: Final = "caption:str parse_mode:str caption_entities:list"
_SHOWN: Final = "parse_mode:str entities:list"

_METHODS: Final = {
    "answerCallbackQuery": "callback_query_id:str! text:str show_alert:bool url:str cache_time:int",
    "deleteWebhook": "drop_pending_updates:bool",
    "editMessageReplyMarkup": (
        "business_connection_id:str chat_id:int|str message_id:int inline_message_id:str "
        "reply_markup:InlineKeyboardMarkup"
    ),
    "editMessageText": (
        "business_connection_id:str chat_id:int|str message_id:int inline_message_id:str text:str "
        f"{_SHOWN} link_preview_options:object rich_message:object reply_markup:InlineKeyboardMarkup"
    ),
    "getFile": "file_id:str!",
    "getMe": "",
    "getUpdates": "offset:int limit:int timeout:int allowed_updates:strings",
    "getWebhookInfo": "",
    "sendChatAction": "business_connection_id:str chat_id:int|str! message_thread_id:int action:str!",
    "sendDocument": (f"document:file|str! thumbnail:file|str disable_content_type_detection:bool {_CAPTION} {_SENT}"),
    "sendMessage": f"text:str! link_preview_options:object {_SHOWN} {_SENT}",
    "sendMessageDraft": f"chat_id:int! message_thread_id:int draft_id:int! text:str {_SHOWN}",
    "sendPhoto": f"photo:file|str! show_caption_above_media:bool has_spoiler:bool {_CAPTION} {_SENT}",
    "setMyCommands": "commands:commands! scope:object language_code:str",
    "setWebhook": (
        "url:str! certificate:file ip_address:str max_connections:int allowed_updates:strings "
        "drop_pending_updates:bool secret_token:str"
    ),
}
_OBJECTS: Final = {
    "BotCommand": "command:str! description:str!",
    "InlineKeyboardButton": "text:str! callback_data:str url:str",
    "InlineKeyboardMarkup": "inline_keyboard:rows!",
    "ReplyParameters": (
        "message_id:int! chat_id:int|str allow_sending_without_reply:bool quote:str quote_parse_mode:str "
        "quote_entities:list quote_position:int checklist_task_id:int poll_option_id:str"
    ),
}
_UPDATES: Final = (
    "message edited_message channel_post edited_channel_post business_connection business_message "
    "edited_business_message deleted_business_messages guest_message message_reaction message_reaction_count "
    "inline_query chosen_inline_result callback_query shipping_query pre_checkout_query purchased_paid_media poll "
    "poll_answer my_chat_member chat_member chat_join_request chat_boost removed_chat_boost managed_bot"
)
_ACTIONS: Final = (
    "typing upload_photo record_video upload_video record_voice upload_voice upload_document choose_sticker "
    "find_location record_video_note upload_video_note"
)
_VALUES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "action": lambda value: value in _ACTIONS.split(),
    "allowed_updates": lambda value: set(value) <= {*_UPDATES.split()},
    "callback_data": lambda value: len(value.encode()) in range(1, 65),
    "command": lambda value: re.fullmatch(r"[a-z0-9_]{1,32}", value) is not None,
    "commands": lambda value: len(value) in range(101),
    "description": lambda value: len(value) in range(1, 257),
    "draft_id": lambda value: int(value) != 0,
    "limit": lambda value: int(value) in range(1, 101),
    "max_connections": lambda value: int(value) in range(1, 101),
    "parse_mode": lambda value: value in {"HTML", "Markdown", "MarkdownV2"},
    "secret_token": lambda value: re.fullmatch(r"[A-Za-z0-9_-]{1,256}", value) is not None,
    "timeout": lambda value: int(value) >= 0,
}


def published_mistakes(method: str, params: Mapping[str, Any], *, files: frozenset[str] = frozenset()) -> list[str]:
    """Return what the published description says against a call, each in a sentence.

    Args:
        method: The method.
        params: Its parameters, as JSON has them; objects may also be text, as forms have them.
        files: The names of the parameters that are files.

    Example:
        >>> published_mistakes("sendMessage", {"chat_id": 7, "txt": "Hello"})
        ["sendMessage has no 'txt'", "sendMessage lacks 'text'"]
    """
    if method not in _METHODS:
        return [f"there is no method {method!r} in the tables"]
    return list(_mistakes(method, _METHODS[method], {**params, **dict.fromkeys(files, _FILE)}))


_FILE: Final = object()


def _mistakes(what: str, line: str, given: Mapping[str, Any]) -> Iterator[str]:
    known: dict[str, str] = {}
    required: list[str] = []
    for item in line.split():
        name, _, types = item.rstrip("!").partition(":")
        known[name] = types
        required += [name] if item.endswith("!") else []
    for name, value in given.items():
        if name not in known:
            yield f"{what} has no {name!r}"
        else:
            yield from _value_mistakes(f"{what}.{name}", name, known[name], value)
    for name in required:
        if name not in given:
            yield f"{what} lacks {name!r}"


def _value_mistakes(where: str, name: str, types: str, value: Any) -> Iterator[str]:
    found: list[str] = []
    for kind in types.split("|"):
        found = list(_kind_mistakes(where, kind, value))
        if not found:
            break
    yield from found
    if not found and name in _VALUES and not _VALUES[name](value):
        yield f"{where} must not be {value!r}"


def _kind_mistakes(where: str, kind: str, value: Any) -> Iterator[str]:
    if kind in _OBJECTS:
        value = _from_form(value)
        if isinstance(value, dict):
            yield from _mistakes(kind, _OBJECTS[kind], cast("dict[str, Any]", value))
            return
    elif kind == "rows":
        for button in (button for row in value for button in row):
            yield from _mistakes("InlineKeyboardButton", _OBJECTS["InlineKeyboardButton"], button)
        return
    elif kind == "commands":
        for command in value:
            yield from _mistakes("BotCommand", _OBJECTS["BotCommand"], command)
        return
    elif _IS[kind](value):
        return
    yield f"{where} is no {kind}: {value!r}"


def _from_form(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value.startswith("{") else value


def _is_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in cast("list[Any]", value))


def _is_int(value: Any) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, str) and re.fullmatch(r"-?\d+", value) is not None
    )


_IS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "bool": lambda value: isinstance(value, bool) or value in ("true", "false"),
    "file": lambda value: value is _FILE,
    "int": _is_int,
    "list": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(_from_form(value), dict),
    "str": lambda value: isinstance(value, str),
    "strings": _is_strings,
}
