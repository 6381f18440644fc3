"""OpenAI Chat Completions channel of agent-framework-hosting. Not affiliated with OpenAI or Microsoft."""

from ._foreign import refuse_foreign_base

refuse_foreign_base()

# Everything that imports the base comes after the guard.
from agent_framework_hosting._project import __version__

from .channel import ChatCompletionsChannel
from .standalone import chat_completion, chat_completion_chunks, messages_from_chat_messages, parse_chat_request

__all__ = [
    "ChatCompletionsChannel",
    "__version__",
    "chat_completion",
    "chat_completion_chunks",
    "messages_from_chat_messages",
    "parse_chat_request",
]
