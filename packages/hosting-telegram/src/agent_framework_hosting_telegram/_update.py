"""From the JSON of an Update to what is said to the agent; no I/O.

What can be read of an update is its id, always: Telegram sends what was refused again and again, so that an update with
an id is taken even when the rest of it is beyond us.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Struct

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.messaging.incoming import Attachment, Incoming, Sender
from agent_framework_hosting.parsing.body import decode
from agent_framework_hosting.parsing.media import UNKNOWN, media_type_of

from ._buttons import read_data
from ._objects import CallbackQuery, File, Message, User

GroupPolicy: TypeAlias = Literal["addressed", "all", "never"]
"""Which messages of a group are answered: those that mention the bot, reply to it or command it; all; or none."""

StructT = TypeVar("StructT", bound=Struct)

_COMMAND: Final = re.compile(r"/\w+(?:@(\w+))?", re.ASCII)
_MEDIA_TYPE: Final = re.compile(r"[\w!#$&^.+-]{1,100}/[\w!#$&^.+-]{1,100}", re.ASCII)
_UNSAFE: Final = re.compile(r"[/\\\x00-\x1f\x7f]")
_LONGEST_NAME: Final = 200
_DEPTH: Final = 64


class _Envelope(Struct, kw_only=True):
    update_id: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    message: Any = None
    callback_query: Any = None


@dataclass(frozen=True, slots=True)
class BotAccount:
    """Who the bot is.

    Args:
        id: Its id, which is the beginning of its token.
        username: The name that it is called by, without `@`; unknown until Telegram was asked.
    """

    id: int
    username: str | None = None


@dataclass(frozen=True, slots=True)
class TelegramUpdate:
    """One update.

    Args:
        id: Unique for the bot; an update that comes twice has the same one.
        incoming: What is said to the agent; `None` when there is nothing to say, as in most kinds of updates.
        complaint: Why an update that ought to say something could not be read.
    """

    id: int
    incoming: Incoming | None = None
    complaint: str | None = None


def parse_telegram_update(
    body: bytes | Mapping[str, Any], *, bot: BotAccount, groups: GroupPolicy = "addressed", max_depth: int = _DEPTH
) -> TelegramUpdate:
    """Return what an update says.

    Args:
        body: The JSON of an Update, as it comes by webhook, or one of the list that `getUpdates` gives.
        bot: Whose update it is.
        groups: Which messages of groups are meant for the agent.
        max_depth: How deep it may be nested.

    Raises:
        InvalidRequest: It is no JSON object with an `update_id`.
        RequestTooLarge: It holds too many values.

    Example:
        >>> message = {"message_id": 5, "from": {"id": 7, "first_name": "Ada"}, "chat": {"id": 7}, "text": "Hello"}
        >>> update = parse_telegram_update({"update_id": 1, "message": message}, bot=BotAccount(42))
        >>> update.incoming.sender.name, update.incoming.text
        ('Ada', 'Hello')
    """
    envelope = _converted(decode(body, max_depth=max_depth), _Envelope)
    try:
        incoming = _read(envelope, bot, groups)
    except InvalidRequest as error:
        return TelegramUpdate(envelope.update_id, complaint=error.message)
    return TelegramUpdate(envelope.update_id, incoming)


def _read(envelope: _Envelope, bot: BotAccount, groups: GroupPolicy) -> Incoming | None:
    if envelope.message is not None:
        return _said(envelope.update_id, _converted(envelope.message, Message), bot, groups)
    if envelope.callback_query is not None:
        return _pressed(envelope.update_id, _converted(envelope.callback_query, CallbackQuery), groups)
    return None


def _converted(value: object, kind: type[StructT]) -> StructT:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"This is no Update of the Bot API: {error}") from None


# ------------------------------------------------------------------------------------------------------- what is said


def _said(update_id: int, message: Message, bot: BotAccount, groups: GroupPolicy) -> Incoming | None:
    sender = _sender(message)
    attachments = tuple(_attachments(message))
    text = message.said or (message.sticker.emoji or "" if message.sticker else "")
    if sender is None or not (text.strip() or attachments):
        return None
    quoted = _quoted(message, bot)
    if quoted is not None and not text.startswith("/"):
        text = "\n\n".join(filter(None, (_quotation(message, quoted), _without_mention(text, bot))))
        attachments += tuple(_attachments(quoted))
    else:
        text = _without_mention(text, bot)
    return _incoming(
        update_id,
        message,
        sender=sender,
        text=text,
        is_addressed=_is_addressed(message, bot, groups),
        attachments=attachments,
        attributes={"media_group_id": message.media_group_id} if message.media_group_id else {},
    )


def _pressed(update_id: int, query: CallbackQuery, groups: GroupPolicy) -> Incoming | None:
    message, data = query.message, query.data or ""
    said, mark = read_data(data)
    text = said if message is None else _label(message, data) or said
    if message is None or not text:
        return None
    return _incoming(
        update_id,
        message,
        sender=_person(query.sender),
        text=text,
        answers=mark,
        is_addressed=message.chat.type == "private" or groups != "never",
        attachments=(),
        attributes={"callback_query_id": query.id},
    )


def _incoming(
    update_id: int,
    message: Message,
    *,
    sender: Sender,
    text: str,
    is_addressed: bool,
    attachments: tuple[Attachment, ...],
    attributes: Mapping[str, Any],
    answers: str | None = None,
) -> Incoming:
    is_topic = message.is_topic_message and message.message_thread_id is not None
    return Incoming(
        id=str(update_id),
        chat=str(message.chat.id),
        sender=sender,
        text=text,
        thread=str(message.message_thread_id) if is_topic else None,
        is_group=message.chat.type != "private",
        is_addressed=is_addressed,
        attachments=attachments,
        answers=answers,
        attributes={"message_id": message.message_id, "chat_type": message.chat.type, **attributes},
    )


def _sender(message: Message) -> Sender | None:
    """Return who said it; nobody for what Telegram itself puts into a chat."""
    if message.is_automatic_forward or message.chat.type == "channel":
        return None
    if message.sender_chat is not None:
        # Said in the name of a chat: of this group by an administrator who stays unnamed, or of somebody's channel.
        return Sender(id=str(message.sender_chat.id), name=message.sender_chat.title)
    return None if message.sender is None else _person(message.sender)


def _person(user: User) -> Sender:
    return Sender(
        id=str(user.id),
        username=user.username,
        name=" ".join(filter(None, (user.first_name, user.last_name))) or None,
        is_bot=user.is_bot,
        attributes={"language": user.language_code} if user.language_code else {},
    )


def _label(message: Message, data: str) -> str | None:
    """Return what is written on the pressed button: its data may be a shorter name for that."""
    buttons = [] if message.reply_markup is None else message.reply_markup.inline_keyboard
    labels = [button.text for row in buttons for button in row if button.callback_data == data]
    return labels[0] if labels else None


# ------------------------------------------------------------------------------------------------------- for the bot?


def _is_addressed(message: Message, bot: BotAccount, groups: GroupPolicy) -> bool:
    if message.chat.type == "private":
        return True
    if groups == "never":
        return False
    if command := _COMMAND.match(message.said):
        # Whoever names another bot does not mean this one, also where everything is answered.
        return command[1] is None or _is_name_of(bot, command[1])
    return groups == "all" or _is_reply_to(message, bot) or _is_mentioned(message, bot)


def _is_reply_to(message: Message, bot: BotAccount) -> bool:
    # Everything that is said in a topic replies to the message that made it, which may be the bot's.
    replied = message.reply_to_message
    is_said = replied is not None and replied.forum_topic_created is None
    return is_said and replied is not None and replied.sender is not None and replied.sender.id == bot.id


def _is_mentioned(message: Message, bot: BotAccount) -> bool:
    for entity, text in message.marks:
        if entity.type == "mention" and _is_name_of(bot, text.removeprefix("@")):
            return True
        if entity.type == "text_mention" and entity.user is not None and entity.user.id == bot.id:
            return True
    return False


def _is_name_of(bot: BotAccount, name: str) -> bool:
    return bot.username is not None and bot.username.casefold() == name.casefold()


def _without_mention(text: str, bot: BotAccount) -> str:
    """Leave out the name by which the bot was called, where the text begins with it and goes on."""
    if bot.username is None or not text.startswith("@"):
        return text
    named = re.compile(rf"@{re.escape(bot.username)}\b[\s,:]*", re.IGNORECASE).match(text)
    return text[named.end() :] or text if named else text


def _quoted(message: Message, bot: BotAccount) -> Message | None:
    """Return the message of somebody else that is replied to: what the bot said itself, the agent knows."""
    replied = message.reply_to_message
    if replied is None or replied.forum_topic_created is not None or _is_reply_to(message, bot):
        return None
    return replied


def _quotation(message: Message, quoted: Message) -> str:
    text = (message.quote.text if message.quote else "") or quoted.said
    return "\n".join(f"> {line}" for line in text.splitlines())


# ------------------------------------------------------------------------------------------------------- files


def _attachments(message: Message) -> Iterator[Attachment]:
    if message.photo:
        biggest = max(message.photo, key=lambda size: size.width * size.height)
        yield Attachment(ref=biggest.file_id, media_type="image/jpeg", name="photo.jpg", size=biggest.file_size)
    for file, usual in (
        (message.animation or message.document, UNKNOWN),
        (message.audio, "audio/mpeg"),
        (message.voice, "audio/ogg"),
        (message.video, "video/mp4"),
        (message.video_note, "video/mp4"),
    ):
        if file is not None:
            name = _UNSAFE.sub("_", file.file_name)[-_LONGEST_NAME:] if file.file_name else None
            yield Attachment(ref=file.file_id, media_type=_media_type(file, usual), name=name, size=file.file_size)


def _media_type(file: File, usual: str) -> str:
    told = (file.mime_type or "").lower()
    if _MEDIA_TYPE.fullmatch(told) and told != UNKNOWN:
        return told
    return media_type_of(file.file_name) or usual
