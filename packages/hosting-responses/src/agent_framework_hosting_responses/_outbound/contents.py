"""Reading of Agent Framework's contents, whatever an agent put into them.

Rules of this file:
1. A field of an unexpected type counts as absent; nothing here raises for odd contents.
2. What core calls host-internal (`exception`) is only asked for its presence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from agent_framework import Content

from agent_framework_hosting.rendering.pieces import CallChunk, is_refusal, replaces
from agent_framework_hosting.rendering.reading import as_text, items_of, mapping_of, text_of

from .annotations import annotations_of
from .items import MESSAGE_PARTS
from .words import PartKind

_UNMARKED: Final[Mapping[str, Any]] = {}


class Passage(msgspec.Struct):
    """A stretch of text of one kind; `replaces` says that it stands for all that its part has said so far."""

    kind: PartKind
    text: str
    source: str | None = None
    protected: str | None = None
    replaces: bool = False
    annotations: list[dict[str, Any]] = []

    @property
    def is_reasoning(self) -> bool:
        """Whether it belongs into a reasoning item."""
        return self.kind not in MESSAGE_PARTS

    def follows(self, source: str | None) -> bool:
        """Whether it may continue reasoning that came under this name."""
        return not source or not self.source or source == self.source


def plain_text(content: Any) -> str:
    """Return the text of a content that says it and nothing else, else nothing.

    Nearly all answers are made of these, so it looks at attributes only; whatever is odd is left to `passage`.
    """
    if type(content) is not Content or content.type != "text" or content.annotations or content.merge_mode == "replace":
        return ""
    marks = content.additional_properties
    if marks and (type(marks) is not dict or "core" in marks or "model_output_kind" in marks):
        return ""
    text = content.text
    return text if type(text) is str else ""


def passage(content: Any) -> Passage:
    """Read a `text` or `text_reasoning` content."""
    marks = getattr(content, "additional_properties", None)
    # Mostly there are none, and nothing to look for in them.
    marks = mapping_of(marks) if marks else _UNMARKED
    text = text_of(content, "text")
    if content.type == "text":
        if marks and is_refusal(marks):
            return Passage("refusal", text, replaces=replaces(content))
        return Passage("output_text", text, replaces=replaces(content), annotations=annotations_of(content))
    return Passage(
        "reasoning_text" if _is_full_reasoning(marks) else "summary_text",
        text,
        text_of(content, "id") or None,
        text_of(content, "protected_data") or None,
        replaces(content),
    )


def _is_full_reasoning(marks: Mapping[str, Any]) -> bool:
    return "reasoning_text" in marks or "reasoning_text" in mapping_of(marks.get("openai"))


def runs(contents: Iterable[Any]) -> Iterator[Any]:
    """Yield the contents with neighbouring passages that belong together joined into one `Passage`."""
    open_run: Passage | None = None
    for content in contents:
        if getattr(content, "type", None) not in ("text", "text_reasoning"):
            if open_run:
                yield open_run
            open_run = None
            yield content
            continue
        following = passage(content)
        if open_run and open_run.kind == following.kind and following.follows(open_run.source):
            open_run.text = following.text if following.replaces else open_run.text + following.text
            open_run.protected = following.protected or open_run.protected
            open_run.annotations += following.annotations
        else:
            if open_run:
                yield open_run
            open_run = following
    if open_run:
        yield open_run


def server_call_chunk(content: Any) -> CallChunk:
    """Read an `mcp_server_tool_call` content."""
    arguments = getattr(content, "arguments", None)
    return CallChunk(
        key=text_of(content, "call_id"),
        occurrence="",
        name=text_of(content, "tool_name"),
        arguments=as_text(arguments),
        is_whole=True,
        replaces=replaces(content),
        is_for_client=False,
        server=text_of(content, "server_name"),
    )


def result_text(content: Any) -> str:
    """Return what a `function_result` content says to the model."""
    result = getattr(content, "result", None)
    return as_text(result) if result is not None else _texts(getattr(content, "items", None))


def server_result_text(content: Any) -> str:
    """Return what an `mcp_server_tool_result` content says to the model."""
    output = getattr(content, "output", None)
    if output is None:
        return result_text(content)
    return _texts(output) or as_text(None if _are_contents(output) else output)


def _texts(items: Any) -> str:
    texts = [text_of(item, "text") for item in items_of(items)]
    return "\n".join(text for text in texts if text)


def _are_contents(value: Any) -> bool:
    return all(text_of(item, "type") for item in items_of(value))
