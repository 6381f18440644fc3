"""Whatever a client does to responses of the background, in whichever order, and however often the host is restarted.

A model knows what was accepted, in which order, and how each has ended; every answer of the host is held against it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from starlette.requests import HTTPConnection

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import AgentRun, Answer, AnswerCut, InMemoryDriver, ScriptedAgent
from agent_framework_hosting.types import Principal
from agent_framework_hosting_responses.channel import ResponsesChannel

from .responses_rules import check_body, read_events
from .test_background import SOON, said

T = TypeVar("T")
ORDER: Final = ("queued", "in_progress", "ended")
ADA, BOB = {"x-name": "ada"}, {"x-name": "bob"}
LIMITS: Final = Limits(drain_timeout=0.05, task_backoff=0.01)


async def names(request: HTTPConnection) -> Principal:
    return Principal(id=request.headers["x-name"], kind="caller")


@dataclass(eq=False)
class Known:
    """What the model knows of a response."""

    id: str
    text: str
    talk: str | None
    created_at: int
    may_end: asyncio.Event
    status: str = "queued"
    body: dict[str, Any] | None = None
    """How it has ended."""
    stream: bytes | None = None
    """What was read of it once that had ended."""
    is_gone: bool = False
    attempts: int = 1
    readers: list[tuple[int, asyncio.Task[bytes]]] = field(default_factory=list[tuple[int, asyncio.Task[bytes]]])


class Clients(RuleBasedStateMachine):
    """Clients of one host, which is a new one from time to time."""

    database: str | None = None
    driver: InMemoryDriver

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = TemporaryDirectory()
        self.known: list[Known] = []
        self.talks: list[str] = []
        self.run_order: list[str] = []
        self.may_end: dict[str, asyncio.Event] = {}

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    # ------------------------------------------------------------------------------------------------------- the host

    @initialize()
    def begin_to_serve(self) -> None:
        """Start the first host."""
        self.wait(self.start())

    async def speak(self, run: AgentRun) -> AsyncGenerator[str]:
        """Say half of the answer, wait until it may end, say the rest."""
        text = run.messages[-1].text
        self.run_order.append(text)
        yield f"<{text}"
        await self.may_end[text].wait()
        yield ">"

    async def start(self) -> None:
        database = f"sqlite:///{Path(self.folder.name)}/host.db" if self.database else None
        host = AgentFrameworkHost(
            ScriptedAgent(every=self.speak), channels=[ResponsesChannel()], database=database, limits=LIMITS, auth=names
        )
        is_ready, self.is_to_end = asyncio.Event(), asyncio.Event()

        async def serve() -> None:
            async with InMemoryDriver(host.app, timeout=SOON) as driver:
                self.driver = driver
                is_ready.set()
                await self.is_to_end.wait()

        self.serving = asyncio.create_task(serve())
        await is_ready.wait()

    async def stop(self) -> None:
        self.is_to_end.set()
        await self.serving

    def teardown(self) -> None:
        """Let all come to their end, and look at the whole."""
        try:
            self.wait(self.look_at_all())
            self.wait(self.stop())
        finally:
            self.runner.close()
            self.folder.cleanup()

    # ---------------------------------------------------------------------------------------------------- the clients

    async def ask(self, method: str, path: str, *, by: dict[str, str] = ADA, **options: Any) -> Answer:
        return await self.driver.request(method, path, headers=by, **options)

    @rule(is_slow=st.booleans(), talk=st.integers(0, 3))
    def begin(self, is_slow: bool, talk: int) -> None:
        """Have a response accepted, in a conversation or by itself."""

        async def begun() -> Known:
            text = f"text {len(self.known)}"
            self.may_end[text] = may_end = asyncio.Event()
            if not is_slow:
                may_end.set()
            within = self.talks[talk] if talk < len(self.talks) else None
            named = {"conversation": within} if within else {}
            body = (await self.ask("POST", "/responses", json={"input": text, "background": True, **named})).json()
            check_body(body)
            assert (body["status"], body["output"]) == ("queued", [])
            return Known(body["id"], text, within, body["created_at"], may_end)

        self.known.append(self.wait(begun()))

    @precondition(lambda self: len(self.talks) < 2)
    @rule()
    def talk(self) -> None:
        """Make a conversation."""
        self.talks.append(self.wait(self.ask("POST", "/v1/conversations", json={})).json()["id"])

    @precondition(lambda self: self.known)
    @rule(pick=st.integers(0, 20))
    def let_end(self, pick: int) -> None:
        """Let one go on to its end."""
        self.known[pick % len(self.known)].may_end.set()

    @precondition(lambda self: self.known)
    @rule(pick=st.integers(0, 20))
    def poll(self, pick: int) -> None:
        """Read one."""
        self.wait(self.read(self.known[pick % len(self.known)]))

    @precondition(lambda self: self.known)
    @rule(pick=st.integers(0, 20))
    def finish(self, pick: int) -> None:
        """Wait for the end of one that comes to it."""
        known = self.known[pick % len(self.known)]
        if not known.is_gone and self.comes_to_its_end(known):
            self.wait(self.ended(known))

    @precondition(lambda self: self.known)
    @rule(pick=st.integers(0, 20), after=st.integers(-1, 8))
    def follow(self, pick: int, after: int) -> None:
        """Begin to read a stream, and go on with something else."""
        known = self.known[pick % len(self.known)]

        async def read() -> bytes:
            try:
                return await self.stream_of(known, after=after)
            except AnswerCut:
                # The host had ended before it could answer.
                return b""

        async def begin() -> None:
            known.readers.append((after, asyncio.create_task(read())))
            await asyncio.sleep(0)

        if not known.is_gone:
            self.wait(begin())

    @precondition(lambda self: self.known)
    @rule(pick=st.integers(0, 20))
    def cancel(self, pick: int) -> None:
        """Stop one."""
        known = self.known[pick % len(self.known)]
        answer = self.wait(self.ask("POST", f"/responses/{known.id}/cancel"))
        if known.is_gone:
            assert answer.status == 404
            return
        self.hold_against(known, answer.json())
        assert answer.json()["status"] in ("cancelled", "completed")

    @precondition(lambda self: self.known)
    @rule(pick=st.integers(0, 20))
    def delete(self, pick: int) -> None:
        """Forget one."""
        known = self.known[pick % len(self.known)]
        answer = self.wait(self.ask("DELETE", f"/responses/{known.id}"))
        assert answer.status == (404 if known.is_gone else 200)
        known.is_gone = True
        self.wait(self.let_readers_end(known))

    @precondition(lambda self: self.known)
    @rule(pick=st.integers(0, 20), what=st.sampled_from([("GET", ""), ("POST", "/cancel"), ("DELETE", "")]))
    def meddle(self, pick: int, what: tuple[str, str]) -> None:
        """Try what is somebody else's."""
        method, path = what
        answer = self.wait(self.ask(method, f"/responses/{self.known[pick % len(self.known)].id}{path}", by=BOB))
        assert answer.status == 404

    @precondition(lambda self: self.known)
    @rule()
    def restart(self) -> None:
        """Let the host end, and another one begin; without a database nothing is left."""
        self.wait(self.stop())
        for known in self.known:
            self.wait(self.let_readers_end(known))
            known.attempts += 1
            known.is_gone = known.is_gone or self.database is None
        if self.database is None:
            self.talks.clear()
        self.wait(self.start())

    # ----------------------------------------------------------------------------------------------- what has to hold

    def comes_to_its_end(self, known: Known) -> bool:
        before = self.known[: self.known.index(known)]
        return known.may_end.is_set() and all(
            each.may_end.is_set() or each.is_gone or each.status == "ended"
            for each in before
            if each.talk is not None and each.talk == known.talk
        )

    async def read(self, known: Known) -> None:
        answer = await self.ask("GET", f"/responses/{known.id}")
        if known.is_gone:
            assert answer.status == 404
            return
        assert answer.status == 200, answer
        self.hold_against(known, answer.json())

    def hold_against(self, known: Known, body: dict[str, Any]) -> None:
        check_body(body)
        status = body["status"] if body["status"] in ORDER else "ended"
        assert (body["id"], body["created_at"]) == (known.id, known.created_at)
        assert ORDER.index(status) >= ORDER.index(known.status), f"{known.status} became {status}"
        assert f"<{known.text}>".startswith(said(body))
        assert body["status"] != "completed" or said(body) == f"<{known.text}>"
        assert body["status"] in (*ORDER, "completed", "cancelled")
        if known.body is not None:
            assert body == known.body
        known.status = status
        if status == "ended":
            known.body = body

    async def ended(self, known: Known) -> None:
        async with asyncio.timeout(SOON):
            while known.status != "ended":
                await self.read(known)
                await asyncio.sleep(0.002)
        await self.look_at_streams(known)

    async def stream_of(self, known: Known, *, after: int = -1) -> bytes:
        query = "" if after < 0 else f"&starting_after={after}"
        answer = await self.ask("GET", f"/responses/{known.id}?stream=true{query}")
        assert answer.status in (200, 404), answer
        if answer.status == 404:
            return b""
        # A comment keeps a connection alive, and says nothing.
        return b"".join(part + b"\n\n" for part in answer.body.split(b"\n\n")[:-1] if not part.startswith(b":"))

    async def look_at_streams(self, known: Known) -> None:
        """Hold all that was read of an ended response against its stream, and that against what it was before."""
        whole = await self.stream_of(known)
        events = read_events(whole)
        first = events[0]["sequence_number"]
        assert [event["sequence_number"] for event in events] == [*range(first, first + len(events))]
        assert first == 0 or known.attempts > 1
        assert events[0]["type"] == "response.created"
        assert events[-1]["response"] == known.body
        assert known.stream in (None, whole)
        known.stream = whole
        for after, reader in known.readers:
            self.hold_stream_against(known, await reader, after=after)
        known.readers.clear()

    def hold_stream_against(self, known: Known, read: bytes, *, after: int) -> None:
        """What ended with its last event has all that comes behind `after`."""
        assert known.stream is not None
        if read.endswith(b"data: [DONE]\n\n"):
            events = read_events(known.stream)
            rest = known.stream.split(b"\n\n")[:-2][max(0, after + 1 - events[0]["sequence_number"]) :]
            assert read == b"".join(part + b"\n\n" for part in [*rest, b"data: [DONE]"])
        else:
            assert known.attempts > 1, "a stream was cut, and nothing had happened"

    async def let_readers_end(self, known: Known) -> None:
        for _, reader in known.readers:
            await reader
        known.readers.clear()

    async def look_at_all(self) -> None:
        for known in self.known:
            known.may_end.set()
        for known in self.known:
            if known.is_gone:
                await self.read(known)
            else:
                await self.ended(known)
        begun = list(dict.fromkeys(self.run_order))
        for talk in self.talks:
            accepted = [known for known in self.known if known.talk == talk]
            texts = [known.text for known in accepted]
            assert [text for text in begun if text in texts] == [text for text in texts if text in begun]
            items = (await self.ask("GET", f"/v1/conversations/{talk}/items?order=asc&limit=100")).json()["data"]
            spoken = [item["content"][0]["text"] for item in items if item["role"] == "user"]
            completed = [known for known in accepted if not known.is_gone and known.body is not None]
            assert spoken == [known.text for known in completed if known.body and known.body["status"] == "completed"]


class ClientsOfADatabase(Clients):
    """The same where what was accepted outlives the host."""

    database = "sqlite"


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("machine", [Clients, ClientsOfADatabase])
def test_whatever_clients_do_the_host_agrees_with_the_model(
    machine: type[Clients], figure: Callable[[int, int], int]
) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=figure(5, 300),
            stateful_step_count=figure(12, 40),
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        ),
    )
