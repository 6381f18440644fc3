"""Statements of docs/contract.md that no other test holds: shapes, commands, abandoned streams, opaque keys."""

from __future__ import annotations

import asyncio
import gc
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import fields, replace
from typing import Any

import pytest
from agent_framework import (
    AgentResponse,
    AgentResponseUpdate,
    AgentSession,
    Content,
    Executor,
    Message,
    Workflow,
    WorkflowBuilder,
    WorkflowContext,
    WorkflowEvent,
    WorkflowRunResult,
    handler,
)
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import context as otel
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

import agent_framework_hosting
from agent_framework_hosting.channel import (
    Channel,
    ChannelCommand,
    ChannelCommandContext,
    ChannelContext,
    ChannelContribution,
)
from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.isolation import (
    IsolationKeys,
    get_current_isolation_keys,
    reset_current_isolation_keys,
    set_current_isolation_keys,
)
from agent_framework_hosting.testing import Gate, InMemoryDriver, ScriptedAgent
from agent_framework_hosting.types import ChannelIdentity, ChannelRequest, ChannelSession, HostedRunResult, Principal

Connect = Callable[..., ChannelContext]


def ask(value: Any = "hi", key: str | None = None, **more: Any) -> ChannelRequest:
    """Return a request, in a session when there is a key."""
    session = None if key is None else ChannelSession(key)
    return ChannelRequest(channel="test", operation="message", input=value, session=session, **more)


@pytest.fixture
def level_of_the_logger() -> Iterator[logging.Logger]:
    """Give the package's logger, and put its level back."""
    logger = agent_framework_hosting.logger
    before = logger.level
    yield logger
    logger.setLevel(before)


def shape(function: Callable[..., Any]) -> list[str]:
    """Return the parameters of a function as they are written in a call."""
    shown: list[str] = []
    for name, parameter in inspect.signature(function).parameters.items():
        default = "" if parameter.default is inspect.Parameter.empty else f"={parameter.default!r}"
        shown.append(f"*{name}{default}" if parameter.kind is inspect.Parameter.KEYWORD_ONLY else f"{name}{default}")
    return shown


def test_the_host_takes_its_target_first_and_everything_else_by_name() -> None:
    """The names of version 1, each with its default."""
    taken = shape(AgentFrameworkHost)
    assert taken[:3] == ["target", "*channels", "*debug=False"]
    assert {"*checkpoint_location=None", "*state_dir=None"} < set(taken)
    assert all(name.startswith("*") for name in taken[1:])


def test_serve_has_the_defaults_of_version_1() -> None:
    """Loopback, port 8000, one process; the rest are names of the server's configuration."""
    taken = shape(AgentFrameworkHost.serve)
    assert taken[1:4] == ["*host='127.0.0.1'", "*port=8000", "*workers=1"]
    assert taken[-1] == "server_options"


def test_a_channels_context_takes_what_version_1_took(connect: Connect) -> None:
    """A channel written for version 1 calls it unchanged; what is new comes behind, by name."""
    given = type(connect(ScriptedAgent()))
    assert shape(given.run) == shape(ChannelContext.run)
    assert shape(given.run_stream) == shape(ChannelContext.run_stream)
    run, stream = shape(given.run), shape(given.run_stream)
    hooks = ["*run_hook=None", "*protocol_request=None"]
    assert run[:6] == ["self", "request", *hooks, "*response_hook=None", "*channel_name=None"]
    assert stream[:4] == ["self", "request", *hooks]
    assert set(stream[4:7]) == {"*stream_update_hook=None", "*response_hook=None", "*channel_name=None"}
    assert all(name.startswith("*") for name in [*run[2:], *stream[2:]])


def test_debug_logs_at_debug_level(make_probe: Any, level_of_the_logger: logging.Logger) -> None:
    """Left out, it leaves the level alone."""
    level_of_the_logger.setLevel(logging.WARNING)
    AgentFrameworkHost(ScriptedAgent(), channels=[make_probe()])
    assert level_of_the_logger.level == logging.WARNING
    AgentFrameworkHost(ScriptedAgent(), channels=[make_probe()], debug=True)
    assert level_of_the_logger.level == logging.DEBUG


