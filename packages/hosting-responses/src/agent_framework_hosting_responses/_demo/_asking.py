"""Which functions the offline model asks for: what the user named, what a question needs, what is required."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ._calls import ToolCall, dump, read_calls
from ._example import example_arguments
from ._turn import CallTools, Reply, Say, Turn


@dataclass(frozen=True, slots=True)
class Question:
    """Words that a tool answers.

    Args:
        tool: The tool's name.
        words: What to look for; the named groups are arguments.
        rest: The argument that is everything behind the words.
    """

    tool: str
    words: re.Pattern[str]
    rest: str | None = None


_END: Final = r"(?=\s*(?:[?!,;\n]|\.\s|\.?$|\band\b))"
_PLACE: Final = r"[^\W\d][\w/+ -]{0,60}?"
_ARITHMETIC: Final = r"[-+\u2212.\d(][\d\s.+*/%()^\u00d7\u00f7\u2212e-]{0,200}?"

QUESTIONS: Final[Sequence[Question]] = (
    Question("count_words", re.compile(r"(?i)\b(?:how many words (?:are )?in|count the words (?:in|of))\b:?"), "text"),
    Question(
        "current_time",
        re.compile(
            r"(?i)\b(?:what time is it|what(?:'s| is) the (?:current )?time)\b(?: now)?"
            rf"(?: in (?P<timezone>{_PLACE}){_END})?"
        ),
    ),
    Question("calculate", re.compile(rf"(?i)\b(?:calculate|compute)\s(?P<expression>[^?!,;\n]{{1,200}}?){_END}")),
    Question("calculate", re.compile(rf"(?i)\b(?:what is|what's|how much is)\s(?P<expression>{_ARITHMETIC}){_END}")),
)


def wanted_calls(turn: Turn) -> tuple[ToolCall, ...]:
    """Return the calls that the user asks for, in so many words or by questions that tools answer.

    Raises:
        CallSyntaxError: The user asks for a call in words that cannot be read.
    """
    names = {tool.name for tool in turn.tools}
    explicit = read_calls(turn.text, known=names)
    if explicit:
        return explicit
    found = [
        (match.start(), ToolCall(question.tool, dump(_arguments(question, match, turn.text))))
        for question in QUESTIONS
        if question.tool in names and (match := question.words.search(turn.opening))
    ]
    return tuple(call for _, call in sorted(found, key=lambda entry: entry[0]))


def required_call(turn: Turn, pending: Sequence[ToolCall]) -> Reply:
    """Return the call that the request insists on: as the user asked for it, or else with made-up arguments."""
    name = turn.policy.required
    matching = tuple(call for call in pending if name in {None, call.name})
    if matching:
        return CallTools(matching if turn.policy.parallel else matching[:1])
    clients_first = sorted(turn.tools, key=lambda tool: not tool.declared_by_client)
    tool = next((tool for tool in clients_first if name in {None, tool.name}), None)
    if tool is None:
        return no_such_tool(name, turn)
    return CallTools((ToolCall(tool.name, dump(example_arguments(tool.schema, text=turn.text))),))


def no_such_tool(name: str | None, turn: Turn) -> Say:
    """Return what there is to say about a tool that is not there."""
    missing = f"There is no tool {name}" if name else "There is no tool"
    names = ", ".join(tool.name for tool in turn.tools) or "none"
    return Say(f"{missing} that I may call in this request. Those that I may call: {names}.")


def _arguments(question: Question, match: re.Match[str], text: str) -> dict[str, str]:
    """Return what the question's groups and its rest say; what was not said is left to the tool's default."""
    groups = {name: value.strip() for name, value in match.groupdict().items() if value}
    return groups if question.rest is None else groups | {question.rest: text[match.end() :].strip()}
