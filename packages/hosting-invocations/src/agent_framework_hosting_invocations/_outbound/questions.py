"""What an agent or a workflow asks before it can go on, and what an answer to it will need.

An agent's questions get ids of their own, and what an answer needs is kept: Agent Framework's ids are made of the
model's, which may come again. A workflow's have the ids that the workflow knows them by.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from agent_framework import Content
from msgspec import UNSET

from agent_framework_hosting.ids import mint
from agent_framework_hosting.rendering.pieces import CallChunk, call_chunk, missing_arguments
from agent_framework_hosting.rendering.reading import as_text, mapping_of, text_of
from agent_framework_hosting.rendering.text import clean, clean_json
from agent_framework_hosting.workflows import REQUEST_INFO

from .._schemas import schema_of
from .._waiting import Waiting
from ..vocabulary import Question
from .values import plain

_ASKS: Mapping[str, str] = {"approval": "apr_", "tool_call": "call_"}


def asked_by_agent(content: Any) -> tuple[Question, Waiting]:
    """Read an agent's request for approval."""
    call: Any = getattr(content, "function_call", None)
    name = text_of(call, "name") or text_of(call, "tool_name")
    arguments = as_text(getattr(call, "arguments", None))
    request_id = mint(_ASKS["approval"])
    waiting = Waiting(
        request_id=request_id,
        kind="approval",
        core_id=text_of(content, "id"),
        call_id=text_of(call, "call_id"),
        occurrence=text_of(call, "id"),
        name=name,
        arguments=arguments,
        server=text_of(call, "server_name"),
        hosted=getattr(call, "hosted", None) is True,
    )
    return Question(request_id, "approval", name or None, _decoded(arguments)), waiting


def asked_by_workflow(content: Any, event: Any) -> Question:
    """Read what a workflow asks; `event` is Agent Framework's, when it is known."""
    if content.type == "function_approval_request":
        call: Any = getattr(content, "function_call", None)
        known = clean(event.request_id) if event is not None else text_of(content, "id")
        return Question(known, "approval", text_of(call, "name") or None, _arguments(call))
    known = clean(event.request_id) if event is not None else text_of(content, "call_id")
    if text_of(content, "name") != REQUEST_INFO:
        return Question(known, "tool_call", text_of(content, "name") or None, _arguments(content))
    told = mapping_of(mapping_of(getattr(content, "arguments", None)).get("request_event"))
    schema = schema_of(event.response_type) if event is not None else None
    data = plain(told.get("data"))
    return Question(known, "question", data=data, answer_schema=UNSET if schema is None else schema)


def is_workflows(content: Any) -> bool:
    """Whether a call stands for something that a workflow asks."""
    return text_of(content, "name") == REQUEST_INFO


@dataclass(slots=True)
class _Call:
    """A tool call that may come in pieces."""

    key: str
    request_id: str
    occurrence: str
    name: str
    is_for_client: bool
    chunks: list[str] = field(default_factory=list[str])

    @property
    def arguments(self) -> str:
        return "".join(self.chunks)


class Calls:
    """Tool calls of an agent; those that it leaves to its caller are questions.

    Args:
        client_tools: Names of the tools that the agent cannot run.
    """

    def __init__(self, client_tools: Collection[str]) -> None:
        self._client_tools = frozenset(client_tools)
        self._calls: dict[str, _Call] = {}
        self._last = ""

    def take(self, content: Content) -> None:
        """Add a call, or a piece of one."""
        chunk = call_chunk(content)
        key = chunk.key or self._last
        if not key:
            return
        self._last = key
        call = self._calls.get(key)
        if call is None:
            self._calls[key] = call = _Call(
                key, mint(_ASKS["tool_call"]), chunk.occurrence, chunk.name, chunk.is_for_client
            )
        call.name = call.name or chunk.name
        call.occurrence = call.occurrence or chunk.occurrence
        call.is_for_client |= chunk.is_for_client
        _extend(call, chunk)

    def answered(self, call_id: str) -> None:
        """Forget a call that has its result."""
        self._calls.pop(call_id, None)

    def questions(self) -> list[Question]:
        """Return what the caller has to run."""
        return [
            Question(call.request_id, "tool_call", call.name or None, _decoded(call.arguments)) for call in self._left()
        ]

    def waiting(self) -> list[Waiting]:
        """Return what the results will need."""
        return [
            Waiting(request_id=call.request_id, kind="tool_call", call_id=call.key, name=call.name)
            for call in self._left()
        ]

    def _left(self) -> list[_Call]:
        return [call for call in self._calls.values() if call.is_for_client or call.name in self._client_tools]


def _extend(call: _Call, chunk: CallChunk) -> None:
    if not chunk.arguments:
        return
    if chunk.replaces or (chunk.is_whole and call.chunks):
        added = missing_arguments(call.arguments, chunk.arguments)
        call.chunks = [chunk.arguments] if added is None else [*call.chunks, added]
    else:
        call.chunks.append(chunk.arguments)


def _arguments(call: Any) -> Any:
    return _decoded(as_text(getattr(call, "arguments", None)))


def _decoded(arguments: str) -> Any:
    """Return arguments as the JSON that they are; what is no JSON stays text."""
    if not arguments:
        return {}
    try:
        return clean_json(msgspec.json.decode(arguments))
    except (msgspec.DecodeError, RecursionError):
        return arguments
