"""The host itself: construction, mounting, lifespan, readiness, isolation headers."""

from __future__ import annotations

import asyncio
import logging
import math
import re
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from agent_framework_hosting.channel import ChannelCommand, SiblingRoute
from agent_framework_hosting.errors import (
    ConfigurationError,
    Draining,
    NotStarted,
    QueueFull,
    RunCancelled,
    TargetError,
)
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.isolation import get_current_isolation_keys
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Gate, InMemoryDriver, ManagedAgent, ScriptedAgent
from agent_framework_hosting.types import ChannelRequest


def says(text: str) -> Any:
    """Return an endpoint that answers with this text."""

    async def endpoint(_: Request) -> PlainTextResponse:
        return PlainTextResponse(text)

    return endpoint


def host_of(*channels: Any, **options: Any) -> AgentFrameworkHost:
    """Return a host of an agent that echoes."""
    return AgentFrameworkHost(ScriptedAgent(), channels=channels, **options)


def ask() -> ChannelRequest:
    """Return any request."""
    return ChannelRequest(channel="test", operation="message", input="hi")


@pytest.mark.parametrize("target", [None, "agent", object(), ScriptedAgent, math.sqrt])
def test_what_cannot_run_is_refused_at_construction(target: Any) -> None:
    """The message names what was given and what is accepted."""
    with pytest.raises(TargetError, match=r"cannot run .*Give it an agent"):
        AgentFrameworkHost(target, channels=[])


def test_target_and_channels_are_there_and_the_app_is_built_once(make_probe: Any) -> None:
    """`host.app is host.app`."""
    agent, probe = ScriptedAgent(), make_probe()
    host = AgentFrameworkHost(agent, channels=[probe])
    assert host.target is agent
    assert list(host.channels) == [probe]
    assert host.app is host.app


@pytest.mark.parametrize("path", ["/probe", "/probe/"])
async def test_the_root_route_of_a_channel_answers_with_and_without_slash(make_probe: Any, path: str) -> None:
    """No redirect stands between a client and its answer."""
    host = host_of(make_probe(routes=[Route("/", says("root")), Route("/more/{n:int}", says("more"))]))
    async with InMemoryDriver(host.app) as driver:
        assert (await driver.request("GET", path)).text == "root"
        assert (await driver.request("GET", "/probe/more/3")).text == "more"


@pytest.mark.parametrize("path", ["/probe", "/probe/", "/probe/more/3", "/probe/sub/x", "/readiness"])
async def test_a_path_with_a_line_break_behind_it_is_not_the_path_without(make_probe: Any, path: str) -> None:
    """What comes to a route is what the route says, to the last character."""
    routes = [
        Route("/", says("root")),
        Route("/more/{n:int}", says("more")),
        Mount("/sub", routes=[Route("/x", says("x"))]),
    ]
    async with InMemoryDriver(host_of(make_probe(routes=routes)).app) as driver:
        assert (await driver.request("GET", path)).status == 200
        assert (await driver.request("GET", f"{path}%0A")).status == 404


async def test_an_empty_path_mounts_at_the_apps_root_and_leaves_the_others_theirs(make_probe: Any) -> None:
    """The most particular path wins, whatever the order of the channels."""
    at_root = make_probe(name="root", path="", routes=[Route("/", says("root")), Route("/{rest:path}", says("rest"))])
    host = host_of(at_root, make_probe(routes=[Route("/", says("probe"))]))
    async with InMemoryDriver(host.app) as driver:
        answers = [(await driver.request("GET", path)).text for path in ("/", "/probe", "/other", "/readiness")]
    assert answers == ["root", "probe", "rest", "ok"]


def test_websockets_and_mounts_of_a_channel_are_moved_below_its_path(make_probe: Any) -> None:
    """Every kind of route mounts the same way."""

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hello")
        await websocket.close()

    routes = [WebSocketRoute("/ws", socket), Mount("/sub", routes=[Route("/x", says("x"))])]
    client = TestClient(host_of(make_probe(routes=routes)).app)
    with client.websocket_connect("/probe/ws") as websocket:
        assert websocket.receive_text() == "hello"
    assert client.get("/probe/sub/x").text == "x"


