"""What an agent or a workflow asks people in the middle of its work: how it is put, and what an answer means.

A tool that needs approval is asked about with what it would do, and only a clear yes counts as one. A workflow's
question takes the next message as its answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast, get_args, get_origin

import msgspec
from agent_framework import AgentResponse, Content, Message, WorkflowEvent, WorkflowRunResult

from ..rendering.text import clean, clean_json
from ..workflows import REQUEST_INFO, pending_requests
from .answer import contents_of
from .phrases import Phrases

_LONGEST_SHOWN: Final = 1500
"""Characters of what is shown of a question; people decide on what they can read."""
_SPOKEN: Final = ("question", "prompt", "message", "text")


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is asked, as it is stored until it is answered.

    Args:
        kind: An approval, or a question of a workflow.
        id: What the answer is bound to.
        text: What is asked, as Markdown.
        choices: Answers that are offered, if there are only some; the words for yes and no are others' to choose.
        is_flag: Whether the answer is a yes or a no.
        request: The request for approval, as Agent Framework writes it.
        of_workflow: Whether a workflow asks, which takes answers and new input apart.
    """

    kind: Literal["approval", "question"]
    id: str
    text: str
    choices: tuple[str, ...] = ()
    is_flag: bool = False
    request: dict[str, Any] = {}
    of_workflow: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What an answer to questions means.

    Args:
        input: What the agent or the workflow gets.
        remaining: The questions that it leaves open.
    """

    input: Message
    remaining: Sequence[Question]


def questions_of(result: AgentResponse[Any] | WorkflowRunResult) -> list[Question]:
    """Return what a result asks."""
    if isinstance(result, WorkflowRunResult):
        return [_of_event(at, event) for at, event in pending_requests(result).items()]
    asked = (_of_content(content) for content in contents_of(result) if content.user_input_request)
    return [question for question in asked if question is not None]


def prompt(questions: Sequence[Question], phrases: Phrases) -> tuple[str, Sequence[str]]:
    """Return how what is asked next is put, and the answers that are offered."""
    first = questions[0]
    if first.kind == "approval":
        wanted = "\n".join(question.text for question in asked_next(questions))
        text = f"{phrases.approval}\n\n{wanted}\n\n{phrases.approval_hint.replace('{yes}', phrases.yes[0])}"
        return text, (phrases.yes[0], phrases.no[0])
    return first.text, (phrases.yes[0], phrases.no[0]) if first.is_flag else first.choices


def reply_to(questions: Sequence[Question], said: Message, phrases: Phrases) -> Reply:
    """Return what a message means as an answer to what is asked.

    All approvals that are open are answered at once, since they were put together. What is no clear yes means no; what
    is no clear no either is passed on to the agent as well.
    """
    next_ones = asked_next(questions)
    remaining = questions[len(next_ones) :]
    is_yes, is_no = _is_one_of(said.text, phrases.yes), _is_one_of(said.text, phrases.no)
    if next_ones[0].kind == "question":
        return Reply(Message("user", [_answer(next_ones[0], said, is_yes=is_yes, is_no=is_no)]), remaining)
    contents = [
        Content.from_dict(dict(question.request)).to_function_approval_response(is_yes) for question in next_ones
    ]
    if not is_yes and not is_no and not any(question.of_workflow for question in next_ones):
        contents += said.contents
    return Reply(Message("user", contents, author_name=said.author_name), remaining)


def is_yes_to_approval(questions: Sequence[Question], text: str, phrases: Phrases) -> bool:
    """Whether a text allows what is asked next."""
    return bool(questions) and questions[0].kind == "approval" and _is_one_of(text, phrases.yes)


def asked_next(questions: Sequence[Question]) -> Sequence[Question]:
    """Return those that are put together, and answered by one message."""
    if questions and questions[0].kind == "question":
        return questions[:1]
    count = 0
    while count < len(questions) and questions[count].kind == "approval":
        count += 1
    return questions[:count]


def _answer(question: Question, said: Message, *, is_yes: bool, is_no: bool) -> Content:
    text = said.text
    if question.is_flag and (is_yes or is_no):
        text = json.dumps(is_yes)
    return Content.from_function_result(question.id, result=text)


def _of_content(content: Content) -> Question | None:
    if content.type == "function_approval_request":
        return _approval(content)
    if content.type == "oauth_consent_request":
        # Nothing is to be answered: whoever has followed the link asks again.
        return None
    if content.type == "function_call" and content.name == REQUEST_INFO and content.call_id:
        arguments = content.parse_arguments() or {}
        event: Any = arguments.get("request_event", {})
        data = cast("Mapping[str, Any]", event).get("data") if isinstance(event, Mapping) else None
        return Question(kind="question", id=content.call_id, text=_spoken(data))
    return None


def _of_event(at: str, event: WorkflowEvent[Any]) -> Question:
    data, wanted = event.data, event.response_type
    if isinstance(data, Content) and data.type == "function_approval_request":
        return msgspec.structs.replace(_approval(data), id=at, of_workflow=True)
    options = tuple(option for option in get_args(wanted) if isinstance(option, str))
    return Question(
        kind="question",
        id=at,
        text=_spoken(data),
        choices=options if get_origin(wanted) is Literal else (),
        is_flag=wanted is bool,
        of_workflow=True,
    )


def _approval(content: Content) -> Question:
    call = content.function_call
    name = clean((call.name if call is not None else None) or "?")
    arguments: Any = call.arguments if call is not None else None
    return Question(
        kind="approval",
        id=clean(content.id or ""),
        text=f"**{name}**{_shown(arguments)}",
        request=clean_json(content.to_dict()),
    )


def _shown(arguments: Any) -> str:
    if isinstance(arguments, str):
        arguments = clean(arguments)
        try:
            arguments = msgspec.json.decode(arguments)
        except (msgspec.DecodeError, RecursionError):
            return _fenced(arguments)
    return "" if not arguments else _fenced(_json(arguments))


def _spoken(data: Any) -> str:
    """Return a workflow's question as people are asked it."""
    if isinstance(data, str):
        return _cut(data) if data.strip() else "?"
    plain = _plain(data)
    if isinstance(plain, Mapping):
        fields = cast("Mapping[str, Any]", plain)
        for name in _SPOKEN:
            found = fields.get(name)
            if isinstance(found, str) and found.strip():
                return _cut(found)
    return _fenced(_json(plain)).strip()


def _plain(data: Any) -> Any:
    for method in ("model_dump", "to_dict"):
        dump = getattr(data, method, None)
        if callable(dump):
            return dump()
    return msgspec.to_builtins(data, str_keys=True, enc_hook=str)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _fenced(text: str) -> str:
    marks = "```"
    while marks in text:
        marks += "`"
    return f"\n{marks}\n{_cut(text)}\n{marks}"


def _cut(text: str) -> str:
    text = clean(text)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _is_one_of(text: str, words: Iterable[str]) -> bool:
    return text.strip().casefold().strip(".!") in {word.casefold() for word in words}
