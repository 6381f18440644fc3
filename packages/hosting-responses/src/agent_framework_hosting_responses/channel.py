"""`ResponsesChannel`: the OpenAI Responses API in front of the agent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import agent_framework
from starlette.routing import BaseRoute, Route, WebSocketRoute

from agent_framework_hosting import channel as contract
from agent_framework_hosting import hooks
from agent_framework_hosting.channel import ChannelContribution, SiblingRoute
from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.parsing.policy import CallerInstructions
from agent_framework_hosting.web.endpoint import Endpoint
from agent_framework_hosting.web.models import MODELS, model_name, model_routes
from agent_framework_hosting.web.openapi import OpenApiDocument, check_place

from ._errors import error_response
from ._rare import Rare
from ._routes import conversations_routes, responses_routes, socket_route
from ._settings import CreationSettings, EstimatedTokens
from ._turns import Turns

_DEFAULT_PATH = "/responses"
_TOKENIZER: Final = EstimatedTokens()


class ResponsesChannel:
    """Serves the agent to every client of the OpenAI Responses API, over HTTP and over WebSockets at the same path.

    Args:
        path: Where it answers; conversations stand beside it (`/api/responses`, `/api/conversations`). The default also
            answers at `/v1/responses` and `/v1/conversations`, where the official clients look for it, and lists the
            agent at `/v1/models`.
        run_hook: Called after parsing, before the run; it may grant what the policy held back
            (`request.attributes["requested_options"]`).
        response_hook: Called after the run, before the answer is rendered; it has the last word on the final body.
        stream_update_hook: Rewrites or drops streamed updates.
        response_id_factory: Makes the id of a response from the id of the one before (`None` for the first). Ids must
            be unguessable; the default is `resp_` and 128 random bits.
        caller_instructions: What becomes of `instructions` and of system and developer messages: `"ignore"` drops and
            names them in the header `x-ignored-parameters`, `"append"` hands them to the agent, `"refuse"` answers 400.
        show_tool_calls: Whether tools that the agent ran itself are shown (as `mcp_call` items) or left out.
        tokenizer: Counts the tokens of texts for `POST /responses/input_tokens`. The default estimates them by their
            characters, as Agent Framework does where it compacts; give your model's own for numbers that hold. `None`
            answers 400.
        openapi: Where below `path` the OpenAPI document lies; `None` for none.

    Raises:
        ConfigurationError: `caller_instructions` or `openapi` is none.

    Example:
        >>> from agent_framework_hosting.host import AgentFrameworkHost
        >>> from agent_framework_hosting.testing import ScriptedAgent
        >>> host = AgentFrameworkHost(ScriptedAgent(), channels=[ResponsesChannel()])
    """

    name = "responses"

    def __init__(
        self,
        *,
        path: str = _DEFAULT_PATH,
        run_hook: hooks.ChannelRunHook | None = None,
        response_hook: hooks.ChannelResponseHook | None = None,
        stream_update_hook: hooks.ChannelStreamUpdateHook | None = None,
        response_id_factory: Callable[[str | None], str] | None = None,
        caller_instructions: CallerInstructions = "ignore",
        show_tool_calls: bool = True,
        tokenizer: agent_framework.TokenizerProtocol | None = _TOKENIZER,
        openapi: str | None = "/openapi.json",
    ) -> None:
        check_place(openapi)
        if caller_instructions not in ("ignore", "append", "refuse"):
            raise ConfigurationError(
                f"caller_instructions={caller_instructions!r} is unknown. Use 'ignore', 'append' or 'refuse'."
            )
        hooks.refuse_unfit(run_hook=run_hook, response_hook=response_hook, stream_update_hook=stream_update_hook)
        self.path = path
        self._openapi = openapi
        self._settings = CreationSettings(
            channel=self.name,
            run_hook=run_hook,
            response_hook=response_hook,
            stream_update_hook=stream_update_hook,
            response_id_factory=response_id_factory,
            caller_instructions=caller_instructions,
            show_tool_calls=show_tool_calls,
            tokenizer=tokenizer,
        )

    def contribute(self, context: contract.ChannelContext) -> ChannelContribution:
        """Return the routes; every path below the channel's own answers, if only to say that nothing is there."""
        turns = Turns(context, self._settings)
        rare = Rare(context, self._settings, turns)
        routes, socket = responses_routes(context, turns, rare), socket_route(context, self._settings)
        beside = self.path.rstrip("/").rpartition("/")[0]
        if self._openapi is not None:
            # Before ids, which may be any text, and behind the path itself, which stands first.
            described = OpenApiDocument(lambda: self._document(context))
            routes.insert(1, Route(self._openapi, Endpoint({"GET": described}, render_error=error_response)))
        prefixes = [beside, "/v1"] if self.path == _DEFAULT_PATH else [beside]
        beside_it: list[BaseRoute] = [*conversations_routes(context, rare, prefixes=prefixes)]
        own: list[BaseRoute] = [socket, *routes]
        if not self.path.rstrip("/"):
            # Below the root everything is the channel's own, in the order in which it is looked through.
            own, beside_it = [*beside_it, *own], []
        shared: list[Route] = []
        if self.path == _DEFAULT_PATH:
            alias = f"/v1{_DEFAULT_PATH}"
            beside_it += [Route(f"{alias}{route.path}", route.endpoint) for route in routes]
            beside_it += [Route(alias, routes[0].endpoint)]
            beside_it += [WebSocketRoute(at, socket.endpoint) for at in (alias, f"{alias}/")]
            shared = model_routes("/v1", name=lambda: model_name(context.target), render_error=error_response)
        siblings = [SiblingRoute(route) for route in beside_it]
        siblings += [SiblingRoute(route, shared_as=MODELS) for route in shared]
        return ChannelContribution(
            routes=own, siblings=siblings, render_error=error_response, body_types=("application/json",)
        )

    def _document(self, context: contract.ChannelContext) -> dict[str, object]:
        # With the types of all that is sent; few hosts are ever asked for it.
        from ._document import document

        at, models = self.path.rstrip("/"), None
        if self.path == _DEFAULT_PATH:
            at, models = f"/v1{_DEFAULT_PATH}", "/v1/models"
        beside = f"{at.rpartition('/')[0]}/conversations"
        return document(
            responses=at,
            conversations=beside,
            models=models,
            limits=context.limits,
            name=model_name(context.target),
        )
