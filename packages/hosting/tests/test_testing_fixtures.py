"""The fixtures, as a project of its own uses them."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

OPTIONS = ["-p", "no:cacheprovider", "-p", "no:xdist", "-p", "agent_framework_hosting.testing.fixtures"]
HEAD = """
from urllib.request import Request, urlopen
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from agent_framework_hosting.channel import ChannelContribution
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.types import ChannelRequest

class Ask:
    name, path = "ask", "/ask"
    def contribute(self, context):
        async def ask(request):
            said = ChannelRequest("ask", "ask", (await request.body()).decode())
            return PlainTextResponse((await context.run(said)).result.text)
        return ChannelContribution(routes=[Route("/", ask, methods=["POST"])])
"""


def run(pytester: pytest.Pytester, test: str) -> pytest.RunResult:
    pytester.makepyfile(HEAD + test)
    return pytester.runpytest_inprocess(*OPTIONS)


def test_a_host_is_served_in_plain_and_in_async_tests(pytester: pytest.Pytester) -> None:
    test = """
def test_plain(serve, scripted_agent):
    driver = serve(AgentFrameworkHost(scripted_agent, channels=[Ask()]))
    with urlopen(Request(driver.base_url + "/ask", b"hello")) as answer:
        assert answer.read() == b"hello"
    assert scripted_agent.runs[0].finished

@pytest.mark.anyio
async def test_async(serve, scripted_agent, anyio_backend_name):
    driver = serve(AgentFrameworkHost(scripted_agent, channels=[Ask()]).app)
    assert (await driver.request("POST", "/ask", body=b"hello")).text == "hello"

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""
    run(pytester, test).assert_outcomes(passed=2)


def test_an_error_that_left_the_app_fails_the_test(pytester: pytest.Pytester) -> None:
    test = """
def test_it(serve):
    def fail(request):
        raise LookupError("nobody sees this")
    driver = serve(Starlette(routes=[Route("/", fail)]))
    with pytest.raises(OSError, match="500") as error:
        urlopen(driver.base_url)
    error.value.close()
"""
    result = run(pytester, test)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*LookupError: nobody sees this*"])


def test_shut_gates_clocks_and_platforms_let_go_at_the_end(pytester: pytest.Pytester) -> None:
    test = """
gates = []

def test_it(gate, fake_clock, platform_server):
    gates.append(gate("work"))
    fake_clock.advance(5)
    with urlopen(platform_server.base_url + "/say?text=hi") as answer:
        assert answer.read() == b'{"ok": true}'
    assert platform_server.calls_to("say")[0].params == {"text": "hi"}
    assert not gates[0].is_open

def test_after():
    assert gates[0].is_open
"""
    run(pytester, test).assert_outcomes(passed=2)
