"""The messages of a request, read into Agent Framework's.

Rule 1: the calls of an assistant's message are answered by the messages that follow it, each once, and nothing else is
        an answer; results that stand together are one message to the agent.
Rule 2: requests for approval are this server's own, and no call that an agent knows of: they and their answers are left
        out, and what was decided since the assistant spoke last is kept apart.
Rule 3: members that say nothing to an agent are passed over: messages come back from many versions of many clients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from agent_framework import Content, Message

from agent_framework_hosting.errors import InvalidRequest, RequestTooLarge
from agent_framework_hosting.parsing.checks import array, is_list, is_object, json_object, required, required_id, text
from agent_framework_hosting.parsing.contents import refusal
from agent_framework_hosting.parsing.refusals import (
    missing,
    shown,
    unsupported_content,
    unsupported_parameter,
    wrong_type,
    wrong_value,
)

from .._approvals import TOOL, Decision, completion_of, read_decision
from .parts import read_content, read_text

_PARTS_PER_MESSAGE: Final = 4
"""Parts and calls that a request may have for each message that it may have."""


class Conversation:
    """Messages that grow one by one; `end` closes them.

    Attributes:
        messages: What was read so far.
        origins: For each message, its place (`messages[3]`).
        latest: The number of the first message behind the last one of the assistant's.
        decisions: The answers to requests for approval behind it, by the ids of the calls that stand for them.
        answered: The places of the results behind it, by the ids of the calls that they answer.
        unused: Places of what carries nothing that an agent can be given.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.origins: list[str] = []
        self.latest = 0
        self.decisions: dict[str, Decision] = {}
        self.answered: dict[str, str] = {}
        self.unused: list[str] = []
        self._open: dict[str, str] = {}
        self._asked: set[str] = set()
        self._has_calls = False

    def say(self, role: str, contents: list[Content], at: str, *, author: str | None = None) -> None:
        """Add what a user or an instruction says."""
        self._require_answers()
        self._has_calls = False
        if contents:
            self._add(Message(role, contents, author_name=author), at)

    def reply(self, contents: list[Content], calls: list[tuple[str, str, str]], at: str) -> None:
        """Add what the assistant said, and which tools it called: id, name and arguments of each."""
        self._require_answers()
        self.decisions.clear()
        self.answered.clear()
        self._asked.clear()
        for index, (call_id, name, arguments) in enumerate(calls):
            place = f"{at}.tool_calls[{index}]"
            if call_id in self._open:
                raise wrong_value(f"{place}.id", "differ from the ids of the other calls")
            self._open[call_id] = place
            if name == TOOL and completion_of(call_id) is not None:
                self._asked.add(call_id)
            else:
                contents.append(Content.from_function_call(call_id, name, arguments=arguments))
        self._has_calls = bool(calls)
        if contents:
            self._add(Message("assistant", contents), at)
        self.latest = len(self.messages)

    def answer(self, call_id: str, said: str, at: str) -> None:
        """Add the result of a call."""
        if call_id not in self._open:
            if not self._has_calls:
                raise InvalidRequest(
                    "A message with the role 'tool' must follow one of the assistant's with 'tool_calls'.",
                    param=at,
                    code="invalid_value",
                )
            raise wrong_value(f"{at}.tool_call_id", "be the id of a call that is not answered yet")
        del self._open[call_id]
        if call_id in self._asked:
            self.decisions[call_id] = read_decision(said, at)
            return
        self.answered[call_id] = at
        result = Content.from_function_result(call_id, result=said)
        if self.messages and self.messages[-1].role == "tool":
            self.messages[-1].contents.append(result)
        else:
            self._add(Message("tool", [result]), at)

    def end(self) -> None:
        """Refuse calls that stay without an answer."""
        self._require_answers()

    def _require_answers(self) -> None:
        for call_id, at in self._open.items():
            raise InvalidRequest(
                f"No tool output found for tool call '{shown(call_id)}': a message with the role 'tool' and this"
                " 'tool_call_id' must follow.",
                param=at,
                code="invalid_value",
            )

    def _add(self, message: Message, at: str) -> None:
        self.messages.append(message)
        self.origins.append(at)


