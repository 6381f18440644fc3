"""The command line `af-hosting`: a frame without commands of its own.

Commands come from installed packages through the entry point group `agent_framework_hosting.commands`. Each entry point
is a function `register(subparsers)` that adds its parser and sets `func`, a function `(args) -> int` that returns the
exit code. Both the module of the entry point and `register` stay light: whatever is heavy is imported by `func`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib.metadata import EntryPoint, entry_points, version
from typing import Final, Protocol, cast

from .errors import ConfigurationError, HostError

COMMANDS: Final = "agent_framework_hosting.commands"
"""The entry point group of the commands."""

PROGRAM: Final = "af-hosting"
_DISTRIBUTION: Final = "agent-framework-hosting"

OK: Final = 0
FAILED: Final = 1
MISUSED: Final = 2
INTERRUPTED: Final = 130


class Subparsers(Protocol):
    """What `register` gets: argparse's subparsers, by the one method that a command needs."""

    @property
    def add_parser(self) -> Callable[..., argparse.ArgumentParser]:
        """Adds a command; takes its name, `help` (its line in the list of commands) and what `ArgumentParser` takes."""
        ...


class CommandError(Exception):
    """A command cannot go on; the person at the terminal sees the message as one line, and no traceback.

    Args:
        message: What is wrong, and how to mend it.
        exit_code: What the process returns: `FAILED`, or `MISUSED` when the arguments are to be mended.
    """

    def __init__(self, message: str, *, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name and return its exit code."""
    args = build_parser().parse_args(argv)
    func = cast("Callable[[argparse.Namespace], int]", args.func)
    try:
        return func(args)
    except CommandError as error:
        return _refused(error.message, exit_code=error.exit_code)
    except ConfigurationError as error:
        return _refused(error.message, exit_code=MISUSED)
    except HostError as error:
        return _refused(error.message, exit_code=FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED


def build_parser(*, commands: Iterable[EntryPoint] | None = None) -> argparse.ArgumentParser:
    """Return the parser with every command that could be registered; a broken one is named on stderr and left out.

    Args:
        commands: The commands' entry points; those of the installed packages when left out.
    """
    release = version(_DISTRIBUTION)
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description="Serve one Microsoft Agent Framework agent over many channels."
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {release}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in entry_points(group=COMMANDS) if commands is None else commands:
        _register(command, subparsers)
    parser.set_defaults(func=partial(_show_commands, parser) if subparsers.choices else _show_hint)
    return parser


def _register(command: EntryPoint, subparsers: Subparsers) -> None:
    """Let one package add its command; one that cannot must not take the others down with it."""
    try:
        register = cast("Callable[[Subparsers], None]", command.load())
        register(subparsers)
    except (ImportError, AttributeError, argparse.ArgumentError, ValueError) as error:
        # For a name that is taken, the class of the error depends on the version of Python.
        print(f"{PROGRAM}: the command '{command.name}' ({command.value}) is left out: {error}", file=sys.stderr)


def _show_commands(parser: argparse.ArgumentParser, _args: argparse.Namespace) -> int:
    parser.print_help()
    return OK


def _show_hint(_args: argparse.Namespace) -> int:
    return _refused(
        "no commands are installed. The package of a channel brings some, 'demo' for example. In a clone: "
        'pip install "./packages/hosting[serve]" ./packages/hosting-responses',
        exit_code=FAILED,
    )


def _refused(message: str, *, exit_code: int) -> int:
    print(f"{PROGRAM}: {message}", file=sys.stderr)
    return exit_code
