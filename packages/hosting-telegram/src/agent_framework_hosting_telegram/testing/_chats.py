"""What the bot has put into its chats, and what Telegram refuses to put there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agent_framework_hosting.testing import PlatformCall

from ._entities import shown

_LONGEST: Final = 4096
_DRAFT_LASTS: Final = 30.0
_UNMODIFIED: Final = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current content "
    "and reply markup of the message"
)


class Refused(Exception):
    """Telegram says no; the message is its description."""

    def __init__(self, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.status: int = status


@dataclass(slots=True)
class SentMessage:
    """A message of the bot's, as it stands in the chat now.

    `text` is what people see; `html` what it was made of, `None` for plain text. `edits` counts its changes.
    """

    id: int
    chat: int
    text: str
    html: str | None = None
    thread: int | None = None
    reply_to: int | None = None
    file: bytes | str | None = None
    buttons: list[list[dict[str, Any]]] = field(default_factory=list[list[dict[str, Any]]])
    edits: int = 0


class Chats:
    """Keeps messages and drafts."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.messages: dict[int, SentMessage] = {}
        self.has_drafts: bool = True
        self.last_message: int = 1000
        self._drafts: dict[int, tuple[str, float]] = {}
        self._now = clock
        self._methods: Mapping[str, Callable[[PlatformCall, int], SentMessage | bool]] = {
            "editMessageReplyMarkup": self._unbuttoned,
            "editMessageText": self._edited,
            "sendChatAction": lambda _call, _chat: True,
            "sendDocument": self._new,
            "sendMessage": self._new,
            "sendMessageDraft": self._drafted,
            "sendPhoto": self._new,
        }

    def draft(self, chat: int) -> str | None:
        """Return the draft that is to be seen."""
        text, since = self._drafts.get(chat, ("", float("-inf")))
        return text if self._now() - since < _DRAFT_LASTS else None

    def next_message(self) -> int:
        """Return the id of the next message in any chat."""
        self.last_message += 1
        return self.last_message

    def do(self, call: PlatformCall, chat: int) -> SentMessage | bool:
        """Do what is asked in a chat.

        Raises:
            Refused: Telegram would not.
        """
        return self._methods[call.method](call, chat)

    def _new(self, call: PlatformCall, chat: int) -> SentMessage:
        text, html = _said(call.params)
        if call.method == "sendMessage" and not text.strip():
            raise Refused("message text is empty")
        thread = call.params.get("message_thread_id")
        message = SentMessage(
            self.next_message(),
            chat,
            text,
            html,
            thread=None if thread is None else int(thread),
            reply_to=_object(call.params, "reply_parameters").get("message_id"),
            file=next(
                (sent.content for sent in call.files.values()), call.params.get("photo") or call.params.get("document")
            ),
            buttons=_object(call.params, "reply_markup").get("inline_keyboard", []),
        )
        self.messages[message.id] = message
        self._drafts.pop(chat, None)
        return message

    def _edited(self, call: PlatformCall, _: int) -> SentMessage:
        text, html = _said(call.params)
        message = self._message(call)
        if (message.text, message.html) == (text, html):
            raise Refused(_UNMODIFIED)
        message.text, message.html, message.edits = text, html, message.edits + 1
        return message

    def _unbuttoned(self, call: PlatformCall, _: int) -> SentMessage:
        message = self._message(call)
        if not message.buttons:
            raise Refused(_UNMODIFIED)
        message.buttons = []
        return message

    def _message(self, call: PlatformCall) -> SentMessage:
        try:
            return self.messages[int(call.params["message_id"])]
        except KeyError:
            raise Refused("message to edit not found") from None

    def _drafted(self, call: PlatformCall, chat: int) -> bool:
        if chat < 0:
            raise Refused("TEXTDRAFT_PEER_INVALID")
        if not self.has_drafts:
            raise Refused("Not Found", status=404)
        self._drafts[chat] = (_said(call.params)[0], self._now())
        return True


def _said(params: Mapping[str, Any]) -> tuple[str, str | None]:
    given = str(params.get("text", params.get("caption", "")))
    html = given if "parse_mode" in params else None
    try:
        text = shown(given) if html is not None else given
    except ValueError as error:
        raise Refused(str(error)) from None
    if len(text.encode("utf-16-le")) // 2 > _LONGEST:
        raise Refused("message is too long")
    return text, html


def _object(params: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value: Any = params.get(name) or {}
    return json.loads(value) if isinstance(value, str) else value
