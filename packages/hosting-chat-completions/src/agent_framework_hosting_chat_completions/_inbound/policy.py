"""What of a request reaches the agent, by the rules that hold for all protocols (`parsing.policy`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from agent_framework import Message

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.parsing.policy import ALLOWED_OPTIONS, NEVER, Admitted, CallerInstructions, passing_options
from agent_framework_hosting.parsing.refusals import unsupported_parameter

from .fields import OPTION_NAMES
from .request import ChatRequest

_ALLOWED: Final = ALLOWED_OPTIONS | {"stop"}
"""Agent Framework's clients know `stop`, or leave it out where their service does not."""

_ECHOED: Final = (NEVER - {"store"}) | {"prompt_cache_key", "safety_identifier"}
_UNASKING: Final[Mapping[str, tuple[Any, ...]]] = {
    "logit_bias": ({},),
    "logprobs": (False,),
    "response_format": ({"type": "text"},),
    "service_tier": ("auto", "default"),
    "stop": ("", []),
    "store": (False,),
    "top_logprobs": (0,),
}
"""Values that ask for nothing but what happens anyway."""


def apply_policy(
    request: ChatRequest, *, caller_instructions: CallerInstructions = "ignore", continues: bool = False
) -> Admitted:
    """Return what of the request the agent gets.

    `caller_instructions` governs system and developer messages: `ignore` drops them, `append` hands them on, `refuse`
    answers 400. With `continues` the agent remembers the conversation: it gets what stands behind the last message of
    the assistant's, and instructions that pass are options of this run, or they would be remembered again each time.

    Ignored, and named, is what the caller will not get the effect of: dropped instructions, `store`, log probabilities,
    `seed`, `logit_bias`, `reasoning_effort`, `verbosity`, `prediction`, a service tier beside the default one, hints
    for prompt caches; whatever else the request itself says is without effect. Not named is what is echoed or carried
    by design (`model`, `metadata`, `user`, `safety_identifier`, `prompt_cache_key`), and a value that asks for nothing.

    Raises:
        InvalidRequest: The caller's instructions are refused, or nothing is left to answer.
    """
    places = [at for message, at in zip(request.messages, request.origins, strict=True) if message.role == "system"]
    if places and caller_instructions == "refuse":
        raise unsupported_parameter(
            f"{places[0]}.role", "This agent takes no instructions from callers: send messages of the role 'user'."
        )
    appended = caller_instructions == "append"
    requested = request.requested_options
    messages = request.messages
    if continues:
        messages = [message for message in messages[request.latest :] if message.role != "system"]
        if appended and (instructions := _instructions(request.messages)):
            requested = {**requested, "instructions": instructions}
    elif not appended:
        messages = [message for message in messages if message.role != "system"]
    if not messages and not (continues and request.decisions):
        raise _nothing_left(continues=continues)
    options = passing_options(requested, allowed=_ALLOWED, unasking=_UNASKING, instructions=appended)
    ignored = (*(() if appended else places), *_unmet(request, options), *request.without_effect)
    return Admitted(messages, options, ignored)


def _instructions(messages: list[Message]) -> str:
    return "\n\n".join(message.text for message in messages if message.role == "system")


def _nothing_left(*, continues: bool) -> InvalidRequest:
    why = (
        "in this conversation, which the server remembers, only what follows the last message of the assistant's is new"
        if continues
        else "'messages' holds nothing that this agent gets; system and developer messages may be among what it ignores"
    )
    return InvalidRequest(
        f"Nothing is left to answer: {why}. Send a message of the role 'user'.", param="messages", code="invalid_value"
    )


def _unmet(request: ChatRequest, passing: Mapping[str, Any]) -> list[str]:
    """Return the fields whose effect the caller will miss."""
    return [
        field
        for field, option in OPTION_NAMES.items()
        if request.body.get(field) is not None
        and option not in passing
        and option not in _ECHOED
        and request.body[field] not in _UNASKING.get(option, ())
    ]
