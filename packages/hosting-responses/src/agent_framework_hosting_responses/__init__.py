"""The OpenAI Responses API as a channel of agent-framework-hosting. Not affiliated with OpenAI or Microsoft."""

from ._request import messages_from_responses_input, parse_responses_identity, parse_responses_request
from .channel import ResponsesChannel

__all__ = [
    "ResponsesChannel",
    "messages_from_responses_input",
    "parse_responses_identity",
    "parse_responses_request",
]
