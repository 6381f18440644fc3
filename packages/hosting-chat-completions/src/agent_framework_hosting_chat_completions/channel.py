"""`ChatCompletionsChannel`: the OpenAI Chat Completions API in front of the agent."""

from __future__ import annotations

import re
from typing import Final

from starlette.routing import Route

from agent_framework_hosting.channel import ChannelContext, ChannelContribution, SiblingRoute
from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.hooks import ChannelResponseHook, ChannelRunHook, ChannelStreamUpdateHook, refuse_unfit
from agent_framework_hosting.parsing.policy import CallerInstructions
from agent_framework_hosting.web.endpoint import Endpoint, NotFound
from agent_framework_hosting.web.models import MODELS, model_name, model_routes

from ._completion import Completion, CompletionSettings, RequestsAs
from ._errors import error_response
from ._inbound.fields import UnknownFields

_TAIL: Final = "/chat/completions"
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class ChatCompletionsChannel:
    """Serves the agent to every client of the OpenAI Chat Completions API, and to front ends that speak it.

    The protocol keeps nothing: a client sends the whole conversation each time. With `session_header` the server
    remembers the conversations that callers name in that header, each caller's apart; the agent then gets what follows
    the last message of the assistant's, and its own history.

    Args:
        path: Where it answers. Where that ends in `/chat/completions`, the agent is listed at `models` beside it.
        run_hook: Called after parsing, before the run; it may grant what the policy held back
            (`request.attributes["requested_options"]`), or choose a session.
        response_hook: Called after the run, before the answer is rendered. It has the last word, so that a stream says
            nothing before the hook has spoken.
        stream_update_hook: Rewrites or drops streamed updates.
        model_name: What the agent is called in the list of models, and in answers to requests that name no model; the
            agent's own name when left out.
        session_header: The header in which a caller may name a conversation (`"x-session-id"`).
        caller_instructions: What becomes of system and developer messages: `"ignore"` drops and names them in the
            header `x-ignored-parameters`, `"append"` hands them to the agent, `"refuse"` answers 400.
        unknown_fields: What becomes of fields that OpenAI does not know, as many front ends send them: `"ignore"` drops
            and names them, `"refuse"` answers 400.
        requests_as: How a client is told what the agent or a workflow asks of people: `"text"` says it to whoever
            reads, `"tool_calls"` lets a program answer, where the conversation is remembered.
        show_reasoning: Whether the model's thoughts are shown, as `reasoning_content`.

    Example:
        >>> from agent_framework_hosting.host import AgentFrameworkHost
        >>> from agent_framework_hosting.testing import ScriptedAgent
        >>> host = AgentFrameworkHost(ScriptedAgent(), channels=[ChatCompletionsChannel()])
    """

    name = "chat-completions"

    def __init__(
        self,
        *,
        path: str = f"/v1{_TAIL}",
        run_hook: ChannelRunHook | None = None,
        response_hook: ChannelResponseHook | None = None,
        stream_update_hook: ChannelStreamUpdateHook | None = None,
        model_name: str | None = None,
        session_header: str | None = None,
        caller_instructions: CallerInstructions = "ignore",
        unknown_fields: UnknownFields = "ignore",
        requests_as: RequestsAs = "text",
        show_reasoning: bool = False,
    ) -> None:
        _require("caller_instructions", caller_instructions, "ignore", "append", "refuse")
        _require("unknown_fields", unknown_fields, "ignore", "refuse")
        _require("requests_as", requests_as, "text", "tool_calls")
        if session_header is not None and not _HEADER.fullmatch(session_header):
            raise ConfigurationError(f"session_header={session_header!r} is no name of a header, like 'x-session-id'.")
        if model_name is not None and not model_name:
            raise ConfigurationError("model_name is empty. Leave it out, and the agent's own name is used.")
        refuse_unfit(run_hook=run_hook, response_hook=response_hook, stream_update_hook=stream_update_hook)
        self.path = path
        self._settings = CompletionSettings(
            channel=self.name,
            run_hook=run_hook,
            response_hook=response_hook,
            stream_update_hook=stream_update_hook,
            model_name=model_name,
            session_header=session_header,
            caller_instructions=caller_instructions,
            unknown_fields=unknown_fields,
            requests_as=requests_as,
            show_reasoning=show_reasoning,
        )

    def contribute(self, context: ChannelContext) -> ChannelContribution:
        """Return the routes; every path below the channel's own answers, if only to say that nothing is there."""
        create = Endpoint({"POST": Completion(context, self._settings)}, render_error=error_response)
        routes = [Route("/", create), Route("/{rest:path}", NotFound(render_error=error_response))]
        prefix, found, _ = self.path.rstrip("/").rpartition(_TAIL)
        siblings = self._models(prefix, context) if found and self.path.rstrip("/").endswith(_TAIL) else []
        return ChannelContribution(
            routes=routes, siblings=siblings, render_error=error_response, body_types=("application/json",)
        )

    def _models(self, prefix: str, context: ChannelContext) -> list[SiblingRoute]:
        routes = model_routes(
            prefix,
            name=lambda: self._settings.model_name or model_name(context.target),
            render_error=error_response,
        )
        return [SiblingRoute(route, shared_as=MODELS) for route in routes]


def _require(name: str, value: str, *allowed: str) -> None:
    if value not in allowed:
        options = " or ".join(repr(each) for each in allowed)
        raise ConfigurationError(f"{name}={value!r} is unknown. Use {options}.")
