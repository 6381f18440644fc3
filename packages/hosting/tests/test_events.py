"""The writer of event streams: coalescing, slow readers, leaving clients, bounds, heartbeats."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import anyio
import pytest
from starlette.types import Receive, Scope, Send

from agent_framework_hosting.channel import ChannelContext
from agent_framework_hosting.errors import ResponseTooLarge
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Gate, InMemoryDriver, LoopbackDriver, ScriptedAgent
from agent_framework_hosting.types import ChannelRequest, ChannelSession
from agent_framework_hosting.web import events as writer
from agent_framework_hosting.web.events import Buffers, EventStream
from agent_framework_hosting.web.telling import tell

from .timers import rings, timers

Connect = Callable[..., ChannelContext]
Events = Callable[[], AsyncGenerator[bytes, None]]


def app_of(events: Events, *, buffers: Buffers | None = None, **bounds: Any) -> Any:
    """Return an app whose every answer is a stream of these events."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await EventStream(events(), limits=Limits(**bounds), buffers=buffers)(scope, receive, send)

    return app


async def _nothing() -> Any:
    return await asyncio.Event().wait()


async def test_everything_that_is_ready_goes_out_in_one_send() -> None:
    """A target that never waits costs one send for many events, and none is lost."""

    async def events() -> AsyncGenerator[bytes, None]:
        for number in range(50):
            yield b"%d\n" % number

    async with InMemoryDriver(app_of(events)) as driver, driver.stream("GET", "/") as answer:
        chunks = [chunk async for chunk in answer]
    assert b"".join(chunks) == b"".join(b"%d\n" % number for number in range(50))
    assert len([chunk for chunk in chunks if chunk]) == 1


async def test_streams_share_a_timer_until_each_has_its_client_watched() -> None:
    buffers, begun, closed = Buffers(max_bytes=1000), list[Gate](), list[int]()

    async def events(number: int) -> AsyncGenerator[bytes, None]:
        try:
            yield b"said"
            await asyncio.Event().wait()
        finally:
            closed.append(number)

    def answer(number: int) -> asyncio.Task[None]:
        said = Gate()
        begun.append(said)

        async def leave() -> Any:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if "body" in message:
                said.open()

        stream = EventStream(events(number), limits=Limits(), buffers=buffers)
        return asyncio.create_task(stream({}, leave, send))

    before = timers()
    answering = [answer(number) for number in range(3)]
    for said in begun:
        await said.wait()
    assert timers() == before + 1
    await asyncio.gather(*answering)
    assert closed == [0, 1, 2]
    assert timers() == before


async def test_a_stream_that_is_over_soon_is_watched_never_and_closed_at_once(later: Callable[[float], None]) -> None:
    asked, closed = list[str](), list[str]()

    async def events() -> AsyncGenerator[bytes, None]:
        try:
            with suppress(ResponseTooLarge):
                yield b"a" * 20
                yield b"b" * 20
            yield b"the end"
        finally:
            closed.append("closed")

    async def receive() -> Any:
        asked.append("asked")
        await asyncio.Event().wait()

    async def send(_: Any) -> None:
        pass

    said = events()
    await EventStream(said, limits=Limits(max_response_bytes=10))({}, receive, send)
    assert closed == ["closed"]
    later(1)
    await rings()
    assert not asked


async def test_a_beat_that_is_quicker_than_the_watch_comes_in_its_own_time(later: Callable[[float], None]) -> None:
    begun, beat = Gate(), asyncio.Event()

    async def events() -> AsyncGenerator[bytes, None]:
        yield b"said"
        await begun.wait()

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if message.get("body") == b": \n\n":
            beat.set()

    answering = asyncio.create_task(EventStream(events(), limits=Limits(heartbeat=0.2))({}, receive, send))
    await begun.wait_reached()
    later(0.2)
    await beat.wait()
    begun.open()
    await answering


async def test_a_stream_that_is_ready_at_once_asks_the_server_for_little() -> None:
    """One send has its events and its end, and nobody waits beside it for the client's leaving."""
    sent: list[Any] = []

    async def events() -> AsyncGenerator[bytes, None]:
        yield b"first"
        yield b"second"

    async def receive() -> Any:
        raise AssertionError("It was over before.")

    async def send(message: Any) -> None:
        sent.append(message)

    tasks = len(asyncio.all_tasks())
    await EventStream(events(), limits=Limits())({}, receive, send)
    assert sent[1:] == [{"type": "http.response.body", "body": b"firstsecond", "more_body": False}]
    assert len(asyncio.all_tasks()) == tasks