async def test_siblings_stand_at_absolute_paths_and_shared_ones_are_mounted_once(make_probe: Any) -> None:
    """Two channels may declare the same sibling under one key."""
    channels = [
        make_probe(name=name, path=f"/{name}", siblings=[SiblingRoute(Route("/v1/models", says(name)), "models")])
        for name in ("one", "two")
    ]
    async with InMemoryDriver(host_of(*channels).app) as driver:
        assert (await driver.request("GET", "/v1/models")).text == "one"


def test_clashes_are_refused_at_construction(make_probe: Any) -> None:
    """Names, paths, siblings, reserved paths: each message says who clashes with whom."""
    with pytest.raises(ConfigurationError, match="Two channels are named 'probe'"):
        host_of(make_probe(), make_probe(path="/other"))
    with pytest.raises(ConfigurationError, match=r"'probe' and 'two' both have the path '/probe'"):
        host_of(make_probe(), make_probe(name="two", path="/probe/"))
    sibling = SiblingRoute(Route("/probe", says("x")))
    with pytest.raises(ConfigurationError, match=r"'/probe' is wanted by channel 'two' and taken by channel 'probe'"):
        host_of(make_probe(routes=[Route("/", says("x"))]), make_probe(name="two", path="/two", siblings=[sibling]))
    with pytest.raises(ConfigurationError, match=r"'/readiness' is wanted .* taken by the host's readiness probe"):
        host_of(make_probe(path="", routes=[Route("/readiness", says("mine"))]))
    with pytest.raises(ConfigurationError, match="must start with '/'"):
        host_of(make_probe(path="probe"))
    alone = ["the account 7"]
    with pytest.raises(ConfigurationError, match="'probe' and 'two' both want the account 7, which only one"):
        host_of(make_probe(exclusive=alone), make_probe(name="two", path="/two", exclusive=alone))


def test_what_is_no_channel_is_refused_by_its_place(make_probe: Any) -> None:
    """A class for an instance, a name for a channel: the message says which one, and what is wanted."""
    with pytest.raises(ConfigurationError, match=r"channels\[1\] is the class Probe\. Give an instance: Probe\("):
        host_of(make_probe(), make_probe)
    with pytest.raises(ConfigurationError, match=r"channels\[0\] is an object of type str.*`contribute\(context\)`"):
        host_of("responses")
    with pytest.raises(ConfigurationError, match=r"the channel 'probe' itself\. Give a list: channels=\[\.\.\.\]"):
        AgentFrameworkHost(ScriptedAgent(), channels=make_probe())


def test_a_channel_that_contributes_nothing_is_refused_by_name(make_probe: Any) -> None:
    """A forgotten `return` is said to be one."""

    def contribute(_: Any) -> None: ...

    probe = make_probe()
    probe.contribute = contribute
    with pytest.raises(ConfigurationError, match=r"contribute\(\) of channel 'probe' returned NoneType"):
        host_of(probe)


async def test_one_path_may_have_different_methods_in_two_channels(make_probe: Any) -> None:
    """A clash is two answers to one request, nothing less."""
    get = SiblingRoute(Route("/shared", says("get"), methods=["GET"]))
    post = SiblingRoute(Route("/shared", says("post"), methods=["POST"]))
    host = host_of(make_probe(siblings=[get]), make_probe(name="two", path="/two", siblings=[post]))
    async with InMemoryDriver(host.app) as driver:
        assert (await driver.request("GET", "/shared")).text == "get"


async def test_a_host_without_channels_answers_readiness_alone() -> None:
    """Everything else is a JSON 404 with a request id."""
    async with InMemoryDriver(host_of().app) as driver:
        ready = await driver.request("GET", "/readiness")
        assert (ready.status, ready.text, ready.headers["content-type"]) == (200, "ok", "text/plain; charset=utf-8")
        lost = await driver.request("GET", "/nothing")
        assert (lost.status, lost.json()["error"]["code"]) == (404, "not_found")
        assert lost.headers["x-request-id"].startswith("req_")
        wrong = await driver.request("POST", "/readiness")
        assert (wrong.status, wrong.json()["error"]["code"]) == (405, "method_not_allowed")
        assert "GET" in wrong.headers["allow"]


async def test_readiness_says_that_a_host_was_not_started(make_probe: Any) -> None:
    """A forgotten lifespan shows before the first user does."""
    app = Starlette()
    app.mount("/agent", host_of(make_probe(on_startup=[lambda: None])).app)
    async with InMemoryDriver(app) as driver:
        answer = await driver.request("GET", "/agent/readiness")
    assert (answer.status, answer.text) == (503, "not_started")


