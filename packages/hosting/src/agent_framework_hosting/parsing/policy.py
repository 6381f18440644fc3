"""What of a request reaches the agent: the caller steers how an answer is made, never who the agent is.

One rule for all protocols that let callers name options; which fields of theirs these are, each channel knows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec
from agent_framework import Message

CallerInstructions: TypeAlias = Literal["ignore", "append", "refuse"]
"""What becomes of a caller's instructions: dropped, handed to the agent, or answered with 400."""

ALLOWED_OPTIONS: Final = frozenset(
    {
        "allow_multiple_tool_calls",
        "frequency_penalty",
        "max_tokens",
        "presence_penalty",
        "response_format",
        "temperature",
        "tool_choice",
        "tools",
        "top_p",
    }
)
"""Options that pass: sampling, tools and their choice, the form of the answer.

Only what every chat client of Agent Framework takes: `reasoning` and `verbosity` make some of them fail, so that it is
for a run hook to grant them.
"""

NEVER: Final = frozenset({"conversation_id", "metadata", "model", "store", "user"})
"""Options that a caller is not granted by any policy: they would choose the model, the storage or another session.
A run hook may still set them."""

_NAMES_IN_HEADER: Final = 32


class Admitted(msgspec.Struct, frozen=True):
    """What of a request the agent gets, and the places of what was dropped."""

    messages: list[Message]
    options: dict[str, Any]
    ignored: tuple[str, ...]

    @property
    def header(self) -> str | None:
        """The value of `x-ignored-parameters`, bounded; `None` when nothing was ignored."""
        if not self.ignored:
            return None
        names = self.ignored[:_NAMES_IN_HEADER]
        return ", ".join(names if len(names) == len(self.ignored) else (*names, "..."))


def passing_options(
    requested: Mapping[str, Any],
    *,
    allowed: Collection[str] = ALLOWED_OPTIONS,
    unasking: Mapping[str, tuple[Any, ...]] | None = None,
    instructions: bool = False,
) -> dict[str, Any]:
    """Return the options that pass.

    Args:
        requested: All that was asked for, in Agent Framework's names.
        allowed: What the policy lets through; nothing in `NEVER` passes all the same.
        unasking: Values that ask for nothing but what happens anyway.
        instructions: Whether the caller's instructions pass, too.

    Example:
        >>> passing_options({"temperature": 0.5, "model": "other", "instructions": "Be a pirate."})
        {'temperature': 0.5}
    """
    if NEVER.issuperset(requested):
        # Most requests name a model at the most.
        return {}
    asks_nothing = unasking or {}
    passing: dict[str, Any] = {}
    for name, value in requested.items():
        if name == "instructions":
            passes = instructions and bool(value)
        else:
            passes = name in allowed and name not in NEVER and value not in asks_nothing.get(name, ())
        if passes:
            passing[name] = value
    return passing
