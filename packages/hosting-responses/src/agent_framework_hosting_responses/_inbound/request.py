"""A create request of the Responses protocol: from bytes to one value, without I/O.

Nothing of the caller's is guessed at: what is malformed, unknown or not offered is refused with the place and the
mend. What the agent gets of the rest is decided in `policy`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from agent_framework import FunctionTool, Message

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.parsing.body import decode
from agent_framework_hosting.parsing.refusals import missing, shown, wrong_value
from agent_framework_hosting.types import ChannelIdentity, ChannelSession

from .client_tools import NO_TOOLS, ClientTools, ToolChoice
from .echo import UNSAID, echo
from .fields import OPTION_NAMES, check_fields
from .history import Decision, History
from .input import Referenced, read_input

_NO_OPTION = ("access_programs", "background_options", "image")
"""Fields that say what only OpenAI's own service can do."""
_UNSERVED: Final = frozenset({*_NO_OPTION, "stream_options"})
_EXCLUSIVE: Final = frozenset({"background", "conversation"})
"""Fields that do not go together with every other one."""
_IDENTIFYING: Final = ("safety_identifier", "user")
_NAMES: Final = frozenset(_IDENTIFYING)
_NOTHING: Final[frozenset[str]] = frozenset()


class ResponsesRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One create request, checked and in Agent Framework's words.

    Args:
        body: The decoded body.
        messages: The input. System and developer items are messages of the role `system`.
        origins: For each message, the place of the item that began it (`input[3]`; `input` when that is a string).
        requested_options: All that was asked for and has a name among Agent Framework's options, `tools` included.
        client_tools: The caller's functions and custom tools, as declarations of functions.
        custom_tools: The names of the custom ones among them.
        forbidden_tools: The names of those that the tool choice leaves out.
        echo: What the response object repeats of the request, as it shows it.
        stream: Whether events are wanted.
        store: Whether the response can be read and continued later.
        background: Whether it is accepted, and done without anybody who waits.
        previous_response_id: The response to continue.
        conversation: The conversation to continue.
        identity: How the caller names its user.
        declared_calls: The calls of function_call items, with their places.
        answered_calls: The calls that function_call_output items answer, with their places. One that is not among
            the `declared_calls` has to be open in what is continued.
        decisions: The answers to requests for approval, by the request's id. Each has to be waiting for an answer in
            what is continued; `decisions.settle` finds out.
        without_effect: Places of what was accepted although nothing comes of it, options aside.
    """

    body: Mapping[str, Any]
    messages: list[Message]
    origins: tuple[str, ...]
    requested_options: dict[str, Any]
    client_tools: list[FunctionTool]
    custom_tools: frozenset[str]
    forbidden_tools: frozenset[str]
    echo: dict[str, Any]
    stream: bool
    store: bool
    background: bool
    previous_response_id: str | None
    conversation: str | None
    identity: ChannelIdentity | None
    declared_calls: dict[str, str]
    answered_calls: dict[str, str]
    decisions: dict[str, Decision]
    without_effect: tuple[str, ...]


def parse(
    body: bytes | Mapping[str, Any],
    *,
    limits: Limits | None = None,
    channel: str = "responses",
    referenced: Referenced | None = None,
) -> ResponsesRequest:
    """Return the create request that a body holds.

    Args:
        body: The bytes of the request, or what was decoded from them.
        limits: The host's bounds for JSON depth and input items.
        channel: The channel's name, for the identity.
        referenced: The items to which references may lead.

    Raises:
        InvalidRequest: The body is malformed, or asks for what is not offered; `param` says where.
        RequestTooLarge: The input has too many items or parts.
    """
    limits = limits or Limits()
    return read_request(
        decode(body, max_depth=limits.max_json_depth), limits=limits, channel=channel, referenced=referenced
    )


def read_request(
    body: dict[str, Any], *, limits: Limits, channel: str, referenced: Referenced | None = None
) -> ResponsesRequest:
    """Return the create request that a decoded body holds; see `parse`."""
    parts = _read(body, limits, referenced)
    fields, history = parts.fields, parts.history
    # What nothing was sent for need not be looked for: most requests say what their response does not repeat.
    is_plain = UNSAID.issuperset(fields)
    if not is_plain and not _EXCLUSIVE.isdisjoint(fields):
        _refuse_unserved(fields)
    for call_id, at in history.open_calls.items():
        raise InvalidRequest(
            f"No tool output found for function call '{shown(call_id)}': a 'function_call_output' item with its"
            " 'call_id' must follow.",
            param=at,
            code="invalid_value",
        )
    return ResponsesRequest(
        body=parts.body,
        messages=history.messages,
        origins=tuple(history.origins),
        requested_options=_options(parts),
        client_tools=parts.tools.functions,
        custom_tools=parts.tools.custom,
        forbidden_tools=parts.choice.forbidden(parts.tools.kinds) if parts.choice else _NOTHING,
        echo={} if is_plain else echo(fields, parts.tools, parts.choice),
        stream=fields.get("stream", False),
        store=fields.get("store", True),
        background=fields.get("background", False),
        previous_response_id=fields.get("previous_response_id"),
        conversation=fields.get("conversation"),
        identity=None if is_plain or _NAMES.isdisjoint(fields) else parse_responses_identity(fields, channel),
        declared_calls=history.declared_calls,
        answered_calls=history.answered_calls,
        decisions=history.decisions,
        without_effect=() if is_plain and not history.unused else _without_effect(parts),
    )


def messages_from_responses_input(input: Any) -> list[Message]:
    """Return the messages of an `input` field: a string or a list of items.

    Example:
        >>> [message.role for message in messages_from_responses_input([{"role": "user", "content": "Hello"}])]
        ['user']

    Raises:
        InvalidRequest: An item is malformed, or of a kind that is not read; `param` says which.
    """
    body = decode({"input": input}, max_depth=Limits().max_json_depth + 1)
    return read_input(body["input"]).messages


def parse_responses_request(
    body: bytes | Mapping[str, Any],
) -> tuple[list[Message], dict[str, Any], ChannelSession | None]:
    """Return messages, options and session of a create request, for a route that does without the channel.

    The options are all that the caller asked for, in Agent Framework's names: instructions, model and declarations of
    the caller's tools among them. Pass on what you would let a stranger decide. The session's key is what the caller
    wrote (`previous_response_id`, else the conversation): a candidate, that you resolve to an id which you gave out.

    Raises:
        RequestError: As `parse` does.
    """
    limits = Limits()
    parts = _read(decode(body, max_depth=limits.max_json_depth), limits, None)
    key = parts.fields.get("previous_response_id") or parts.fields.get("conversation")
    return parts.history.messages, _options(parts), None if key is None else ChannelSession(isolation_key=key)


def parse_responses_identity(body: Mapping[str, Any], channel: str) -> ChannelIdentity | None:
    """Return how a request names its user: `safety_identifier`, else `user`.

    It is the caller's word about somebody, and proves nothing.

    Example:
        >>> parse_responses_identity({"user": "ada"}, "responses").native_id
        'ada'
    """
    for key in _IDENTIFYING:
        value = body.get(key)
        if isinstance(value, str) and value:
            return ChannelIdentity(channel, value)
    return None


class _Parts(msgspec.Struct, frozen=True):
    body: dict[str, Any]
    fields: dict[str, Any]
    history: History
    tools: ClientTools
    choice: ToolChoice | None


def _tools(fields: Mapping[str, Any]) -> tuple[ClientTools, ToolChoice | None]:
    from .tools import read_tool_choice, read_tools

    tools = read_tools(fields["tools"]) if "tools" in fields else NO_TOOLS
    return tools, read_tool_choice(fields["tool_choice"], tools.kinds) if "tool_choice" in fields else None


def _read(body: dict[str, Any], limits: Limits, referenced: Referenced | None) -> _Parts:
    fields = check_fields(body)
    tools, choice = _tools(fields) if "tools" in fields or "tool_choice" in fields else (NO_TOOLS, None)
    history = read_input(fields.get("input"), limits=limits, referenced=referenced)
    if not (history.messages or "previous_response_id" in fields or "conversation" in fields):
        if fields.get("input"):
            raise wrong_value("input", "hold something that the agent can read")
        raise missing("input", "Send a string or items, or continue with 'previous_response_id'.")
    return _Parts(body, fields, history, tools, choice)


def _refuse_unserved(fields: Mapping[str, Any]) -> None:
    if "conversation" in fields and "previous_response_id" in fields:
        raise InvalidRequest(
            "'conversation' and 'previous_response_id' are mutually exclusive: send one of them.",
            param="conversation",
            code="mutually_exclusive_parameters",
        )
    if fields.get("background") and not fields.get("store", True):
        raise InvalidRequest(
            "A response in the background has to be stored, or nobody could read it: leave 'store' out.",
            param="store",
            code="invalid_value",
        )


def _options(parts: _Parts) -> dict[str, Any]:
    """Return everything asked for that is an option of Agent Framework's."""
    fields = parts.fields
    options: dict[str, Any] = {}
    for key, value in fields.items():
        if key in OPTION_NAMES:
            options[OPTION_NAMES[key]] = value
    if parts.tools.functions:
        options["tools"] = list(parts.tools.functions)
    if parts.choice is not None:
        options["tool_choice"] = parts.choice.option
    if "text" in fields:
        text = fields["text"]
        if "format" in text:
            options["response_format"] = _response_format(text["format"])
        if "verbosity" in text:
            options["verbosity"] = text["verbosity"]
    return options


def _response_format(wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the mapping that Agent Framework's clients take, for Chat Completions as for Responses."""
    if wanted["type"] != "json_schema":
        return {"type": wanted["type"]}
    schema = {key: value for key, value in wanted.items() if key != "type"}
    return {"type": "json_schema", "json_schema": schema}


def _without_effect(parts: _Parts) -> tuple[str, ...]:
    fields = parts.fields
    unserved: list[str] = []
    if not _UNSERVED.isdisjoint(fields):
        unserved += [key for key in _NO_OPTION if fields.get(key)]
        if fields.get("stream_options", {}).get("include_obfuscation", False):
            unserved.append("stream_options.include_obfuscation")
    unserved += parts.tools.without_effect
    unserved += parts.history.unused
    return tuple(unserved)
