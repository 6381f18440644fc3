"""The command `serve` of `af-hosting`: serves the host of a module."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ._users_part import users_part
from .cli import OK, CommandError, Subparsers
from .errors import HostError

_HIGHEST_PORT: Final = 65_535
_DESCRIPTION: Final = """\
Serve a host that a module has. The module is looked for from the working directory on, and among installed packages."""


def register(subparsers: Subparsers) -> None:
    """Add the command and its arguments."""
    parser = subparsers.add_parser("serve", help="serve the host of a module", description=_DESCRIPTION)
    parser.add_argument(
        "import_path",
        metavar="MODULE:HOST",
        help="the host, for example app:host; may be a function without arguments that makes it",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at, or unix:PATH (default: %(default)s)")
    parser.add_argument("--port", default=8000, type=_port, help="port to listen at (default: %(default)s)")
    parser.add_argument(
        "--workers", default=1, type=_count, help="processes that serve; several need a database (default: %(default)s)"
    )
    parser.add_argument(
        "--allow-unauthenticated",
        action="store_true",
        help="listen at an address that others can reach, although nothing says who is calling",
    )
    parser.add_argument("--log-format", choices=("console", "json"), help="how the log is said (default: as set up)")
    parser.add_argument("--no-access-log", action="store_true", help="say no line about each request")
    parser.set_defaults(func=_serve)


def _serve(args: argparse.Namespace) -> int:
    from ._workers.location import load
    from .host import AgentFrameworkHost

    sys.path.insert(0, str(Path.cwd()))
    with _told(f"{args.import_path} cannot be loaded"):
        host = load(args.import_path, kind=AgentFrameworkHost)
    with _told(f"{args.import_path} cannot be served"):
        host.serve(
            host=args.host,
            port=args.port,
            workers=args.workers,
            import_path=args.import_path,
            allow_unauthenticated=args.allow_unauthenticated,
            log_format=args.log_format,
            access_log=not args.no_access_log,
        )
    return OK


@contextmanager
def _told(what: str) -> Generator[None]:
    """Tell of an error in the user's code as far as it is the user's; what the host refuses has a sentence already."""
    try:
        yield
    except HostError:
        raise
    except Exception as error:
        raise CommandError(f"{what}:\n{users_part(error)}") from error


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= _HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; choose one from 1 to {_HIGHEST_PORT}")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes that can serve; choose 1 or more")
    return int(text)
