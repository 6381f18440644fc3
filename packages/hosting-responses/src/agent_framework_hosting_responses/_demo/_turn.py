"""What the offline model decides upon, and what it can decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from ._calls import ToolCall
from ._conversation import Conversation

READ: Final = 2000
"""How much of a text the rules' patterns look at, which keeps them quick on any input."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that may be called: its JSON schema, and whether the client runs it."""

    name: str
    schema: Mapping[str, Any] = field(default_factory=dict[str, Any])
    declared_by_client: bool = False


@dataclass(frozen=True, slots=True)
class ToolPolicy:
    """What the request says about calls: tool choice, the one function that is required, and parallel calls."""

    mode: Literal["auto", "required", "none"] = "auto"
    required: str | None = None
    parallel: bool = True


@dataclass(frozen=True, slots=True)
class Turn:
    """A conversation that ends with something to answer, the tools that may be used for it, and the answer's form.

    Args:
        conversation: What was said, and what the tools answered.
        tools: The functions that may be called.
        policy: What the request says about calls.
        schema: The JSON schema of the object that the answer has to be; `None` when it is free text.
    """

    conversation: Conversation
    tools: Sequence[Tool] = ()
    policy: ToolPolicy = field(default_factory=ToolPolicy)
    schema: Mapping[str, Any] | None = None

    @property
    def text(self) -> str:
        """What the user said last."""
        return self.conversation.request.strip()

    @property
    def opening(self) -> str:
        """As much of it as the rules' patterns look at."""
        return self.text[:READ]


@dataclass(frozen=True, slots=True)
class Say:
    """Answer with text."""

    text: str


@dataclass(frozen=True, slots=True)
class CallTools:
    """Ask for function calls."""

    calls: tuple[ToolCall, ...]


Reply: TypeAlias = Say | CallTools