def test_a_request_has_the_fields_and_defaults_of_version_1() -> None:
    """In this order; what is new comes last."""
    assert [field.name for field in fields(ChannelRequest)][:10] == [
        "channel",
        "operation",
        "input",
        "session",
        "options",
        "session_mode",
        "metadata",
        "attributes",
        "stream",
        "identity",
    ]
    bare = ChannelRequest("test", "message", "hi")
    assert (bare.session, bare.options, bare.session_mode) == (None, None, "auto")
    assert (bare.metadata, bare.attributes, bare.stream, bare.identity) == ({}, {}, False, None)
    assert bare.metadata is not ChannelRequest("test", "message", "hi").metadata
    assert replace(bare, input="ho").input == "ho"


def test_the_small_values_have_the_shape_of_version_1() -> None:
    """Session, identity, result, contribution, command: by place and by name."""

    async def handle(_: ChannelCommandContext) -> None: ...

    assert ChannelSession().isolation_key is None
    assert ChannelIdentity("test", "42", {"name": "Ada"}).attributes == {"name": "Ada"}
    assert ChannelIdentity("test", "42") == ChannelIdentity(channel="test", native_id="42", attributes=None)
    assert HostedRunResult("text").session is None
    assert shape(HostedRunResult) == ["result", "*session=None"]
    assert ChannelContribution() == ChannelContribution(routes=(), commands=(), on_startup=(), on_shutdown=())
    assert shape(ChannelContribution)[:4] == ["routes=()", "commands=()", "on_startup=()", "on_shutdown=()"]
    assert all(name.startswith("*") for name in shape(ChannelContribution)[4:])
    assert shape(ChannelCommandContext) == ["request", "reply"]
    command = ChannelCommand("new", "Start anew", handle)
    assert (command.name, command.description, command.handle) == ("new", "Start anew", handle)


def test_a_channel_is_known_by_its_shape(make_probe: Any) -> None:
    """`isinstance` works without inheriting anything."""
    assert isinstance(make_probe(), Channel)
    assert not isinstance(object(), Channel)


async def test_a_channel_is_told_the_target(make_probe: Any) -> None:
    """The very object that was given to the host."""
    agent, probe = ScriptedAgent(), make_probe()
    AgentFrameworkHost(agent, channels=[probe])
    assert probe.context.target is agent


async def test_a_command_gets_its_request_and_can_answer(make_probe: Any) -> None:
    """A channel that finds a command's name in a message calls its handler instead of the agent."""

    async def shout(context: ChannelCommandContext) -> None:
        await context.reply(f"{context.request.operation} {context.request.input}!")

    async def endpoint(request: Request) -> Response:
        replies: list[str] = []

        async def reply(text: str) -> None:
            replies.append(text)

        text = (await request.body()).decode()
        name, _, rest = text.removeprefix("/").partition(" ")
        (command,) = [command for command in probe.context.commands if command.name == name]
        await command.handle(ChannelCommandContext(ChannelRequest("probe", "command", rest), reply))
        return PlainTextResponse("".join(replies))

    shouting = ChannelCommand("shout", "Say it louder", shout)
    probe = make_probe(routes=[Route("/", endpoint, methods=["POST"])], commands=[shouting])
    agent = ScriptedAgent()
    async with InMemoryDriver(AgentFrameworkHost(agent, channels=[probe]).app) as driver:
        answer = await driver.request("POST", "/probe", body=b"/shout hello")
    assert answer.text == "command hello!"
    assert agent.runs == []


async def test_the_targets_own_result_is_handed_on_unflattened(connect: Connect) -> None:
    """The very object that the agent returned, beside the session it ran in."""
    own = AgentResponse[Any](messages=[Message("assistant", ["ok"])], response_id="the agent's own")

    class Agent(ScriptedAgent):
        def run(self, *_: Any, session: AgentSession | None = None, **__: Any) -> Any:
            async def respond() -> AgentResponse[Any]:
                return own

            return respond()

    result = await connect(Agent()).run(ask(key="room"))
    assert result.result is own
    assert result.session is not None
    assert result.session.session_id == "room"


