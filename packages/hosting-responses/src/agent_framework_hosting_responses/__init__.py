"""The OpenAI Responses API as a channel of agent-framework-hosting. Not affiliated with OpenAI or Microsoft."""

from ._foreign import refuse_foreign_base

refuse_foreign_base()

# Everything that imports the base comes after the guard.
from agent_framework_hosting._project import __version__

from ._inbound.request import messages_from_responses_input, parse_responses_identity, parse_responses_request
from .channel import ResponsesChannel
from .standalone import response_events, response_object

__all__ = [
    "ResponsesChannel",
    "__version__",
    "messages_from_responses_input",
    "parse_responses_identity",
    "parse_responses_request",
    "response_events",
    "response_object",
]