async def test_the_first_event_is_not_held_back() -> None:
    """What is there when the target waits is sent at once."""
    gate = Gate()

    async def events() -> AsyncGenerator[bytes, None]:
        yield b"first"
        await gate.wait()
        yield b"second"

    async with InMemoryDriver(app_of(events)) as driver, driver.stream("GET", "/") as answer:
        assert await anext(answer) == b"first"
        gate.open()
        assert await answer.read() == b"second"


async def test_more_than_goes_in_one_send_is_not_held_back_either() -> None:
    gates, large = (Gate(), Gate()), b"x" * 200_000

    async def events() -> AsyncGenerator[bytes, None]:
        yield b"first"
        await gates[0].wait()
        yield large
        await gates[1].wait()

    async with InMemoryDriver(app_of(events)) as driver, driver.stream("GET", "/") as answer:
        assert await anext(answer) == b"first"
        gates[0].open()
        said = b""
        while len(said) < len(large):
            said += await anext(answer)
        assert said == large
        gates[1].open()
        assert await answer.read() == b""


async def test_a_chunk_that_comes_alone_is_sent_without_waking_anybody() -> None:
    """What a model says bit by bit costs one task's step each, in the request's name; only the end is its own step."""
    turn, sent, tasks = asyncio.Semaphore(0), list[tuple[bytes, bool]](), set[Any]()

    async def events() -> AsyncGenerator[bytes, None]:
        yield b"first"
        for number in range(3):
            await turn.acquire()
            yield b"%d" % number

    async def send(message: Any) -> None:
        if message.get("body"):
            sent.append((message["body"], answering.cr_running))
            tasks.add(asyncio.current_task())
            turn.release()

    answering: Any = EventStream(events(), limits=Limits())({}, _nothing, send)
    await answering
    assert sent == [(b"first", True), (b"0", False), (b"1", False), (b"2", True)]
    assert tasks == {asyncio.current_task()}


def _with_variable(send: Send) -> Send:
    name = ContextVar("name", default="")

    async def sending(message: Any) -> None:
        token = name.set("sending")
        try:
            await send(message)
        finally:
            name.reset(token)

    return sending


def _with_scope(send: Send) -> Send:
    async def sending(message: Any) -> None:
        with anyio.fail_after(60):
            await send(message)

    return sending


def _with_timeout(send: Send) -> Send:
    async def sending(message: Any) -> None:
        # Its end cancels the task that began it.
        with suppress(TimeoutError):
            async with asyncio.timeout(0.01 if message.get("body") == b"second" else None):
                await send(message)

    return sending


@pytest.mark.parametrize("around", [_with_variable, _with_scope, _with_timeout])
async def test_what_is_around_a_send_that_waits_keeps_its_task_and_its_context(around: Callable[[Send], Send]) -> None:
    """Middleware need not know that the send of a chunk is begun by a run and gone on with by the request."""
    said, stuck, cut, sent = Gate(), Gate(), Gate(), list[bytes]()

    async def events() -> AsyncGenerator[bytes, None]:
        yield b"first"
        await said.wait()
        yield b"second"
        await stuck.wait()
        if around is not _with_timeout:
            cut.open()
        yield b"third"

    async def send(message: Any) -> None:
        body = message.get("body")
        if body == b"second":
            stuck.open()
            await cut.wait()
        sent.append(body)
        said.open()

    await EventStream(events(), limits=Limits())({}, _nothing, around(send))
    assert sent == [None, b"first", *([] if around is _with_timeout else [b"second"]), b"third"]


@pytest.mark.parametrize("how", ["left", "cancelled", "broken"])
async def test_a_send_that_nobody_finishes_is_cancelled_with_its_stream(how: str) -> None:
    """The client may leave, or the request be cancelled, just between its beginning and its being taken over."""
    said, leaves, ended = Gate(), asyncio.Event(), list[str]()

    async def events() -> AsyncGenerator[bytes, None]:
        yield b"first"
        await said.wait()
        yield b"second"
        await asyncio.Event().wait()

    async def receive() -> Any:
        said.open()
        await leaves.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message.get("body") == b"second":
            if how == "cancelled":
                answering.cancel()
            else:
                leaves.set()
            if how == "broken":
                raise OSError
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise

    # The watch for the client's leaving begins with the first of the link's times.
    stream = EventStream(events(), limits=Limits(stall_timeout=0.05))
    answering = asyncio.create_task(stream({}, receive, send))
    await asyncio.wait({answering})
    assert answering.cancelled() is (how == "cancelled")
    assert ended == ([] if how == "broken" else ["cancelled"])


