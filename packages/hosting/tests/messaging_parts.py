"""A place on a platform that exists in memory, for the tests of what chat channels share."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent_framework_hosting.messaging.outlet import (
    FormatRefused,
    MessageRef,
    NotOffered,
    OutgoingFile,
    OutletTraits,
    TextLimits,
)


@dataclass
class Call:
    """One call of the platform's API: what was asked for, and what came of it."""

    method: str
    text: str = ""
    ref: MessageRef | None = None
    plain: bool = False
    choices: Sequence[str] = ()
    file: OutgoingFile | None = None
    error: Exception | None = None


@dataclass
class Place:
    """An outlet that remembers every call, and fails as the test says."""

    traits: OutletTraits = field(default_factory=lambda: OutletTraits(limits=TextLimits(max_length=4096, unit="utf16")))
    address: str = "bot:chat"
    faults: dict[str, deque[Exception | None]] = field(default_factory=dict[str, deque[Exception | None]])
    calls: list[Call] = field(default_factory=list[Call])
    messages: dict[MessageRef, str] = field(default_factory=dict[MessageRef, str])
    files: list[OutgoingFile] = field(default_factory=list[OutgoingFile])
    drafts: list[str] = field(default_factory=list[str])
    called: asyncio.Event = field(default_factory=asyncio.Event)

    def fail(self, method: str, *errors: Exception | None) -> None:
        """Let the next calls of a method end so, one after the other; `None` is one that goes well."""
        self.faults.setdefault(method, deque()).extend(errors)

    def made(self, method: str) -> list[Call]:
        """Return the calls of a method that went well."""
        return [call for call in self.calls if call.method == method and call.error is None]

    @property
    def texts(self) -> list[str]:
        """What stands in the chat, in order."""
        return list(self.messages.values())

    async def until(self, *, calls: int) -> None:
        """Wait until so many calls have been made."""
        async with asyncio.timeout(5):
            while len(self.calls) < calls:
                self.called.clear()
                await self.called.wait()

    async def send(self, text: str, *, plain: bool = False, choices: Sequence[str] = ()) -> MessageRef:
        ref = str(len(self.calls))
        await self._call(Call("send", text, ref, plain, choices))
        self.messages[ref] = text
        return ref

    async def edit(self, ref: MessageRef, text: str, *, plain: bool = False) -> None:
        await self._call(Call("edit", text, ref, plain))
        if ref not in self.messages:
            raise NotOffered("There is no such message.")
        self.messages[ref] = text

    async def draft(self, text: str, *, plain: bool = False) -> None:
        await self._call(Call("draft", text, plain=plain))
        self.drafts.append(text)

    async def typing(self) -> None:
        await self._call(Call("typing"))

    async def send_file(self, file: OutgoingFile) -> MessageRef:
        ref = str(len(self.calls))
        await self._call(Call("send_file", ref=ref, file=file))
        self.files.append(file)
        return ref

    async def _call(self, call: Call) -> None:
        assert self.traits.limits.measure(call.text) <= self.traits.limits.max_length
        faults = self.faults.get(call.method)
        call.error = faults.popleft() if faults else None
        self.calls.append(call)
        self.called.set()
        await asyncio.sleep(0)
        if isinstance(call.error, FormatRefused) and call.plain:
            call.error = None
        if call.error is not None:
            raise call.error
