"""The played platform: what it records, what it answers, and what goes wrong on demand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager

import httpx
import pytest

from agent_framework_hosting.testing import Cut, FakeClock, Gate, PlatformCall, PlatformReply, PlatformServer


class Chat(PlatformServer):
    """Keeps what was said, and answers polls when there is something to tell."""

    said: list[str]
    news: list[str]

    def __init__(self, *, clock: FakeClock | None = None, timeout: float = 10) -> None:
        super().__init__(clock=(clock or FakeClock()).time, timeout=timeout)
        self.said, self.news = [], []

    def answer(self, call: PlatformCall) -> PlatformReply | Awaitable[PlatformReply]:
        if call.method == "poll":
            return self.poll()
        self.said.append(call.params.get("text", ""))
        return PlatformReply(json={"ok": True, "id": len(self.said)})

    async def poll(self) -> PlatformReply:
        await self.bell.until(lambda: bool(self.news), waiting_for="news", timeout=None)
        return PlatformReply(json=self.news)

    def tell(self, news: str) -> None:
        self.news.append(news)
        self.bell.ring()


@asynccontextmanager
async def playing(*, clock: FakeClock | None = None) -> AsyncGenerator[tuple[Chat, httpx.AsyncClient]]:
    async with Chat(clock=clock) as chat, httpx.AsyncClient(base_url=chat.base_url, timeout=60) as client:
        yield chat, client


async def test_each_call_is_recorded_as_it_came_over_the_wire() -> None:
    clock = FakeClock(now=50)
    async with playing(clock=clock) as (chat, client):
        await client.post("/bot1:abc/say?silent=1", json={"text": "hi", "to": {"id": 5}}, headers={"x-trace": "t"})
        clock.advance(3)
        await client.get("/bot1:abc/look", params={"at": "moon"})
    said, looked = chat.calls
    assert (said.index, said.method, said.verb, said.path, said.at) == (0, "say", "POST", "/bot1:abc/say", 50)
    assert said.params == {"silent": "1", "text": "hi", "to": {"id": 5}}
    assert (said.json, said.headers["x-trace"]) == ({"text": "hi", "to": {"id": 5}}, "t")
    assert said.reply == PlatformReply(json={"ok": True, "id": 1})
    assert (looked.method, looked.verb, looked.params, looked.at) == ("look", "GET", {"at": "moon"}, 53)


async def test_forms_and_files_are_read() -> None:
    photo = bytes(range(256)) * 3
    async with playing() as (chat, client):
        await client.post("/say", data={"text": "plain & simple", "empty": ""})
        await client.post("/send", data={"caption": "ein Köter"}, files={"photo": ("dog.png", photo, "image/png")})
    form, upload = chat.calls
    assert form.params == {"text": "plain & simple", "empty": ""}
    assert upload.params == {"caption": "ein Köter"}
    assert (upload.files["photo"].name, upload.files["photo"].content_type) == ("dog.png", "image/png")
    assert upload.files["photo"].content == photo


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{"),
        ("application/json", b'{"a": NaN}'),
        ("application/x-www-form-urlencoded", b"\xff"),
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b"no parts"),
        ("multipart/form-data; boundary=x", b"--x\r\ncontent-type: text/plain\r\n\r\nnameless\r\n--x--\r\n"),
    ],
)
async def test_a_body_that_is_not_what_it_says_is_refused_as_a_platform_does(content_type: str, body: bytes) -> None:
    async with playing() as (chat, client):
        answer = await client.post("/say", content=body, headers={"content-type": content_type})
        assert answer.status_code == 400
        assert "Bad Request" in answer.json()["error"]["message"]
    assert chat.said == []


async def test_the_next_calls_go_as_scripted_and_the_later_ones_as_ever() -> None:
    async with playing() as (chat, client):
        chat.script("say", chat.too_many(retry_after=7), PlatformReply(502, body=b"bad gateway"))
        chat.script("say", lambda call: PlatformReply(json=call.params["text"].upper()))
        answers = [await client.post("/say", json={"text": text}) for text in ("a", "b", "c", "d")]
        assert [answer.status_code for answer in answers] == [429, 502, 200, 200]
        assert answers[0].headers["retry-after"] == "7"
        assert answers[0].json() == {"error": {"message": "Too Many Requests: retry after 7"}}
        assert (answers[1].text, answers[2].json()) == ("bad gateway", "C")
        assert chat.said == ["d"]


@pytest.mark.parametrize(("cut", "said"), [(Cut.UNDONE, []), (Cut.DONE, ["a"])])
async def test_a_cut_connection_leaves_the_caller_without_an_answer(cut: Cut, said: list[str]) -> None:
    async with playing() as (chat, client):
        chat.script("say", cut)
        with pytest.raises(httpx.TransportError):
            await client.post("/say", json={"text": "a"})
        assert (await client.post("/say", json={"text": "b"})).status_code == 200
    assert chat.said == [*said, "b"]
    assert [call.outcome for call in chat.calls] == ["cut", "answered"]


async def test_a_gate_lets_a_later_call_be_answered_first() -> None:
    gate = Gate()
    async with playing() as (chat, client):
        chat.script("say", [gate, chat.error(500, "late and wrong")])
        early = asyncio.ensure_future(client.post("/say", json={"text": "early"}))
        await gate.wait_reached()
        assert (await client.post("/say", json={"text": "late"})).json()["id"] == 1
        first, second = chat.calls
        assert (first.outcome, second.outcome) == ("open", "answered")
        gate.open()
        assert (await early).status_code == 500
        assert await first.wait_ended() == chat.error(500, "late and wrong")


async def test_calls_are_waited_for_each_once_and_by_method() -> None:
    async with playing() as (chat, client):
        waiting = asyncio.ensure_future(chat.call("say"))
        await client.post("/type")
        await client.post("/say", json={"text": "one"})
        await client.post("/say", json={"text": "two"})
        assert (await waiting).params["text"] == "one"
        assert (await chat.call("say")).params["text"] == "two"
        assert (await chat.call()).method == "type"
        assert len(await chat.wait_calls(3)) == 3
        assert [call.method for call in chat.calls_to("type")] == ["type"]
        assert (await chat.wait_calls(1, where=lambda call: call.params.get("text") == "two"))[0].index == 2
        with pytest.raises(TimeoutError, match=r"a call of say, in vain. These came: \[<type #0"):
            await chat.call("say", timeout=0.01)


async def test_an_answer_may_wait_for_what_the_test_tells() -> None:
    async with playing() as (chat, client):
        polling = asyncio.ensure_future(client.post("/poll"))
        await chat.call("poll")
        chat.tell("rain")
        assert (await polling).json() == ["rain"]


async def test_who_hangs_up_is_seen_to_have_left() -> None:
    async with playing() as (chat, client):
        polling = asyncio.ensure_future(client.post("/poll"))
        call = await chat.call("poll")
        polling.cancel()
        assert await call.wait_ended() is None
        assert call.outcome == "abandoned"


async def test_the_server_stops_at_once_while_a_call_waits(caplog: pytest.LogCaptureFixture) -> None:
    async with httpx.AsyncClient(timeout=60) as client:
        async with Chat() as chat:
            polling = asyncio.ensure_future(client.post(f"{chat.base_url}/poll"))
            call = await chat.call("poll")
        await asyncio.wait({polling})
        assert polling.exception() or polling.result().status_code == 500
    assert call.outcome == "abandoned"
    assert "Still running" not in caplog.text


async def test_an_error_of_the_fake_itself_is_raised_when_it_is_left() -> None:
    class Broken(PlatformServer):
        def answer(self, call: PlatformCall) -> PlatformReply:
            raise LookupError("the fake is wrong")

    with pytest.raises(LookupError, match="the fake is wrong"):
        async with Broken() as broken, httpx.AsyncClient(base_url=broken.base_url, timeout=60) as client:
            assert (await client.post("/say")).status_code == 500
