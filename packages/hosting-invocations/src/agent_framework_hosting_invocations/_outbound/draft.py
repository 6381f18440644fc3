"""An answer while it grows: what an agent's updates, or its whole response, add to the messages and questions.

Rule 1: messages begin where Agent Framework begins them, and one of which nothing is shown is left out.
Rule 2: tools that the agent runs itself, and thoughts, are not shown.
Rule 3: what was said stays said: text that takes back what was shown becomes a part of its own.
Rule 4: text is clean before it is kept, so that what is sent, folded and stored is one and the same.
Rule 5: a message keeps the author whom it began with; only a whole response knows one who is named later.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from agent_framework import AgentResponseUpdate, Content

from agent_framework_hosting.rendering.halves import Halves
from agent_framework_hosting.rendering.pieces import missing
from agent_framework_hosting.rendering.pieces import replaces as is_replacement
from agent_framework_hosting.rendering.reading import mapping_of, text_in, text_of
from agent_framework_hosting.rendering.text import clean
from agent_framework_hosting.rendering.usage import UsageTally

from .._waiting import Waiting
from ..vocabulary import Failure, File, OutputMessage, Part, Question, Text, Usage, Value
from .questions import Calls, asked_by_agent, asked_by_workflow, is_workflows
from .values import is_event, is_said_by_update, value_of

_FILES: Final = ("data", "uri")


class Listener(Protocol):
    """Is told of everything that is added."""

    def message_begun(self, index: int, message: OutputMessage) -> None: ...

    def text_added(self, index: int, part: int, text: str) -> None: ...

    def part_added(self, index: int, part: int, content: Part) -> None: ...


class Silence:
    """Listens to nothing, for answers that are not streamed."""

    def message_begun(self, index: int, message: OutputMessage) -> None: ...

    def text_added(self, index: int, part: int, text: str) -> None: ...

    def part_added(self, index: int, part: int, content: Part) -> None: ...


@dataclass(slots=True)
class _Flow:
    """The text part that is open: its chunks, and how much of it a replacement has settled."""

    part: Text
    index: int
    chunks: list[str] = field(default_factory=list[str])
    settled: int = 0

    @property
    def said(self) -> str:
        return "".join(self.chunks)


class Draft:
    """What there is of an answer.

    Args:
        listener: Told of everything that is added.
        client_tools: Names of tools that the agent leaves to its caller.
    """

    def __init__(self, listener: Listener, *, client_tools: Collection[str] = ()) -> None:
        self.usage = UsageTally()
        self.finish_reason = ""
        self.failure: Failure | None = None
        self._listener = listener
        self._messages: list[OutputMessage] = []
        self._is_open = False
        self._flow: _Flow | None = None
        self._role: str = "assistant"
        self._author: str = ""
        self._message_id: str = ""
        self._questions: dict[str, Question] = {}
        self._waiting: list[Waiting] = []
        self._calls = Calls(client_tools)
        self._halves = Halves()

    def take(self, update: Any) -> None:
        """Add what an update says."""
        self._turn_to(text_of(update, "role"), text_of(update, "author_name"), text_of(update, "message_id"))
        self._read(update)

    def take_message(self, message: Any) -> None:
        """Add a message of a whole response, which is one of its own whatever id and author the last one had."""
        self._begin(text_of(message, "role"), text_of(message, "author_name"), text_of(message, "message_id"))
        self._read(message)

    def take_more(self, update: Any) -> tuple[int, int, str] | None:
        """Add an update that says more text of the open part and nothing else: return the place and the text.

        This runs once per chunk, so it looks at attributes only; whatever is unusual is left to `take`.
        """
        flow = self._flow
        if flow is None or type(update) is not AgentResponseUpdate or update.merge_mode == "replace":
            return None
        role, author, message_id, contents = update.role, update.author_name, update.message_id, update.contents
        if (
            (role is not None and role != self._role)
            or (author is not None and author != self._author)
            or (message_id is not None and message_id != self._message_id)
            or update.finish_reason is not None
            or self._halves.held is not None
            or type(contents) is not list
            or len(contents) != 1
            or not is_said_by_update(update.raw_representation)
        ):
            return None
        content = contents[0]
        if type(content) is not Content or content.type != "text" or content.merge_mode == "replace":
            return None
        text = content.text
        if type(text) is not str or not text or not (text.isascii() or clean(text) is text):
            return None
        flow.chunks.append(text)
        return len(self._messages) - 1, flow.index, text

    def take_rest(self, response: Any) -> None:
        """Add what only a whole response tells."""
        self.release()
        if self.usage.counts is None:
            self.usage.add(getattr(response, "usage_details", None))
        self.finish_reason = self.finish_reason or text_of(response, "finish_reason")

    def release(self) -> None:
        """Add the half of a character that was held back, if there is one: nothing follows it any more."""
        for content in self._halves.released():
            self._take(content, None, replaces=False)

    @property
    def questions(self) -> list[Question]:
        """What is asked."""
        return [*self._questions.values(), *self._calls.questions()]

    @property
    def waiting(self) -> list[Waiting]:
        """What an answer to it will need."""
        return [*self._waiting, *self._calls.waiting()]

    def messages(self) -> list[OutputMessage]:
        """Return the messages as they are now."""
        self._settle()
        return self._messages

    def tokens(self) -> Usage | None:
        """Return what the answer has cost."""
        counts = self.usage.counts
        return None if counts is None else Usage(counts.read, counts.written, counts.total)

    def _turn_to(self, role: str, author: str, message_id: str) -> None:
        """Begin another message where Agent Framework does."""
        if (
            (role and role != self._role)
            or (author and self._author and author != self._author)
            or (message_id and self._message_id and message_id != self._message_id)
        ):
            self._begin(role, author, message_id)
            return
        self._author = self._author or author
        self._message_id = self._message_id or message_id

    def _begin(self, role: str, author: str, message_id: str) -> None:
        self.release()
        self._settle()
        self._is_open, self._flow = False, None
        self._role, self._author, self._message_id = role or "assistant", author, message_id

    def _read(self, update: Any) -> None:
        self.finish_reason = text_of(update, "finish_reason") or self.finish_reason
        event: Any = getattr(update, "raw_representation", None)
        asked = event if is_event(event, "request_info") else None
        if is_replacement(update):
            # What it stands for has the half in it, too.
            self._halves.held = None
        contents = self._halves.contents_of(update)
        given = value_of(event, contents)
        if given is not None:
            self._add(given)
            return
        for content in contents:
            self._take(content, asked, replaces=is_replacement(update) or is_replacement(content))

    def _take(self, content: Any, event: Any, *, replaces: bool) -> None:
        kind = getattr(content, "type", None)
        if kind == "text":
            if self._role != "tool":
                self._say(text_of(content, "text"), replaces=replaces)
        elif kind in _FILES:
            self._show(content)
        elif kind == "usage":
            self.usage.add(getattr(content, "usage_details", None), replaces=replaces)
        elif kind == "function_approval_request":
            self._ask(content, event)
        elif kind == "function_call":
            if event is not None or is_workflows(content):
                self._add_question(asked_by_workflow(content, event))
            else:
                self._calls.take(content)
        elif kind == "function_result":
            self._calls.answered(text_of(content, "call_id"))
        elif kind == "error":
            self.failure = self.failure or Failure("agent_error", "The agent reported an error.")

    def _ask(self, content: Any, event: Any) -> None:
        if event is not None:
            self._add_question(asked_by_workflow(content, event))
            return
        asked, waiting = asked_by_agent(content)
        if not any(waiting.core_id == known.core_id for known in self._waiting):
            self._add_question(asked)
            self._waiting.append(waiting)

    def _add_question(self, asked: Question) -> None:
        self._questions.setdefault(asked.request_id, asked)

    def _say(self, text: str, *, replaces: bool) -> None:
        flow = self._flow
        if replaces and flow is not None:
            said = flow.said
            added = missing(said, flow.settled, text)
            if added is None:
                self._settle()
                self._flow, added = None, text
            text = added
        if text:
            self._append(text)
        if replaces and self._flow is not None:
            self._flow.settled = len(self._flow.said)

    def _append(self, text: str) -> None:
        message = self._message()
        if self._flow is None:
            self._flow = _Flow(Text(""), len(message.content))
            message.content.append(self._flow.part)
        self._flow.chunks.append(text)
        self._listener.text_added(len(self._messages) - 1, self._flow.index, text)

    def _show(self, content: Any) -> None:
        uri = text_of(content, "uri")
        if uri:
            marks = mapping_of(getattr(content, "additional_properties", None))
            name = text_of(content, "name") or text_in(marks, "name")
            self._add(File(url=uri, media_type=text_of(content, "media_type") or None, name=name or None))

    def _add(self, part: Value | File) -> None:
        self._settle()
        self._flow = None
        message = self._message()
        message.content.append(part)
        self._listener.part_added(len(self._messages) - 1, len(message.content) - 1, part)

    def _message(self) -> OutputMessage:
        if not self._is_open:
            self._is_open, self._flow = True, None
            message = OutputMessage(self._role, [], self._author or None)
            self._messages.append(message)
            self._listener.message_begun(len(self._messages) - 1, message)
        return self._messages[-1]

    def _settle(self) -> None:
        if self._flow is not None:
            self._flow.part.text = self._flow.said
