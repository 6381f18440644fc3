"""Output items: what one is made of, and how it looks in an item event and in the final body.

Rules of this file:
1. An item's id is made once, of the response's; ids of the model's provider never reach the wire.
2. A chunk of text is kept as it came, and nothing else is kept per chunk.
3. `json` is the only way that an item is shown, so the events and the final body cannot disagree; like all JSON here,
   it is on one line.
4. An item that is done does not change any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from agent_framework_hosting.rendering.text import to_json

from .._item_ids import item_id
from .custom_input import custom_input
from .words import CallForm, ItemStatus, PartKind

MESSAGE_PARTS: frozenset[PartKind] = frozenset({"output_text", "refusal"})
"""The kinds of text that a message carries; a reasoning item carries the others."""


_MANY: Final = 64

_PART: Final[Mapping[PartKind, bytes]] = {
    "output_text": b'{"type":"output_text","text":%b,"annotations":%b,"logprobs":[]}',
    "refusal": b'{"type":"refusal","refusal":%b}',
    "reasoning_text": b'{"type":"reasoning_text","text":%b}',
    "summary_text": b'{"type":"summary_text","text":%b}',
}
_NO_ANNOTATIONS: Final = b"[]"
_MESSAGE: Final = b'{"id":%b,"type":"message","status":"%b","role":"assistant","content":[%b]}'


def plain_message(item_id: str, status: ItemStatus, text: bytes) -> bytes:
    """Return a message that says one text, which is JSON, and nothing else; as its item shows it."""
    return _MESSAGE % (to_json(item_id), status.encode(), _PART["output_text"] % (text, _NO_ANNOTATIONS))


def joined(chunks: list[str]) -> str:
    """Return the chunks as one text, and keep them as one, so that asking again costs nothing."""
    if len(chunks) > 1:
        chunks[:] = ["".join(chunks)]
    return chunks[0] if chunks else ""


class Part(msgspec.Struct, eq=False):
    """A run of text of one kind inside an item.

    `settled` is the length that a replacement has confirmed; what comes before `begun` none is about. `place` says in
    each of its events where it is, and `template` is the delta event, prepared once. The first `folded` of the chunks
    are long ones. `done` is the part as it is shown, once it will not change any more.
    """

    kind: PartKind
    index: int
    chunks: list[str] = []
    annotations: list[dict[str, Any]] = []
    settled: int = 0
    begun: int = 0
    place: bytes = b""
    template: bytes = b""
    folded: int = 0
    done: bytes = b""

    @property
    def text(self) -> str:
        """All of the text so far."""
        chunks = self.chunks
        text = joined(chunks)
        self.folded = len(chunks)
        return text

    def fold(self) -> None:
        """Make one chunk of the newest ones when they are many: each is an object, and most are short."""
        chunks = self.chunks
        if len(chunks) >= self.folded + _MANY:
            chunks[self.folded :] = ["".join(chunks[self.folded :])]
            self.folded = len(chunks)

    def json(self) -> bytes:
        """Return the part as it is shown."""
        return self.done or self.around(to_json(self.text))

    def around(self, text: bytes) -> bytes:
        """Return the part as it is shown with this text, which is JSON."""
        if self.kind == "output_text":
            return _PART[self.kind] % (text, to_json(self.annotations) if self.annotations else _NO_ANNOTATIONS)
        return _PART[self.kind] % text


class MessageItem(msgspec.Struct, eq=False):
    """What the assistant says: text and refusals.

    `done` is the item as it is shown, once it will not change any more.
    """

    index: int
    id: str
    status: ItemStatus = "in_progress"
    parts: list[Part] = []
    done: bytes = b""

    def add_part(self, kind: PartKind) -> Part:
        """Append an empty part."""
        part = Part(kind, len(self.parts))
        self.parts.append(part)
        return part

    def json(self) -> bytes:
        """Return the item as it is shown."""
        if self.done:
            return self.done
        content = b",".join([part.done or part.json() for part in self.parts]) if self.parts else b""
        return _MESSAGE % (to_json(self.id), self.status.encode(), content)

    def finish(self) -> bytes:
        """Return the item as it is shown from now on; its parts need not know that of themselves any more."""
        self.done = done = self.json()
        for part in self.parts:
            part.done = b""
        return done


class ReasoningItem(msgspec.Struct, eq=False):
    """What the model thought: summaries, and the reasoning itself where the provider shows it.

    `source` is the provider's name for this stretch of reasoning; it only tells one stretch from the next. `settled` is
    the encrypted form of what comes before that which a replacement would be about.
    """

    index: int
    id: str
    source: str | None = None
    status: ItemStatus = "in_progress"
    parts: list[Part] = []
    encrypted: str | None = None
    settled: str | None = None

    def add_part(self, kind: PartKind) -> Part:
        """Append an empty part; summaries and reasoning are counted apart."""
        part = Part(kind, sum(other.kind == kind for other in self.parts))
        self.parts.append(part)
        return part

    def json(self) -> bytes:
        """Return the item as it is shown."""
        item: dict[str, Any] = {"id": self.id, "type": "reasoning", "status": self.status}
        item["summary"] = [msgspec.Raw(part.json()) for part in self.parts if part.kind == "summary_text"]
        if content := [msgspec.Raw(part.json()) for part in self.parts if part.kind == "reasoning_text"]:
            item["content"] = content
        if self.encrypted is not None:
            from .._sealed_thoughts import Thought, seal

            item["encrypted_content"] = seal(Thought(self.source or "", self.encrypted))
        return to_json(item)


class CallItem(msgspec.Struct, eq=False):
    """A tool call: one that the client must answer, or one that the agent ran (`mcp_call`)."""

    index: int
    form: CallForm
    name: str
    call_id: str
    server_label: str
    id: str
    status: ItemStatus = "in_progress"
    chunks: list[str] = []
    output: str | None = None
    problem: str | None = None
    approval: str | None = None
    template: bytes = b""

    @property
    def arguments(self) -> str:
        """All of the arguments' JSON so far."""
        return joined(self.chunks)

    @property
    def text(self) -> str:
        """What its deltas are of."""
        return self.arguments

    @property
    def is_for_client(self) -> bool:
        """Whether the client has to answer it."""
        return self.form != "mcp_call"

    @property
    def input(self) -> str:
        """What a custom tool is given; nothing before the call is whole."""
        return "" if self.status == "in_progress" else custom_input(self.arguments)

    def json(self) -> bytes:
        """Return the item as it is shown."""
        return to_json(self._shown())

    def _shown(self) -> dict[str, Any]:
        item: dict[str, Any] = {"id": self.id, "type": self.form, "status": self.status}
        if self.form == "custom_tool_call":
            return item | {"call_id": self.call_id, "name": self.name, "input": self.input}
        item |= {"name": self.name, "arguments": self.arguments}
        if self.form == "function_call":
            return item | {"call_id": self.call_id}
        return item | {
            "server_label": self.server_label,
            "output": self.output,
            "error": None if self.problem is None else _execution_error(self.problem),
            "approval_request_id": self.approval,
        }


