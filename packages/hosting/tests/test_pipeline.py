"""The way from a request to its result: hooks, input, options, streams."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import contextmanager
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from agent_framework import AgentResponse, AgentResponseUpdate, Content, Message
from opentelemetry import context as otel

from agent_framework_hosting.channel import ChannelContext
from agent_framework_hosting.errors import HookError, InvalidRequest, RunCancelled, UnknownId, UnknownParent
from agent_framework_hosting.testing import CoroutineAgent, GeneratorAgent, OptionlessAgent, ScriptedAgent
from agent_framework_hosting.types import (
    ChannelIdentity,
    ChannelRequest,
    ChannelSession,
    HostedRunResult,
    Principal,
)

Connect = Callable[..., ChannelContext]


def ask(value: Any = "hi", **more: Any) -> ChannelRequest:
    """Return a request with this input."""
    return ChannelRequest(channel="test", operation="message", input=value, **more)


@pytest.mark.parametrize("shape", [ScriptedAgent, GeneratorAgent, CoroutineAgent, OptionlessAgent])
@pytest.mark.parametrize("streamed", [False, True])
async def test_every_shape_of_agent_runs(connect: Connect, shape: type[ScriptedAgent], streamed: bool) -> None:
    """Generators, coroutines and response streams are all the same to a channel."""
    context = connect(shape(["Hel", "lo"]))
    if streamed:
        stream = await context.run_stream(ask())
        assert [update.text async for update in stream] == ["Hel", "lo"]
        assert (await stream.get_final_response()).text == "Hello"
    else:
        assert (await context.run(ask())).result.text == "Hello"


async def test_a_stream_can_be_awaited_and_its_final_response_pulls_the_rest(connect: Connect) -> None:
    """`await stream` is the stream itself."""
    stream = await connect(ScriptedAgent(["a", "b"])).run_stream(ask())
    assert await stream is stream
    assert (await stream.get_final_response()).text == "ab"


async def test_an_error_in_mid_stream_reaches_the_reader_and_the_final_response(connect: Connect) -> None:
    """Both ways of asking give the same error, until the stream is closed, which keeps nothing of its run."""
    stream = await connect(ScriptedAgent(["a", KeyError("lost")])).run_stream(ask())
    with pytest.raises(KeyError):
        _ = [update async for update in stream]
    with pytest.raises(KeyError):
        await stream.get_final_response()
    await stream.aclose()
    with pytest.raises(RunCancelled):
        await stream.get_final_response()


async def test_what_the_run_hook_is_handed_is_not_kept_while_the_run_goes_on(connect: Connect) -> None:
    """It may be a body of megabytes, and a stream may be open for hours."""

    class Body:
        pass

    async def hook(request: ChannelRequest, *, protocol_request: Any, **_: Any) -> ChannelRequest:
        assert isinstance(protocol_request, Body)
        return request

    body = Body()
    seen = weakref.ref(body)
    stream = await connect(ScriptedAgent(["a", "b"])).run_stream(ask(), run_hook=hook, protocol_request=body)
    del body
    assert (await anext(aiter(stream))).text == "a"
    assert seen() is None
    assert (await stream.get_final_response()).text == "ab"


@pytest.mark.parametrize("is_asked_for", [False, True])
async def test_what_was_said_is_kept_while_a_stream_runs_only_for_a_hook_that_will_see_it(
    connect: Connect, is_asked_for: bool
) -> None:
    """It may be megabytes, and a stream may be open for hours."""

    class Said:
        pass

    async def hook(result: HostedRunResult[Any], *, request: ChannelRequest, **_: Any) -> HostedRunResult[Any]:
        assert isinstance(request.attributes["said"], Said)
        return result

    said = Said()
    seen = weakref.ref(said)
    context, asked = connect(ScriptedAgent(["a", "b"])), ask(attributes={"said": said})
    stream = await context.run_stream(asked, response_hook=hook if is_asked_for else None)
    del said, asked
    assert (await anext(aiter(stream))).text == "a"
    assert (seen() is not None) is is_asked_for
    assert (await stream.get_final_response()).text == "ab"


@pytest.mark.parametrize(
    ("value", "roles"),
    [
        ("text", ["user"]),
        (Content.from_text("text"), ["user"]),
        (Message("user", ["text"]), ["user"]),
        (["text", Content.from_text("more")], ["user", "user"]),
        ([Message("system", ["be kind"]), Message("user", ["text"])], ["system", "user"]),
        ([Message("system", ["be kind"]), "text"], ["system", "user"]),
    ],
)
async def test_every_form_of_input_becomes_messages(connect: Connect, value: Any, roles: list[str]) -> None:
    """The agent always gets messages, each with an id of its own, the last one saying where it is from."""
    agent = ScriptedAgent(every="ok")
    await connect(agent).run(ask(value, identity=ChannelIdentity("test", "42", {"name": "Ada"})))
    messages = agent.runs[0].messages
    assert [message.role for message in messages] == roles
    assert len({message.message_id for message in messages} - {None}) == len(messages)
    assert messages[-1].additional_properties["hosting"] == {
        "channel": "test",
        "identity": {"channel": "test", "native_id": "42", "attributes": {"name": "Ada"}},
    }
    assert all("hosting" not in message.additional_properties for message in messages[:-1])


async def test_without_an_identity_only_the_channel_is_named(connect: Connect) -> None:
    """Metadata says no more than is known."""
    agent = ScriptedAgent(every="ok")
    await connect(agent).run(ask())
    assert agent.runs[0].messages[-1].additional_properties["hosting"] == {"channel": "test"}


async def test_the_callers_own_message_is_never_changed(connect: Connect) -> None:
    """The host works on copies; an id that is there is kept."""
    message = Message("user", ["hi"], message_id="mine", additional_properties={"a": 1})
    agent = ScriptedAgent(every="ok")
    await connect(agent).run(ask(message))
    assert message.additional_properties == {"a": 1}
    assert agent.runs[0].messages[0].message_id == "mine"
    assert agent.runs[0].messages[0].additional_properties["a"] == 1


async def test_input_that_no_agent_takes_is_refused(connect: Connect) -> None:
    """The message names the type and the mend."""
    with pytest.raises(InvalidRequest, match=r"not int.*run hook"):
        await connect(ScriptedAgent(every="ok")).run(ask(42))


async def test_options_reach_agents_that_take_them_and_only_those(connect: Connect) -> None:
    """An agent without an `options` parameter runs all the same."""
    agent, plain = ScriptedAgent(every="ok"), OptionlessAgent(every="ok")
    await connect(agent).run(ask(options={"temperature": 0.5}))
    await connect(plain).run(ask(options={"temperature": 0.5}))
    assert agent.runs[0].options == {"temperature": 0.5}
    assert plain.runs[0].options == {}
    assert connect(agent).accepts_options
    assert not connect(plain).accepts_options


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_run_hook_decides_what_is_run(connect: Connect, is_async: bool) -> None:
    """It gets the target and what the channel parsed, and may be plain or async."""
    agent = ScriptedAgent(every="ok")
    seen: dict[str, Any] = {}

    def plain(request: ChannelRequest, *, target: Any, protocol_request: Any) -> ChannelRequest:
        seen.update(target=target, protocol_request=protocol_request)
        return replace(request, input="hooked")

    async def coroutine(request: ChannelRequest, *, target: Any, protocol_request: Any) -> ChannelRequest:
        return plain(request, target=target, protocol_request=protocol_request)

    hook = coroutine if is_async else plain
    await connect(agent).run(ask(), run_hook=hook, protocol_request={"raw": 1})
    assert agent.runs[0].seen == ["hooked"]
    assert seen == {"target": agent, "protocol_request": {"raw": 1}}


async def test_a_run_hook_runs_before_a_stream_too(connect: Connect) -> None:
    """Streams take the same way."""
    agent = ScriptedAgent(every="ok")

    def hook(request: ChannelRequest, **_: Any) -> ChannelRequest:
        return replace(request, input="hooked")

    stream = await connect(agent).run_stream(ask(), run_hook=hook)
    await stream.get_final_response()
    assert agent.runs[0].seen == ["hooked"]


async def test_a_run_hook_that_forgets_to_return_is_told_so(connect: Connect) -> None:
    """The agent does not run."""
    agent = ScriptedAgent(every="ok")
    with pytest.raises(HookError, match="run hook returned NoneType"):
        await connect(agent).run(ask(), run_hook=lambda request, **_: None)  # type: ignore[arg-type,return-value]
    assert agent.runs == []


async def test_a_run_hook_cannot_change_who_is_calling(connect: Connect) -> None:
    """The principal is decided before any hook."""
    mallory = Principal(id="mallory", kind="caller")
    with pytest.raises(HookError, match="principal"):

        def hook(request: ChannelRequest, **_: Any) -> ChannelRequest:
            return replace(request, principal=mallory)

        await connect(ScriptedAgent(every="ok")).run(ask(), run_hook=hook)


async def test_a_run_hook_may_make_a_new_request(connect: Connect) -> None:
    """Whoever knows nothing of principals need not carry them over; the ids are the caller's all the same."""
    ada = Principal(id="ada", kind="caller")

    def hook(request: ChannelRequest, **_: Any) -> ChannelRequest:
        return ChannelRequest(channel="test", operation="message", input="new", session=ChannelSession(commit_as="a"))

    agent = ScriptedAgent(every="ok")
    context = connect(agent)
    await context.run(ask(principal=ada), run_hook=hook, seal=lambda _: 1)
    assert agent.runs[0].seen == ["new"]
    assert await context.read_record("a", principal=ada) == 1


