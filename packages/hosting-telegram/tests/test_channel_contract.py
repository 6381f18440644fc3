"""The Telegram channel keeps what every channel keeps."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Self, cast

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from agent_framework_hosting.channel import Channel, ChannelContext, ChannelContribution, Task, TaskHandler
from agent_framework_hosting.messaging.phrases import Phrases
from agent_framework_hosting.testing.contracts import Capability, ChannelAdapter, ChannelContract, Line, Said
from agent_framework_hosting_telegram.channel import TelegramChannel
from agent_framework_hosting_telegram.testing import BOT_TOKEN, TelegramServer

SECRET = "told-to-telegram-by-hand"
FAILED = "FAILED: "


@dataclass
class Dealing:
    """Where in its chat the answer to an update begins and ends."""

    begin: int
    end: int | None = None


class WatchedChannel(TelegramChannel):
    """Tells when an update is dealt with: a chat does not say when an answer is complete."""

    def __init__(self, telegram: TelegramServer, dealings: dict[str, Dealing], **options: Any) -> None:
        super().__init__(
            bot_token=BOT_TOKEN,
            open=True,
            mode="webhook",
            secret_token=SECRET,
            api_base_url=telegram.base_url,
            phrases=Phrases(failed=f"{FAILED}{{reason}}"),
            **options,
        )
        self._watch = (telegram, dealings)

    def contribute(self, context: ChannelContext) -> ChannelContribution:
        return super().contribute(
            cast("ChannelContext", _WatchedContext(context, _WatchedTasks(context, *self._watch)))
        )


@dataclass
class _WatchedContext:
    context: ChannelContext
    tasks: _WatchedTasks

    def __getattr__(self, name: str) -> Any:
        return getattr(self.context, name)


@dataclass
class _WatchedTasks:
    context: ChannelContext
    telegram: TelegramServer
    dealings: dict[str, Dealing]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.context.tasks, name)

    def handle(self, kind: str, handler: TaskHandler, **options: Any) -> None:
        async def watched(task: Task) -> None:
            chat = task.payload["message"]["chat"]["id"]
            dealing = self.dealings[task.id] = Dealing(len(self.telegram.texts(chat)))
            await handler(task)
            dealing.end = len(self.telegram.texts(chat))
            self.telegram.bell.ring()

        self.context.tasks.handle(kind, watched, **options)


class TelegramAdapter(ChannelAdapter):
    """Talks as Telegram does: posts updates, and looks at what the bot has put into the chat."""

    lacks: ClassVar[Mapping[Capability, str]] = {
        "auth": "all requests are Telegram's, which proves itself by its secret token",
        "disconnect": "Telegram hangs up once an update is taken, and nobody leaves by that",
        "ids": "a chat has no ids to continue from",
        "private": "a chat belongs to those who are in it",
        "reading": "what was said stands in the chat",
        "refusals": "Telegram sends again what is refused, so that what cannot be read is taken, and left out",
    }
    streams_always = True

    def __init__(self) -> None:
        self._chats = itertools.count(5000)
        self._chat_of: dict[str, int] = {}
        self._dealings: dict[str, Dealing] = {}
        self._taken = 0

    async def __aenter__(self) -> Self:
        self._telegram = await TelegramServer().__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        await self._telegram.__aexit__(kind, error, traceback)

    def make(self, **options: Any) -> Channel:
        return WatchedChannel(self._telegram, self._dealings, **options)

    def message(self, line: Line, text: str, *, stream: bool) -> Any:
        chat = self._chat(line)
        return self._telegram.said(text, chat=chat, sender=chat)

    async def send(self, line: Line, body: bytes) -> Said:
        return await self._post(body, {"x-telegram-bot-api-secret-token": SECRET})

    async def knock(self) -> Said:
        update = self.message(Line(name="door"), "let me in", stream=False)
        return await self._post(json.dumps(update).encode(), {})

    async def say(self, line: Line, text: str) -> Said:
        *_, said = [item async for item in self.listen(line, text)]
        assert isinstance(said, Said)
        return said

    async def listen(self, line: Line, text: str) -> AsyncGenerator[str | Said, None]:
        chat, update = self._chat(line), self.message(line, text, stream=True)
        taken = await self.send(line, json.dumps(update).encode())
        if taken.error is not None:
            yield taken
            return
        shown, is_over, task = "", False, f"4711:{update['update_id']}"

        def now() -> tuple[bool, str]:
            dealing = self._dealings.get(task)
            if dealing is None:
                return False, ""
            texts = self._telegram.texts(chat)[dealing.begin : dealing.end]
            draft = self._telegram.draft(chat) if dealing.end is None else None
            return dealing.end is not None, "".join([*texts, draft or ""])

        def has_changed() -> bool:
            return now() != (False, shown)

        while not is_over:
            last = shown
            await self._telegram.bell.until(has_changed, waiting_for=f"an answer in chat {chat}")
            is_over, shown = now()
            if shown != last:
                yield shown
        dealing = self._dealings[task]
        yield _said(self._telegram.texts(chat)[dealing.begin : dealing.end])

    async def wait_taken(self, count: int) -> bool:
        await self._telegram.bell.until(lambda: self._taken >= count, waiting_for=f"{count} update(s) to be taken")
        return True

    async def reset(self, line: Line) -> None:
        await self.say(line, "/new")

    def _chat(self, line: Line) -> int:
        return self._chat_of.setdefault(line.name, next(self._chats))

    async def _post(self, body: bytes, headers: dict[str, str]) -> Said:
        answer = await self.driver.request("POST", self.at, body=body, headers=headers)
        if answer.status == 200:
            self._taken += 1
            self._telegram.bell.ring()
            return Said(status=200, wire=answer.body)
        return Said(error=answer.json()["error"]["code"], status=answer.status, wire=answer.body)


def _said(texts: list[str]) -> Said:
    wire = "\n".join(texts).encode()
    if texts and texts[-1].startswith(FAILED):
        return Said(error="failed", wire=wire)
    return Said(text="".join(texts), wire=wire)


class TestTelegramChannel(ChannelContract):
    """Every part of the contract, over the webhook."""

    adapter = TelegramAdapter
    patience = 20.0

    def texts(self) -> SearchStrategy[str]:
        """Telegram sends no message that is blank, and our own commands are none to the agent."""
        return st.text(min_size=1, max_size=60).filter(lambda text: bool(text.strip()) and not text.startswith("/"))
