"""Refusals of `serve`; what it does when it serves is shown with real processes in the repository's `tests`."""

from __future__ import annotations

import logging
import socket
from typing import Any

import pytest

from agent_framework_hosting import _server
from agent_framework_hosting.auth import mounted_user
from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import ScriptedAgent


def serve(**options: Any) -> None:
    """Serve; only for options that are refused."""
    AgentFrameworkHost(ScriptedAgent(), channels=[]).serve(**options)


def test_more_workers_are_refused_with_the_reason() -> None:
    """Sessions live in one process for now."""
    with pytest.raises(ConfigurationError, match=r"workers=2.*one process's memory.*workers=1"):
        serve(workers=2)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_serving_to_strangers_is_refused(host: str) -> None:
    """The message names all ways out."""
    with pytest.raises(ConfigurationError, match=r"auth=.*127\.0\.0\.1.*allow_unauthenticated=True"):
        serve(host=host)


@pytest.mark.parametrize("option", ["bind", "insecure_bind", "quic_bind"])
@pytest.mark.parametrize("address", ["0.0.0.0:80", ":80", "[::]:80", "0.0.0.0", "fd://3"])
def test_hypercorns_own_names_for_an_address_are_no_way_around(option: str, address: str) -> None:
    """One open address among others is enough."""
    with pytest.raises(ConfigurationError, match="allow_unauthenticated=True"):
        serve(**{option: ["127.0.0.1:80", address]})


@pytest.mark.parametrize("options", [{"auth": mounted_user}, {"trust_isolation_headers": True}])
def test_serving_to_strangers_is_allowed_when_something_tells_them_apart(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    """`auth=`, or a platform in front."""
    served: list[Any] = []

    async def serve(_: Any, config: Any, **__: Any) -> None:
        served.append(config.bind)

    monkeypatch.setattr(_server, "serve", serve)
    AgentFrameworkHost(ScriptedAgent(), channels=[], **options).serve(host="0.0.0.0")
    assert served == [["0.0.0.0:8000"]]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost", "unix:/run/agent.sock"])
def test_loopback_needs_no_permission(host: str) -> None:
    """Every name of this machine itself."""
    config = _server.configuration(bind=_server.address_of(host, 80), options={})
    _server.refuse_open_door(config, authenticated=False, allow_unauthenticated=False)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1:80"),
        ("::1", "[::1]:80"),
        ("[::1]", "[::1]:80"),
        ("unix:/run/a.sock", "unix:/run/a.sock"),
    ],
)
def test_host_and_port_become_an_address(host: str, address: str) -> None:
    """Colons of their own are kept apart from the port; a socket file has none."""
    assert _server.address_of(host, 80) == address


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_that_is_taken_is_refused_in_one_sentence(
    host: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """The most common mistake of a first day; nothing was started for it, and nothing else is said."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf":{port}: .*in use.*another port"):
            serve(host=host, port=port)
    assert "Serving" not in caplog.text
    assert "Traceback" not in capfd.readouterr().err


def test_a_port_that_is_none_is_refused() -> None:
    """The message says which there are."""
    with pytest.raises(ConfigurationError, match=r"0 to 65535"):
        serve(port=99999)


@pytest.mark.parametrize("name", ["prot", "_log", "__class__"])
def test_an_unknown_option_is_refused_by_name(name: str) -> None:
    """Hypercorn's own configuration would swallow it."""
    with pytest.raises(ConfigurationError, match=name):
        serve(**{name: 1})


def test_options_carry_hypercorns_own_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given reaches the server; the address is ours unless it is given, too."""
    served: list[Any] = []

    async def hypercorn_serve(_: Any, config: Any, **__: Any) -> None:
        served.append(config)

    monkeypatch.setattr("hypercorn.asyncio.serve", hypercorn_serve)
    serve(port=80, keep_alive_timeout=7, backlog=3)
    serve(bind=["127.0.0.1:81"], graceful_timeout=1)
    assert [(config.bind, config.keep_alive_timeout) for config in served] == [
        (["127.0.0.1:80"], 7),
        (["127.0.0.1:81"], 5),
    ]
    assert (served[0].backlog, served[1].graceful_timeout) == (3, 1)


async def test_serving_inside_a_running_loop_is_refused() -> None:
    """A notebook is told what to do instead."""
    with pytest.raises(ConfigurationError, match=r"event loop is running.*host\.app"):
        serve()


def test_a_program_without_logging_sees_what_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has set up its own is left alone."""
    bare, own = logging.getLogger("test-serve-bare"), logging.getLogger("test-serve-own")
    bare.propagate = False  # pytest itself has set up logging at the root
    own.addHandler(logging.NullHandler())
    for logger in (bare, own):
        monkeypatch.setattr(_server, "logger", logger)
        _server.show_logs()
    assert (bare.level, len(bare.handlers)) == (logging.INFO, 1)
    assert (own.level, len(own.handlers)) == (logging.NOTSET, 1)


def test_a_missing_hypercorn_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "hypercorn.config", None)
    with pytest.raises(ConfigurationError, match=r'"serve" extra'):
        serve()
