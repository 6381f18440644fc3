"""The demo's agent: one definition, with the model that the settings choose."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Final

from agent_framework import Agent, InMemoryHistoryProvider

from agent_framework_hosting.cli import CommandError

from ._offline import OfflineChatClient
from ._settings import DemoSettings, OfflineModel, OpenAIModel
from ._tools import local_tools

NAME: Final = "demo"
INSTRUCTIONS: Final = (
    "You are a friendly demo agent. Answer briefly. Use your tools for the time, for arithmetic and to count words."
)
_INSTALL: Final = (
    "a real model needs the package agent-framework-openai. Install it with: "
    'pip install "agent-framework-openai>=1.17,<2" (or do without a model: --offline)'
)


def build_agent(settings: DemoSettings) -> Agent[Any]:
    """Return the demo's agent, its history kept in the session whatever the model.

    Raises:
        CommandError: The package that talks to real models is not installed.
    """
    # The Responses API would keep conversations at the service, where an older answer cannot be continued twice.
    options: dict[str, Any] = {"store": False} if _stores(settings) else {}
    return Agent(
        _chat_client(settings),
        name=NAME,
        instructions=INSTRUCTIONS,
        tools=local_tools(),
        context_providers=[InMemoryHistoryProvider()],
        default_options=options,
    )


def _stores(settings: DemoSettings) -> bool:
    return isinstance(settings.model, OpenAIModel) and settings.model.api == "responses"


def _chat_client(settings: DemoSettings) -> Any:
    match settings.model:
        case OfflineModel(word_delay=delay):
            return OfflineChatClient(word_delay=delay)
        case OpenAIModel() as model:
            return _openai_client(model)


def _openai_client(model: OpenAIModel) -> Any:
    if find_spec("agent_framework_openai") is None:
        raise CommandError(_INSTALL)
    from agent_framework.openai import OpenAIChatClient, OpenAIChatCompletionClient

    client = OpenAIChatClient if model.api == "responses" else OpenAIChatCompletionClient
    return client(model.model, api_key=model.api_key, base_url=model.base_url)
