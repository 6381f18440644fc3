"""Requests that no client sends, byte by byte, against `host.serve` in a process of its own.

None gets a status of 500 and more, none hangs, and no answer has a byte in it that is somebody else's, or the inside's.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from agent_framework_hosting_telegram.testing import TelegramServer

from .abuse import connected, request, statuses
from .served import Served, free_port, serving

pytestmark = pytest.mark.timeout(900)  # a real process, on a machine that may be busy

SECRET: Final = "told-to-telegram-by-hand"
CANARY: Final = "zebra-0f3c9a71"
"""What somebody else has said."""
INSIDES: Final = (b"Traceback", b"site-packages", b'File "', b"agent_framework", b".py", CANARY.encode())
AT_ONCE: Final = 20
PATHS: Final = (
    "/responses",
    "/v1/responses/{id}",
    "/v1/responses/{id}/input_items",
    "/v1/responses/{id}/cancel",
    "/v1/conversations",
    "/v1/conversations/conv_x/items",
    "/invocations",
    "/v1/chat/completions",
    "/v1/models",
    "/telegram",
    "/readiness",
    "/nothing/here",
)
CODINGS: Final = (b"transfer-encoding: gzip\r\n", b"transfer-encoding: chunked, chunked\r\n")
"""Of a transfer coding that a server does not know HTTP itself wants a 501."""

Figure = Callable[[int, int], int]
Record = Callable[[str, object], None]

VALUES: Final[tuple[Any, ...]] = (
    None, True, 0, -1, 1e308, 2**70, "", "\u0000", "\ud83d\ude00" * 50, "../../etc/passwd", "telegram:42", [], [[]],
    {}, {"": None}, {"type": []}, [{"type": "x"}], [{"role": {}}], [{"role": "user", "content": 5}],
    [{"role": "user", "content": [{"type": "input_image", "image_url": "http://169.254.169.254/"}]}],
    "x" * 70_000, {"$ref": "#"}, {"__class__": "os.system"},
)  # fmt: skip
FIELDS: Final = (
    "input", "model", "messages", "stream", "previous_response_id", "conversation", "tools", "tool_choice", "metadata",
    "instructions", "temperature", "text", "include", "store", "user", "session_id", "responses", "max_output_tokens",
    "response_format", "stream_options", "n", "stop", "update_id", "message", "callback_query", "background", "id",
)  # fmt: skip
GOOD: Final[tuple[dict[str, Any], ...]] = (
    {"input": "hi"},
    {"messages": [{"role": "user", "content": "hi"}], "model": "m"},
    {"update_id": 1, "message": {"message_id": 1, "date": 0, "chat": {"id": 7, "type": "private"}, "text": "hi"}},
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    with TelegramServer() as telegram, pytest.MonkeyPatch.context() as patch, free_port() as port:
        patch.setenv("AF_HOSTING_RECEIVE_TIMEOUT", "1s")
        patch.setenv("AF_HOSTING_HEADER_TIMEOUT", "1s")
        patch.setenv("AF_HOSTING_IDLE_TIMEOUT", "2s")
        command = [sys.executable, "-m", "tests.abused_host", str(port), telegram.base_url, SECRET]
        log = tmp_path_factory.mktemp("hostile") / "printed"
        with serving(command, port=port, log=log, cwd=Path(__file__).parents[1]) as served:
            yield served
            assert served.stop() == 0


@pytest.fixture(scope="module")
def victim(served: Served) -> str:
    """Return the id of a response of somebody else's."""
    answer = httpx2.post(
        f"{served.url}/responses", json={"input": CANARY, "metadata": {"m": CANARY}}, headers={"x-who": "victim"}
    )
    return answer.raise_for_status().json()["id"]


def bodies(choose: random.Random) -> Iterator[bytes]:
    """Yield bodies: broken bytes, wrong types in every field, depths and widths."""
    yield from (
        b"", b"{", b"[]", b"null", b'"x"', b"\x00" * 64, b"\xff\xfe{}", b'{"input":"\xc3("}', b'{"input":"\\ud800"}',
        b"[" * 100_000, b'{"a":' * 5_000, b'{"input":' + b"9" * 5_000 + b"}", b'{"input":1e999999}', b"NaN",
        b'{"input":"a","input":{}}', b'{"input":[' + b"{}," * 3_000 + b"{}]}", b'{"\\u0000":1}',
    )  # fmt: skip
    while True:
        body = dict(choose.choice(GOOD))
        for _ in range(choose.randint(1, 3)):
            body[choose.choice(FIELDS)] = choose.choice(VALUES)
        data = json.dumps(body).encode()
        if choose.random() < 0.2:
            at = choose.randrange(len(data))
            data = data[:at] + choose.randbytes(choose.randint(1, 4)) + data[at + 1 :]
        yield data