def read_messages(value: Any, *, max_items: int | None = None) -> Conversation:
    """Return what the `messages` field says.

    Raises:
        InvalidRequest: A message is malformed, or of a kind that is not read; `param` says which.
        RequestTooLarge: There are more than `max_items` messages, or many times as many parts.
    """
    if value is None:
        raise missing("messages")
    if not is_list(value):
        raise wrong_type(value, "messages", "an array")
    if not value:
        raise wrong_value("messages", "hold at least one message")
    if max_items is not None:
        _refuse_too_many(value, max_items)
    conversation = Conversation()
    for index, message in enumerate(value):
        at = f"messages[{index}]"
        reader = _READERS.get(required(json_object(message, at), "role", at))
        if reader is None:
            raise wrong_value(f"{at}.role", "be 'user', 'assistant', 'tool', 'developer' or 'system'")
        reader(conversation, message, at)
    conversation.end()
    return conversation


def _refuse_too_many(messages: list[Any], limit: int) -> None:
    if len(messages) > limit:
        raise RequestTooLarge(
            f"'messages' has {len(messages)} messages; this server takes {limit}. Leave the oldest ones out.",
            param="messages",
        )
    parts = sum(len(part) for item in messages if is_object(item) for part in item.values() if is_list(part))
    if parts > limit * _PARTS_PER_MESSAGE:
        raise RequestTooLarge(
            f"The messages have {parts} parts; this server takes {limit * _PARTS_PER_MESSAGE}.", param="messages"
        )


def _instructing(conversation: Conversation, message: dict[str, Any], at: str) -> None:
    # One rank to Agent Framework, whose clients know no developers.
    conversation.say("system", _said(message, "system", at), at)


def _user(conversation: Conversation, message: dict[str, Any], at: str) -> None:
    author = None if message.get("name") is None else text(message["name"], f"{at}.name") or None
    conversation.say("user", _said(message, "user", at), at, author=author)


def _assistant(conversation: Conversation, message: dict[str, Any], at: str) -> None:
    if message.get("function_call") is not None:
        raise unsupported_parameter(f"{at}.function_call", "It has been replaced by 'tool_calls'.")
    if message.get("audio") is not None:
        raise unsupported_content(f"{at}.audio", "audio")
    contents: list[Content] = []
    if message.get("content") is not None:
        contents += read_content(message["content"], "assistant", f"{at}.content")
    if message.get("refusal") is not None and (refused := text(message["refusal"], f"{at}.refusal")):
        contents.append(refusal(refused))
    calls = [] if message.get("tool_calls") is None else array(message["tool_calls"], f"{at}.tool_calls")
    if not calls and all(message.get(key) is None for key in ("content", "refusal")):
        raise missing(f"{at}.content", "Send 'content', 'refusal' or 'tool_calls'.")
    conversation.reply(contents, [_call(call, f"{at}.tool_calls[{index}]") for index, call in enumerate(calls)], at)


def _call(call: Any, at: str) -> tuple[str, str, str]:
    call_id = required_id(json_object(call, at), "id", at)
    # Some clients leave the type out, of which there was one for years.
    if text(call.get("type") or "function", f"{at}.type") != "function":
        raise unsupported_content(at, shown(call["type"]))
    if call.get("function") is None:
        raise missing(f"{at}.function")
    function = json_object(call["function"], f"{at}.function")
    return call_id, required_id(function, "name", f"{at}.function"), required(function, "arguments", f"{at}.function")


def _tool(conversation: Conversation, message: dict[str, Any], at: str) -> None:
    call_id = required_id(message, "tool_call_id", at)
    conversation.answer(call_id, read_text(message.get("content"), f"{at}.content"), at)


def _function(_conversation: Conversation, _message: dict[str, Any], at: str) -> None:
    raise unsupported_parameter(
        f"{at}.role", "Messages of functions have been replaced by messages of the role 'tool'."
    )


def _said(message: dict[str, Any], role: str, at: str) -> list[Content]:
    if message.get("content") is None:
        raise missing(f"{at}.content")
    return read_content(message["content"], role, f"{at}.content")


_Reader: TypeAlias = Callable[[Conversation, dict[str, Any], str], None]

_READERS: Final[dict[str, _Reader]] = {
    "assistant": _assistant,
    "developer": _instructing,
    "function": _function,
    "system": _instructing,
    "tool": _tool,
    "user": _user,
}