class ToolItem(msgspec.Struct, eq=False):
    """What a tool of the model's provider did, or what is asked of the client: an item of any other type.

    `fields` are its own, as they are shown; `status` is `None` for the types that have none.
    """

    index: int
    type: str
    id: str
    fields: dict[str, Any]
    status: ItemStatus | None = "in_progress"

    def json(self) -> bytes:
        """Return the item as it is shown."""
        status = {} if self.status is None else {"status": self.status}
        return to_json({"id": self.id, "type": self.type, **status, **self.fields})


FlowItem: TypeAlias = MessageItem | ReasoningItem
Item: TypeAlias = MessageItem | ReasoningItem | CallItem | ToolItem


class Items(list[Item]):
    """The items of a response, in their order.

    Args:
        response_id: What their ids are made of.
        first: The number of the first id, where lower ones are taken.
    """

    __slots__ = ("_first", "_response_id")

    def __init__(self, response_id: str, *, first: int = 0) -> None:
        self._response_id = response_id
        self._first = first

    def new_id(self, prefix: str) -> str:
        """Return the id of the item that comes next."""
        return item_id(self._response_id, prefix=prefix, index=self._first + len(self))


def _execution_error(problem: str) -> dict[str, Any]:
    return {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": problem}]}


def adopt_ids(items: Iterable[Item], streamed: Iterable[Item]) -> dict[str, str]:
    """Give the items the ids of those that were streamed: the first message that of the first message, and so on.

    A request for approval only gets the id of one that asks the same, or an answer would approve something else.

    Returns:
        The new ids of the items whose id has changed, by the old ones.
    """
    ids: dict[object, list[str]] = {}
    for item in streamed:
        ids.setdefault(_family(item), []).append(item.id)
    changed: dict[str, str] = {}
    for item in items:
        if known := ids.get(_family(item)):
            before, item.id = item.id, known.pop(0)
            changed[before] = item.id
    return changed


def _family(item: Item) -> object:
    if isinstance(item, CallItem):
        return item.form
    if isinstance(item, ToolItem):
        return (item.type, item.fields["name"], item.fields["arguments"]) if item.status is None else item.type
    return type(item)
