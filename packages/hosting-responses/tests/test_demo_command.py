"""The command `af-hosting demo`: what it serves, what it prints, and what it refuses."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
from ipaddress import IPv4Address
from textwrap import dedent
from typing import Any
from urllib.parse import urlsplit

import pytest
from agent_framework import Agent

from agent_framework_hosting.cli import CommandError, build_parser, main
from agent_framework_hosting_responses._demo._command import run
from agent_framework_hosting_responses._demo._settings import (
    NO_KEY,
    OPENAI_MODEL,
    OPENAI_URL,
    DemoSettings,
    OfflineModel,
    OpenAIModel,
    resolve,
)

EVERYWHERE = str(IPv4Address(0))
LOCAL = "http://127.0.0.1:1234/v1"
KEY = {"OPENAI_API_KEY": "sk-secret"}


def settings_of(arguments: str = "", env: dict[str, str] | None = None) -> DemoSettings:
    return resolve(build_parser().parse_args(["demo", *shlex.split(arguments)]), env=env or {})


def refusal_of(arguments: str, env: dict[str, str] | None = None) -> CommandError:
    with pytest.raises(CommandError) as refused:
        settings_of(arguments, env)
    return refused.value


@pytest.fixture
def free_port() -> int:
    """A port of 127.0.0.1 at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture(autouse=True)
def no_model_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OPENAI_")]:
        monkeypatch.delenv(name)


# -- which model


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        ("", {}),
        ("", {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""}),
        ("", {"OPENAI_MODEL": "gpt-x"}),
        ("--offline", KEY),
        ("--offline", {"OPENAI_BASE_URL": LOCAL}),
    ],
)
def test_the_embedded_model_runs_when_no_other_is_chosen(arguments: str, env: dict[str, str]) -> None:
    assert isinstance(settings_of(arguments, env).model, OfflineModel)


@pytest.mark.parametrize(
    ("arguments", "env", "model"),
    [
        ("", KEY, OpenAIModel("responses", OPENAI_MODEL, OPENAI_URL, "sk-secret")),
        ("--model gpt-y", KEY | {"OPENAI_MODEL": "gpt-x"}, OpenAIModel("responses", "gpt-y", OPENAI_URL, "sk-secret")),
        ("", KEY | {"OPENAI_MODEL": "gpt-x"}, OpenAIModel("responses", "gpt-x", OPENAI_URL, "sk-secret")),
        (
            "",
            KEY | {"OPENAI_MODEL": "gpt-x", "OPENAI_CHAT_MODEL": "gpt-c"},
            OpenAIModel("responses", "gpt-c", OPENAI_URL, "sk-secret"),
        ),
        (
            "--api chat-completions",
            KEY | {"OPENAI_CHAT_COMPLETION_MODEL": "gpt-cc", "OPENAI_CHAT_MODEL": "gpt-c"},
            OpenAIModel("chat-completions", "gpt-cc", OPENAI_URL, "sk-secret"),
        ),
        (f"--base-url {LOCAL} --model q", {}, OpenAIModel("responses", "q", LOCAL, NO_KEY)),
        ("--model q", {"OPENAI_BASE_URL": LOCAL}, OpenAIModel("responses", "q", LOCAL, NO_KEY)),
        (f"--base-url {LOCAL} --model q", KEY, OpenAIModel("responses", "q", LOCAL, "sk-secret")),
        (
            f"--base-url {LOCAL} --model q --api chat-completions",
            {"OPENAI_BASE_URL": "http://other.test/v1"},
            OpenAIModel("chat-completions", "q", LOCAL, NO_KEY),
        ),
    ],
)
def test_arguments_win_over_the_environment(arguments: str, env: dict[str, str], model: OpenAIModel) -> None:
    assert settings_of(arguments, env).model == model


@pytest.mark.parametrize(
    ("arguments", "env", "mend"),
    [
        ("--offline --model q", {}, "--offline and --model exclude each other"),
        (f"--offline --base-url {LOCAL}", KEY, "--offline and --base-url exclude each other"),
        ("--model gpt-y", {}, "set OPENAI_API_KEY"),
        ("--api responses", {}, "set OPENAI_API_KEY"),
        ("--base-url https://api.openai.com/v1", {}, "set OPENAI_API_KEY"),
        (f"--base-url {LOCAL}", {}, "--model NAME"),
        (f"--base-url {LOCAL}", KEY, "--model NAME"),
        ("--base-url localhost:1234 --model q", {}, "no HTTP URL"),
        ("--model q", {"OPENAI_BASE_URL": "nonsense"}, "no HTTP URL"),
        (f"--host {EVERYWHERE}", {}, "--allow-unauthenticated"),
        ("--host 192.0.2.7", {}, "--allow-unauthenticated"),
    ],
)
def test_what_cannot_work_is_refused_with_the_mend(arguments: str, env: dict[str, str], mend: str) -> None:
    refusal = refusal_of(arguments, env)
    assert mend in refusal.message
    assert refusal.exit_code == 2