def mangled(whole: bytes, choose: random.Random) -> bytes:
    """Return a request that HTTP does not allow, or hardly."""
    head, _, body = whole.partition(b"\r\n\r\n")
    first, _, rest = head.partition(b"\r\n")
    more = choose.choice((
        b"content-length: 5\r\n", b"content-length: -1\r\n", b"content-length: 1e3\r\n",
        b"content-length: 99999999999\r\n",
        b"transfer-encoding: chunked\r\n", *CODINGS,
        b"content-encoding: gzip\r\n", b"host: evil.example\r\n", b"host: x/#@evil\r\n",
        b"x: a\x00b\r\n", b"no colon\r\n",
        b": no name\r\n", b" folded\r\n", b"x-big: " + b"h" * 70_000 + b"\r\n", b"x: \xff\xfe\r\n",
        b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: x\r\n",
        b"connection: upgrade\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n", b"expect: 100-continue\r\n",
        b"authorization: Bearer ' OR 1=1 --\r\n", b"idempotency-key: " + b"k" * 600 + b"\r\n",
        b"idempotency-key: a\tb\r\n",
        b"x-agent-user-isolation-key: victim\r\n", b"x-session-id: ../../x\r\n", b"content-type: text/plain\r\n",
        b"traceparent: 00-zz-zz-01\r\n", b"last-event-id: -5\r\n",
    ))  # fmt: skip
    first = choose.choice((
        first, first, first, first.replace(b"HTTP/1.1", b"HTTP/9.9"), first.replace(b"HTTP/1.1", b""),
        b"\x16\x03\x01\x00",
        first.replace(b" ", b"  ", 1), first.replace(b" /", b" @evil/", 1), first.replace(b" /", b" http://evil/", 1),
        first.replace(b" /", b" /%00", 1), first.replace(b" /", b" /..;/", 1), first.replace(b" /", b" /\xff", 1),
        first.replace(b" HTTP", b"?starting_after=x&limit=-1&order=%FF HTTP", 1), b"PRI * HTTP/2.0",
        b"CONNECT evil:1 HTTP/1.1",
        first.replace(b"POST", b"P\x00ST"), first.replace(b"POST", b"DELETE"), first.replace(b"POST", b"B" * 9_000),
    ))  # fmt: skip
    if choose.random() < 0.15:
        body = (
            choose.choice(
                (b"zz\r\n", b"5\r\nab", b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n", b"ffffffffffffffff\r\n", b"\r\n" * 99)
            )
            + body
        )
    return first + b"\r\n" + more + rest + b"\r\n\r\n" + body


def requests(count: int, *, seed: int, victim: str) -> Iterator[bytes]:
    """Yield hostile requests."""
    choose = random.Random(seed)
    data = bodies(choose)
    for _ in range(count):
        path = choose.choice(PATHS).replace("{id}", victim)
        method = choose.choice(("POST", "POST", "POST", "GET", "DELETE", "PUT", "HEAD", "OPTIONS"))
        known = {"x-telegram-bot-api-secret-token": SECRET} if choose.random() < 0.8 else {}
        whole = request(path, next(data), method=method, headers={"connection": "close", **known})
        yield mangled(whole, choose) if choose.random() < 0.6 else whole


def is_coded(hostile: bytes) -> bool:
    return any(coding in hostile for coding in CODINGS)


async def test_hostile_requests_get_an_answer_and_nothing_of_others_or_the_inside(
    served: Served, victim: str, figure: Figure, record_property: Record
) -> None:
    seed = figure(7, random.SystemRandom().randrange(10**6))
    record_property("hostile requests: seed", seed)
    at_once, got = asyncio.Semaphore(AT_ONCE), dict[int, int]()

    async def send(hostile: bytes) -> None:
        async with at_once, connected(served) as line:
            await line.send(hostile)
            # It hangs up by itself: it was asked to, or what came made no sense.
            answer = await line.read_to_end()
        for status in statuses(answer):
            got[status] = got.get(status, 0) + 1
            assert status < 500 or (status == 501 and is_coded(hostile)), (hostile[:500], answer[:500])
        assert not [inside for inside in INSIDES if inside in answer and inside not in hostile], (hostile[:500], answer)

    await asyncio.gather(*(send(each) for each in requests(figure(1_000, 10_000), seed=seed, victim=victim)))
    record_property("hostile requests: statuses", dict(sorted(got.items())))
    # They came as far as the channels, and not only to the parser of HTTP.
    assert {200, 400, 404, 405} <= got.keys()
    own = httpx2.get(f"{served.url}/v1/responses/{victim}/input_items", headers={"x-who": "victim"}, timeout=60)
    assert CANARY in own.text
    assert "Traceback" not in served.printed
