"""What Telegram was told is taken is answered, also when the process dies in between."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from agent_framework_hosting_telegram.testing import TelegramServer

pytestmark = pytest.mark.timeout(240)  # real processes, on a machine that may be busy

SECRET = "told-to-telegram-by-hand"
PROCESS = Path(__file__).parent / "telegram_process.py"
PATIENCE = 90.0
BETWEEN_LOOKS = 0.05


@contextmanager
def bot(
    telegram: TelegramServer, folder: Path, *more: str, lease: str = "1.0"
) -> Generator[tuple[subprocess.Popen[bytes], str]]:
    """Serve a bot in a process of its own; gives the process and its webhook."""
    with socket.socket() as holder, (folder / "log").open("ab") as log:
        # The port is held while the bot takes it, so that nobody else gets it by chance.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        arguments = [str(port), f"sqlite:///{folder}/host.db", telegram.base_url, SECRET, lease, *more]
        process = subprocess.Popen([sys.executable, PROCESS, *arguments], stdout=log, stderr=log)
        try:
            yield process, f"http://127.0.0.1:{port}/telegram"
        finally:
            process.kill()
            process.wait()


async def posted(telegram: TelegramServer, text: str, address: str) -> None:
    assert await telegram.post(telegram.said(text), to=address, secret=SECRET) == 200


async def test_what_was_acknowledged_before_a_crash_is_answered_after_it_once_and_in_order(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    with bot(telegram, tmp_path, "stuck") as (process, address):
        await until_served(telegram, address)
        await posted(telegram, "one", address)
        await telegram.wait_draft(7, timeout=PATIENCE)
        await posted(telegram, "two", address)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert telegram.texts(7) == []
    with bot(telegram, tmp_path):
        await telegram.wait_texts(7, 2, timeout=PATIENCE)
    assert telegram.texts(7) == ["one", "one | two"]


async def test_processes_that_share_a_database_answer_an_update_once_whichever_of_them_gets_it(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    with bot(telegram, tmp_path, lease="60") as (_, one), bot(telegram, tmp_path, lease="60") as (_, other):
        for address in (one, other):
            await until_served(telegram, address)
        at_once = asyncio.Semaphore(20)
        update = telegram.said("one")

        async def post(number: int) -> int:
            async with at_once:
                return await telegram.post(update, to=(one, other)[number % 2], secret=SECRET)

        assert await asyncio.gather(*map(post, range(100))) == [200] * 100
        await telegram.wait_texts(7, timeout=PATIENCE)
        await posted(telegram, "two", other)
        await telegram.wait_texts(7, 2, timeout=PATIENCE)
    assert telegram.texts(7) == ["one", "one | two"]


async def until_served(telegram: TelegramServer, address: str) -> None:
    """Post something that is no update until somebody says that it is none."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                if await telegram.post({}, to=address, secret=SECRET) == 400:
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(BETWEEN_LOOKS)