@pytest.mark.parametrize("is_async", [False, True])
async def test_response_and_update_hooks_may_be_plain_or_async(connect: Connect, is_async: bool) -> None:
    """As the run hook may."""

    def update_hook(update: AgentResponseUpdate) -> AgentResponseUpdate:
        return AgentResponseUpdate(contents=[Content.from_text(f"<{update.text}>")], role="assistant")

    def response_hook(result: HostedRunResult[Any], **_: Any) -> HostedRunResult[Any]:
        return result.replace(result=AgentResponse(messages=[Message("assistant", ["shaped"])]))

    async def async_update_hook(update: AgentResponseUpdate) -> AgentResponseUpdate:
        return update_hook(update)

    async def async_response_hook(result: HostedRunResult[Any], **_: Any) -> HostedRunResult[Any]:
        return response_hook(result)

    stream = await connect(ScriptedAgent(["a"])).run_stream(
        ask(),
        stream_update_hook=async_update_hook if is_async else update_hook,
        response_hook=async_response_hook if is_async else response_hook,
    )
    assert [update.text async for update in stream] == ["<a>"]
    assert (await stream.get_final_response()).text == "shaped"


async def test_an_identity_never_selects_a_session(connect: Connect) -> None:
    """One user in two sessions stays in two; two users in one session share it."""
    agent = ScriptedAgent(every="ok")
    context = connect(agent)
    ada, bob = ChannelIdentity("test", "ada"), ChannelIdentity("test", "bob")
    await context.run(ask("one", "room", identity=ada))
    await context.run(ask("two", "hall", identity=ada))
    await context.run(ask("three", "room", identity=bob))
    await context.run(ask("four", identity=ada))
    assert [run.seen for run in agent.runs] == [["one"], ["two"], ["one", "ok", "three"], ["four"]]


@given(st.lists(st.text(min_size=1, max_size=80), min_size=1, max_size=5, unique=True))
def test_a_key_is_opaque(keys: list[str]) -> None:
    """Whatever a key is made of, it is the session id, and no two keys meet."""

    async def main() -> None:
        agent = ScriptedAgent(every="ok")
        host = AgentFrameworkHost(agent, channels=[])
        for _ in range(2):
            for key in keys:
                await host.run(ask("again", key))
        assert [len(run.seen) for run in agent.runs] == [1] * len(keys) + [3] * len(keys)
        assert [run.session_id for run in agent.runs[: len(keys)]] == keys

    asyncio.run(main())


KEYS_WITH_A_TENANT = st.builds(
    "tenant:{}:{}:{}".format, st.integers(0, 20) | st.text(max_size=12), st.text(":acme", max_size=12), st.text("a:1")
)


def session_ids(*pairs: tuple[str, str]) -> list[str | None]:
    """Return the id of the session that each tenant's key gets."""

    async def main() -> list[str | None]:
        agent = ScriptedAgent(every="ok")
        host = AgentFrameworkHost(agent, channels=[])
        for tenant, key in pairs:
            await host.run(ask("hi", key, principal=Principal(tenant=tenant)))
        return [run.session_id for run in agent.runs]

    return asyncio.run(main())


@pytest.mark.parametrize(
    "key",
    ["tenant:acme", "tenant:acme:ada", "tenant:42:ada", "tenant:", "tenant::", "tenant:4:acme", "tenants:4:acme:ada"],
)
def test_a_key_that_begins_with_a_tenant_is_the_session_id_as_any_other(key: str) -> None:
    """So that history which an agent keeps under it is found."""
    assert session_ids(("default", key)) == [key]


@pytest.mark.parametrize("key", ["tenant:4:acme:ada", "tenant:0::", "tenant:4:acme:", f"tenant:{'9' * 5_000}:acme:ada"])
def test_a_key_that_could_be_the_session_id_of_another_tenant_is_written_out(key: str) -> None:
    """However long a tenant it claims to name."""
    assert session_ids(("default", key)) == [f"tenant:7:default:{key}"]


@given(st.lists(st.tuples(st.sampled_from(["default", "acme", "a", "tenant:4"]), KEYS_WITH_A_TENANT), unique=True))
def test_no_two_tenants_have_one_session_id(pairs: list[tuple[str, str]]) -> None:
    """Whatever their keys look like."""
    named = [("acme", "ada"), *pairs]
    assert len(set(session_ids(*named))) == len(set(named))


async def test_two_channels_share_a_session_by_an_equal_key(make_probe: Any) -> None:
    """That is how a conversation goes on elsewhere."""
    agent = ScriptedAgent(every="ok")
    one, two = make_probe(name="one", path="/1"), make_probe(name="two", path="/2")
    AgentFrameworkHost(agent, channels=[one, two])
    await one.context.run(replace(ask("by mail", "ada"), channel="one"))
    await two.context.run(replace(ask("by phone", "ada"), channel="two"))
    assert agent.runs[1].seen == ["by mail", "ok", "by phone"]