async def test_records_are_read_together_and_those_that_are_not_the_callers_are_left_out(connect: Connect) -> None:
    context = connect(ScriptedAgent(every="ok"))
    ada, bob = Principal(id="ada", kind="caller"), Principal(id="bob", kind="caller")
    for turn_id, principal in (("a", ada), ("b", bob), ("c", ada)):
        asked = ask(session=ChannelSession(commit_as=turn_id), principal=principal)
        await context.run(asked, seal=lambda _, told=turn_id: f"told {told}")
    assert await context.read_records(["c", "b", "none", "a"], principal=ada) == {"a": "told a", "c": "told c"}
    assert await context.read_records(["a", "b"], principal=bob) == {"b": "told b"}
    assert await context.read_records(["a", "b"]) == await context.read_records([], principal=ada) == {}


async def test_nobody_can_be_named_into_a_person_whom_a_channel_knows(connect: Connect) -> None:
    context = connect(ScriptedAgent(every="ok"))
    name = "telegram:4711:7"
    native, caller = Principal(id=name, kind="native"), Principal(id=name, kind="caller")
    asked = ask(session=ChannelSession("chat", commit_as="a"), principal=native)
    await context.run(asked, seal=lambda _: "told")
    assert await context.read_record("a", principal=native) == "told"
    with pytest.raises(UnknownId):
        await context.read_record("a", principal=caller)
    with pytest.raises(UnknownParent):
        await context.run(ask(session=ChannelSession(parent="a"), principal=caller))


