"""The command `demo` of `af-hosting`; stays light until it runs."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from agent_framework_hosting.cli import OK, CommandError, Subparsers

from ._address import HIGHEST_PORT, AddressError, check_free, explain
from ._banner import banner
from ._settings import DemoSettings, resolve

if TYPE_CHECKING:
    from agent_framework import Agent

Serve: TypeAlias = "Callable[[Agent[Any], DemoSettings], None]"

_LONGEST_DELAY: Final = 5

_DESCRIPTION: Final = """\
Serve a demo agent with the Responses channel. The model is OpenAI's when OPENAI_API_KEY is set, or that of any server
that speaks OpenAI's API when its base URL is given. Otherwise an embedded one answers: fixed rules, no AI."""


def register(subparsers: Subparsers) -> None:
    """Add the command and its arguments."""
    parser = subparsers.add_parser(
        "demo", help="serve a demo agent and print what to type next", description=_DESCRIPTION
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: %(default)s)")
    parser.add_argument("--port", default=8000, type=_port, help="port to listen at (default: %(default)s)")
    parser.add_argument("--offline", action="store_true", help="the embedded model, whatever the environment says")
    parser.add_argument(
        "--base-url", metavar="URL", help="a server that speaks OpenAI's API (default: OPENAI_BASE_URL)"
    )
    parser.add_argument(
        "--api", choices=("responses", "chat-completions"), help="how to talk to it (default: responses)"
    )
    parser.add_argument("--model", metavar="NAME", help="which of its models (default: OPENAI_MODEL)")
    parser.add_argument(
        "--word-delay",
        metavar="SECONDS",
        default=0.03,
        type=_seconds,
        help="pause between two streamed words of the embedded model (default: %(default)s)",
    )
    parser.add_argument(
        "--allow-unauthenticated", action="store_true", help="listen at an address that others can reach, too"
    )
    parser.set_defaults(func=_main)


def run(args: argparse.Namespace, *, env: Mapping[str, str], serve: Serve | None = None) -> int:
    """Serve the demo until it is stopped.

    Args:
        args: What `register` parsed.
        env: The environment variables.
        serve: What serves the agent, and returns when it is stopped; the host with a Responses channel when left out.

    Raises:
        CommandError: The demo cannot run like this; nothing was served.
    """
    settings = resolve(args, env=env)
    from ._agent import build_agent

    agent = build_agent(settings)
    _check_servable(settings)
    print(banner(settings), flush=True)
    (serve or serve_with_host)(agent, settings)
    return OK


def _check_servable(settings: DemoSettings) -> None:
    """Refuse what would fail only after the person has read what to type next."""
    if find_spec("hypercorn") is None:
        raise CommandError('serving needs the package hypercorn. Install it with: pip install "hypercorn>=0.18,<0.19"')
    try:
        check_free(settings.host, settings.port)
    except AddressError as error:
        raise CommandError(str(error)) from error


def serve_with_host(agent: Agent[Any], settings: DemoSettings) -> None:
    """Serve the agent with a host and the Responses channel until a signal stops it."""
    from agent_framework_hosting.host import AgentFrameworkHost
    from agent_framework_hosting_responses.channel import ResponsesChannel

    host = AgentFrameworkHost(agent, channels=[ResponsesChannel()])
    options: dict[str, Any] = {"allow_unauthenticated": True} if settings.allow_unauthenticated else {}
    try:
        host.serve(host=settings.host, port=settings.port, **options)
    except OSError as error:
        # Somebody else may have been quicker to take the port.
        raise CommandError(explain(error, host=settings.host, port=settings.port)) from error


def _main(args: argparse.Namespace) -> int:
    return run(args, env=os.environ)


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port <= HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text} is no port; choose one from 1 to {HIGHEST_PORT}")
    return port


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= _LONGEST_DELAY:
        raise argparse.ArgumentTypeError(f"{text} is no delay; choose one from 0 to {_LONGEST_DELAY} seconds")
    return seconds