class _DoneAtOnce:
    """Something to be awaited that is no coroutine, and waits for nothing."""

    def __await__(self) -> Generator[Any]:
        return
        yield


async def test_a_client_that_leaves_before_a_send_is_taken_over_ends_no_more_than_its_stream() -> None:
    """What cancels the send must not reach whatever the request does next, when the send waits for nothing."""
    leaves, beside = asyncio.Event(), list[str]()

    async def events() -> AsyncGenerator[bytes, None]:
        yield b"first"
        await said.wait()
        yield b"second"
        leaves.set()
        await asyncio.Event().wait()

    async def receive() -> Any:
        said.open()
        await leaves.wait()
        return {"type": "http.disconnect"}

    async def request() -> None:
        await EventStream(events(), limits=Limits(stall_timeout=0.05))({}, receive, lambda _: _DoneAtOnce())
        await asyncio.sleep(0)
        beside.append("went on")

    said = Gate()
    await asyncio.wait({answering := asyncio.create_task(request())})
    assert not answering.cancelled()
    assert beside == ["went on"]


@pytest.mark.parametrize("raises", [False, True])
async def test_a_send_that_takes_no_notice_of_being_cut_does_not_leave_its_request_cancelled(raises: bool) -> None:
    async def events() -> AsyncGenerator[bytes, None]:
        yield b"first"
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if "body" in message:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if raises:
                    raise OSError from None

    async def request() -> int:
        await EventStream(events(), limits=Limits(stall_timeout=0.05))({}, _nothing, send)
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    assert await asyncio.create_task(request()) == 0


async def test_a_run_goes_on_while_a_chunk_of_it_waits_to_be_sent() -> None:
    """What comes meanwhile is sent after it, in order and once, whoever began to send."""
    said, stuck, goes_on, is_over = Gate(), Gate(), Gate(), Gate()
    sent, waited = list[bytes](), list[bytes]()

    async def events() -> AsyncGenerator[bytes, None]:
        yield b"first"
        await said.wait()
        yield b"second"
        await stuck.wait()
        yield b"third"
        yield b"fourth"
        is_over.open()

    async def send(message: Any) -> None:
        body = message.get("body")
        if body == b"second":
            stuck.open()
            waited.append(body)
            await goes_on.wait()
        sent.append(body)
        said.open()

    answering = asyncio.create_task(EventStream(events(), limits=Limits())({}, _nothing, send))
    await is_over.wait()
    assert (waited, sent) == ([b"second"], [None, b"first"])
    goes_on.open()
    await answering
    assert sent == [None, b"first", b"second", b"thirdfourth"]


async def test_what_a_run_sets_in_its_context_does_not_reach_the_server() -> None:
    """A span of the agent's, say, is not the parent of what the server's own middleware does with a send."""
    gate, seen = Gate(), list[str]()
    name: ContextVar[str] = ContextVar("name", default="the server's")

    async def events() -> AsyncGenerator[bytes, None]:
        name.set("the agent's")
        yield b"first"
        await gate.wait()
        yield b"second"
        await asyncio.sleep(0)

    async def send(_: Any) -> None:
        seen.append(name.get())
        gate.open()

    await EventStream(events(), limits=Limits())({}, _nothing, send)
    assert len(seen) == 4
    assert set(seen) == {"the server's"}


async def first_and_second(gate: Gate, ended: list[str]) -> AsyncGenerator[bytes, None]:
    """Yield a chunk, another one once the gate opens, and wait from then on; say how that ended."""
    try:
        yield b"first"
        await gate.wait()
        yield b"second"
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        ended.append("cancelled")
        raise


@pytest.mark.parametrize("error", [RuntimeError("broken"), asyncio.CancelledError()])
async def test_an_error_of_the_server_over_a_chunk_is_the_requests_own(error: BaseException) -> None:
    """It comes out where the server called, and the run is cancelled."""
    gate, ended = Gate(), list[str]()

    async def send(message: Any) -> None:
        if message.get("body") == b"second":
            raise error
        gate.open()

    with pytest.raises(type(error)):
        await EventStream(first_and_second(gate, ended), limits=Limits())({}, _nothing, send)
    assert ended == ["cancelled"]


