"""Answers that a provider has not finished: the host asks again until they are, and shows the token to nobody.

An answer with a `continuation_token` is a look at work under way. What comes behind its last tool result is said again
by the next look, so only the tool rounds before it stay.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, Protocol

from agent_framework import AgentResponse, ContinuationToken, Message, UsageDetails, add_usage_details

from ..clock import SYSTEM_CLOCK
from ..errors import RunError

FIRST_PAUSE: Final = 1.0
"""Seconds before the host asks for the first time; they double from one time to the next."""
LONGEST_PAUSE: Final = 10.0
"""Seconds between two times, at the most."""
PATIENCE: Final = 2 * 3600.0
"""Seconds after which the host stops asking."""

Again = Callable[[ContinuationToken], Awaitable[Any]]
"""Runs the agent with a token instead of messages."""


class History(Protocol):
    """What a session remembers of the turn that runs."""

    def exchange(self, old: Sequence[Message], *, by: Sequence[Message]) -> None:
        """Put other messages where the turn had added these."""
        ...


class Patience:
    """How long to wait before the next time, and when to stop."""

    def __init__(self) -> None:
        self._end = SYSTEM_CLOCK.monotonic() + PATIENCE
        self._pause = FIRST_PAUSE

    async def wait(self) -> None:
        """Wait before asking again.

        Raises:
            RunError: It took too long already.
        """
        if SYSTEM_CLOCK.monotonic() >= self._end:
            raise RunError(
                f"The agent's provider has not finished its answer within {PATIENCE / 3600:g} hours. The host has "
                "stopped asking for it; what the provider does about it is not known."
            )
        await SYSTEM_CLOCK.sleep(self._pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def take_heart(self) -> None:
        """Begin with the shortest wait again: there was something new."""
        self._pause = FIRST_PAUSE


async def finish(response: AgentResponse[Any], *, again: Again, history: History | None) -> AgentResponse[Any]:
    """Return the finished answer, asking for it until there is one; a finished one is returned as it is."""
    token = response.continuation_token
    if token is None:
        return response
    patience = Patience()
    rounds: list[Message] = []
    usage: UsageDetails | None = None
    while token is not None:
        done, look = parted(response.messages)
        if done:
            rounds += done
            usage = add_usage_details(usage, response.usage_details)
        if history is not None:
            history.exchange(look, by=())
        await patience.wait()
        response = await again(token)
        token = response.continuation_token
        if rounds and _results(rounds) & _results(response.messages):
            # The agent tells all of its rounds every time.
            if history is not None:
                history.exchange([*rounds, *response.messages], by=response.messages)
            rounds, usage = [], None
    if rounds:
        response.messages = [*rounds, *response.messages]
        response.usage_details = add_usage_details(usage, response.usage_details)
    return response


def parted(messages: Sequence[Message]) -> tuple[list[Message], list[Message]]:
    """Part the messages of an unfinished answer: what stays, and what is said again."""
    end = max((at for at, message in enumerate(messages, 1) if message.role == "tool"), default=0)
    return list(messages[:end]), list(messages[end:])


def _results(messages: Iterable[Message]) -> set[str | None]:
    return {
        content.call_id for message in messages for content in message.contents if content.type == "function_result"
    }
