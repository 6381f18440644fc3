"""What a client gets to see of an answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """The channel's choices for one completion.

    Args:
        completion_id: The completion's id, of which the ids of its requests for approval are made.
        client_tools: Names of the tools that the client brought, and must answer itself.
        show_reasoning: Whether the model's thoughts are shown, as `reasoning_content`.
        requests_as_calls: Whether what the agent asks of people are tool calls to be answered; texts otherwise.
    """

    completion_id: str
    client_tools: frozenset[str] = frozenset()
    show_reasoning: bool = False
    requests_as_calls: bool = False
