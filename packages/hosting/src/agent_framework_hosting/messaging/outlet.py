"""The port to one conversation on a platform: what can be shown there, and how it goes wrong.

A channel makes an `Outlet` for each place that it answers to (a chat, a thread of it), and everything else here writes
through it. An outlet makes one call of the platform's API per method and translates the platform's errors; it never
waits, tries again, splits or paces by itself. Texts are Markdown as the agent writes it; the outlet renders each one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, Self, TypeAlias

from ..errors import ConfigurationError

TextUnit: TypeAlias = Literal["characters", "utf16", "bytes"]
"""What a platform counts in a text: code points, UTF-16 code units, or bytes of UTF-8."""

StreamMode: TypeAlias = Literal["draft", "edit"]
"""How an unfinished answer is shown: as a draft that is no message yet, or as a message that is edited."""

MessageRef: TypeAlias = str
"""What a platform calls a message that was sent; only its own outlet reads it."""


_SHORTEST: Final = 16
"""A message that has room for something between the fences of cut code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLimits:
    """How long one message may be.

    The length is that of the Markdown, which is an upper bound where rendering only takes markup away. An outlet whose
    rendering adds text states a smaller limit than the platform's.

    Example:
        >>> TextLimits(max_length=4096, unit="utf16").measure("a 🦊")
        4
    """

    max_length: int
    unit: TextUnit = "characters"

    def __post_init__(self) -> None:
        if self.max_length < _SHORTEST:
            raise ConfigurationError(f"TextLimits.max_length must be at least {_SHORTEST}.")

    def measure(self, text: str) -> int:
        """Return the length of a text as the platform counts it."""
        if self.unit == "characters":
            return len(text)
        if self.unit == "bytes":
            return len(text.encode("utf-8", "replace"))
        return len(text) + sum(character > "\uffff" for character in text)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutletTraits:
    """What a place offers.

    Args:
        limits: How long one message may be.
        streaming: The ways to show an unfinished answer, the preferred one first. One that turns out to be refused is
            given up for the next; in the end the answer is sent when it is finished.
        interval: Seconds between two updates of an unfinished answer, at the least.
        typing_every: Seconds after which `typing` has to be called again to stay visible; `None` when there is no
            such sign.
        choices: Whether `send` shows its `choices` as something to press.
        marks: Whether its `choices` come as `Choice`, and what is pressed comes back with the mark; plain texts
            otherwise.

    Example:
        >>> OutletTraits(limits=TextLimits(max_length=2000)).streaming
        ()
    """

    limits: TextLimits
    streaming: Sequence[StreamMode] = ()
    interval: float = 1.5
    typing_every: float | None = None
    choices: bool = False
    marks: bool = False


class Choice(str):
    """An answer that people may press, and what it answers.

    A platform whose buttons carry more than they show says so (`OutletTraits.marks`), carries the mark too, and hands
    it in with what was pressed (`Incoming.answers`): so a button that is pressed late, or twice, answers nothing that
    was asked since.

    Example:
        >>> Choice("yes", mark="5f2c").mark
        '5f2c'
    """

    __slots__ = ("mark",)

    mark: str

    def __new__(cls, text: str, *, mark: str = "") -> Self:
        """Mark a text."""
        choice = super().__new__(cls, text)
        choice.mark = mark
        return choice


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingFile:
    """A file or an image to be sent: its bytes, or where the platform can fetch it.

    Args:
        media_type: Its MIME type (`"image/png"`).
        name: What to call it, with an extension.
        data: Its bytes; `None` when `uri` says where it lies.
        uri: An `https` address.
    """

    media_type: str
    name: str
    data: bytes | None = None
    uri: str | None = None


class Outlet(Protocol):
    """One place on a platform that can be written to. Each method raises an `OutletError` and nothing else.

    `address` names what the platform's limits of pace hold for (bot and chat, say): whoever was told to wait there
    waits, whichever outlet it used. Of the methods for which `traits` promise nothing, an outlet raises `NotOffered`.
    """

    @property
    def address(self) -> str:
        """What is told to wait together."""
        ...

    @property
    def traits(self) -> OutletTraits:
        """What this place offers."""
        ...

    async def send(self, text: str, *, plain: bool = False, choices: Sequence[str] = ()) -> MessageRef:
        """Send a message.

        Args:
            text: Markdown, not longer than the limits.
            plain: Send it as it is, without markup.
            choices: Answers that people may press instead of typing them; what is pressed has to come in as a message
                with that text. Without the trait `choices` they are dropped. With the trait `marks`, those that answer
                a question are of the class `Choice`.
        """
        ...

    async def edit(self, ref: MessageRef, text: str, *, plain: bool = False) -> None:
        """Put another text in a message's place; one that is there already is no error."""
        ...

    async def draft(self, text: str, *, plain: bool = False) -> None:
        """Show this text as the answer so far; the next message that is sent takes its place."""
        ...

    async def typing(self) -> None:
        """Show for a while that an answer is being worked on."""
        ...

    async def send_file(self, file: OutgoingFile) -> MessageRef:
        """Send a file; an image as an image."""
        ...


class OutletError(Exception):
    """A platform did not do what it was asked to; the message is for the log, and holds no secret and no text sent."""

    is_for_logs = True


class RetryAfter(OutletError):
    """Nothing was sent, and nothing may be sent to this address for that many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The platform wants {seconds:g} seconds of silence.")
        self.seconds: Final = seconds


class FormatRefused(OutletError):
    """Nothing was sent: the platform does not like the markup. The same text goes as `plain`."""


class NotOffered(OutletError):
    """Nothing was sent: this cannot be done here, now or ever (no drafts in this chat, the message is not there)."""


class Gone(OutletError):
    """Nothing was sent, and nothing can be: blocked by the person, removed from the chat, the chat is no more."""


class Unreachable(OutletError):
    """Nothing was sent: the platform does not answer, or has a fault; it may work later."""


class OutcomeUnknown(OutletError):
    """Nobody knows whether it was sent: the connection broke after the request had left."""