async def test_a_chunk_that_the_server_will_send_some_other_way_is_awaited() -> None:
    """ASGI promises something to await, which need not be a coroutine."""
    gate, sent = Gate(), list[bytes]()

    async def events() -> AsyncGenerator[bytes, None]:
        yield b"first"
        await gate.wait()
        yield b"second"
        await asyncio.sleep(0)

    def send(message: Any) -> Any:
        sent.append(message.get("body"))
        if sent[-1]:
            gate.open()
        done = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(done.set_result, None)
        return done

    await EventStream(events(), limits=Limits())({}, _nothing, send)
    assert sent == [None, b"first", b"second", b""]


async def test_a_target_that_never_waits_still_gives_way_to_others() -> None:
    """Two endless streams take turns, so both are heard."""

    async def events() -> AsyncGenerator[bytes, None]:
        while True:
            yield b"x" * 100

    async with InMemoryDriver(app_of(events)) as driver:
        answers = driver.stream("GET", "/"), driver.stream("GET", "/")
        async with answers[0] as one, answers[1] as two:
            assert await anext(one)
            assert await anext(two)
            assert await anext(one)


class InThree:
    """Says something in three parts, as a machine and as its updates."""

    def start(self) -> bytes:
        return b"first "

    def feed(self, update: bytes) -> bytes:
        return update

    def closing(self) -> bytes:
        return b"third"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"second "

    async def aclose(self) -> None:
        """There is nothing to stop."""


def _never(error: Exception) -> bytes:
    raise AssertionError("Nothing has failed.") from error


async def _said_in_three(buffers: Buffers, send: Send, *, as_told: bool = False) -> None:
    async def events() -> AsyncGenerator[bytes, None]:
        for said in (b"first ", b"second ", b"third"):
            yield said

    told = tell(InThree(), InThree(), ended=_never) if as_told else events()
    await EventStream(told, limits=Limits(), buffers=buffers)({}, _nothing, send)


@pytest.mark.parametrize("as_told", [False, True], ids=["generators", "told"])
async def test_in_a_crowd_everybody_is_answered_before_anybodys_text_is_waited_for(as_told: bool) -> None:
    """A first event waits for what is done before it, and for a thousand whole answers that would be long."""
    buffers, sent = Buffers(max_bytes=10_000), list[tuple[int, bytes]]()

    def by(number: int) -> Send:
        async def send(message: Any) -> None:
            if body := message.get("body"):
                sent.append((number, body))

        return send

    await asyncio.gather(*(_said_in_three(buffers, by(number), as_told=as_told) for number in range(100)))
    whole = b"first second third"
    assert all(b"".join(body for who, body in sent if who == number) == whole for number in range(100))
    firsts = [body for _, body in sent[:100]]
    # Once few are left that nobody has answered, they are through in no time, one after the other.
    assert firsts == [b"first "] * firsts.count(b"first ") + [whole] * firsts.count(whole)
    assert 50 < firsts.count(b"first ") < 100
    assert {number for number, _ in sent[:100]} == set(range(100))


async def test_a_crowd_may_come_over_several_turns_of_the_loop() -> None:
    buffers, sent = Buffers(max_bytes=10_000), list[bytes]()

    async def send(message: Any) -> None:
        if body := message.get("body"):
            sent.append(body)

    async with anyio.create_task_group() as group:
        for _ in range(4):
            for _ in range(50):
                group.start_soon(_said_in_three, buffers, send)
            await anyio.lowlevel.checkpoint()
    # Those who gave way in the first turn go on when nearly all of those who came later have been answered.
    assert sent.index(b"second third") > 160


async def test_a_crowd_that_never_ends_holds_nobody_up_for_good() -> None:
    buffers, sent = Buffers(max_bytes=10_000), list[bytes]()

    async def send(message: Any) -> None:
        if body := message.get("body"):
            sent.append(body)

    async def stall(_: Any) -> None:
        await asyncio.Event().wait()

    stalled = [asyncio.create_task(_said_in_three(buffers, stall)) for _ in range(50)]
    await anyio.lowlevel.checkpoint()
    await _said_in_three(buffers, send)
    assert sent == [b"first ", b"second third"]
    for each in stalled:
        each.cancel()
    await asyncio.gather(*stalled, return_exceptions=True)


