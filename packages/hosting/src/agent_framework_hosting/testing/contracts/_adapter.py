"""What the author of a channel writes for its contract: how to talk to the channel, and what it lacks."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, ClassVar, Final, Literal, Self, TypeAlias

from ...channel import Channel
from .._driver import Answer
from .._loopback import LoopbackDriver
from .._sse import ServerSentEvent, read_events

_ERRORS: Final = 400

Capability: TypeAlias = Literal[
    "auth",
    "conversations",
    "disconnect",
    "final",
    "ids",
    "paths",
    "private",
    "reading",
    "refusals",
    "reset",
    "slash",
    "streaming",
]
"""What a channel may lack.

- `auth`: the host authenticates its callers. (A channel that verifies a platform's signature lacks it, if all that it
  gets is the platform's; what `knock` sends is to be refused all the same.)
- `conversations`: a turn names its conversation, so that two can be sent into one at the same time.
- `disconnect`: who leaves while the answer is being made has left.
- `final`: a stream ends with the whole answer, which a response hook can still change.
- `ids`: an answer has an id, by which it can be continued, more than once.
- `paths`: the channel's path can be chosen.
- `private`: a conversation's name means the caller's own; the same name of another caller means another conversation.
- `reading`: an answer can be read again by its id.
- `refusals`: bad input is told to whoever sent it. (A platform's webhook takes everything, and does nothing with it.)
- `reset`: a conversation can be started anew.
- `slash`: the channel answers at its own path, with a slash at its end as well.
- `streaming`: an answer is shown while it is being made.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What came back for one message.

    Args:
        text: The answer, whole.
        id: What it can be continued by.
        error: The error's code in the channel's words; `None` when there was none. A chat that says an error in a
            sentence gives that.
        status: The HTTP status, where there is one.
        wire: Everything that came over the wire, as it was: searched for what must not be there.
    """

    text: str = ""
    id: str | None = None
    error: str | None = None
    status: int | None = None
    wire: bytes = field(default=b"", repr=False)


@dataclass(kw_only=True)
class Line:
    """One conversation, from a caller's side.

    Args:
        name: Which conversation it is; a channel that has names for them makes its own of this.
        caller: Who is calling; `None` for nobody in particular.
        after: The id of an answer to continue from, whatever was said since.
        said: The answers so far.
    """

    name: str = "lobby"
    caller: str | None = None
    after: str | None = None
    said: list[Said] = field(default_factory=list[Said])

    @property
    def last_id(self) -> str | None:
        """The id to continue from: the one that was asked for, else that of the last answer."""
        return self.after or next((said.id for said in reversed(self.said) if said.id is not None), None)

    @property
    def headers(self) -> dict[str, str]:
        """What the contract's host knows the caller by."""
        return {"authorization": f"Bearer {self.caller}"} if self.caller else {}


class ChannelAdapter(ABC):
    """How the contract talks to a channel. One is made for each host; the contract sets `driver` and `at`.

    It is an async context manager: what the channel needs around it (a `PlatformServer`) is entered and left there,
    before the channel is made and after the host has stopped.

    `say` and `send` are called in tasks that are cancelled to see what happens when the caller leaves: use the driver's
    requests and WebSockets, which hang up then.
    """

    lacks: ClassVar[Mapping[Capability, str]] = {}
    """What the channel lacks, and why. What it says here is skipped with that reason."""

    host_options: ClassVar[Mapping[str, Any]] = {}
    """What `AgentFrameworkHost` is given besides."""

    streams_always: ClassVar[bool] = False
    """Whether also `say` gets an answer that was made in pieces, as in a chat where messages are edited."""

    unknown_id: ClassVar[str] = "unknown_0000000000000000000000000000"
    """An id of the channel's form that no answer has."""

    volatile: ClassVar[re.Pattern[bytes]] = re.compile(rb"\b(?:req|err)_[0-9A-Za-z]+")
    """What differs between two answers that are otherwise alike."""

    driver: LoopbackDriver
    """Sends requests to the app that the channel is in."""

    at: str
    """Where the channel is in that app: its path behind whatever the host is mounted under."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        return None

    @abstractmethod
    def make(self, **options: Any) -> Channel:
        """Return a new channel; the options are some of `path`, `run_hook`, `response_hook`, `stream_update_hook`."""

    @abstractmethod
    async def say(self, line: Line, text: str) -> Said:
        """Send a message as this caller in this conversation, and return the whole answer, or the error."""

    @abstractmethod
    async def send(self, line: Line, body: bytes) -> Said:
        """Send these bytes where a message belongs, and return what comes back, once all has come back."""

    @abstractmethod
    def message(self, line: Line, text: str, *, stream: bool) -> Any:
        """Return the JSON of a good message; hostile ones are made from it."""

    def listen(self, line: Line, text: str) -> AsyncGenerator[str | Said, None]:
        """Send a message and yield all the text that is shown so far, each time that there is more; at last the `Said`.

        The last item is what the stream itself says at its end; where that is only that it ends, what was shown.
        """
        raise NotImplementedError(f"{type(self).__name__} has no listen(); write it, or say why in lacks['streaming'].")

    async def reset(self, line: Line) -> None:
        """Start the conversation anew, in the channel's own way."""
        raise NotImplementedError(f"{type(self).__name__} has no reset(); write it, or say why in lacks['reset'].")

    async def look_up(self, line: Line, answer_id: str) -> Said:
        """Read an answer again by its id, as this caller."""
        raise NotImplementedError(f"{type(self).__name__} has no look_up(); write it, or say why in lacks['reading'].")

    async def knock(self) -> Said:
        """Send a good message as somebody whom the channel must not serve: without any credentials."""
        return await self.say(Line(name="door"), "let me in")

    async def wait_taken(self, count: int) -> bool:  # noqa: ARG002 - what those look at who override it
        """Wait until the channel has taken so many messages, if it lets them wait in itself; return whether it does.

        A channel whose messages wait in the host's line leaves this as it is: then the host is asked.
        """
        return False

    def check_error(self, said: Said) -> None:
        """Check that an error has the channel's shape, besides having a code; raises `AssertionError`."""
        assert said.error, f"An error has no code: {said}"


class HTTPAdapter(ChannelAdapter):
    """The adapter of a channel with one endpoint: JSON in by POST, JSON or server-sent events out."""

    @abstractmethod
    def answered(self, answer: Answer) -> Said:
        """Return what a good answer says; `status` and `wire` are filled in."""

    def refused(self, answer: Answer) -> Said:
        """Return what an error says; the ordinary form is `{"error": {"code", "message", "type"}}`."""
        error = answer.json()["error"]
        assert error["message"], f"The error has no message: {answer}"
        return Said(error=error["code"] or error["type"])

    def shown(self, events: AsyncIterator[ServerSentEvent]) -> AsyncGenerator[str | Said, None]:
        """Yield what a stream shows, as `listen` does."""
        raise NotImplementedError(f"{type(self).__name__} has no shown(); write it, or say why in lacks['streaming'].")

    def headers(self, line: Line) -> dict[str, str]:
        """Return the headers of a message."""
        return line.headers

    async def say(self, line: Line, text: str) -> Said:
        """Post the message and read the answer."""
        body = self.message(line, text, stream=False)
        return self.said(await self.driver.request("POST", self.at, json=body, headers=self.headers(line)))

    async def send(self, line: Line, body: bytes) -> Said:
        """Post the bytes as JSON."""
        headers = {"content-type": "application/json", **self.headers(line)}
        answer = await self.driver.request("POST", self.at, body=body, headers=headers)
        if answer.status < _ERRORS:
            return Said(status=answer.status, wire=answer.body)
        return self.said(answer)

    async def listen(self, line: Line, text: str) -> AsyncGenerator[str | Said, None]:
        """Post the message and read the stream."""
        body = self.message(line, text, stream=True)
        async with self.driver.stream("POST", self.at, json=body, headers=self.headers(line)) as answer:
            if answer.status >= _ERRORS:
                yield self.said(Answer(answer.status, answer.headers, await answer.read()))
                return
            wire: list[bytes] = []
            async with aclosing(self.shown(read_events(_copied(answer, wire)))) as items:
                async for item in items:
                    if isinstance(item, Said):
                        yield replace(item, status=answer.status, wire=b"".join(wire))
                    else:
                        yield item

    def said(self, answer: Answer) -> Said:
        """Return what an answer says, good or not."""
        read = self.answered if answer.status < _ERRORS else self.refused
        return replace(read(answer), status=answer.status, wire=answer.body)


async def _copied(chunks: AsyncIterator[bytes], wire: list[bytes]) -> AsyncGenerator[bytes, None]:
    async for chunk in chunks:
        wire.append(chunk)
        yield chunk
