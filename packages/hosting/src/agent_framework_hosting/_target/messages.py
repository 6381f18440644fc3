"""What an agent gets: the request's input as messages of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent_framework import Content, Message, normalize_messages

from ..errors import InvalidRequest
from ..ids import mint
from ..types import ChannelIdentity, ChannelRequest
from .copying import shallow_copy


def to_messages(request: ChannelRequest) -> list[Message]:
    """Return the input as messages of our own, each with an id, the last one saying where it is from.

    Agent Framework's histories take two messages with equal content and no id for a repeat and drop the second, so
    every message has an id of its own.
    """
    given = listed = request.input
    # Lists are asked for first: whether something else is a sequence takes a while to say.
    if not isinstance(request.input, (list, str, Content, Message, Sequence)):
        raise _unfit(given)
    name = request.attributes.get("turn_name")
    messages: list[Message] = []
    # A channel has made a list of messages, mostly of one; anything else is made one by Agent Framework.
    if not isinstance(given, list):
        listed = normalize_messages(given)
    for each in listed:
        message: Any = each if isinstance(each, Message) else normalize_messages([each])[0]
        if not isinstance(message, Message):
            raise _unfit(message)
        own = shallow_copy(message)
        own.contents = list(message.contents)
        if own.message_id is None:
            own.message_id = f"msg_{name}_{len(messages)}" if name else mint("msg_")
        messages.append(own)
    if messages:
        last = messages[-1]
        last.additional_properties = {**last.additional_properties, "hosting": _origin(request)}
    return messages


def _unfit(value: Any) -> InvalidRequest:
    return InvalidRequest(
        f"An agent takes text, Content or Message objects, not {type(value).__name__}. Shape the input in a run hook."
    )


def _origin(request: ChannelRequest) -> dict[str, Any]:
    origin: dict[str, Any] = {"channel": request.channel}
    if request.identity is not None:
        origin["identity"] = _identity(request.identity)
    return origin


def _identity(identity: ChannelIdentity) -> dict[str, Any]:
    return {
        "channel": identity.channel,
        "native_id": identity.native_id,
        "attributes": dict(identity.attributes) if identity.attributes is not None else None,
    }