async def test_who_leaves_a_crowd_before_it_is_answered_makes_no_crowd_of_those_who_come_later() -> None:
    buffers, sent = Buffers(max_bytes=10_000), list[bytes]()

    async def refuse(_: Any) -> None:
        raise OSError

    async def send(message: Any) -> None:
        if body := message.get("body"):
            sent.append(body)

    leaving = [asyncio.create_task(_said_in_three(buffers, send)) for _ in range(50)]
    await anyio.lowlevel.checkpoint()
    for each in leaving:
        each.cancel()
    await asyncio.gather(*leaving, return_exceptions=True)
    ended = await asyncio.gather(*(_said_in_three(buffers, refuse) for _ in range(50)), return_exceptions=True)
    assert all(isinstance(error, OSError) for error in ended)
    sent.clear()
    await _said_in_three(buffers, send)
    assert sent == [b"first second third"]


async def test_headers_fit_an_event_stream() -> None:
    """No cache and no proxy holds it back."""

    async def events() -> AsyncGenerator[bytes, None]:
        yield b"x"

    async with InMemoryDriver(app_of(events)) as driver:
        answer = await driver.request("GET", "/")
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"


async def test_a_run_goes_on_and_commits_while_its_reader_stalls(connect: Connect) -> None:
    """The next turn of the session is not held up by somebody who does not read."""
    agent = ScriptedAgent(["x" * 1000] * 200, "next")
    context = connect(agent)
    session = ChannelSession("room")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        stream = await context.run_stream(
            ChannelRequest(channel="test", operation="message", input="long", session=session)
        )

        async def events() -> AsyncGenerator[bytes, None]:
            async for update in stream:
                yield update.text.encode()

        await EventStream(events(), limits=context.limits, buffers=context.buffers)(scope, receive, send)

    async with InMemoryDriver(app) as driver, driver.stream("GET", "/", window=0) as unread:
        await agent.runs[0].wait_ended()
        following = ChannelRequest(channel="test", operation="message", input="next", session=session)
        assert (await context.run(following)).result.text == "next"
        assert agent.runs[1].seen == ["long", "x" * 200_000, "next"]
        assert len(await unread.read()) == 200_000
    assert context.buffers.held == 0


@pytest.mark.parametrize("driver_type", [InMemoryDriver, LoopbackDriver])
async def test_a_client_that_leaves_has_its_run_cancelled(driver_type: Any) -> None:
    """The events are closed in the task that stepped them."""
    gate, closed = Gate(), asyncio.Event()
    tasks: list[asyncio.Task[object] | None] = []
    loop = asyncio.get_running_loop()

    async def events() -> AsyncGenerator[bytes, None]:
        tasks.append(asyncio.current_task())
        try:
            yield b"first"
            await gate.wait()
        finally:
            tasks.append(asyncio.current_task())
            loop.call_soon_threadsafe(closed.set)

    async with driver_type(app_of(events)) as driver, driver.stream("GET", "/") as answer:
        await anext(answer)
        await gate.wait_reached()
        await answer.disconnect()
        async with asyncio.timeout(30):
            await closed.wait()
    assert tasks[0] is tasks[1]


async def test_what_a_run_says_that_does_not_end_with_its_reader_is_held_for_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer, "_GRACE", 0.01)
    buffers, gate, closed = Buffers(max_bytes=1_000), Gate(), Gate()

    class Stubborn(InThree):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"second "
            while True:
                with suppress(asyncio.CancelledError):
                    await gate.wait()
                    break

        async def aclose(self) -> None:
            closed.open()

    async def leave() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        pass

    told = tell(InThree(), Stubborn(), ended=_never)
    await EventStream(told, limits=Limits(), buffers=buffers)({}, leave, send)
    gate.open()
    await closed.wait()
    assert buffers.held == 0


async def test_a_reader_that_makes_no_progress_is_cut() -> None:
    """One write that takes longer than the stall time ends stream and run, and gives the bytes back."""
    buffers, closed = Buffers(max_bytes=10_000_000), asyncio.Event()

    async def events() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"x" * 1000
                await asyncio.sleep(0)
        finally:
            closed.set()

    app = app_of(events, buffers=buffers, stall_timeout=0.05, max_response_bytes=1_000_000_000)
    async with InMemoryDriver(app) as driver, driver.stream("GET", "/", window=0):
        async with asyncio.timeout(30):
            await closed.wait()
    assert buffers.held == 0