async def test_no_path_is_redirected() -> None:
    """A redirect would name whatever host the request claims to be for."""
    async with InMemoryDriver(host_of().app) as driver:
        assert (await driver.request("GET", "/readiness/", headers={"host": "evil.example"})).status == 404


async def test_readiness_turns_while_the_host_drains_and_new_work_is_refused() -> None:
    """What runs goes on to its end."""
    gate = Gate()
    host = AgentFrameworkHost(ScriptedAgent([gate, "done"]), channels=[])
    async with InMemoryDriver(host.app) as driver:
        running = asyncio.ensure_future(host.run(ask()))
        await gate.wait_reached()
        host.begin_drain()
        assert (await driver.request("GET", "/readiness")).status == 503
        with pytest.raises(Draining):
            await host.run(ask())
        gate.open()
        assert (await running).result.text == "done"


async def test_the_end_of_the_lifespan_waits_for_what_runs() -> None:
    """A run that was taken is finished before anything is stopped."""
    gate = Gate()
    host = AgentFrameworkHost(ScriptedAgent([gate, "done"]), channels=[])
    async with host:
        running = asyncio.ensure_future(host.run(ask()))
        await gate.wait_reached()
        asyncio.get_running_loop().call_soon(gate.open)
    assert running.done()
    assert (await running).result.text == "done"


async def test_what_runs_longer_than_the_drain_is_stopped_and_told_why() -> None:
    """The limit holds for all runs together, and no run outlives the host."""
    gate = Gate()
    agent = ScriptedAgent(every=[gate, "never"])
    host = AgentFrameworkHost(agent, channels=[], limits=Limits(drain_timeout=0.01))
    async with host:
        running = [asyncio.ensure_future(host.run(ask())) for _ in range(2)]
        await agent.wait_started(2)
        await gate.wait_reached()
    assert agent.active == 0
    for run in running:
        with pytest.raises(RunCancelled) as told:
            await run
        assert told.value.reason == "drained"


async def test_startup_runs_in_order_and_shutdown_in_reverse(make_probe: Any) -> None:
    """Plain and async steps alike."""
    log: list[str] = []

    def step(name: str) -> Any:
        async def coroutine() -> None:
            log.append(name)

        return coroutine

    one = make_probe(name="one", path="/1", on_startup=[step("up 1")], on_shutdown=[lambda: log.append("down 1")])
    two = make_probe(name="two", path="/2", on_startup=[lambda: log.append("up 2")], on_shutdown=[step("down 2")])
    async with host_of(one, two):
        assert log == ["up 1", "up 2"]
    assert log == ["up 1", "up 2", "down 2", "down 1"]


