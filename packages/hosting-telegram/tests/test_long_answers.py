"""A long answer arrives whole and in order, whatever Telegram says in between."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import PlatformCall, PlatformReply, ScriptedAgent
from agent_framework_hosting_telegram.channel import TelegramChannel
from agent_framework_hosting_telegram.testing import BOT_TOKEN, TelegramServer

from .hurried import HurriedClock

Play: TypeAlias = PlatformReply | Callable[[PlatformCall], PlatformReply] | list[Any]

LENGTH = 30_000
PIECE = 60


def written(length: int) -> str:
    """A text of numbered words, with paragraphs, code, and characters that count twice."""
    parts: list[str] = []
    number = size = 0
    while size < length:
        block = " ".join(f"w{number + at}" + ("🦊" if at % 7 == 0 else "") for at in range(40))
        number += 40
        parts.append(f"```python\n{block}\n```\n\n" if len(parts) % 5 == 4 else f"**Part** {block}.\n\n")
        size += len(parts[-1])
    return "".join(parts)[:length]


def words(text: str) -> list[str]:
    return re.findall(r"w\d+", text)


@pytest.mark.parametrize("chat", [7, -100], ids=["drafted", "edited"])
@pytest.mark.parametrize("has_silences", [False, True], ids=["undisturbed", "with-429s"])
async def test_a_long_streamed_answer_arrives_whole_in_order_and_within_the_limits(
    chat: int, has_silences: bool
) -> None:
    text = written(LENGTH)
    pieces = [text[at : at + PIECE] for at in range(0, LENGTH, PIECE)]
    clock = HurriedClock()
    with TelegramServer(clock=clock.monotonic) as telegram:
        if has_silences:
            fine: Play = []  # nothing else than what happens anyway
            for method in ("sendMessage", "sendMessageDraft", "editMessageText"):
                plays: list[Play] = [telegram.silence(chat, 40), telegram.silence(chat, 3), telegram.error(502, "Bad")]
                telegram.script(method, *(play for trouble in plays for play in (fine, trouble)))
        channel = TelegramChannel(
            bot_token=BOT_TOKEN, open=True, groups="all", api_base_url=telegram.base_url, clock=clock
        )
        async with AgentFrameworkHost(ScriptedAgent(pieces), channels=[channel]):
            telegram.push(telegram.said("Tell me all.", chat=chat))
            await telegram.bell.until(
                lambda: words("\n".join(telegram.texts(chat))) == words(text),
                waiting_for="the whole answer",
                timeout=30,
            )
        messages = telegram.messages(chat)
        refused = [
            call.reply.json["description"] for call in telegram.calls if call.reply and not call.reply.json["ok"]
        ]
        assert not [told for told in refused if "too long" in told or "parse" in told]
        assert all(len(message.text.encode("utf-16-le")) // 2 <= 4096 for message in messages)
        assert len(messages) <= LENGTH // 3000 + 1
        assert all(message.html for message in messages)
        assert telegram.impatient == []
        silences = [call for call in telegram.calls if call.reply and call.reply.status == 429]
        assert len(silences) >= (2 if has_silences else 0)
