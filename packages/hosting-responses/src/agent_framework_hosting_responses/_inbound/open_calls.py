"""A function call is answered once, in the turn after it was made, and nothing else is an answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, cast

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.parsing.refusals import shown
from agent_framework_hosting.types import JSON

_FOR_THE_CLIENT: Final = ("function_call", "custom_tool_call", "computer_call")


def calls_of(response: JSON) -> list[str]:
    """Return the calls that a stored response left for the client to answer."""
    output = cast("list[dict[str, Any]]", response.get("output") or []) if isinstance(response, Mapping) else []
    answered = {item.get("call_id") for item in output if item.get("type") == "computer_call_output"}
    calls = [item["call_id"] for item in output if item.get("type") in _FOR_THE_CLIENT]
    return [call_id for call_id in calls if call_id not in answered]


def check_answers(answered: Mapping[str, str], *, declared: Collection[str], made: Collection[str]) -> None:
    """Refuse outputs of calls that nobody made, and silence about calls that were.

    Args:
        answered: The calls that outputs answer, with the places of those.
        declared: The calls that the input has itself.
        made: The calls that what it continues has left open.

    Raises:
        InvalidRequest: `param` says where.
    """
    for call_id, at in answered.items():
        if call_id not in declared and call_id not in made:
            raise InvalidRequest(
                f"No tool call found for function call output with call_id {shown(call_id)}.",
                param=at,
                code="invalid_value",
            )
    for call_id in made:
        if call_id not in answered:
            raise InvalidRequest(
                f"No tool output found for function call {shown(call_id)}. Add a function_call_output item for it.",
                param="input",
                code="invalid_value",
            )