async def test_a_run_hook_that_chooses_a_key_keeps_the_id_of_the_outcome(connect: Connect) -> None:
    """The id that the caller is told can still be continued."""
    context = connect(ScriptedAgent(every="ok"))

    def hook(request: ChannelRequest, **_: Any) -> ChannelRequest:
        return replace(request, session=ChannelSession("ada"))

    await context.run(ask(session=ChannelSession("own", commit_as="a")), run_hook=hook, seal=lambda _: 1)
    assert await context.read_record("a") == 1


async def test_a_request_cannot_be_changed_in_place() -> None:
    """Hooks use `dataclasses.replace`."""
    with pytest.raises(FrozenInstanceError):
        ask().input = "other"  # type: ignore[misc]


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_response_hook_shapes_the_result(connect: Connect, streamed: bool) -> None:
    """It gets request and channel name; the seal sees what it made."""
    sealed: list[str] = []

    def hook(result: HostedRunResult[Any], *, request: ChannelRequest, channel_name: str) -> HostedRunResult[Any]:
        text = f"{result.result.text} for {request.input} on {channel_name}"
        return result.replace(result=AgentResponse(messages=[Message("assistant", [text])]))

    context = connect(ScriptedAgent(every="ok"))

    def seal(result: HostedRunResult[Any]) -> None:
        sealed.append(result.result.text)

    if streamed:
        stream = await context.run_stream(ask(), response_hook=hook, channel_name="chat", seal=seal)
        final = await stream.get_final_response()
    else:
        final = (await context.run(ask(), response_hook=hook, channel_name="chat", seal=seal)).result
    assert final.text == "ok for hi on chat"
    assert sealed == ["ok for hi on chat"]


async def test_a_response_hook_that_returns_something_else_is_told_so(connect: Connect) -> None:
    """A bare response is not enough."""
    with pytest.raises(HookError, match="response hook returned AgentResponse"):
        await connect(ScriptedAgent(every="ok")).run(ask(), response_hook=lambda r, **_: r.result)  # type: ignore[arg-type,return-value]


async def test_a_stream_update_hook_rewrites_and_drops(connect: Connect) -> None:
    """The final response and the history do not see it."""

    async def hook(update: AgentResponseUpdate) -> AgentResponseUpdate | None:
        if update.text == "secret":
            return None
        return AgentResponseUpdate(contents=[Content.from_text(update.text.upper())], role="assistant")

    agent = ScriptedAgent(["a", "secret", "b"], every="ok")
    context = connect(agent)
    stream = await context.run_stream(ask(session=ChannelSession("room")), stream_update_hook=hook)
    assert [update.text async for update in stream] == ["A", "B"]
    assert (await stream.get_final_response()).text == "asecretb"
    await context.run(ask("next", session=ChannelSession("room")))
    assert agent.runs[1].seen == ["hi", "asecretb", "next"]


