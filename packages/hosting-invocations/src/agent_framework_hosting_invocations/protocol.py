"""The protocol for routes of your own: read a request, and say an answer, without the host.

Whoever uses these looks after sessions, turns in order, authentication and limits by themselves; `InvocationsChannel`
does all that.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agent_framework import AgentResponse, WorkflowRunResult

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.ids import mint
from agent_framework_hosting.limits import Limits

from ._inbound.request import read_request
from ._inbound.target_input import TargetInput
from ._outbound.machine import Head, InvocationMachine, render
from ._problems import failure_of

_NO_HEADERS: Final[Mapping[str, str]] = {}
_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedInvocation:
    """A request.

    Args:
        input: What the agent or workflow takes.
        session_id: What the caller calls its session. It is no key of one before you know that it is the caller's.
        stream: Whether events are wanted.
        metadata: What the caller sent along.
    """

    input: Any
    session_id: str | None
    stream: bool
    metadata: Mapping[str, Any]


def parse_invocation(
    body: bytes, *, target: Any, headers: Mapping[str, str] = _NO_HEADERS, limits: Limits = _LIMITS
) -> ParsedInvocation:
    """Return what is asked of an agent or a workflow.

    Args:
        body: The request's body.
        target: The agent or workflow, which decides what `input` may be.
        headers: The request's headers; their names may have capitals.
        limits: Bounds of depth and count.

    Raises:
        InvalidRequest: Something is wrong with it, at the `param`. Answers to an agent's requests for approval are
            refused as well: what was asked is known to the channel alone.
        RequestError: It is too large, or of a kind that is not read.

    Example:
        >>> from agent_framework_hosting.testing import ScriptedAgent
        >>> parse_invocation(b'{"input": "Hello", "stream": true}', target=ScriptedAgent()).input
        'Hello'
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    asked = read_request(body, headers=lowered, limits=limits)
    reader = TargetInput(target)
    if asked.replies and reader.types is None:
        raise InvalidRequest("This server asks nothing, so there is nothing to answer.", param="responses")
    value = reader.read(asked, waiting=())
    return ParsedInvocation(input=value, session_id=asked.session_id, stream=asked.stream, metadata=asked.metadata)


def render_invocation(
    result: AgentResponse[Any] | WorkflowRunResult, *, session_id: str | None = None
) -> dict[str, Any]:
    """Return the body of an answer.

    Example:
        >>> from agent_framework import Message
        >>> render_invocation(AgentResponse(messages=[Message("assistant", ["Hi."])]))["output"]
        'Hi.'
    """
    return render(result, **_head(session_id)).body


async def stream_invocation(stream: Any, *, session_id: str | None = None) -> AsyncGenerator[bytes, None]:
    """Yield an answer's events as bytes of `text/event-stream`; a failure becomes the last one.

    Args:
        stream: What `agent.run(..., stream=True)` returned: updates, and `get_final_response()`.
        session_id: The session to tell.
    """
    machine = InvocationMachine(**_head(session_id))
    yield machine.start()
    try:
        async for update in stream:
            data = machine.feed(update)
            if data:
                yield data
        machine.complete(await stream.get_final_response(), override=False)
        yield machine.closing()
    except Exception as error:  # noqa: BLE001 - the answer has begun, so every failure must become its last event
        yield machine.fail(failure_of(error))


def _head(session_id: str | None) -> Head:
    return Head(id=mint("inv_"), session_id=session_id, client_tools=())
