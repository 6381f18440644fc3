"""The channel contract fits a chat platform: a webhook in, and calls to the platform's own server out."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, ClassVar, Self

import httpx
import msgspec
import pytest
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent_framework_hosting.channel import Channel, ChannelContext, ChannelContribution, VerifiedRoute
from agent_framework_hosting.hooks import ChannelResponseHook, ChannelRunHook, ChannelStreamUpdateHook
from agent_framework_hosting.testing import PlatformServer
from agent_framework_hosting.testing.contracts import Capability, ChannelAdapter, ChannelContract, Line, Said
from agent_framework_hosting.types import ChannelRequest, ChannelSession
from agent_framework_hosting.web.errors import describe


class Update(msgspec.Struct):
    chat: str
    text: str


@dataclass(kw_only=True)
class PagerChannel:
    """A chat bot as small as can be: it takes updates, shows drafts, and sends the answer."""

    api: str
    secret: str
    name: str = "pager"
    path: str = "/pager"
    run_hook: ChannelRunHook | None = None
    response_hook: ChannelResponseHook | None = None
    stream_update_hook: ChannelStreamUpdateHook | None = None
    running: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def contribute(self, context: ChannelContext) -> ChannelContribution:
        self.context = context
        hook = VerifiedRoute(Route("/hook", self.hear, methods=["POST"]), verifier="secret of the pager company")
        return ChannelContribution(verified_routes=[hook], on_startup=[self.start], on_shutdown=[self.stop])

    def start(self) -> None:
        self.client = httpx.AsyncClient(base_url=self.api, timeout=60)

    async def stop(self) -> None:
        for task in self.running:
            task.cancel()
        if self.running:
            await asyncio.wait(self.running)
        await self.client.aclose()

    async def hear(self, request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get("x-pager-secret", "").encode(), self.secret.encode()):
            return Response(status_code=401)
        try:
            update = msgspec.json.decode(await request.body(), type=Update)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Response(status_code=200)  # it would only be sent again
        task = asyncio.create_task(self.answer(update))
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        return Response(status_code=200)

    async def answer(self, update: Update) -> None:
        key = f"{self.name}/{update.chat}"
        if update.text == "/new":
            await self.context.areset_session(key)
            await self.send("send", update.chat, "Done.")
            return
        try:
            text = await self.run(ChannelRequest(self.name, "message", update.text, ChannelSession(key)), update)
        except Exception as error:  # noqa: BLE001 - whatever it was, the person is told what may be told
            text = f"Sorry: {describe(error).code}"
        await self.send("send", update.chat, text)

    async def run(self, request: ChannelRequest, update: Update) -> str:
        stream = await self.context.run_stream(
            replace(request, stream=True),
            protocol_request=update,
            run_hook=self.run_hook,
            response_hook=self.response_hook,
            stream_update_hook=self.stream_update_hook,
        )
        text = ""
        async with aclosing(stream):
            async for piece in stream:
                text += piece.text
                await self.send("draft", update.chat, text)
            return text if self.response_hook is None else (await stream.get_final_response()).text

    async def send(self, method: str, chat: str, text: str) -> None:
        (await self.client.post(f"/{method}", json={"chat": chat, "text": text})).raise_for_status()


class PagerAdapter(ChannelAdapter):
    """A person's update goes to the webhook; what the bot says comes as calls to the pager company."""

    lacks: ClassVar[Mapping[Capability, str]] = {
        "auth": "all that comes is signed by the platform",
        "disconnect": "nobody waits on the line of a pager",
        "ids": "a chat has one end",
        "private": "who is in a chat shares it",
        "reading": "what was sent is the platform's",
        "refusals": "a platform would only send it again",
        "slash": "the webhook is below the channel's path",
    }
    streams_always = True

    def __init__(self) -> None:
        self.taken = 0

    async def __aenter__(self) -> Self:
        self.platform = PlatformServer()
        await self.platform.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        await self.platform.__aexit__(kind, error, traceback)

    def make(self, **options: Any) -> Channel:
        return PagerChannel(api=self.platform.base_url, secret="s3cret", **options)

    def message(self, line: Line, text: str, *, stream: bool) -> Any:
        return {"chat": line.name, "text": text}

    async def send(self, line: Line, body: bytes) -> Said:
        said = await self._post(body, {"x-pager-secret": "s3cret"})
        self.taken += 1
        self.platform.bell.ring()
        return said

    async def wait_taken(self, count: int) -> bool:
        await self.platform.bell.until(lambda: self.taken >= count, waiting_for=f"{count} updates to be taken")
        return True

    async def knock(self) -> Said:
        said = await self._post(msgspec.json.encode(self.message(Line(), "let me in", stream=False)), {})
        return replace(said, error="refused" if said.status == 401 else None)

    async def say(self, line: Line, text: str) -> Said:
        async with aclosing(self.listen(line, text)) as items:
            *_, said = [item async for item in items]
        assert isinstance(said, Said)
        return said

    async def listen(self, line: Line, text: str) -> AsyncGenerator[str | Said, None]:
        assert (await self.send(line, msgspec.json.encode(self.message(line, text, stream=True)))).status == 200
        while True:
            call = await self.platform.call(where=lambda call: call.params["chat"] == line.name)
            shown = call.params["text"]
            if call.method == "send":
                yield Said(text=shown, error=shown if shown.startswith("Sorry") else None, wire=call.body)
                return
            yield shown

    async def reset(self, line: Line) -> None:
        await self.say(line, "/new")

    async def _post(self, body: bytes, headers: Mapping[str, str]) -> Said:
        answer = await self.driver.request("POST", f"{self.at}/hook", body=body, headers=headers)
        return Said(status=answer.status, wire=answer.body)


class TestPagerChannel(ChannelContract):
    adapter = PagerAdapter

    def texts(self) -> st.SearchStrategy[str]:
        return super().texts().filter(lambda text: not text.startswith(("/", "Sorry")))


@pytest.mark.parametrize("chats", [1, 20])
async def test_nothing_is_said_twice_and_nothing_is_lost(chats: int) -> None:
    async with TestPagerChannel().serve() as served:
        lines = [Line(name=f"chat {number}") for number in range(chats)]
        texts = await asyncio.gather(*(served.answer(line, f"hello {line.name}") for line in lines))
        assert texts == [f"hello {line.name}" for line in lines]
        assert isinstance(served.adapter, PagerAdapter)
        assert len(served.adapter.platform.calls_to("send")) == chats