async def test_the_target_makes_its_own_sessions(connect: Connect) -> None:
    """`create_session(session_id=key)`, once for a key."""
    made: list[str | None] = []

    class Agent(ScriptedAgent):
        def create_session(self, *, session_id: str | None = None) -> AgentSession:
            made.append(session_id)
            return super().create_session(session_id=session_id)

    context = connect(Agent(every="ok"))
    for _ in range(2):
        await context.run(ask(key="room"))
    assert made == ["room"]


async def test_a_stream_that_is_abandoned_in_the_middle_stops_its_run(connect: Connect) -> None:
    """Its run is closed, and its session is free again."""
    agent = ScriptedAgent(["a", "b"], every="ok")
    context = connect(agent)

    async def take_one() -> str:
        async for update in await context.run_stream(ask("1", "room")):
            return update.text
        raise AssertionError("the stream was empty")

    assert await take_one() == "a"
    gc.collect()
    assert (await context.run(ask("2", "room"))).result.text == "ok"
    assert agent.runs[0].stopped
    assert agent.runs[1].seen == ["2"]


async def test_an_abandoned_stream_lets_go_of_what_was_bound_to_it(connect: Connect) -> None:
    """A provider's context is left when the stream is closed, however early."""
    log: list[str] = []

    class Provider:
        def bind_request_context(self, **_: Any) -> Any:
            return self

        def __enter__(self) -> None:
            log.append("enter")

        def __exit__(self, *_: object) -> None:
            log.append("exit")

    agent = ScriptedAgent(["a", "b"])
    agent.context_providers = [Provider()]  # type: ignore[attr-defined]
    stream = await connect(agent).run_stream(ask(attributes={"response_id": "r1"}))
    await anext(aiter(stream))
    assert log == ["enter"]
    await stream.aclose()
    assert log == ["enter", "exit"]


async def test_a_run_emits_under_the_trace_of_its_request(connect: Connect) -> None:
    """Without a stream as well."""
    inside: list[Any] = []

    def steps(_: Any) -> str:
        inside.append(otel.get_value("request"))
        return "ok"

    token = otel.attach(otel.set_value("request", "r1"))
    await connect(ScriptedAgent(steps)).run(ask())
    otel.detach(token)
    assert inside == ["r1"]


def test_isolation_keys_are_set_and_taken_back() -> None:
    """Each token undoes its own setting."""
    assert get_current_isolation_keys() is None
    outer = set_current_isolation_keys(IsolationKeys(user_key="ada"))
    inner = set_current_isolation_keys(IsolationKeys(user_key="ada", chat_key="room"))
    assert get_current_isolation_keys() == IsolationKeys("ada", "room")
    reset_current_isolation_keys(inner)
    assert get_current_isolation_keys() == IsolationKeys("ada")
    reset_current_isolation_keys(outer)
    assert get_current_isolation_keys() is None


def test_isolation_headers_of_websockets_are_not_looked_at(make_probe: Any) -> None:
    """Only HTTP requests carry keys, even where the headers are trusted."""

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_json({"keys": get_current_isolation_keys() is not None})
        await websocket.close()

    host = AgentFrameworkHost(
        ScriptedAgent(), channels=[make_probe(routes=[WebSocketRoute("/ws", socket)])], trust_isolation_headers=True
    )
    headers = {"x-agent-user-isolation-key": "ada"}
    with TestClient(host.app).websocket_connect("/probe/ws", headers=headers) as websocket:
        assert websocket.receive_json() == {"keys": False}


def test_websocket_routes_at_a_channels_root_mount_and_clash_as_others_do(make_probe: Any) -> None:
    """With and without the slash; a WebSocket and a plain route at one path are no clash, two WebSockets are."""

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hello")
        await websocket.close()

    async def page(_: Request) -> Response:
        return PlainTextResponse("page")

    probe = make_probe(routes=[WebSocketRoute("/", socket), Route("/", page)])
    client = TestClient(AgentFrameworkHost(ScriptedAgent(), channels=[probe]).app)
    for path in ("/probe", "/probe/"):
        with client.websocket_connect(path) as websocket:
            assert websocket.receive_text() == "hello"
        assert client.get(path).text == "page"
    deeper = make_probe(name="deeper", path="/probe/deep", routes=[WebSocketRoute("/", socket)])
    clashing = make_probe(routes=[WebSocketRoute("/deep", socket)])
    with pytest.raises(ConfigurationError, match=r"'/probe/deep' is wanted by"):
        AgentFrameworkHost(ScriptedAgent(), channels=[clashing, deeper])


