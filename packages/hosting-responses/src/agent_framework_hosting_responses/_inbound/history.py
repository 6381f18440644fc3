"""Input items become messages here, one turn of the assistant at a time.

Rule 1: calls that the assistant makes before the first of them is answered, or while one is still open, are one
        message; so a model sees parallel calls as parallel, and every result right behind its calls.
Rule 2: thoughts belong to the text or the call that follows them. Thoughts that led to nothing are left out: OpenAI
        refuses a history that has them.
Rule 3: an id of an item never becomes the id of a message.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from agent_framework import Content, Message

from agent_framework_hosting.parsing.contents import message_of
from agent_framework_hosting.parsing.refusals import wrong_value

COMPACTION: Final = "compaction"
"""The kind of items that stand for a compacted conversation."""

Role = Literal["user", "assistant", "system"]


class Decision(msgspec.Struct, frozen=True):
    """An answer to a request for approval, as the agent gets it, and its place."""

    content: Content
    at: str


class History(msgspec.Struct, eq=False):
    """Messages that grow item by item; `end` closes them.

    Args:
        messages: What was read so far.
        origins: For each message, the place of the item that began it (`input[3]`).
        declared_calls: The calls of function_call items, each with the place where it was last made.
        answered_calls: The calls that function_call_output items answer, each with the place of its last answer.
        open_calls: Calls that were made here and are not answered yet, with their places.
        decisions: The answers to requests for approval that were made in an earlier turn, by the request's id.
        unused: Places of items that carry nothing an agent can be given back.
    """

    messages: list[Message] = []
    origins: list[str] = []
    declared_calls: dict[str, str] = {}
    answered_calls: dict[str, str] = {}
    open_calls: dict[str, str] = {}
    decisions: dict[str, Decision] = {}
    unused: list[str] = []
    _requests: set[str] = set()
    _calls: Message | None = None
    _results: Message | None = None
    _thoughts: list[Content] = []
    _thoughts_at: list[str] = []

    def say(self, role: Role, contents: list[Content], at: str) -> None:
        """Add what somebody said; saying nothing adds nothing."""
        if not contents:
            return
        if role != "assistant":
            if self._thoughts_at:
                self._forget_thoughts()
        elif self._calls is not None and self.open_calls:
            self._calls.contents.extend(self._thought(contents))
            return
        else:
            contents = self._thought(contents)
        self._calls = self._results = None
        self._add(role, contents, at)

    def use(self, contents: list[Content], at: str) -> None:
        """Add what a tool of the provider's did; it stands for itself, and thoughts go on to what is said next.

        Clients of other providers leave it out, and would then send thoughts that lead to nothing.
        """
        if self._calls is not None and self.open_calls:
            self._calls.contents.extend(contents)
            return
        self._calls = self._results = None
        self._add("assistant", contents, at)

    def think(self, contents: list[Content], at: str) -> None:
        """Keep thoughts for what the assistant says or does next."""
        self._thoughts_at.append(at)
        self._thoughts.extend(contents)

    def call(self, content: Content, at: str) -> None:
        """Add a call that the caller has to answer; its content has a `call_id`."""
        call_id = str(content.call_id)
        if call_id in self.open_calls:
            raise wrong_value(f"{at}.call_id", "differ from the ids of calls that are not answered yet")
        if call_id in self.answered_calls and call_id not in self.declared_calls:
            raise wrong_value(f"{at}.call_id", "not be the id of a call that was answered before it is made")
        self._call(content, at)
        self.declared_calls[call_id] = self.open_calls[call_id] = at
        self.answered_calls.pop(call_id, None)

    def answer(self, content: Content, at: str) -> None:
        """Add the caller's answer to a call, made here or in an earlier turn."""
        call_id = str(content.call_id)
        if call_id in self.answered_calls:
            raise wrong_value(f"{at}.call_id", "be the id of a call that is not answered yet")
        self._result(content, at)
        self.open_calls.pop(call_id, None)
        self.answered_calls[call_id] = at

    def ran(self, call_id: str, name: str, arguments: str, result: str, at: str) -> None:
        """Add a call that the agent has run itself, with its result."""
        self._call(Content.from_function_call(call_id, name, arguments=arguments), at)
        self._result(Content.from_function_result(call_id, result=result), at)

    def request(self, request_id: str, at: str) -> None:
        """Pass over a request for approval: what came of it is told by the call's own item."""
        self._requests.add(request_id)
        self.unused.append(at)

    def decide(self, request_id: str, content: Content, at: str) -> None:
        """Add the answer to a request for approval.

        One whose request stands here, too, is history. It approves nothing: the caller may have written both.
        """
        if request_id in self.decisions:
            raise wrong_value(f"{at}.approval_request_id", "be the id of a request that is not answered yet")
        if request_id in self._requests:
            self.unused.append(at)
            return
        self.decisions[request_id] = Decision(content, at)
        self.say("user", [content], at)

    def end(self) -> None:
        """Leave out what was kept back and led to nothing."""
        if self._thoughts_at:
            self._forget_thoughts()

    def _call(self, content: Content, at: str) -> None:
        contents = self._thought([content])
        if self._calls is not None and (self._results is None or self.open_calls):
            self._calls.contents.extend(contents)
        else:
            self._calls, self._results = self._add("assistant", contents, at), None

    def _result(self, content: Content, at: str) -> None:
        self._forget_thoughts()
        if self._results is None:
            self._results = self._add("tool", [content], at)
        else:
            self._results.contents.append(content)

    def _thought(self, contents: list[Content]) -> list[Content]:
        """Return the contents with the thoughts that led to them in front."""
        thoughts, self._thoughts = self._thoughts, []
        self._thoughts_at.clear()
        return [*thoughts, *contents]

    def _forget_thoughts(self) -> None:
        self.unused += self._thoughts_at
        self._thoughts_at.clear()
        self._thoughts.clear()

    def _add(self, role: str, contents: list[Content], at: str) -> Message:
        message = message_of(role, contents)
        self.messages.append(message)
        self.origins.append(at)
        return message