async def test_a_stream_that_grows_too_large_says_so_as_its_last_event() -> None:
    """The error is thrown into the events, whose last words are sent."""

    async def events() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"x" * 100
        except ResponseTooLarge:
            yield b"THE END"

    async with InMemoryDriver(app_of(events, max_response_bytes=1000)) as driver:
        answer = await driver.request("GET", "/")
    assert answer.body.endswith(b"xTHE END")
    # The event that went beyond the bound, the one that had been made by then, and the end.
    assert len(answer.body) == 1200 + len(b"THE END")


async def test_an_answer_that_fails_beyond_its_bound_still_says_so_as_its_last_event() -> None:
    async def events() -> AsyncGenerator[bytes, None]:
        try:
            yield b"x" * 2_000
            _ = int("no number")
        except ValueError:
            yield b"FAILED"

    async with InMemoryDriver(app_of(events, max_response_bytes=1000)) as driver:
        answer = await driver.request("GET", "/")
    assert answer.body == b"x" * 2_000 + b"FAILED"


@pytest.mark.parametrize("is_over", [False, True], ids=["more to come", "at its end"])
async def test_what_a_stream_that_is_cut_has_yielded_is_sent_whole_and_once(is_over: bool) -> None:
    """Its last words count on it; the end of one that was over is not said twice."""
    yielded: list[bytes] = []

    async def events() -> AsyncGenerator[bytes, None]:
        end = b"THE END"
        try:
            for number in range(11 if is_over else 1_000):
                yielded.append(b"%099d," % number)
                yield yielded[-1]
            yield end
        except ResponseTooLarge:
            yield end

    async with InMemoryDriver(app_of(events, max_response_bytes=1_000)) as driver:
        answer = await driver.request("GET", "/")
    assert answer.body == b"".join(yielded) + b"THE END"


async def test_a_stream_that_waits_for_more_holds_nothing_of_what_was_sent() -> None:
    gate, sent, said = Gate(), Gate(), bytes(1_000)
    held_here = sys.getrefcount(said)

    async def events() -> AsyncGenerator[bytes, None]:
        yield said
        await gate.wait()

    async def send(message: Any) -> None:
        if message.get("body"):
            sent.open()

    stream = asyncio.create_task(EventStream(events(), limits=Limits())({}, _nothing, send))
    await sent.wait()
    assert sys.getrefcount(said) == held_here
    gate.open()
    await stream


async def test_all_streams_together_hold_no_more_than_their_budget() -> None:
    """Once slow readers have filled it, the stream that wants more is cut."""
    buffers = Buffers(max_bytes=1000)
    cut = asyncio.Event()

    async def events() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"x" * 100
                await asyncio.sleep(0)
        except ResponseTooLarge:
            cut.set()

    async with InMemoryDriver(app_of(events, buffers=buffers)) as driver, driver.stream("GET", "/", window=0):
        async with asyncio.timeout(30):
            await cut.wait()
        # The event that went beyond the budget, and the one that had been made by then.
        assert buffers.held <= 1200
    assert buffers.held == 0


async def test_silence_is_kept_alive_with_comments() -> None:
    """A comment is sent between whole events, never inside one."""
    gate = Gate()

    async def events() -> AsyncGenerator[bytes, None]:
        yield b"data: 1\n\n"
        await gate.wait()
        yield b"data: 2\n\n"

    async with InMemoryDriver(app_of(events, heartbeat=0.02)) as driver, driver.stream("GET", "/") as answer:
        assert await anext(answer) == b"data: 1\n\n"
        assert await anext(answer) == b": \n\n"
        assert await anext(answer) == b": \n\n"
        gate.open()
        assert (await answer.read()).endswith(b"data: 2\n\n")


async def test_an_error_that_the_channel_did_not_render_ends_the_stream_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing hangs, and nothing of the error reaches the client."""

    async def events() -> AsyncGenerator[bytes, None]:
        yield b"first"
        raise ValueError("the secret")

    async with InMemoryDriver(app_of(events)) as driver:
        answer = await driver.request("GET", "/")
    assert answer.body == b"first"
    assert "did not render" in caplog.text


async def test_an_error_that_a_send_raises_at_once_is_the_requests_own() -> None:
    """A wrapper around `send` need not be a coroutine function, and then it raises before there is one."""
    gate, ended = Gate(), list[str]()

    async def sent() -> None:
        gate.open()

    def send(message: Any) -> Any:
        if message.get("body") == b"second":
            raise RuntimeError("broken")
        return sent()

    with pytest.raises(RuntimeError, match="broken"):
        await EventStream(first_and_second(gate, ended), limits=Limits())({}, _nothing, send)
    assert ended == ["cancelled"]
