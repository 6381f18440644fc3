"""One chat, or a topic of it, as an `Outlet`."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import Struct

from agent_framework_hosting.clock import SYSTEM_CLOCK, Clock
from agent_framework_hosting.messaging.outlet import (
    Choice,
    FormatRefused,
    MessageRef,
    NotOffered,
    OutcomeUnknown,
    OutgoingFile,
    OutletTraits,
    TextLimits,
)
from agent_framework_hosting.rendering.text import clean

from ._answer import Moved, Unchanged
from ._api import BotApi
from ._buttons import data_of
from ._html import render

LONGEST: Final = 4096
"""UTF-16 units of one message, once the tags are read (https://core.telegram.org/bots/api#sendmessage)."""
_LIMITS: Final = TextLimits(max_length=LONGEST, unit="utf16")
_TYPING: Final = 4.5
"""Telegram shows it for five seconds."""
_PRIVATE: Final = OutletTraits(
    limits=_LIMITS, streaming=("draft", "edit"), interval=1.2, typing_every=_TYPING, choices=True, marks=True
)
# A group takes 20 messages in a minute, and counts an edit as one (https://core.telegram.org/bots/faq).
_GROUP: Final = OutletTraits(
    limits=_LIMITS, streaming=("edit",), interval=3.0, typing_every=_TYPING, choices=True, marks=True
)

_MIB: Final = 1024 * 1024
_PHOTOS: Final = {"image/jpeg": 10 * _MIB, "image/png": 10 * _MIB, "image/webp": 10 * _MIB}
_BIGGEST: Final = 50 * _MIB
"""What a bot may upload (https://core.telegram.org/bots/api#sending-files)."""
_BUTTON: Final = 64
"""Bytes of what a button says when it is pressed."""
_DRAFTS: Final = 2**31
_DRAFT_FADES: Final = 20.0
"""Seconds after which a draft is shown again, while there is nothing new: Telegram takes it away after 30."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where to write.

    Args:
        chat: The id of the chat.
        thread: The id of the topic in it.
        is_group: Whether several read it.
        reply_to: The message that the first one answers.
    """

    chat: int
    thread: int | None = None
    is_group: bool = False
    reply_to: int | None = None


class TelegramOutlet:
    """Writes to one place.

    Args:
        api: The Bot API.
        place: Where to.
        clock: Tells how long a draft has been shown.
    """

    def __init__(self, api: BotApi, place: Place, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._api = api
        self._clock = clock
        self._chat = place.chat
        self._thread = place.thread
        self._reply_to = place.reply_to
        self.traits: OutletTraits = _GROUP if place.is_group else _PRIVATE
        self._draft = _draft_id()
        self._drafted: _Drafted | None = None

    @property
    def address(self) -> str:
        """The bot and the chat: Telegram's limits hold for all topics together."""
        return f"telegram:{self._api.token.bot_id}:{self._chat}"

    async def send(self, text: str, *, plain: bool = False, choices: Sequence[str] = ()) -> MessageRef:
        """Send a message."""
        message = await self._written(
            "sendMessage", text, plain=plain, reply_markup=_keyboard(choices), **self._reply()
        )
        return self._ref(message)

    async def edit(self, ref: MessageRef, text: str, *, plain: bool = False) -> None:
        """Put another text in a message's place."""
        try:
            await self._written("editMessageText", text, plain=plain, in_thread=False, message_id=int(ref))
        except Unchanged:
            return

    async def draft(self, text: str, *, plain: bool = False) -> None:
        """Show this text as the answer so far; Telegram shows it for half a minute, or until the next message."""
        await self._written("sendMessageDraft", text, plain=plain, draft_id=self._draft)
        self._drafted = _Drafted(text, plain, self._clock.monotonic())

    async def typing(self) -> None:
        """Show that an answer is being worked on; a draft that would be gone soon shows it best."""
        drafted = self._drafted
        if drafted is not None and self._clock.monotonic() - drafted.at > _DRAFT_FADES:
            await self.draft(drafted.text, plain=drafted.plain)
            return
        await self._call("sendChatAction", {**self._in_thread(), "action": "typing"})

    async def send_file(self, file: OutgoingFile) -> MessageRef:
        """Send a file; what Telegram shows as a photo as one, unless it does not like it."""
        if file.data is not None and len(file.data) > _BIGGEST:
            raise NotOffered(f"A file of {len(file.data)} bytes is more than the {_BIGGEST} that a bot may send.")
        if len(file.data or b"") <= _PHOTOS.get(file.media_type, -1):
            # One of an odd shape, say, comes as a document as it is.
            with suppress(NotOffered):
                return await self._sent_file("sendPhoto", "photo", file)
        try:
            return await self._sent_file("sendDocument", "document", file)
        except NotOffered:
            if file.uri is None:
                raise
        # Telegram fetches some kinds of files only, and none that are large; people can open what it does not fetch.
        return await self.send(f"{file.name}: {file.uri}", plain=True)

    # ------------------------------------------------------------------------------------------------------- calls

    async def _sent_file(self, method: str, field: str, file: OutgoingFile) -> MessageRef:
        files = {} if file.data is None else {field: file}
        params = {**self._in_thread(), **self._reply(), **({field: file.uri} if file.data is None else {})}
        return self._ref(await self._call(method, params, files=files))

    async def _written(self, method: str, text: str, *, plain: bool, in_thread: bool = True, **params: Any) -> Any:
        where = self._in_thread() if in_thread else {}
        return await self._call(method, {**where, **_said(clean(text), plain=plain), **params})

    async def _call(self, method: str, params: Mapping[str, Any], **options: Any) -> Any:
        try:
            return await self._api.call(method, {"chat_id": self._chat, **params}, **options)
        except Moved as error:
            self._chat = error.chat
            return await self._api.call(method, {"chat_id": self._chat, **params}, **options)

    def _in_thread(self) -> dict[str, Any]:
        return {"message_thread_id": self._thread}

    def _reply(self) -> dict[str, Any]:
        if self._reply_to is None:
            return {}
        return {"reply_parameters": {"message_id": self._reply_to, "allow_sending_without_reply": True}}

    def _ref(self, message: Any) -> MessageRef:
        # What comes after is no reply any more, and a draft after it another one.
        self._reply_to, self._draft, self._drafted = None, _draft_id(), None
        try:
            return str(msgspec.convert(message, _Sent).message_id)
        except msgspec.ValidationError:
            raise OutcomeUnknown("What answered is not the Bot API: it gave no message.") from None


@dataclass(frozen=True, slots=True)
class _Drafted:
    text: str
    plain: bool
    at: float


class _Sent(Struct):
    message_id: int


def _said(text: str, *, plain: bool) -> dict[str, Any]:
    if plain:
        return {"text": text}
    rendered = render(text)
    if rendered.units > LONGEST:
        rendered = render(text, align_tables=False)
    if rendered.units > LONGEST or not rendered.shown.strip():
        raise FormatRefused("Rendered, the text is too long, or nothing is left of it.")
    return {"text": rendered.html, "parse_mode": "HTML"}


def _keyboard(choices: Sequence[str]) -> dict[str, Any] | None:
    rows = [[{"text": choice, "callback_data": _pressed(choice, index)}] for index, choice in enumerate(choices)]
    return {"inline_keyboard": rows} if rows else None


def _pressed(choice: str, index: int) -> str:
    mark = choice.mark if isinstance(choice, Choice) else ""
    said = data_of(choice, mark=mark)
    return said if len(said.encode()) <= _BUTTON else data_of(f"#{index}", mark=mark)


def _draft_id() -> int:
    return random.randrange(1, _DRAFTS)  # noqa: S311 - it only has to be another one than before
