"""Refusals of `serve`; what it does when it serves is shown with real processes in the repository's `tests`."""

from __future__ import annotations

import io
import json
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route

from agent_framework_hosting import _server, logs
from agent_framework_hosting._workers import location
from agent_framework_hosting.auth import mounted_user
from agent_framework_hosting.channel import Channel, VerifiedRoute
from agent_framework_hosting.cli import main
from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import ScriptedAgent


def serve(**options: Any) -> None:
    """Serve; only for options that are refused."""
    AgentFrameworkHost(ScriptedAgent(), channels=[]).serve(**options)


def test_several_workers_without_a_database_are_refused_with_the_reason() -> None:
    """The message shows a mend."""
    with pytest.raises(ConfigurationError, match=r"one process's memory.*database='sqlite:.*workers=1"):
        serve(workers=2)


@pytest.mark.parametrize("workers", [0, -1])
def test_no_workers_at_all_are_refused(workers: int) -> None:
    """At least one has to serve."""
    with pytest.raises(ConfigurationError, match="Use 1 or more"):
        serve(workers=workers)


shared = AgentFrameworkHost(ScriptedAgent(), channels=[], database="sqlite:///./never-opened.db")


def make_shared() -> AgentFrameworkHost:
    """Make a host, for those who are told of this function."""
    return shared


no_host = 5


def test_a_host_is_found_where_a_module_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program's own module comes first, for another process imports that anyway."""
    import_path = location.find(shared)
    assert import_path == f"{__name__}:shared"
    assert location.load(import_path, kind=AgentFrameworkHost) is shared
    assert location.load(f"{__name__}:make_shared", kind=AgentFrameworkHost) is shared
    # The program may have come by the command line, as in a test process; then it cannot be imported again.
    monkeypatch.setattr("__main__.__file__", "program.py", raising=False)
    monkeypatch.setattr("__main__.served_here", shared, raising=False)
    assert location.find(shared) == "__main__:served_here"


def test_a_host_that_no_module_has_is_refused_with_both_mends() -> None:
    """Another process could not import it."""
    host = AgentFrameworkHost(ScriptedAgent(), channels=[], database="sqlite:///./never-opened.db")
    with pytest.raises(
        ConfigurationError, match=r"above `if __name__ == '__main__':`.*import_path=\"package\.module:host"
    ):
        host.serve(workers=2)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("app", "'app' names no host. Write it as 'package.module:host'."),
        ("nowhere.at.all:host", "No module 'nowhere'"),
        (f"{__name__}:nothing", "has no 'nothing'"),
        (f"{__name__}:no_host", "no_host' is an object of type int"),
    ],
)
def test_the_command_refuses_what_is_no_host(path: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line says what was found instead."""
    assert main(["serve", path]) == 2
    line = capsys.readouterr().err
    assert said in line
    assert line.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [({"quic_bind": ["127.0.0.1:80"]}, "quic_bind"), ({"logconfig_dict": {"a": lambda: None}}, "'logconfig_dict'")],
)
def test_what_processes_cannot_share_is_refused_by_name(options: dict[str, Any], said: str) -> None:
    """Before anything is started."""
    with pytest.raises(ConfigurationError, match=said):
        shared.serve(workers=2, **options)


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


@pytest.mark.parametrize("is_verified", [True, False])
def test_serving_to_strangers_is_allowed_when_the_channels_verify_all_that_comes(
    monkeypatch: pytest.MonkeyPatch, make_probe: Callable[..., Channel], is_verified: bool
) -> None:
    """A webhook of a platform needs no `auth=`, and one route beside it that nobody verifies is enough to need it."""
    served: list[Any] = []

    async def serve(_: Any, config: Any, **__: Any) -> None:
        served.append(config.bind)

    monkeypatch.setattr(_server, "serve", serve)
    webhook = VerifiedRoute(Route("/", print), "signature of the platform")
    routes = [] if is_verified else [Route("/other", print)]
    host = AgentFrameworkHost(ScriptedAgent(), channels=[make_probe(routes=routes, verified_routes=[webhook])])
    if is_verified:
        host.serve(host="0.0.0.0")
        assert served == [["0.0.0.0:8000"]]
    else:
        with pytest.raises(ConfigurationError, match="allow_unauthenticated=True"):
            host.serve(host="0.0.0.0")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost", "unix:/run/agent.sock"])
def test_loopback_needs_no_permission(host: str) -> None:
    """Every name of this machine itself."""
    config = _server.configuration(bind=_server.address_of(host, 80), options={}, limits=Limits())
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


def test_an_address_that_is_taken_is_refused_for_several_processes_alike(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/host.db"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        host = AgentFrameworkHost(ScriptedAgent(), channels=[], database=database)
        with pytest.raises(ConfigurationError, match=rf":{port}: .*in use.*another port"):
            host.serve(port=port, workers=2, import_path="anything:host")


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
        (["127.0.0.1:81"], 65.0),
    ]
    assert (served[0].backlog, served[1].graceful_timeout) == (3, 1)
    assert not served[0].include_server_header


def test_no_number_of_requests_cuts_the_answers_on_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hypercorn ends a connection of HTTP/2 after so many, whatever is under way on it."""
    served: list[Any] = []

    async def serve(_: Any, config: Any, **__: Any) -> None:
        served.append(config.keep_alive_max_requests)

    monkeypatch.setattr(_server, "serve", serve)
    AgentFrameworkHost(ScriptedAgent(), channels=[]).serve()
    assert served[0] > 10**12


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
        monkeypatch.setattr(logs, "logger", logger)
        logs.show_logs(None, access=False)
    assert (bare.level, len(bare.handlers)) == (logging.INFO, 1)
    assert (own.level, len(own.handlers)) == (logging.NOTSET, 1)


async def test_what_the_server_says_stands_in_the_hosts_log() -> None:
    """In its form, and without what exceptions say; `errorlog` may say otherwise."""
    said, secret = io.StringIO(), "what a caller sent"
    logs.configure_logs("json", stream=said)
    config = _server.configuration(bind="127.0.0.1:0", options={}, limits=Limits())
    await config.log.info("Running on %s", "there")
    try:
        int(secret)
    except ValueError:
        await config.log.exception("An error\nof the server")
    lines = [json.loads(line) for line in said.getvalue().splitlines()]
    assert [line["message"] for line in lines] == ["Running on there", "An error\\nof the server"]
    assert "ValueError" in lines[1]["exception"]
    assert secret not in said.getvalue()
    assert _server.configuration(bind="", options={"errorlog": "-"}, limits=Limits()).errorlog == "-"


def test_a_missing_hypercorn_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "hypercorn.config", None)
    with pytest.raises(ConfigurationError, match=r'"serve" extra'):
        serve()
