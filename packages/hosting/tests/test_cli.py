"""The command line finds commands in installed packages, runs them, and turns refusals into one line."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from textwrap import dedent

import pytest

from agent_framework_hosting.cli import build_parser, main

GREET = """
    from agent_framework_hosting.cli import CommandError
    from agent_framework_hosting.errors import ConfigurationError, Draining

    def register(subparsers):
        parser = subparsers.add_parser("greet", help="greet somebody", description="Greet somebody.")
        parser.add_argument("name")
        parser.set_defaults(func=run)

    def run(args):
        match args.name:
            case "nobody":
                raise CommandError("there is nobody to greet. Name somebody", exit_code=3)
            case "contradiction":
                raise ConfigurationError("this cannot work. Mend it")
            case "late":
                raise Draining("the host is shutting down")
            case "impatient":
                raise KeyboardInterrupt
        print(f"Good day, {args.name}.")
        return 0
"""


class InstallPlugin:
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._monkeypatch = monkeypatch

    def __call__(self, name: str, source: str) -> None:
        (self._folder / f"{name}_plugin.py").write_text(dedent(source))
        info = self._folder / f"{name}_plugin-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-plugin\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[agent_framework_hosting.commands]\n{name} = {name}_plugin:register\n")
        self._monkeypatch.delitem(sys.modules, f"{name}_plugin", raising=False)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InstallPlugin:
    """Installs a module as a package with one command, the way an installer leaves it behind."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return InstallPlugin(tmp_path, monkeypatch)


def test_a_command_of_an_installed_package_runs(install: InstallPlugin, capsys: pytest.CaptureFixture[str]) -> None:
    install("greet", GREET)
    assert main(["greet", "Ada"]) == 0
    assert capsys.readouterr().out == "Good day, Ada.\n"


def test_without_a_command_the_help_lists_the_commands(
    install: InstallPlugin, capsys: pytest.CaptureFixture[str]
) -> None:
    install("greet", GREET)
    assert main([]) == 0
    assert "greet somebody" in capsys.readouterr().out


def test_without_any_commands_a_hint_says_how_to_get_some(capsys: pytest.CaptureFixture[str]) -> None:
    args = build_parser(commands=()).parse_args([])
    assert args.func(args) == 1
    hint = capsys.readouterr().err
    assert "./packages/hosting-responses" in hint
    assert hint.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "code", "line"),
    [
        ("nobody", 3, "af-hosting: there is nobody to greet. Name somebody\n"),
        ("contradiction", 2, "af-hosting: this cannot work. Mend it\n"),
        ("late", 1, "af-hosting: the host is shutting down\n"),
        ("impatient", 130, ""),
    ],
)
def test_a_refusal_is_one_line_and_an_exit_code(
    install: InstallPlugin, capsys: pytest.CaptureFixture[str], name: str, code: int, line: str
) -> None:
    install("greet", GREET)
    assert main(["greet", name]) == code
    assert capsys.readouterr() == ("", line)


@pytest.mark.parametrize(
    "source",
    ["import a_module_that_is_not_there", "another_name = None", GREET],
    ids=["import fails", "no such function", "name is taken"],
)
def test_a_command_that_cannot_be_added_is_named_and_leaves_the_others_alone(
    install: InstallPlugin, capsys: pytest.CaptureFixture[str], source: str
) -> None:
    install("greet", GREET)
    install("other", source)
    assert main(["greet", "Ada"]) == 0
    output = capsys.readouterr()
    assert output.out == "Good day, Ada.\n"
    assert "is left out" in output.err
    assert output.err.count("\n") == 1


def test_an_unknown_command_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["no-such-command"])
    assert stopped.value.code == 2
    assert "no-such-command" in capsys.readouterr().err


def test_the_console_script_knows_its_version() -> None:
    script = Path(sys.executable).with_name("af-hosting")
    shown = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout == f"af-hosting {version('agent-framework-hosting')}\n"
    assert shown.stderr == ""


def test_building_the_parser_imports_no_server_and_no_model_client() -> None:
    """What only a running command needs is imported by the running command."""
    program = """
        import sys
        from agent_framework_hosting.cli import build_parser
        build_parser()
        heavy = {"hypercorn", "uvicorn", "openai", "agent_framework_openai"}
        print(*sorted(heavy & set(sys.modules)))
    """
    seen = subprocess.run([sys.executable, "-c", dedent(program)], capture_output=True, text=True, check=True)
    assert seen.stdout.split() == []
