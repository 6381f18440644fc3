"""Fixtures for pytest.

Nothing loads them by itself; name them in your top `conftest.py`::

    pytest_plugins = ["agent_framework_hosting.testing.fixtures"]

- `scripted_agent`: an agent that answers with all that people have said so far, as `one | two`, and remembers its runs.
- `serve`: `serve(host)` (or any ASGI app) serves it on a free port until the test ends, and returns the
  `LoopbackDriver` that talks to it. Works in plain and in async tests; an error that leaves the app fails the test.
- `gate`: `gate("name")` makes a `Gate`; those that are still shut are opened when the test ends, so that nothing hangs.
- `fake_clock`: a `FakeClock`.
- `platform_server`: a `PlatformServer` that runs, and takes everything.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack
from typing import Any

import pytest
from starlette.types import ASGIApp

from ..host import AgentFrameworkHost
from ._agent import ScriptedAgent
from ._clock import FakeClock
from ._gate import Gate
from ._loopback import LoopbackDriver
from ._platform import PlatformServer
from ._script import recall


@pytest.fixture
def scripted_agent() -> ScriptedAgent:
    """An agent that answers with all that people have said so far, and remembers its runs."""
    return ScriptedAgent(every=recall)


@pytest.fixture
def serve() -> Generator[Callable[..., LoopbackDriver]]:
    """What serves a host, or any ASGI app, until the test ends."""
    drivers: list[LoopbackDriver] = []
    with ExitStack() as stack:

        def serve(app: AgentFrameworkHost | ASGIApp, **options: Any) -> LoopbackDriver:
            served = app.app if isinstance(app, AgentFrameworkHost) else app
            driver = stack.enter_context(LoopbackDriver(served, **options))
            drivers.append(driver)
            return driver

        yield serve
    left = [error for driver in drivers for error in driver.errors]
    if left:
        raise ExceptionGroup("Exceptions left an app that was served.", [e for e in left if isinstance(e, Exception)])


@pytest.fixture
def gate(request: pytest.FixtureRequest) -> Generator[Callable[..., Gate]]:
    """Make gates, `gate("name")`, that are opened when the test ends."""
    # What is set up first is taken down last: the servers stop when nothing holds their runs back any more.
    request.getfixturevalue("serve")
    gates: list[Gate] = []

    def gate(name: str = "gate") -> Gate:
        gates.append(Gate(name))
        return gates[-1]

    yield gate
    for each in gates:
        each.open()


@pytest.fixture
def fake_clock() -> FakeClock:
    """A clock that stands still until the test moves it."""
    return FakeClock()


@pytest.fixture
def platform_server() -> Generator[PlatformServer]:
    """A chat platform that runs, records each call, and takes everything."""
    with PlatformServer() as server:
        yield server
