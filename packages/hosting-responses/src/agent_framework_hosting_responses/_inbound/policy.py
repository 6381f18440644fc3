"""What of a request reaches the agent: the caller steers how an answer is made, never who the agent is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from agent_framework import Message

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.parsing.policy import ALLOWED_OPTIONS, NEVER, Admitted, CallerInstructions, passing_options
from agent_framework_hosting.parsing.refusals import unsupported_parameter

from .fields import OPTION_NAMES
from .history import History
from .request import ResponsesRequest

_ECHOED: Final = NEVER | {"prompt_cache_key", "safety_identifier"}
_FIELD_NAMES: Final = {option: field for field, option in OPTION_NAMES.items()} | {
    "response_format": "text.format",
    "verbosity": "text.verbosity",
}
_DEFAULTS: Final[Mapping[str, tuple[Any, ...]]] = {
    "reasoning": ({},),
    "response_format": ({"type": "text"},),
    "service_tier": ("auto", "default"),
    "top_logprobs": (0,),
    "truncation": ("disabled",),
}
"""Values that ask for nothing but what happens anyway."""
_LOGPROBS: Final = "message.output_text.logprobs"


def apply_policy(
    request: ResponsesRequest,
    *,
    caller_instructions: CallerInstructions = "ignore",
    allowed_options: Collection[str] = ALLOWED_OPTIONS,
) -> Admitted:
    """Return what of the request the agent gets.

    `caller_instructions` governs `instructions` and system and developer items alike: `ignore` drops them, `append`
    hands them on, `refuse` answers 400. Of the options, those in `allowed_options` pass, and those in `NEVER` do not.

    Ignored, and named, is what the caller will not get the effect of: dropped instructions; `truncation: auto`,
    `max_tool_calls`, log probabilities, a service tier beside the default one, hints for prompt caches; whatever else
    the request itself says is without effect. Not named is what is echoed by design (`model`, `store`, `metadata`,
    `user`, `safety_identifier`, `prompt_cache_key`), and a value that asks for nothing (`truncation: disabled`). An
    explicit `text.format: text` is such a value: it does not undo a format that the agent's author has chosen.

    Raises:
        InvalidRequest: The caller's instructions are refused, or nothing but dropped ones was sent.
    """
    requested = request.requested_options
    instructing = ["instructions"] if requested.get("instructions") else []
    others = [message for message in request.messages if message.role != "system"]
    if len(others) < len(request.messages):
        instructing += _instructing(request.messages, request.origins)
    if instructing and caller_instructions == "refuse":
        raise _no_instructions(instructing[0])
    appended = caller_instructions == "append"
    messages = [*request.messages] if appended else others
    continues = request.previous_response_id is not None or request.conversation is not None
    if not messages and instructing and not continues:
        raise InvalidRequest(
            "Nothing is left to answer: 'input' holds system and developer messages only, which this agent ignores."
            " Send a message of the role 'user'.",
            param="input",
            code="invalid_value",
        )
    options: dict[str, Any] = {}
    ignored = () if appended else instructing
    # Most requests name a model at the most, which is repeated and no more.
    if not NEVER.issuperset(requested):
        options = passing_options(requested, allowed=allowed_options, unasking=_DEFAULTS, instructions=appended)
        ignored = (*ignored, *_unmet(requested, options))
    return Admitted(messages, options, (*ignored, *request.without_effect))


def refuse_instructions(history: History, *, caller_instructions: CallerInstructions) -> list[str]:
    """Return the places of system and developer items that the agent will not get.

    Raises:
        InvalidRequest: There are some, and they are refused.
    """
    places = _instructing(history.messages, history.origins)
    if places and caller_instructions == "refuse":
        raise _no_instructions(places[0])
    return [] if caller_instructions == "append" else places


def _instructing(messages: Sequence[Message], origins: Sequence[str]) -> list[str]:
    return [at for message, at in zip(messages, origins, strict=True) if message.role == "system"]


def _no_instructions(at: str) -> InvalidRequest:
    return unsupported_parameter(at, "This agent takes no instructions from callers: send messages of the role 'user'.")


def _unmet(requested: dict[str, Any], passing: dict[str, Any]) -> list[str]:
    """Return the fields whose effect the caller will miss."""
    unmet: list[str] = []
    for name, value in requested.items():
        if name in passing or name in _ECHOED or name == "instructions" or value in _DEFAULTS.get(name, ()):
            continue
        if name == "include":
            unmet += [f"include[{index}]" for index, item in enumerate(value) if item == _LOGPROBS]
        else:
            unmet.append(_FIELD_NAMES.get(name, name))
    return unmet
