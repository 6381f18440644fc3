"""The accumulator: what an agent's updates make of a completion, and what has to be sent of it.

Rules of this file:
1. What tools did that the agent or its provider ran is not shown.
2. A content that cannot be shown is skipped, with one warning for all of its kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from agent_framework_hosting.logs import logger
from agent_framework_hosting.rendering.accumulator import Accumulator, kind_of
from agent_framework_hosting.rendering.pieces import call_chunk, is_refusal, replaces
from agent_framework_hosting.rendering.reading import mapping_of, text_of
from agent_framework_hosting.workflows import REQUEST_INFO

from .._approvals import Asked
from .annotations import annotations_of
from .calls import Calls
from .links import pictures, spoken
from .requests import as_call, as_text, asked_of, question_of
from .showing import Showing
from .texts import Text

_HIDDEN: Final = frozenset(
    {
        "code_interpreter_tool_call",
        "code_interpreter_tool_result",
        "computer_tool_result",
        "function_result",
        "image_generation_tool_call",
        "mcp_server_tool_call",
        "mcp_server_tool_result",
        "search_tool_call",
        "search_tool_result",
        "shell_command_output",
        "shell_tool_call",
        "shell_tool_result",
    }
)
"""What tools did."""


class Answer(Accumulator):
    """Takes updates, or a whole response; `take` gives what has to be sent, as the members of a chunk's delta."""

    OF_TOOLS = _HIDDEN | {
        "error",
        "function_approval_request",
        "image_generation_tool_result",
        "oauth_consent_request",
    }

    def __init__(self, showing: Showing) -> None:
        super().__init__()
        self.deltas: list[dict[str, Any]] = []
        self.text = Text("content", self.deltas)
        self.refusal = Text("refusal", self.deltas)
        self.reasoning = Text("reasoning_content", self.deltas)
        self.calls = Calls(self.deltas, client_tools=showing.client_tools)
        self.annotations: list[dict[str, Any]] = []
        self.asked: list[Asked] = []
        self.error: str | None = None
        self._showing = showing
        self._requests: set[str] = set()
        self._said: set[tuple[int, str]] = set()
        self._skipped: set[str] = set()

    def take(self) -> list[dict[str, Any]]:
        """Return what has to be sent since the last time."""
        deltas = list(self.deltas)
        self.deltas.clear()
        return deltas

    def finish(self) -> None:
        """Add what was left open."""
        self.release()
        self.calls.finish()
        if self.calls.contradicted and self.error is None:
            self.error = "The model changed the arguments of a tool call that had been sent already."

    def begin_message(self) -> None:
        """See `Accumulator`."""
        for text in (self.text, self.refusal, self.reasoning):
            text.restart()

    def take_content(self, content: Any, kind: str) -> None:
        """See `Accumulator`."""
        match kind:
            case "text" | "text_reasoning":
                self._take_text(content)
            case "function_call":
                self._take_call(content)
            case "function_approval_request":
                self._take_request(content)
            case "image_generation_tool_result":
                self._take_pictures(content)
            case "error":
                self._take_error(content)
            case _:
                if kind not in _HIDDEN:
                    self._speak(kind, spoken(content))

    def _take_text(self, content: Any) -> None:
        text = self._kind_of(content)
        if text is None:
            return
        said = text_of(content, "text")
        if replaces(content):
            text.replace(said)
        else:
            text.say(said)
        if text is self.text:
            self._annotate(content)

    def _kind_of(self, content: Any) -> Text | None:
        if content.type == "text_reasoning":
            return self.reasoning if self._showing.show_reasoning else None
        marks = mapping_of(getattr(content, "additional_properties", None))
        return self.refusal if is_refusal(marks) else self.text

    def _annotate(self, content: Any) -> None:
        offset = 0 if self.text.is_fresh else self.text.begun
        for annotation in annotations_of(content, offset=offset):
            if annotation not in self.annotations:
                self.annotations.append(annotation)

    def _take_call(self, content: Any) -> None:
        chunk = call_chunk(content)
        if chunk.name == REQUEST_INFO and chunk.is_for_client and not self._showing.requests_as_calls:
            self._ask(chunk.key, question_of(chunk.arguments))
        else:
            self.calls.take(chunk, message=self.message)

    def _take_request(self, content: Any) -> None:
        request_id = text_of(content, "id")
        if not self._showing.requests_as_calls:
            self._ask(request_id, as_text(content))
        elif request_id not in self._requests:
            self._requests.add(request_id)
            asked = asked_of(content, completion_id=self._showing.completion_id, index=len(self.asked))
            self.asked.append(asked)
            self.calls.add(*as_call(asked))

    def _ask(self, request_id: str, question: str) -> None:
        if request_id not in self._requests:
            self._requests.add(request_id)
            self._say_apart(question)

    def _take_pictures(self, content: Any) -> None:
        for said in pictures(content):
            self._say_apart(said)

    def _take_error(self, content: Any) -> None:
        if self.error is None:
            self.error = text_of(content, "message") or "The agent reported an error."

    def _speak(self, kind: str, said: str) -> None:
        if not said:
            self._skip(kind)
        elif not (self.is_restating and (self.message, said) in self._said):
            self._said.add((self.message, said))
            self._say_apart(said)

    def _say_apart(self, said: str) -> None:
        self.text.restart()
        self.text.say(said)
        self.text.restart()

    def restate(self, contents: Sequence[Any]) -> None:
        """See `Accumulator`."""
        said: dict[str, list[Any]] = {}
        for content in contents:
            kind = kind_of(content)
            if kind in ("text", "text_reasoning") and (text := self._kind_of(content)) is not None:
                said.setdefault(text.kind, []).append(content)
            elif kind == "function_call":
                self.calls.take(call_chunk(content), message=self.message, restated=True)
            elif kind not in ("text", "text_reasoning"):
                self.add(content)
        for text in (self.text, self.refusal, self.reasoning):
            if parts := said.get(text.kind):
                text.settled = 0
                text.replace("".join(text_of(part, "text") for part in parts))
                if text is self.text:
                    for part in parts:
                        self._annotate(part)

    def _skip(self, kind: str) -> None:
        if kind not in self._skipped:
            self._skipped.add(kind)
            logger.warning("The Chat Completions channel cannot show a content of kind %r; such are left out.", kind)
