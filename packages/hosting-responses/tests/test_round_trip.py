"""Everything that this channel emits is accepted as input, and says the same there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from agent_framework import AgentResponseUpdate, Content, Message
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from responses_tool_rules import names_two_calls
from responses_updates import any_update, coherent_updates, machine, stream

from agent_framework_hosting.testing import events_from
from agent_framework_hosting_responses._inbound.request import parse

ANSWERED: Final = {
    "function_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
    "computer_call": "computer_call_output",
}
SHOT: Final = {"type": "computer_screenshot", "image_url": "data:image/png;base64,AAAA"}
FLAGS: Final[st.SearchStrategy[dict[str, Any]]] = st.fixed_dictionaries(
    {
        "show_tool_calls": st.booleans(),
        "encrypted_reasoning": st.booleans(),
        "custom_tools": st.sampled_from([frozenset(), frozenset({"ask"})]),
        "include": st.sampled_from([frozenset(), frozenset({"code_interpreter_call.outputs"})]),
    }
)
ENDS: Final = st.sampled_from(["complete", "complete", "fail", "cancel", "drain"])


def body_of(updates: Iterable[AgentResponseUpdate], end: str, **flags: Any) -> dict[str, Any]:
    """Return the final body of a response that said this and ended so."""
    if end == "complete":
        return events_from(stream(*updates, **flags))[-2].json()["response"]
    responder = machine(**flags)
    responder.start()
    for update in updates:
        responder.feed(update)
    if end == "fail":
        last = responder.fail("run_failed", "The run failed.")
    else:
        status, reason = ("cancelled", None) if end == "cancel" else ("incomplete", "max_output_tokens")
        last = responder.cancel(status=status, reason=reason)
    return events_from(last)[-2].json()["response"]


def answers(output: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what a client says to the calls that it was left to answer."""
    answered = {item["call_id"] for item in output if item["type"].endswith("_output")}
    return [
        {
            "type": ANSWERED[item["type"]],
            "call_id": item["call_id"],
            "output": SHOT if item["type"] == "computer_call" else f"to {item['call_id']}",
        }
        for item in output
        if item["type"] in ANSWERED and item["call_id"] not in answered
    ]


def said(output: Iterable[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """Return the texts, calls and results that a client was shown, in the order of their kinds."""
    told: list[tuple[Any, ...]] = []
    for item in output:
        if item["type"] == "message":
            told += [("text", part.get("text", part.get("refusal"))) for part in item["content"]]
        elif item["type"] == "function_call":
            told.append(("call", item["name"], item["arguments"]))
        elif item["type"] == "custom_tool_call":
            told.append(("call", item["name"], json.dumps({"input": item["input"]}, ensure_ascii=False)))
        elif item["type"] == "mcp_call" and (item["status"] != "calling" or item["output"] is not None):
            problem = "" if item["error"] is None else json.dumps(item["error"], ensure_ascii=False)
            told.append(("call", item["name"], item["arguments"]))
            told.append(("result", item["output"] if item["output"] is not None else problem))
    return sorted(told, key=repr)


def heard(messages: Iterable[Message]) -> list[tuple[Any, ...]]:
    """Return the same of what the agent gets."""
    return sorted(
        (one for message in messages for content in message.contents if (one := _heard(content)) is not None), key=repr
    )


def _heard(content: Content) -> tuple[Any, ...] | None:
    if content.type == "text":
        return ("text", content.text)
    if content.type == "function_call" and content.name not in ("shell", "local_shell", "apply_patch"):
        return ("call", content.name, content.arguments)
    if content.type == "function_result" and not str(content.result).startswith(("to ", '[{"stdout"', "[]")):
        return ("result", content.result)
    return None


def check_round_trip(output: list[dict[str, Any]]) -> None:
    """Send a response's output back, in the way in which clients without `previous_response_id` do."""
    request = parse(
        {"input": [{"role": "user", "content": "Hi"}, *output, *answers(output), {"role": "user", "content": "So?"}]}
    )
    assert heard(request.messages[1:-1]) == said(output)
    for message in request.messages:
        assert Message.from_dict(message.to_dict()).to_dict() == message.to_dict()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(updates=st.lists(any_update(), max_size=12), end=ENDS, flags=FLAGS)
def test_whatever_an_agent_says_can_be_sent_back(
    updates: list[AgentResponseUpdate], end: str, flags: dict[str, Any]
) -> None:
    """Texts, calls and results arrive word for word."""
    output = body_of(updates, end, **flags)["output"]
    assume(not names_two_calls(output))
    check_round_trip(output)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(say=coherent_updates(), flags=FLAGS)
def test_what_a_coherent_agent_says_can_be_sent_back(say: Any, flags: dict[str, Any]) -> None:
    """The same for longer answers."""
    check_round_trip(body_of(say(), "complete", **flags)["output"])
