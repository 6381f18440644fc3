"""A request of the Chat Completions protocol: from bytes to one value, without I/O.

Nothing of the caller's is guessed at: what is malformed or not offered is refused with the place and the mend. What the
agent gets of the rest is decided in `policy`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from agent_framework import FunctionTool, Message

from agent_framework_hosting.limits import Limits
from agent_framework_hosting.parsing.body import decode
from agent_framework_hosting.types import ChannelIdentity

from .._approvals import Decision
from .fields import OPTION_NAMES, UnknownFields, check_fields
from .messages import read_messages
from .tools import read_tool_choice, read_tools


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One request, checked and in Agent Framework's words.

    Args:
        body: The decoded body.
        messages: The conversation. System and developer messages have the role `system`.
        origins: For each message, its place (`messages[3]`).
        latest: The number of the first message behind the last one of the assistant's: what is new in a conversation
            that somebody remembers.
        requested_options: All that was asked for and has a name among Agent Framework's options, `tools` included.
        client_tools: The caller's functions, as declarations.
        echo: What the completion repeats of the request; `model` is `None` when none was named.
        stream: Whether chunks are wanted.
        include_usage: Whether the chunks are to tell the usage.
        identity: How the caller names its user.
        decisions: The answers to requests for approval, by the ids of the calls that stand for them.
        answered: The places of the results that are new, by the ids of the calls that they answer.
        without_effect: Places of what was accepted although nothing comes of it, options aside.
    """

    body: Mapping[str, Any]
    messages: list[Message]
    origins: tuple[str, ...]
    latest: int
    requested_options: dict[str, Any]
    client_tools: list[FunctionTool]
    echo: dict[str, Any]
    stream: bool
    include_usage: bool
    identity: ChannelIdentity | None
    decisions: dict[str, Decision]
    answered: dict[str, str]
    without_effect: tuple[str, ...]


def parse(
    body: bytes | Mapping[str, Any],
    *,
    limits: Limits | None = None,
    channel: str = "chat-completions",
    unknown_fields: UnknownFields = "ignore",
    own_tools: Collection[str] = (),
) -> ChatRequest:
    """Return the request that a body holds.

    Args:
        body: The bytes of the request, or what was decoded from them.
        limits: The host's bounds for JSON depth and messages.
        channel: The channel's name, for the identity.
        unknown_fields: What becomes of fields that OpenAI does not know.
        own_tools: Names of tools that stand for what this server asks, which are none of the agent's business.

    Example:
        >>> parse({"messages": [{"role": "user", "content": "Hello"}]}).messages[0].text
        'Hello'

    Raises:
        InvalidRequest: The body is malformed, or asks for what is not offered; `param` says where.
        RequestTooLarge: There are too many messages or parts.
    """
    limits = limits or Limits()
    decoded = decode(body, max_depth=limits.max_json_depth)
    fields, unknown = check_fields(decoded, unknown_fields=unknown_fields)
    tools = read_tools(fields.get("tools", []), own=own_tools)
    options = {OPTION_NAMES[key]: value for key, value in fields.items() if key in OPTION_NAMES}
    if tools.functions:
        options["tools"] = list(tools.functions)
    if "tool_choice" in fields:
        options["tool_choice"] = read_tool_choice(fields["tool_choice"], tools.names)
    conversation = read_messages(fields.get("messages"), max_items=limits.max_input_items)
    streaming = fields.get("stream_options", {})
    return ChatRequest(
        body=decoded,
        messages=conversation.messages,
        origins=tuple(conversation.origins),
        latest=conversation.latest,
        requested_options=options,
        client_tools=tools.functions,
        echo=_echo(fields),
        stream=fields.get("stream", False),
        include_usage=streaming.get("include_usage", False),
        identity=_identity(fields, channel),
        decisions=conversation.decisions,
        answered=conversation.answered,
        without_effect=(
            *(("stream_options.include_obfuscation",) if streaming.get("include_obfuscation") else ()),
            *tools.without_effect,
            *unknown,
        ),
    )


def _identity(fields: Mapping[str, Any], channel: str) -> ChannelIdentity | None:
    # The caller's word about somebody, which proves nothing.
    named = fields.get("safety_identifier") or fields.get("user")
    return ChannelIdentity(channel, named) if named else None


def _echo(fields: Mapping[str, Any]) -> dict[str, Any]:
    echo: dict[str, Any] = {"model": fields.get("model")}
    if "metadata" in fields:
        echo["metadata"] = fields["metadata"]
    if "service_tier" in fields:
        # What was done, not what was wished for.
        echo["service_tier"] = "default"
    return echo
