"""`state_dir` with real processes: what a restart keeps, and who has the folder."""

from __future__ import annotations

import signal
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from .served import Served, free_port, serving, starting

pytestmark = pytest.mark.timeout(180)  # two or three processes each, on a machine that may be busy with other tests

PLENTY = 40.0
NEXT_TO_NOTHING = 0.1
SECRET = "the stars are cheese"


@dataclass
class Hosts:
    """Hosts in processes of their own, which share one folder."""

    stack: ExitStack
    folder: Path
    numbers: Any

    def start(self) -> Served:
        """Start one, and wait until it is ready."""
        return self._run(serving, drain=PLENTY, grace=PLENTY)

    def begin(self, *, drain: float = PLENTY, grace: float = PLENTY) -> Served:
        """Start one, and do not wait."""
        return self._run(starting, drain=drain, grace=grace)

    def _run(self, how: Any, *, drain: float, grace: float) -> Served:
        port = self.stack.enter_context(free_port())
        program = Path(__file__).with_name("stateful_host.py")
        command = [sys.executable, program, str(port), self.folder, str(drain), str(grace)]
        log = self.folder / f"printed {next(self.numbers)}"
        return self.stack.enter_context(how(command, port=port, log=log))

    @property
    def sessions(self) -> Path:
        return self.folder / "state" / "sessions"


@pytest.fixture
def hosts(tmp_path: Path) -> Generator[Hosts]:
    with ExitStack() as stack:
        yield Hosts(stack, tmp_path, count())


def say(served: Served, text: str, *, room: str, stream: bool = False) -> str:
    """Say something in a room; returns what was answered."""
    with OpenAI(base_url=f"{served.url}/v1", api_key="unused", max_retries=0) as client:
        if not stream:
            return client.responses.create(model="m", input=text, metadata={"room": room}).output_text
        with client.responses.stream(model="m", input=text, metadata={"room": room}) as events:
            return events.get_final_response().output_text


def session_id(served: Served, room: str) -> str:
    return httpx2.get(f"{served.url}/control/rooms/{room}", timeout=PLENTY).json()


def reset(served: Served, room: str, *, how: str = "") -> None:
    assert httpx2.delete(f"{served.url}/control/rooms/{room}?{how}", timeout=PLENTY).text == "done"


def test_a_new_process_goes_on_where_the_agents_own_history_ends(hosts: Hosts) -> None:
    """A whole answer and a streamed one, other rooms apart; what was said lies with the provider alone."""
    first = hosts.start()
    assert f"session resets in {hosts.sessions}" in first.printed
    assert say(first, SECRET, room="ada") == SECRET
    assert first.stop() == 0
    second = hosts.start()
    assert say(second, "one", room="ada") == f"{SECRET} | one"
    assert say(second, "two", room="ada", stream=True) == f"{SECRET} | one | two"
    assert say(second, "?", room="bob") == "?"
    reset(second, "ada")
    assert say(second, "three", room="ada") == "three"
    assert say(second, "four", room="ada") == "three | four"
    for path in hosts.sessions.rglob("*"):
        assert SECRET.encode() not in path.read_bytes()
        assert (path.stat().st_mode & 0o777) == 0o600


def test_a_reset_is_on_the_disk_when_it_returns(hosts: Hosts) -> None:
    """The process is killed in the very next statement, of a plain call and of an async one."""
    for room, how in (("ada", "plain"), ("bob", "async")):
        host = hosts.start()
        assert session_id(host, room) == room
        with pytest.raises(httpx2.TransportError):
            reset(host, room, how=f"{how}&die")
        assert host.end() == -signal.SIGKILL
    last = hosts.start()
    assert [session_id(last, room).partition("#")[1] for room in ("ada", "bob", "eve")] == ["#", "#", ""]


def test_a_second_host_waits_until_the_first_has_drained(hosts: Hosts) -> None:
    """It does not listen meanwhile, and takes over with everything that the first one did."""
    first = hosts.start()
    with ThreadPoolExecutor() as pool:
        running = pool.submit(say, first, "gated", room="ada")
        httpx2.get(f"{first.url}/control/gate", timeout=PLENTY).raise_for_status()
        second = hosts.begin()
        second.wait_for_print(f"{hosts.sessions} is in use by process {first.process.pid}; waiting")
        first.signal(signal.SIGTERM)
        first.wait_for_readiness(503)
        assert second.readiness() is None
        httpx2.post(f"{first.url}/control/gate", timeout=PLENTY).raise_for_status()
        assert running.result() == "gated"
    assert first.end() == 0
    second.wait_for_readiness(200)
    assert say(second, "hello", room="ada") == "gated | hello"


def test_a_host_that_gets_no_folder_is_refused_with_path_and_pid(hosts: Hosts) -> None:
    """The first one goes on undisturbed."""
    first = hosts.start()
    second = hosts.begin(drain=NEXT_TO_NOTHING, grace=NEXT_TO_NOTHING)
    assert second.end() == 1
    last = second.printed.strip().splitlines()[-1]
    assert last.startswith("agent_framework_hosting.errors.ConfigurationError: ")
    assert f"{hosts.sessions} is in use by process {first.process.pid}," in last
    assert "LifespanFailureError" not in second.printed
    assert say(first, "hello", room="ada") == "hello"


def test_the_folder_of_a_host_that_was_killed_is_free(hosts: Hosts) -> None:
    """Its lock file stays and is no obstacle."""
    first = hosts.start()
    reset(first, "ada")
    before = session_id(first, "ada")
    first.signal(signal.SIGKILL)
    assert first.end() == -signal.SIGKILL
    second = hosts.start()
    assert "waiting" not in second.printed
    assert session_id(second, "ada") == before


def test_a_host_that_waits_can_be_told_to_stop(hosts: Hosts) -> None:
    """At the first signal, and without a traceback."""
    hosts.start()
    second = hosts.begin()
    second.wait_for_print("waiting")
    assert second.stop() == 0
    assert "Traceback" not in second.printed
    assert second.printed.endswith("served\n")
