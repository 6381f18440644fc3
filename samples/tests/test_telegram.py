"""A Telegram bot, in a process of its own, on a played Telegram."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_framework_hosting_telegram.testing import BOT_TOKEN, TelegramServer

from .conftest import Load
from .processes import started


@pytest.mark.timeout(240)
async def test_the_bot_answers_who_is_let_in_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with TelegramServer() as telegram:
        settings = {
            "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
            "TELEGRAM_ALLOW": "@somebody,@person_7",
            "TELEGRAM_API_URL": telegram.base_url,
            "DATABASE": f"sqlite:///{tmp_path}/host.db",
        }
        for round_, texts in enumerate((["one"], ["one | two", "I repeat all that you have said since /new."])):
            with started("telegram.py", log=tmp_path / "printed", settings=settings) as sample:
                telegram.push(telegram.said(("one", "two")[round_]))
                await telegram.wait_texts(7, round_ + 1, timeout=90)
                if round_:
                    telegram.push(telegram.said("/about"), telegram.said("let me in", chat=8, sender=8))
                    await telegram.wait_texts(7, 3)
                    await telegram.wait_texts(8)
                assert telegram.texts(7)[round_:] == texts
                assert sample.stop() == 0
                assert "@played_bot; updates are asked for; 2 person(s) or chat(s) may talk to it" in sample.printed
                assert BOT_TOKEN not in sample.printed
        assert "may not talk" in telegram.texts(8)[0]


def test_without_a_token_it_says_what_to_set(sample: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TELEGRAM_BOT_TOKEN", raising=False)
    with pytest.raises(SystemExit, match="TELEGRAM_BOT_TOKEN"):
        sample("telegram.py")
