"""A place on a platform that exists in memory, for the tests of what chat channels share."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent_framework_hosting.channel import ChannelCommand, ChannelContext, ChannelContribution
from agent_framework_hosting.messaging.access import Access
from agent_framework_hosting.messaging.conversations import Conversations
from agent_framework_hosting.messaging.incoming import Attachment, Incoming, Sender
from agent_framework_hosting.messaging.outlet import (
    Choice,
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
        async with asyncio.timeout(60):
            while len(self.calls) < calls:
                self.called.clear()
                await self.called.wait()

    async def send(self, text: str, *, plain: bool = False, choices: Sequence[str] = ()) -> MessageRef:
        ref = str(len(self.calls))
        await self._call(Call("send", text, ref, plain, choices))
        self.messages[ref] = text
        self.called.set()
        return ref

    async def edit(self, ref: MessageRef, text: str, *, plain: bool = False) -> None:
        await self._call(Call("edit", text, ref, plain))
        if ref not in self.messages:
            raise NotOffered("There is no such message.")
        self.messages[ref] = text
        self.called.set()

    async def draft(self, text: str, *, plain: bool = False) -> None:
        await self._call(Call("draft", text, plain=plain))
        self.drafts.append(text)

    async def typing(self) -> None:
        await self._call(Call("typing"))

    async def send_file(self, file: OutgoingFile) -> MessageRef:
        ref = str(len(self.calls))
        await self._call(Call("send_file", ref=ref, file=file))
        self.files.append(file)
        self.called.set()
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


@dataclass
class Chats:
    """A platform whose payloads are small mappings, and the channel that serves it."""

    access: dict[str, Any] = field(default_factory=lambda: {"open": True})
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    own: Sequence[ChannelCommand] = ()
    name: str = "chats"
    path: str = "/chats"
    account: str = "bot1"
    bot_name: str | None = "host_bot"
    traits: OutletTraits | None = None
    places: dict[str, Place] = field(default_factory=dict[str, Place])
    files: dict[str, bytes | Exception] = field(default_factory=dict[str, bytes | Exception])
    context: ChannelContext = field(init=False)
    conversations: Conversations = field(init=False)

    def contribute(self, context: ChannelContext) -> ChannelContribution:
        self.context = context
        access = Access(**self.access, channel="Chats")
        self.conversations = Conversations(context, self, access=access, commands=self.own, **self.options)
        return ChannelContribution(commands=self.own, on_shutdown=[self.conversations.close])

    def parse(self, payload: Any) -> Incoming | None:
        if "text" not in payload and "files" not in payload:
            return None
        sender = payload.get("from", "ada")
        return Incoming(
            id=str(payload["id"]),
            chat=payload.get("chat", "home"),
            thread=payload.get("thread"),
            sender=Sender(id=sender, username=sender.title(), name=sender.title(), is_bot=payload.get("bot", False)),
            text=payload.get("text", ""),
            is_group=payload.get("group", False),
            is_addressed=payload.get("addressed", True),
            attachments=tuple(Attachment(**each) for each in payload.get("files", ())),
            answers=payload.get("answers"),
        )

    def outlet(self, incoming: Incoming) -> Place:
        return self.at(incoming.chat)

    def at(self, chat: str = "home") -> Place:
        """Return a chat."""
        place = self.places.get(chat)
        if place is None:
            place = Place(address=f"{self.account}:{chat}") if self.traits is None else Place(self.traits, chat)
            self.places[chat] = place
        return place

    async def read(self, attachment: Attachment) -> AsyncGenerator[bytes]:
        found = self.files[attachment.ref]
        if isinstance(found, Exception):
            raise found
        for start in range(0, len(found), 10):
            yield found[start : start + 10]

    async def say(self, text: str, *, id: Any = None, **more: Any) -> bool:
        """Let the platform hand a message in."""
        self._count = getattr(self, "_count", 0) + 1
        return await self.conversations.take({"id": id or f"m{self._count}", "text": text, **more})

    async def press(self, choice: str, below: str, **more: Any) -> bool:
        """Let somebody press one of the choices below the newest message that says this."""
        asked = next(call for call in reversed(self.at().made("send")) if below in call.text)
        mark = next(each.mark for each in asked.choices if isinstance(each, Choice) and each == choice)
        return await self.say(choice, answers=mark, **more)

    async def until(self, *texts: str, chat: str = "home") -> list[str]:
        """Wait until a chat shows these texts, among others and in order; return all that it shows."""
        place = self.at(chat)
        async with asyncio.timeout(60):
            while not _in_order(texts, place.texts):
                place.called.clear()
                await place.called.wait()
        return place.texts


def _in_order(wanted: Sequence[str], shown: Sequence[str]) -> bool:
    rest = iter(shown)
    return all(any(text in other for other in rest) for text in wanted)
