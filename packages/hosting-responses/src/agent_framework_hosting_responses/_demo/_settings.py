"""Which model the demo runs, decided from arguments and environment; pure, and without a heavy import."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, cast

from agent_framework_hosting.cli import MISUSED, CommandError

from ._address import AddressError, display_url, host_of, is_loopback, points_at

Api: TypeAlias = "Literal['responses', 'chat-completions']"

OPENAI_URL: Final = "https://api.openai.com/v1"
OPENAI_MODEL: Final = "gpt-5-mini"
"""What runs at OpenAI when nobody names a model."""
NO_KEY: Final = "not-needed"
"""What a server of one's own gets when there is no key: the client insists on sending one."""

_MODEL_VARIABLES: Final[Mapping[Api, tuple[str, ...]]] = {
    "responses": ("OPENAI_CHAT_MODEL", "OPENAI_MODEL"),
    "chat-completions": ("OPENAI_CHAT_COMPLETION_MODEL", "OPENAI_MODEL"),
}


@dataclass(frozen=True, slots=True)
class OfflineModel:
    """The embedded model without intelligence.

    Args:
        word_delay: Seconds between two streamed words.
    """

    word_delay: float = 0.0


@dataclass(frozen=True, slots=True)
class OpenAIModel:
    """A model behind an OpenAI-compatible API."""

    api: Api
    model: str
    base_url: str
    api_key: str = field(repr=False)


Model: TypeAlias = OfflineModel | OpenAIModel


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """What the demo runs, and where it listens."""

    model: Model
    host: str = "127.0.0.1"
    port: int = 8000
    allow_unauthenticated: bool = False

    @property
    def url(self) -> str:
        """Where a person on this machine reaches the demo."""
        return display_url(self.host, self.port)


def resolve(args: Namespace, *, env: Mapping[str, str]) -> DemoSettings:
    """Return the settings.

    An argument wins over the environment, an empty variable counts as not set, and `--offline` over both.

    Raises:
        CommandError: The arguments contradict each other, or something that they need is missing.
    """
    try:
        settings = DemoSettings(
            model=_model(args, env),
            host=cast("str", args.host),
            port=cast("int", args.port),
            allow_unauthenticated=cast("bool", args.allow_unauthenticated),
        )
        _refuse_loop(settings)
    except AddressError as error:
        raise CommandError(str(error), exit_code=MISUSED) from error
    _refuse_open_door(settings)
    return settings


def _model(args: Namespace, env: Mapping[str, str]) -> Model:
    flags = {"--base-url": args.base_url, "--api": args.api, "--model": args.model}
    given = [flag for flag, value in flags.items() if value is not None]
    key = env.get("OPENAI_API_KEY") or None
    base_url = cast("str | None", args.base_url) or env.get("OPENAI_BASE_URL") or None
    if args.offline and given:
        raise CommandError(f"--offline and {given[0]} exclude each other: leave out one of them", exit_code=MISUSED)
    if args.offline or (key is None and base_url is None and not given):
        return OfflineModel(word_delay=cast("float", args.word_delay))
    if key is None and _is_openai(base_url):
        raise CommandError(
            "a model of OpenAI needs a key: set OPENAI_API_KEY, name another server with --base-url URL, "
            "or do without a model: --offline",
            exit_code=MISUSED,
        )
    api = cast("Api", args.api or "responses")
    return OpenAIModel(
        api=api,
        model=_model_name(cast("str | None", args.model), api=api, base_url=base_url, env=env),
        base_url=base_url or OPENAI_URL,
        api_key=key or NO_KEY,
    )


def _model_name(name: str | None, *, api: Api, base_url: str | None, env: Mapping[str, str]) -> str:
    found = name or next((value for variable in _MODEL_VARIABLES[api] if (value := env.get(variable))), None)
    if found is not None:
        return found
    if _is_openai(base_url):
        return OPENAI_MODEL
    raise CommandError(f"which of the models at {base_url} is to run? Name one: --model NAME", exit_code=MISUSED)


def _is_openai(base_url: str | None) -> bool:
    """Say whether requests go to OpenAI itself."""
    return base_url is None or host_of(base_url) == host_of(OPENAI_URL)


def _refuse_open_door(settings: DemoSettings) -> None:
    if not is_loopback(settings.host) and not settings.allow_unauthenticated:
        raise CommandError(
            f"at {settings.host} everybody on the network could use this agent, and nobody is asked who they are. "
            "Leave --host out, or allow it: --allow-unauthenticated",
            exit_code=MISUSED,
        )


def _refuse_loop(settings: DemoSettings) -> None:
    """Refuse a base URL that is the demo's own address: every request would call itself until something breaks."""
    if not isinstance(settings.model, OpenAIModel):
        return
    if points_at(settings.model.base_url, host=settings.host, port=settings.port):
        raise CommandError(
            f"the base URL {settings.model.base_url} is this demo's own address ({settings.url}). "
            "Give the model's address, or another --port",
            exit_code=MISUSED,
        )
