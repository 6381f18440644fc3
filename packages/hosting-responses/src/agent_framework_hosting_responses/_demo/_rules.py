"""How the offline model answers: pure functions of a turn, tried in the order of a table; the first answer wins.

There is no intelligence here, and the answers say so. Tools are asked for, never run: that is the work of Agent
Framework's own tool loop, or of the client that declared them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Final

from ._asking import no_such_tool, required_call, wanted_calls
from ._attachments import listed
from ._calls import CallSyntaxError, ToolCall, dump
from ._conversation import ToolResult
from ._example import example_object
from ._turn import READ, CallTools, Reply, Say, Turn

HELP: Final = """\
I am an offline demo model: a few fixed rules inside this process, no AI and no network. \
With OPENAI_API_KEY set, a real model answers here instead. Try:
- "What time is it in Tokyo?", "What is 6 * 7?", "How many words are in: to be or not to be" \
(three real tools, run through Agent Framework's tool loop)
- "My name is Ada", then "What is my name?", "What did I say first?", "What did I say before?" \
(I remember this conversation)
- call get_weather {"city": "Paris"} (a function that you declare; join several calls with "and")
- "say hello", "count to 20" (text to order)
- an image or a file (I name it, and cannot look inside), or a JSON schema for the answer (I fill it in)"""

_QUOTED: Final = 300
_HIGHEST_COUNT: Final = 1000

_NAME: Final = r"(?P<name>[^\W\d_][\w'-]{0,40}(?:\s[A-Z][\w'-]{0,40}){0,2})"
_INTRODUCTION: Final = re.compile(rf"\b(?:(?i:my name is)\s|(?i:call me|i am called)\s(?![a-z])){_NAME}")
_SAY: Final = re.compile(r"(?i)(?:please )?(?:say|repeat|echo)\b(?: after me)?:?\s*(?=\S)")
_COUNT: Final = re.compile(r"(?i)(?:please )?count to (?P<count>\d{1,6})\b")
_ASKS_NAME: Final = re.compile(r"(?i)\b(?:what(?:'s| is) my name|who am i|do you (?:know|remember) my name)\b")
_ASKS_FIRST: Final = re.compile(r"(?i)\bwhat did i (?:say|ask|tell you) (?:at )?(?:first|the beginning)\b")
_ASKS_PREVIOUS: Final = re.compile(r"(?i)\bwhat did i (?:just )?(?:say|ask|tell you)\b")
_ASKS_COUNT: Final = re.compile(r"(?i)\bhow many (?:messages|turns)\b")
_ASKS_HELP: Final = re.compile(
    r"(?i)^(?:hi|hello|hey|help)\b|\b(?:who|what) are you\b|\bwhat can you do\b|\bare you (?:a|an|real)\b"
)


def decide(turn: Turn) -> Reply:
    """Return what the offline model does next; what it says has the form that the turn asks for."""
    reply = _decide(turn)
    if turn.schema is None or isinstance(reply, CallTools) or _is_json_object(reply.text):
        return reply
    return Say(dump(example_object(turn.schema, text=reply.text)))


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _decide(turn: Turn) -> Reply:
    try:
        # What is to be repeated is not to be obeyed.
        wanted = () if _SAY.match(turn.opening) else wanted_calls(turn)
    except CallSyntaxError as error:
        return Say(str(error))
    names = {tool.name for tool in turn.tools}
    unknown = next((call.name for call in wanted if call.name not in names), None)
    if unknown is not None:
        return no_such_tool(unknown, turn)
    pending = wanted[turn.conversation.called :]
    match turn.policy.mode:
        case "required":
            return required_call(turn, pending)
        case "auto" if pending:
            return CallTools(pending if turn.policy.parallel else pending[:1])
        case _:
            return Say(_words(turn, pending))


def _words(turn: Turn, pending: Sequence[ToolCall]) -> str:
    """Return the answer in words: what the tools said, or else what the rules for talk say."""
    if turn.conversation.results:
        return _report(turn.conversation.results)
    if pending:
        return f"I would call {pending[0].name}, but this request forbids tools (tool_choice is none)."
    return _talk(turn)


def _talk(turn: Turn) -> str:
    """Return the first rule's answer, behind what late tool results have to say."""
    answer = next((text for rule in TALK if (text := rule(turn)) is not None), None) or _echo(turn)
    late = turn.conversation.late_results
    return f"{_report(late)}\n{answer}" if late else answer


def _report(results: Sequence[ToolResult]) -> str:
    return "\n".join(f"{result.name or 'The tool'} answered: {result.text}" for result in results)


def _say_to_order(turn: Turn) -> str | None:
    match = _SAY.match(turn.opening)
    return turn.text[match.end() :] if match else None


def _count_to_order(turn: Turn) -> str | None:
    match = _COUNT.match(turn.opening)
    if match is None:
        return None
    highest = int(match["count"])
    if not 0 < highest <= _HIGHEST_COUNT:
        return f"I count to anything from 1 to {_HIGHEST_COUNT}."
    return " ".join(str(number) for number in range(1, highest + 1))


def _recall_name(turn: Turn) -> str | None:
    if not _ASKS_NAME.search(turn.opening):
        return None
    name = _known_name(turn.conversation.said)
    return f"Your name is {name}." if name else "You have not told me your name yet."


def _recall_first(turn: Turn) -> str | None:
    if not _ASKS_FIRST.search(turn.opening):
        return None
    earlier = turn.conversation.earlier
    return f"First you said: {_quote(earlier[0])}" if earlier else "This is the first thing that you said to me."


def _recall_previous(turn: Turn) -> str | None:
    if not _ASKS_PREVIOUS.search(turn.opening):
        return None
    earlier = turn.conversation.earlier
    return f"Before this you said: {_quote(earlier[-1])}" if earlier else "You said nothing before this."


def _count_turns(turn: Turn) -> str | None:
    if not _ASKS_COUNT.search(turn.opening):
        return None
    count = len(turn.conversation.said)
    return f"With this one you have sent {count} message{'' if count == 1 else 's'}."


def _describe(turn: Turn) -> str | None:
    attached = turn.conversation.attached
    if not attached:
        return None
    return f"You sent {listed(attached)}. I am an offline demo model: that I can tell, but not what is in there."


def _greet(turn: Turn) -> str | None:
    name = _known_name([turn.opening])
    return f"Nice to meet you, {name}. I am an offline demo model, but that I will remember." if name else None


def _help(turn: Turn) -> str | None:
    return HELP if _ASKS_HELP.search(turn.opening) else None


def _echo(turn: Turn) -> str:
    if not turn.opening:
        return "I found nothing in your message that I can read."
    if turn.schema is not None:
        return turn.text
    return f'You said: {_quote(turn.text)} I am an offline demo model with fixed rules; "help" shows what I can do.'


TALK: Final[Sequence[Callable[[Turn], str | None]]] = (
    _say_to_order,
    _count_to_order,
    _recall_name,
    _recall_first,
    _recall_previous,
    _count_turns,
    _describe,
    _greet,
    _help,
)
"""The rules for talk, in the order in which they are asked; what none of them answers is echoed."""


def _known_name(texts: Sequence[str]) -> str | None:
    """Return the name by which the user last introduced themselves."""
    for text in reversed(texts):
        names = [match["name"] for match in _INTRODUCTION.finditer(text[:READ])]
        if names:
            return names[-1]
    return None


def _quote(text: str) -> str:
    return f'"{text}"' if len(text) <= _QUOTED else f'"{text[:_QUOTED]}..."'