async def test_a_failing_startup_stops_what_had_started_and_raises_its_own_error(
    make_probe: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The failure is logged, later channels never start."""
    log: list[str] = []

    def fail() -> None:
        raise OSError("no port")

    channels = [
        make_probe(name="one", path="/1", on_startup=[lambda: None], on_shutdown=[lambda: log.append("down 1")]),
        make_probe(name="two", path="/2", on_startup=[fail], on_shutdown=[lambda: log.append("down 2")]),
        make_probe(name="three", path="/3", on_startup=[lambda: log.append("up 3")]),
    ]
    host = host_of(*channels)
    with pytest.raises(OSError, match="no port"):
        async with host:
            pass
    assert log == ["down 1"]
    assert "Channel 'two' failed to start" in caplog.text


async def test_a_start_that_fails_and_is_cancelled_while_it_is_undone_is_cancelled_and_says_why_it_failed(
    make_probe: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever cancelled it would wait for ever for a cancellation that nobody has heard of."""
    is_leaving, may_leave = asyncio.Event(), asyncio.Event()

    class Slow(ManagedAgent):
        async def __aexit__(self, *_: object) -> None:
            is_leaving.set()
            await may_leave.wait()

    def fail() -> None:
        raise OSError("no port")

    async def serve() -> None:
        async with AgentFrameworkHost(Slow(), channels=[make_probe(on_startup=[fail])]):
            pass

    serving = asyncio.create_task(serve())
    await is_leaving.wait()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert "... and another step failed: OSError" in caplog.text


async def test_shutdown_attempts_every_step_and_raises_the_first_error(make_probe: Any) -> None:
    """One failing step does not keep the others from running."""
    log: list[str] = []

    def fail() -> None:
        raise OSError("first")

    one = make_probe(name="one", path="/1", on_shutdown=[lambda: log.append("down 1")])
    two = make_probe(name="two", path="/2", on_shutdown=[fail, lambda: log.append("down 2")])
    with pytest.raises(OSError, match="first"):
        async with host_of(one, two):
            pass
    assert log == ["down 2", "down 1"]


async def test_a_shutdown_that_is_cancelled_while_it_drains_stops_the_channels_all_the_same(make_probe: Any) -> None:
    """Whoever loses patience with the runs still wants back what channels hold."""
    log: list[str] = []
    gate = Gate()
    host = AgentFrameworkHost(
        ScriptedAgent([gate, "done"]), channels=[make_probe(on_shutdown=[lambda: log.append("down")])]
    )
    running = asyncio.ensure_future(host.run(ask()))

    async def serve() -> None:
        async with host:
            await gate.wait_reached()
            # Comes as soon as the end of the block waits for the run.
            asyncio.get_running_loop().call_soon(serving.cancel)

    serving = asyncio.ensure_future(serve())
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert log == ["down"]
    with pytest.raises(RunCancelled) as told:
        await running
    assert told.value.reason == "drained"


async def test_a_host_with_something_to_start_refuses_work_before_and_after(make_probe: Any) -> None:
    """The refusal names the mend."""
    host = host_of(make_probe(on_startup=[lambda: None]))
    with pytest.raises(NotStarted, match=r"lifespan=host\.lifespan"):
        await host.run(ask())
    async with host:
        assert (await host.run(ask())).result.text == "echo: hi"
    with pytest.raises(NotStarted):
        await host.run(ask())


async def test_a_host_with_nothing_to_start_needs_no_lifespan(make_probe: Any) -> None:
    """`host.run` and the app work at once, and again after a lifespan has ended."""
    host = host_of(make_probe())
    assert (await host.run(ask())).result.text == "echo: hi"
    async with host:
        pass
    assert (await host.run(ask())).result.text == "echo: hi"


def test_the_lifespan_serves_an_app_of_the_users(make_probe: Any) -> None:
    """Mounted in FastAPI and in Starlette, the host starts with the app around it, once."""
    for make in (FastAPI, Starlette):
        log: list[str] = []

        async def endpoint(request: Request, host_channel: Any = None) -> JSONResponse:
            return JSONResponse({"root": request.scope["root_path"]})

        def start(log: list[str] = log) -> None:
            log.append("up")

        probe = make_probe(routes=[Route("/", endpoint)], on_startup=[start])
        host = host_of(probe)
        app = make(lifespan=host.lifespan)
        app.mount("/agent", host.app)
        with TestClient(app) as client:
            assert client.get("/agent/probe").status_code == 200
            assert client.get("/agent/readiness").text == "ok"
        assert log == ["up"]


async def test_nested_lifespans_start_once_and_stop_last(make_probe: Any) -> None:
    """The app's own lifespan inside `async with host` changes nothing."""
    log: list[str] = []
    probe = make_probe(on_startup=[lambda: log.append("up")], on_shutdown=[lambda: log.append("down")])
    host = host_of(probe)
    async with host:
        async with InMemoryDriver(host.app):
            pass
        assert log == ["up"]
    assert log == ["up", "down"]


async def test_one_line_at_start_tells_what_is_served_where_and_what_is_kept(
    make_probe: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Target, channels with their paths, memory only."""
    caplog.set_level(logging.INFO, logger="agent_framework.hosting")
    async with host_of(make_probe()):
        pass
    async with host_of():
        pass
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert "scripted" in lines[0]
    assert "probe at /probe" in lines[0]
    assert "memory only" in lines[0]
    assert "no channels" in lines[1]


def test_limits_that_are_none_are_refused_with_the_mend() -> None:
    not_limits: Any = 5
    with pytest.raises(ConfigurationError, match=r"limits=5 .*Limits\(max_waiting=8\), from agent_framework_hosting"):
        AgentFrameworkHost(ScriptedAgent(), channels=[], limits=not_limits)


@pytest.mark.parametrize("error", [ConfigurationError, TargetError])
async def test_callers_hear_nothing_of_what_is_wrong_with_the_servers_configuration(
    make_probe: Any, caplog: pytest.LogCaptureFixture, error: type[ConfigurationError]
) -> None:
    """They get an id; the text, and how to mend it, stand under that id in the log."""

    async def reset(_: Request) -> Response:
        raise error("/srv/state belongs to somebody else. Give it another folder.")

    probe = make_probe(routes=[Route("/", reset, methods=["POST"])])
    async with InMemoryDriver(host_of(probe).app) as driver:
        answer = await driver.request("POST", "/probe")
    told = answer.json()["error"]
    assert (answer.status, told["code"]) == (500, "internal_error")
    assert "/srv" not in answer.body.decode()
    assert (incident := re.search(r"err_\w+", told["message"])) is not None
    assert f"{incident[0]}: the run failed" in caplog.text
    assert "/srv/state belongs to somebody else" in caplog.text


def test_commands_of_all_channels_are_known_to_each(make_probe: Any) -> None:
    """Complete once all have contributed."""

    async def handle(_: Any) -> None: ...

    one = make_probe(name="one", path="/1", commands=[ChannelCommand("new", "Start anew", handle)])
    two = make_probe(name="two", path="/2", commands=[ChannelCommand("help", "Tell", handle)])
    host_of(one, two)
    assert [command.name for command in one.context.commands] == ["new", "help"]


async def keys_of(host: AgentFrameworkHost, headers: list[tuple[str, str]]) -> Any:
    """Return what an endpoint of the host says about the isolation keys."""
    async with InMemoryDriver(host.app) as driver:
        return await driver.request("GET", "/probe", headers=headers)


def telling(make_probe: Any) -> Any:
    """Return a channel that tells keys, principal and the headers that it got."""

    async def endpoint(request: Request) -> JSONResponse:
        keys = get_current_isolation_keys()
        return JSONResponse(
            {
                "user": keys and keys.user_key,
                "chat": keys and keys.chat_key,
                "principal": [probe.context.principal.kind, probe.context.principal.id],
                "headers": [name for name in request.headers if name.startswith("x-agent-")],
            }
        )

    probe = make_probe(routes=[Route("/", endpoint)])
    return probe


HEADERS = [("x-agent-user-isolation-key", "ada"), ("x-agent-chat-isolation-key", "room")]


async def test_isolation_headers_are_taken_out_unless_somebody_vouches_for_them(make_probe: Any) -> None:
    """By default nothing behind the door can even see them."""
    answer = await keys_of(host_of(telling(make_probe)), HEADERS)
    assert answer.json() == {"user": None, "chat": None, "principal": ["anonymous", "anonymous"], "headers": []}


@pytest.mark.parametrize("by_environment", [False, True])
async def test_trusted_isolation_headers_say_who_calls_and_which_chat(
    make_probe: Any, monkeypatch: pytest.MonkeyPatch, by_environment: bool
) -> None:
    """The option and the platform's environment variable are the two ways to trust them."""
    if by_environment:
        monkeypatch.setenv("FOUNDRY_HOSTING_ENVIRONMENT", "production")
    host = host_of(telling(make_probe), trust_isolation_headers=None if by_environment else True)
    told = (await keys_of(host, HEADERS)).json()
    assert (told["user"], told["chat"], told["principal"]) == ("ada", "room", ["caller", "ada"])


async def test_an_option_overrides_the_environment(make_probe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`False` is an answer, too."""
    monkeypatch.setenv("FOUNDRY_HOSTING_ENVIRONMENT", "production")
    told = (await keys_of(host_of(telling(make_probe), trust_isolation_headers=False), HEADERS)).json()
    assert told["user"] is None


@pytest.mark.parametrize(
    "headers",
    [
        [("x-agent-user-isolation-key", "ada"), ("x-agent-user-isolation-key", "bob")],
        [("x-agent-chat-isolation-key", "x" * 513)],
        [("x-agent-chat-isolation-key", "t\xe9")],
    ],
)
async def test_trusted_headers_that_make_no_sense_are_refused(make_probe: Any, headers: list[tuple[str, str]]) -> None:
    """Two answers to one question, or a key that is none: 400."""
    answer = await keys_of(host_of(telling(make_probe), trust_isolation_headers=True), headers)
    error = answer.json()["error"]
    assert (answer.status, error["type"], error["code"]) == (400, "invalid_request_error", "invalid_isolation_key")
    assert answer.headers["x-request-id"].startswith("req_")


async def test_an_empty_isolation_header_counts_as_absent(make_probe: Any) -> None:
    """An empty key is no key."""
    host = host_of(telling(make_probe), trust_isolation_headers=True)
    told = (await keys_of(host, [("x-agent-user-isolation-key", "")])).json()
    assert (told["user"], told["principal"]) == (None, ["anonymous", "anonymous"])


async def test_isolation_keys_are_separate_per_concurrent_request(make_probe: Any) -> None:
    """No request sees another one's keys, even while both are in flight."""
    both = asyncio.Barrier(2)

    async def endpoint(_: Request) -> PlainTextResponse:
        await both.wait()
        keys = get_current_isolation_keys()
        return PlainTextResponse(str(keys and keys.user_key))

    host = host_of(make_probe(routes=[Route("/", endpoint)]), trust_isolation_headers=True)
    async with InMemoryDriver(host.app) as driver:
        answers = await asyncio.gather(
            *(
                driver.request("GET", "/probe", headers=[("x-agent-user-isolation-key", name)])
                for name in ("ada", "bob")
            )
        )
    assert [answer.text for answer in answers] == ["ada", "bob"]


def test_what_the_host_refuses_in_a_channels_endpoint_is_an_answer_and_no_failure(make_probe: Any) -> None:
    """A channel need not catch what `context.run` raises: status, place and time to come back are told, once."""

    async def badly(_: Request) -> PlainTextResponse:
        result = await probe.context.run(ChannelRequest(channel="probe", operation="message", input=42))
        return PlainTextResponse(result.result.text)

    async def full(_: Request) -> PlainTextResponse:
        raise QueueFull("Too many.", param="input")

    probe = make_probe(routes=[Route("/", badly), Route("/full", full)])
    client = TestClient(host_of(probe).app, raise_server_exceptions=True)
    bad = client.get("/probe")
    assert (bad.status_code, bad.json()["error"]["code"]) == (400, "invalid_request")
    late = client.get("/probe/full")
    assert (late.status_code, late.headers["retry-after"]) == (429, "1")
    assert late.json()["error"] == {
        "message": "Too many.",
        "type": "rate_limit_error",
        "param": "input",
        "code": "queue_full",
    }


def test_an_error_behind_a_websocket_closes_it_and_is_logged(make_probe: Any, caplog: pytest.LogCaptureFixture) -> None:
    """There is no HTTP answer to give; the server would print what went wrong, whatever it says."""

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        raise QueueFull("Too many.")

    client = TestClient(host_of(make_probe(routes=[WebSocketRoute("/ws", socket)])).app)
    with client.websocket_connect("/probe/ws") as websocket, pytest.raises(WebSocketDisconnect) as closed:
        websocket.receive_text()
    assert closed.value.code == 1011
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "QueueFull (queue_full)" in (record.exc_text or "")


@pytest.mark.parametrize("debug", [False, True])
async def test_an_error_in_a_channels_endpoint_tells_an_id_and_nothing_else(
    make_probe: Any, caplog: pytest.LogCaptureFixture, debug: bool
) -> None:
    """`debug` never leaks to clients; the log has the id and the traceback."""

    async def endpoint(_: Request) -> PlainTextResponse:
        raise ValueError("the secret")

    host = host_of(make_probe(routes=[Route("/", endpoint)]), debug=debug)
    async with InMemoryDriver(host.app) as driver:
        answer = await driver.request("GET", "/probe")
    assert answer.status == 500
    assert "secret" not in answer.text
    incident = answer.json()["error"]["message"].partition("error id ")[2].rstrip(")")
    assert incident in caplog.text
    assert "the secret" in caplog.text


async def test_of_several_errors_at_a_start_the_first_is_raised_and_the_others_are_logged(
    make_probe: type[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The agent that had been entered before the channel failed fails, too, when it is left."""

    def no_port() -> None:
        raise OSError("no port")

    class Stubborn(ManagedAgent):
        async def __aexit__(self, *_: object) -> None:
            raise ValueError("the agent's end")

    host = AgentFrameworkHost(Stubborn(), channels=[make_probe(on_startup=[no_port])])
    with pytest.raises(OSError, match="no port"):
        await host.__aenter__()
    assert "the agent's end" in caplog.text
