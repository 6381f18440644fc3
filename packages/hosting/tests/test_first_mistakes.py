"""The mistakes of a first day are told in a sentence, with what is the user's own, and not the way through here."""

from __future__ import annotations

import sys
from functools import wraps
from inspect import signature
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from agent_framework_hosting import AgentFrameworkHost, ChannelRequest
from agent_framework_hosting.cli import main
from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.hooks import refuse_unfit
from agent_framework_hosting.messaging.turns import Hooks
from agent_framework_hosting.testing import ScriptedAgent

KEY: Any = "ada"
HEAD = """
from agent_framework_hosting import AgentFrameworkHost
from agent_framework_hosting.testing import ScriptedAgent
"""


def alone(given: Any) -> Any:
    """A hook as one would guess it to be."""
    return given


def nothing() -> None:
    """A function that takes nothing."""


class Program:
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "path", list(sys.path))
        monkeypatch.delitem(sys.modules, "first_app", raising=False)
        self._file = folder / "first_app.py"
        self._capsys = capsys

    def serve(self, source: str, *arguments: str, name: str = "first_app:host") -> tuple[int, str]:
        self._file.write_text(HEAD + dedent(source))
        code = main(["serve", name, *arguments])
        return code, self._capsys.readouterr().err


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    """A module of the user's, which the command is asked to serve."""
    return Program(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("source", "line", "said"),
    [
        ("import a_module_that_is_not_there", 4, "ModuleNotFoundError: No module named 'a_module_that_is_not_there'"),
        ("def broken(:", 4, "SyntaxError: invalid syntax"),
        ("host = AgentFrameworkHost(ScriptedAgent(), channels=[], chanels=[])", 4, "keyword argument 'chanels'"),
        ("def host(): raise LookupError('no key')", 4, "LookupError: no key"),
    ],
    ids=["import", "syntax", "argument", "function"],
)
def test_what_the_module_does_wrong_is_shown_from_the_module_on(
    program: Program, source: str, line: int, said: str
) -> None:
    code, shown = program.serve(source)
    first, *rest = shown.splitlines()
    assert (code, first) == (1, "af-hosting: first_app:host cannot be loaded:")
    assert f'first_app.py", line {line}' in shown
    assert said in rest[-1]
    assert shown.count("  File ") == 1


@pytest.mark.parametrize("error", ["LookupError('no key')", "FileNotFoundError(2, 'No such file', '/etc/key')"])
def test_what_makes_the_agent_may_fail_and_says_why_itself(program: Program, error: str) -> None:
    """An `OSError` of the user's is not taken for an address that cannot be had."""
    code, shown = program.serve(
        f"""
        async def make(): raise {error}
        host = AgentFrameworkHost(make, channels=[])
        """,
        "--host",
        "unix:host.sock",
    )
    assert code == 1
    assert shown.startswith("af-hosting: first_app:host cannot be served:\nTraceback")
    assert error.partition("(")[0] in shown.splitlines()[-1]
    assert shown.count("  File ") == 1


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("host = AgentFrameworkHost(ScriptedAgent(), channels=[]).app", "Name a variable that is the host itself"),
        ("async def host(): ...", "is an async function"),
        ("def host(x): ...", "is a function that needs arguments"),
        ("app = AgentFrameworkHost(ScriptedAgent(), channels=[])", "Is 'first_app:app' meant?"),
        ("async def f(): ...\nhost = AgentFrameworkHost(f(), channels=[])", "the function itself, without calling it"),
    ],
)
def test_what_is_no_host_is_named_in_one_line(program: Program, source: str, said: str) -> None:
    code, shown = program.serve(source)
    assert code == 2
    assert said in shown
    assert shown.count("\n") == 1


def test_a_file_name_in_place_of_a_module_is_told_apart(program: Program) -> None:
    _, shown = program.serve("", name="first_app.py:host")
    assert "Write a module without '.py': 'first_app:host'." in shown
    code, shown = program.serve("", name="./first_app.py:host")
    assert (code, shown.count("\n")) == (2, 1)
    assert "Write it as 'package.module:host'." in shown


@pytest.mark.parametrize("option", ["--port", "--workers"])
@pytest.mark.parametrize("value", ["abc", "0", "-1", "1.5"])
def test_a_number_that_is_none_is_told_in_words(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "app:host", f"{option}={value}"])
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"argument {option}: '{value}' is no" in said
    assert "choose 1" in said.replace("one from ", "")


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("unix:/not/there/host.sock", "there is no folder /not/there"),
        (f"unix:{'x' * 150}", "the path of a socket has at most"),
        ("unix:first_app.py", "what is there is no socket"),
        ("http://localhost", "is no address"),
    ],
)
def test_an_address_that_cannot_be_is_refused_in_one_line(program: Program, host: str, said: str) -> None:
    code, shown = program.serve("host = AgentFrameworkHost(ScriptedAgent(), channels=[])", "--host", host)
    assert code == 2
    assert said in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize("channels", [None, 5])
def test_channels_that_are_no_list_are_refused(channels: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"Give a list, channels=\[\.\.\.\]"):
        AgentFrameworkHost(ScriptedAgent(), channels=channels)


@pytest.mark.parametrize(
    ("hooks", "said"),
    [
        ({"run_hook": "shout"}, "run_hook='shout' is no function"),
        ({"run_hook": alone}, r"run_hook cannot .*'target'.*\(request, \*, target, protocol_request\)"),
        ({"response_hook": alone}, r"response_hook cannot .*\(result, \*, request, channel_name\)"),
        ({"stream_update_hook": nothing}, r"stream_update_hook cannot .*\(update\)"),
        ({"stream_update_hook": Hooks}, "is no function"),
    ],
)
def test_a_hook_that_could_not_be_called_is_refused_before_the_first_request(hooks: dict[str, Any], said: str) -> None:
    """Otherwise every caller would get a 500, and the log no more than a `TypeError`."""
    with pytest.raises(ConfigurationError, match=said):
        Hooks(**hooks)


def test_hooks_that_take_what_comes_are_taken() -> None:
    async def later(given: Any, **_: object) -> Any:
        return given

    refuse_unfit(run_hook=later, response_hook=later, stream_update_hook=alone)


def test_a_decorated_hook_is_judged_by_what_it_takes_itself() -> None:
    """Not by what it wraps, to which it may hand less."""

    @wraps(alone)
    def adapted(given: Any, **_: object) -> Any:
        return alone(given)

    refuse_unfit(run_hook=adapted, response_hook=adapted, stream_update_hook=adapted)
    said: Any = adapted
    said.__signature__ = signature(alone)
    refuse_unfit(run_hook=said, response_hook=said, stream_update_hook=said)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ("hello", "takes a ChannelRequest, not an object of type str"),
        (ChannelRequest("script", "message", "hello", KEY), r"is 'ada'\. Write ChannelSession\(key\)"),
    ],
)
async def test_a_run_of_something_that_is_no_request_says_what_is_wanted(request_: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        await AgentFrameworkHost(ScriptedAgent(), channels=[]).run(request_)


def test_a_password_with_an_at_sign_is_told_how_to_write_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Half of it would be taken for a host otherwise, and shown."""
    assert main(["migrate", "postgresql://ada:p@tea@127.0.0.1/x"]) == 2
    said = capsys.readouterr().err
    assert "%40" in said
    assert "tea" not in said


def test_a_database_that_is_away_is_named_as_its_user_named_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "postgresql://ada:secret@127.0.0.1:1/x"]) == 2
    assert "database postgresql://ada:***@127.0.0.1:1/x cannot be used" in capsys.readouterr().err