@pytest.mark.parametrize(
    "arguments", ["--base-url http://localhost:8000/v1", "--base-url http://[::1]:8000 --host ::1"]
)
def test_pointing_the_demo_at_itself_is_refused(arguments: str) -> None:
    assert "this demo's own address" in refusal_of(f"{arguments} --model q").message


def test_pointing_it_at_another_port_of_this_machine_is_fine() -> None:
    assert settings_of("--base-url http://localhost:8000/v1 --model q --port 8001").url == "http://127.0.0.1:8001"


def test_an_open_address_can_be_allowed() -> None:
    settings = settings_of(f"--host {EVERYWHERE} --allow-unauthenticated")
    assert (settings.host, settings.allow_unauthenticated) == (EVERYWHERE, True)


@pytest.mark.parametrize(
    "arguments", ["--port 0", "--port 65536", "--port many", "--word-delay -1", "--word-delay nan", "--api smoke"]
)
def test_an_argument_out_of_range_is_misuse(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        settings_of(arguments)
    assert stopped.value.code == 2
    assert arguments.split(maxsplit=1)[0] in capsys.readouterr().err


def test_a_key_is_never_shown_with_the_settings() -> None:
    assert "sk-secret" not in repr(settings_of("", KEY))


# -- running it


def served(arguments: str, env: dict[str, str] | None = None) -> list[tuple[Agent[Any], DemoSettings]]:
    """Run the command up to the point where it would serve, and return what it would serve."""
    calls: list[tuple[Agent[Any], DemoSettings]] = []
    args = build_parser().parse_args(["demo", *shlex.split(arguments)])
    assert run(args, env=env or {}, serve=lambda agent, settings: calls.append((agent, settings))) == 0
    return calls


async def test_the_agent_that_is_served_answers(free_port: int) -> None:
    [(agent, settings)] = served(f"--port {free_port} --word-delay 0")
    assert settings.port == free_port
    assert (await agent.run("What is 6 * 7?")).text == "calculate answered: 6 * 7 = 42"


def test_it_says_honestly_who_answers(free_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    served(f"--port {free_port}")
    offline = capsys.readouterr()
    assert "offline demo model" in offline.out
    assert "no AI" in offline.out
    served(f"--port {free_port} --base-url {LOCAL} --model q --api chat-completions")
    real = capsys.readouterr()
    assert f"The model q answers, through the Chat Completions API at {LOCAL}, without a key." in real.out
    served(f"--port {free_port}", KEY)
    assert "sk-secret" not in capsys.readouterr().out
    assert offline.err == real.err == ""


def test_what_to_type_next_can_be_typed(free_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    """The curl lines are whole commands with valid JSON for this address; the Python lines are Python."""
    served(f"--port {free_port}")
    text = capsys.readouterr().out
    curls = [shlex.split("curl" + part.split("\n\n")[0].replace("\\\n", " ")) for part in text.split("  curl")[1:]]
    assert [urlsplit(argument).port for curl in curls for argument in curl if "://" in argument] == [free_port] * 2
    bodies = [json.loads(curl[curl.index("-d") + 1]) for curl in curls]
    assert [body.get("stream", False) for body in bodies] == [False, True]
    python = text[text.index("  from openai") : text.index("Stop with")]
    compile("\n".join(line.removeprefix("  ") for line in python.splitlines()), "snippet", "exec")
    assert f"http://127.0.0.1:{free_port}/v1" in python


def test_a_run_of_the_agent_prints_nothing_of_its_own(free_port: int) -> None:
    """No warning, no log line and no telemetry reaches the terminal of the person who tries the demo."""
    program = f"""
        import asyncio
        from agent_framework_hosting.cli import build_parser
        from agent_framework_hosting_responses._demo._command import run

        def serve(agent, settings):
            print("<", asyncio.run(agent.run("What is 6 * 7?", session=agent.create_session())).text, ">", sep="")

        run(build_parser().parse_args(["demo", "--port", "{free_port}"]), env={{}}, serve=serve)
    """
    seen = subprocess.run([sys.executable, "-c", dedent(program)], capture_output=True, text=True, check=True)
    assert seen.stdout.endswith("Stop with Ctrl+C.\n\n<calculate answered: 6 * 7 = 42>\n")
    assert seen.stderr == ""


def test_a_taken_port_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert main(["demo", "--offline", "--port", str(port)]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"af-hosting: port {port} of 127.0.0.1 is taken.")
    assert output.err.count("\n") == 1


@pytest.mark.parametrize(
    ("package", "arguments", "mend"),
    [
        ("agent_framework_openai", f"--base-url {LOCAL} --model q", 'pip install "agent-framework-openai>=1.17,<2"'),
        ("hypercorn", "--offline", 'pip install "hypercorn>=0.18,<0.19"'),
    ],
)
def test_a_missing_package_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], package: str, arguments: str, mend: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # makes Python believe that it is not there
    assert main(["demo", *shlex.split(arguments)]) == 1
    output = capsys.readouterr()
    assert mend in output.err
    assert output.err.count("\n") == 1
    assert output.out == ""
