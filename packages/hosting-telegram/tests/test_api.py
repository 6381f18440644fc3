"""Calls of the Bot API over HTTP, whose token nobody sees."""

import logging
import traceback

import httpx2
import pytest

from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.messaging.outlet import (
    NotOffered,
    OutcomeUnknown,
    OutgoingFile,
    OutletError,
    RetryAfter,
    Unreachable,
)
from agent_framework_hosting.testing import Cut, PlatformReply
from agent_framework_hosting_telegram._answer import Unauthorized
from agent_framework_hosting_telegram._api import BotApi
from agent_framework_hosting_telegram._secret import BotToken
from agent_framework_hosting_telegram.channel import TelegramChannel
from agent_framework_hosting_telegram.testing import BOT_TOKEN, TelegramServer

SECRET = BOT_TOKEN.partition(":")[2]


async def downloaded(api: BotApi, path: str) -> bytes:
    return b"".join([part async for part in api.download(path)])


async def test_a_call_gives_what_telegram_gives(telegram: TelegramServer, api: BotApi) -> None:
    assert (await api.call("getMe"))["username"] == "played_bot"
    sent = await api.call("sendMessage", {"chat_id": 7, "text": "Hi", "message_thread_id": None})
    assert sent["text"] == "Hi"
    assert (await telegram.call("sendMessage")).json == {"chat_id": 7, "text": "Hi"}


async def test_files_go_as_a_form_beside_the_other_parameters(telegram: TelegramServer, api: BotApi) -> None:
    file = OutgoingFile(media_type="image/png", name="a.png", data=b"\x89PNG\r\n--x")
    params = {"chat_id": 7, "reply_parameters": {"message_id": 1, "allow_sending_without_reply": True}}
    await api.call("sendPhoto", params, files={"photo": file})
    call = await telegram.call("sendPhoto")
    assert call.files["photo"].content == file.data
    assert call.files["photo"].content_type == "image/png"
    assert telegram.messages(7)[0].reply_to == 1


async def test_a_file_is_fetched_as_it_comes(telegram: TelegramServer, api: BotApi) -> None:
    telegram.files["ä b"] = b"x" * 100_000
    assert await downloaded(api, "files/ä b") == b"x" * 100_000
    with pytest.raises(NotOffered):
        await downloaded(api, "files/other")


async def test_what_went_wrong_on_the_way_says_whether_it_may_have_been_done(
    telegram: TelegramServer, api: BotApi
) -> None:
    telegram.script(
        "sendMessage",
        telegram.too_many(retry_after=3),
        Cut.DONE,
        telegram.error(502, "Bad Gateway"),
        PlatformReply(200),
    )
    for kind in (RetryAfter, OutcomeUnknown, Unreachable, OutcomeUnknown):
        with pytest.raises(kind):
            await api.call("sendMessage", {"chat_id": 7, "text": "Hi"})
    assert telegram.texts(7) == ["Hi"]
    away = BotApi(BotToken(BOT_TOKEN), base_url="http://127.0.0.1:9")
    with pytest.raises(Unreachable):
        await away.call("getMe")
    with pytest.raises(Unreachable):
        await downloaded(away, "x")
    await away.aclose()


async def test_a_client_of_the_users_is_used_and_stays_open(telegram: TelegramServer) -> None:
    async with httpx2.AsyncClient(headers={"x-proxy": "mine"}, timeout=60) as client:
        api = BotApi(BotToken(BOT_TOKEN), base_url=telegram.base_url, client=client)
        await api.call("getMe")
        await api.aclose()
        assert (await telegram.call("getMe")).headers["x-proxy"] == "mine"
        assert not client.is_closed


async def test_the_token_is_in_no_log_no_error_and_no_repr(
    telegram: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    async with httpx2.AsyncClient() as client:
        api = BotApi(BotToken(BOT_TOKEN), base_url=telegram.base_url, client=client)
        telegram.script(
            "getMe", telegram.error(401, "Unauthorized"), Cut.UNDONE, telegram.error(500, "no"), PlatformReply()
        )
        for kind in (Unauthorized, OutcomeUnknown, Unreachable, OutcomeUnknown):
            with pytest.raises(kind) as raised:
                await api.call("getMe")
            told += traceback.format_exception(raised.value)
        await api.call("getMe")
        for base_url in (telegram.base_url, "http://127.0.0.1:9"):
            with pytest.raises(OutletError) as raised:
                await downloaded(BotApi(BotToken(BOT_TOKEN), base_url=base_url, client=client), "files/x")
            told += traceback.format_exception(raised.value)
        url = api.token.url("https://a.example/bot{token}/x")
        request = client.build_request("GET", url)
        request.url = url
        told += [
            repr(api.token),
            str(url),
            repr(url),
            url.path,
            repr(request),
            repr(httpx2.ReadError("x", request=request)),
        ]
    channel = TelegramChannel(bot_token=BOT_TOKEN, open=True)
    told += [repr(channel), *(str(record.__dict__) for record in caplog.records)]
    assert any("/bot***/getMe" in text for text in told)
    assert not [text for text in told if SECRET in text]
    assert SECRET.encode() in url.raw_path


@pytest.mark.parametrize("token", ["", "123", "abc:def", "4711:with space", f"{BOT_TOKEN}/../x"])
def test_what_is_no_token_is_refused_without_being_repeated(token: str) -> None:
    with pytest.raises(ConfigurationError, match="@BotFather") as raised:
        BotToken(token)
    assert len(token) < 4 or token not in str(raised.value)


@pytest.mark.parametrize(
    "address", ["api.telegram.org", "ftp://a.example", "https://", "https://a.example/?x=1", "https://{token}"]
)
def test_an_api_base_url_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match="api_base_url"):
        BotApi(BotToken(BOT_TOKEN), base_url=address)
