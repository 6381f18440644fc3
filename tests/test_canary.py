"""Nothing that a caller says, and no secret, gets into logs, spans, metrics or foreign answers: over all channels."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from agent_framework_hosting import AgentFrameworkHost, ChannelRequest
from agent_framework_hosting.auth import ApiKeys
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.logs import configure_logs
from agent_framework_hosting.testing import LoopbackDriver, ScriptedAgent
from agent_framework_hosting_chat_completions import ChatCompletionsChannel
from agent_framework_hosting_invocations import InvocationsChannel
from agent_framework_hosting_responses import ResponsesChannel
from agent_framework_hosting_telegram import TelegramChannel
from agent_framework_hosting_telegram.testing import BOT_TOKEN, TelegramServer

CANARY = "hunter2canary"
INPUT, OUTPUT, RAISED, HEADER, QUERY, USER = (
    f"{CANARY}{name}" for name in ("in", "out", "raised", "head", "url", "user")
)
SECRETS = (CANARY, BOT_TOKEN, BOT_TOKEN.partition(":")[2])
ASKED = {
    "/responses": {"model": "m", "input": INPUT, "metadata": {INPUT: INPUT}, "user": USER},
    "/invocations": {"input": INPUT},
    "/v1/chat/completions": {"model": "m", "messages": [{"role": "user", "content": INPUT}], "user": USER},
}
BROKEN = ("{", json.dumps({"input": {INPUT: INPUT}, "messages": INPUT}), json.dumps({"nothing": INPUT}))


class Failing(RuntimeError):
    """An error that says too much, as those of other people do."""

    def __init__(self) -> None:
        super().__init__(f"{RAISED} at https://api.example/?key={QUERY}")


@dataclass
class Steps:
    """Which step of a run fails."""

    failing: str = ""

    def at(self, step: str) -> None:
        if self.failing == step:
            raise Failing

    def run_hook(self, request: ChannelRequest, **_: Any) -> ChannelRequest:
        self.at("run hook")
        return request

    def response_hook(self, result: Any, **_: Any) -> Any:
        self.at("response hook")
        return result

    def update_hook(self, update: Any) -> Any:
        self.at("update hook")
        return update

    async def speak(self, _: Any) -> AsyncGenerator[str]:
        self.at("first update")
        yield OUTPUT
        self.at("second update")
        yield OUTPUT


@asynccontextmanager
async def house(steps: Steps, keys: ApiKeys | Any) -> AsyncGenerator[tuple[LoopbackDriver, TelegramServer]]:
    hooks: dict[str, Any] = {"run_hook": steps.run_hook, "response_hook": steps.response_hook}
    async with TelegramServer() as telegram:
        host = AgentFrameworkHost(
            ScriptedAgent(every=steps.speak),
            channels=[
                ResponsesChannel(**hooks, stream_update_hook=steps.update_hook),
                InvocationsChannel(**hooks),
                ChatCompletionsChannel(**hooks),
                TelegramChannel(bot_token=BOT_TOKEN, open=True, api_base_url=telegram.base_url, **hooks),
            ],
            auth=keys,
            debug=True,
            limits=Limits(task_failures=1),
        )
        async with LoopbackDriver(host.app) as driver:
            yield driver, telegram


def who(steps: Steps) -> Any:
    """Return an authenticator that fails when its step is to."""
    from agent_framework_hosting.types import Principal

    async def who(connection: HTTPConnection) -> Principal | None:
        steps.at("auth")
        return (
            Principal(id=USER, kind="caller") if connection.headers.get("authorization") == f"Bearer {HEADER}" else None
        )

    return who


async def ask_everywhere(driver: LoopbackDriver, telegram: TelegramServer, *, says: int) -> str:
    """Ask on all channels, whole and streamed, well and badly; return what those got who did not ask."""
    refused: list[str] = []
    headers = {"authorization": f"Bearer {HEADER}", "x-other": HEADER, "cookie": HEADER}
    for path, asked in ASKED.items():
        for stream in (False, True):
            await driver.request("POST", f"{path}?token={QUERY}", json={**asked, "stream": stream}, headers=headers)
        for body in BROKEN:
            json_headers = {**headers, "content-type": "application/json"}
            await driver.request("POST", f"{path}?token={QUERY}", body=body.encode(), headers=json_headers)
        foreign = await driver.request("POST", path, json=asked, headers={"authorization": f"Bearer {CANARY}wrong"})
        refused.append(foreign.text)
    for path in ("/nowhere", "/readiness", "/livez"):
        refused.append((await driver.request("GET", f"{path}?token={QUERY}", headers=headers)).text)
    telegram.push(telegram.said(INPUT))
    await telegram.wait_texts(7, says)
    return "\n".join(refused)


FAILURES = ("", "auth", "run hook", "response hook", "update hook", "first update", "second update")


@pytest.mark.parametrize("log_format", ["console", "json"])
async def test_no_secret_and_no_content_is_told_whatever_fails(
    collected: Any, caplog: pytest.LogCaptureFixture, log_format: Any
) -> None:
    """At DEBUG, with every step failing in turn; the bot's token is in the address of every call to its platform."""
    stream = io.StringIO()
    configure_logs(log_format, level=logging.DEBUG, stream=stream)
    steps, answers = Steps(), list[str]()
    async with house(steps, who(steps)) as (driver, telegram):
        for count, failing in enumerate(FAILURES, 1):
            steps.failing = failing
            answers.append(await ask_everywhere(driver, telegram, says=count))
        await asyncio.sleep(0)
    spans = [span.to_json() for span in collected.spans() if span.name.startswith("af_hosting")]
    metrics = [str(point) for points in collected.metrics().values() for point in points]
    told = {
        "log": stream.getvalue(),
        "spans": "\n".join(spans),
        "metrics": "\n".join(metrics),
        "answers": "".join(answers),
    }
    assert all(told.values())
    for where, text in told.items():
        for secret in SECRETS:
            assert secret not in text, f"{secret} is in the {where}: ...{text[max(0, text.find(secret) - 300) :][:600]}"
    assert told["log"].count("Failing") >= len(FAILURES) - 2, "the failures themselves are in the log"
