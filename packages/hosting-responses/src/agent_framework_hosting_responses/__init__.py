"""The OpenAI Responses API as a channel of agent-framework-hosting. Not affiliated with OpenAI or Microsoft."""

from ._foreign import refuse_foreign_base

refuse_foreign_base()

# Everything that imports the base comes after the guard.
from typing import TYPE_CHECKING

from agent_framework_hosting._late import late
from agent_framework_hosting._project import __version__

from ._inbound.request import messages_from_responses_input, parse_responses_identity, parse_responses_request
from .channel import ResponsesChannel

if TYPE_CHECKING:
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

if not TYPE_CHECKING:
    # Who answers in a route of their own asks for them.
    __getattr__ = late(globals(), {"response_events": "standalone", "response_object": "standalone"})
