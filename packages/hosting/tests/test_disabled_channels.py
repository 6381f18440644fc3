"""A channel that fails to start: it stops the host, or the others serve without it."""

import logging
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from agent_framework_hosting.auth import ApiKeys, hash_key, new_key
from agent_framework_hosting.channel import SiblingRoute
from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import ScriptedAgent
from agent_framework_hosting.web.errors import ErrorDescription


async def here(_: Request) -> Response:
    return PlainTextResponse("here")


async def greet(socket: WebSocket) -> None:
    await socket.accept()
    await socket.close()


def fail() -> None:
    raise OSError("the platform is away")


def hosting(*channels: Any, **options: Any) -> AgentFrameworkHost:
    return AgentFrameworkHost(ScriptedAgent(), channels=channels, **options)


@pytest.fixture
def well(make_probe: Any) -> Any:
    return make_probe("well", "/well", routes=[Route("/", here)])


@pytest.fixture
def ill(make_probe: Any) -> Any:
    routes = [Route("/", here), WebSocketRoute("/live", greet)]
    return make_probe("ill", "/ill", routes=routes, on_startup=[fail], siblings=[SiblingRoute(Route("/beside", here))])


def test_the_host_does_not_start_without_a_channel_unless_told_so(well: Any, ill: Any) -> None:
    with pytest.raises(OSError, match="the platform is away"), TestClient(hosting(well, ill).app):
        pass


def test_the_others_serve_without_a_disabled_channel(well: Any, ill: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever comes to the disabled one hears so, at every path of it; the operator hears why."""
    caplog.set_level(logging.INFO)
    with TestClient(hosting(ill, well, failing_channels="disable").app) as client:
        assert client.get("/well").text == "here"
        assert client.get("/readiness").text == "ok"
        answers = [client.get(path) for path in ("/ill", "/ill/", "/beside")]
        assert [(each.status_code, each.json()["error"]["code"]) for each in answers] == [(503, "channel_disabled")] * 3
        assert "platform" not in answers[0].text
        with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect("/ill/live"):
            pass
        assert closed.value.code == 1013
    assert "Channel 'ill' failed to start: OSError" in caplog.text
    assert "the platform is away" in caplog.text
    assert "disabled, since they failed to start: ill" in caplog.text


def test_a_disabled_channel_says_so_in_its_own_words(ill: Any, well: Any) -> None:
    def render(description: ErrorDescription) -> Response:
        return PlainTextResponse(f"own: {description.code}", status_code=description.status)

    ill.render_error = render
    with TestClient(hosting(ill, well, failing_channels="disable").app) as client:
        assert client.get("/ill").text == "own: channel_disabled"


def test_strangers_do_not_hear_which_channels_are_disabled(ill: Any, well: Any) -> None:
    auth = ApiKeys([f"ada:{hash_key(new_key())}"])
    with TestClient(hosting(ill, well, failing_channels="disable", auth=auth).app) as client:
        assert client.get("/ill").status_code == 401


def test_what_a_disabled_channel_had_begun_is_undone_at_once_and_once(make_probe: Any, well: Any) -> None:
    steps: list[str] = []
    ill = make_probe("ill", on_startup=[lambda: steps.append("up"), fail], on_shutdown=[lambda: steps.append("down")])
    with TestClient(hosting(ill, well, failing_channels="disable").app):
        assert steps == ["up", "down"]
    assert steps == ["up", "down"]


def test_a_host_none_of_whose_channels_started_does_not_start(make_probe: Any, ill: Any) -> None:
    other = make_probe("other", "/other", on_startup=[fail])
    with pytest.raises(OSError, match="away"), TestClient(hosting(ill, other, failing_channels="disable").app):
        pass


def test_a_channel_that_was_disabled_gets_another_chance_with_the_next_start(well: Any, make_probe: Any) -> None:
    attempts: list[int] = []

    def fail_once() -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError

    late = make_probe("late", "/late", routes=[Route("/", here)], on_startup=[fail_once])
    host = hosting(well, late, failing_channels="disable")
    for expected in (503, 200):
        with TestClient(host.app) as client:
            assert client.get("/late").status_code == expected


def test_an_unknown_choice_is_refused_with_the_known_ones() -> None:
    options: dict[str, Any] = {"failing_channels": "ignore"}
    with pytest.raises(ConfigurationError, match="'stop' or 'disable'"):
        hosting(**options)