@pytest.mark.parametrize("other", ["/{item}", "/{thing:str}"])
def test_the_name_of_a_parameter_does_not_tell_two_paths_apart(make_probe: Any, other: str) -> None:
    """What would answer the same requests clashes, however its parts are called; other kinds of parts do not."""

    def host(path: str) -> AgentFrameworkHost:
        at_root = make_probe(name="root", path="", routes=[Route("/probe/{id}", PlainTextResponse("root"))])
        return AgentFrameworkHost(
            ScriptedAgent(), channels=[at_root, make_probe(routes=[Route(path, PlainTextResponse("probe"))])]
        )

    with pytest.raises(ConfigurationError, match=r"'/probe/\{id\}' is wanted by channel 'root'"):
        host(other)
    host("/{id:int}")


async def test_a_reset_is_a_plain_call_that_a_channel_can_make_too(connect: Connect) -> None:
    """Nothing is awaited, and the next request starts anew, even while another run of that session goes on."""
    gate = Gate()
    agent = ScriptedAgent("ok", [gate, "late"], every="ok")
    context = connect(agent)
    await context.run(ask("one", "room"))
    running = asyncio.ensure_future(context.run(ask("two", "room")))
    await gate.wait_reached()
    assert not isinstance(context.reset_session("room"), Awaitable)
    gate.open()
    await running
    await context.run(ask("three", "room"))
    assert [run.seen for run in agent.runs] == [["one"], ["one", "ok", "two"], ["three"]]


class Sayer(Executor):
    """Takes whatever its test sends and yields what its test wants."""

    def __init__(self, *outputs: Any) -> None:
        super().__init__("sayer")
        self.outputs = outputs
        self.heard: list[Any] = []

    @handler
    async def say(self, heard: dict[str, Any], context: WorkflowContext[Any, Any]) -> None:
        self.heard.append(heard)
        for output in self.outputs:
            await context.yield_output(output)


def workflow_of(sayer: Sayer) -> Workflow:
    """Return a workflow of this executor alone."""
    return WorkflowBuilder(name="saying", start_executor=sayer).build()


async def test_a_workflow_gets_the_input_as_it_is_and_its_result_is_handed_on_as_it_is(connect: Connect) -> None:
    """Nothing becomes a message on the way in, nothing is flattened on the way out."""
    sayers: list[Sayer] = []

    def make() -> Workflow:
        sayers.append(Sayer("yes", "no"))
        return workflow_of(sayers[-1])

    order = {"tea": 2}
    async with AgentFrameworkHost(make, channels=[]) as host:
        result = (await host.run(ask(order))).result
    (heard,) = [heard for sayer in sayers for heard in sayer.heard]
    assert heard is order
    assert isinstance(result, WorkflowRunResult)
    assert result.get_outputs() == ["yes", "no"]


async def test_a_run_hook_shapes_the_input_of_a_workflow(connect: Connect) -> None:
    """The start executor gets what the hook made of it."""

    def hook(request: ChannelRequest, **_: Any) -> ChannelRequest:
        return replace(request, input={"said": request.input})

    result = await connect(workflow_of(Sayer("ok"))).run(ask("tea"), run_hook=hook)
    assert result.result.get_outputs() == ["ok"]


async def test_a_streamed_workflow_gives_updates_for_its_outputs_alone(connect: Connect) -> None:
    """An update passes through, a content is wrapped, anything else becomes text; each names the event it is from."""
    own = AgentResponseUpdate(contents=[Content.from_text("an update")], role="assistant")
    image = Content.from_uri("https://example.org/a.png", media_type="image/png")
    stream = await connect(workflow_of(Sayer(own, image, 42))).run_stream(ask({}))
    updates = [update async for update in stream]
    assert [update.contents for update in updates[:2]] == [own.contents, [image]]
    assert [update.text for update in updates] == ["an update", "", "42"]
    events: list[Any] = [update.raw_representation for update in updates]
    assert all(isinstance(event, WorkflowEvent) for event in events)
    assert [event.type for event in events] == ["output"] * 3
    assert [event.data for event in events[1:]] == [image, 42]