async def test_a_stream_whose_updates_are_all_hidden_lets_others_have_their_turn(connect: Connect) -> None:
    turns, is_over = 0, False

    async def others() -> None:
        nonlocal turns
        while not is_over:
            await asyncio.sleep(0)
            turns += 1

    stream = await connect(ScriptedAgent(["x"] * 6_400)).run_stream(ask(), stream_update_hook=lambda _: None)
    other = asyncio.create_task(others())
    assert [update async for update in stream] == []
    is_over = True
    await other
    assert turns >= 100


async def test_a_stream_update_hook_that_returns_something_else_is_told_so(connect: Connect) -> None:
    """Text for an update would vanish without a word otherwise."""
    stream = await connect(ScriptedAgent(["a"])).run_stream(
        ask(),
        stream_update_hook=lambda update: update.text,  # type: ignore[arg-type,return-value]
    )
    with pytest.raises(HookError, match="stream update hook returned str instead of AgentResponseUpdate"):
        _ = [update async for update in stream]


async def test_the_turn_is_committed_when_the_iteration_has_ended(connect: Connect) -> None:
    """Not before the last update, and not later than the end."""
    context = connect(ScriptedAgent(["a", "b"]))
    stream = await context.run_stream(ask(session=ChannelSession(commit_as="id")), seal=lambda r: r.result.text)
    updates = aiter(stream)
    await anext(updates)
    with pytest.raises(UnknownId):
        await context.read_record("id")
    _ = [update async for update in updates]
    assert await context.read_record("id") == "ab"


async def test_providers_know_which_response_is_being_made(connect: Connect) -> None:
    """The context is held open until the stream ends, and is not entered without a response id."""
    log: list[str] = []

    class Provider:
        @contextmanager
        def bind_request_context(self, *, response_id: str, previous_response_id: str | None) -> Generator[None]:
            log.append(f"enter {response_id} after {previous_response_id}")
            yield
            log.append("exit")

    agent = ScriptedAgent(every=["a", "b"])
    agent.context_providers = [Provider(), object()]  # type: ignore[attr-defined]
    context = connect(agent)
    attributes = {"response_id": "r2", "previous_response_id": "r1"}
    async for _ in await context.run_stream(ask(attributes=attributes)):
        log.append("update")
    await context.run(ask(attributes=attributes))
    await context.run(ask())
    assert log == ["enter r2 after r1", "update", "update", "exit", "enter r2 after r1", "exit"]


async def test_providers_are_told_what_ends_a_run(connect: Connect) -> None:
    """As a block around it is, streamed or not: with the run's error, one of its beginning too, or its being left."""
    told: list[type[BaseException]] = []

    class Provider:
        @contextmanager
        def bind_request_context(self, **_: Any) -> Generator[None]:
            try:
                yield
            except BaseException as error:
                told.append(type(error))
                raise

    class Refusing(ScriptedAgent):
        def run(self, *_: Any, **__: Any) -> Any:
            raise OverflowError

    request = ask(attributes={"response_id": "r1"})
    for agent, error in ((ScriptedAgent(every=["a", KeyError("lost")]), KeyError), (Refusing(), OverflowError)):
        agent.context_providers = [Provider()]  # type: ignore[attr-defined]
        context = connect(agent)
        with pytest.raises(error):
            await context.run(request)
        with pytest.raises(error):
            _ = [update async for update in await context.run_stream(request)]
        assert told == [error, error]
        told.clear()
    agent = ScriptedAgent(["a", "b"])
    agent.context_providers = [Provider()]  # type: ignore[attr-defined]
    stream = await connect(agent).run_stream(request)
    await anext(aiter(stream))
    await stream.aclose()
    assert told == [GeneratorExit]


async def test_updates_pulled_elsewhere_keep_the_requests_trace_as_their_parent(connect: Connect) -> None:
    """Whoever pulls, the OpenTelemetry context of the request is current inside the agent, and nowhere else."""
    inside: list[Any] = []

    async def steps(_: Any) -> AsyncIterator[str]:
        for word in ("a", "b"):
            inside.append(otel.get_value("request"))
            yield word

    token = otel.attach(otel.set_value("request", "r1"))
    stream = await connect(ScriptedAgent(steps)).run_stream(ask())
    otel.detach(token)

    async def pull() -> None:
        async for _ in stream:
            assert otel.get_value("request") is None

    await asyncio.create_task(pull())
    assert inside == ["r1", "r1"]
