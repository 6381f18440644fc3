"""`InvocationsChannel`: one call in plain JSON in front of an agent or a workflow."""

from __future__ import annotations

from starlette.routing import Route

from agent_framework_hosting.channel import ChannelContext, ChannelContribution
from agent_framework_hosting.hooks import ChannelResponseHook, ChannelRunHook, ChannelStreamUpdateHook, refuse_unfit
from agent_framework_hosting.web.endpoint import Endpoint, NotFound
from agent_framework_hosting.web.openapi import OpenApiDocument, check_place

from ._document import document
from ._invoke import InputReader, InvocationSettings, Invoke
from ._problems import problem_response
from ._sessions import SessionNames, Sessions


class InvocationsChannel:
    """Serves the agent or workflow to whoever can send JSON.

    `POST /invocations` takes `{"input": ..., "session_id": ..., "stream": ...}`, or text, and answers JSON or
    server-sent events. `input` is text or messages for an agent, and what its start executor takes for a workflow.
    `responses` answer what was asked before: approvals of tools, and questions of a workflow.

    Args:
        path: Where it answers.
        name: What the channel is called; another one than the default's when a host has several.
        session_names: Which names callers may give to sessions besides the ids that the host mints: a regular
            expression for names that belong to each caller, or a function `(name, principal)`, plain or async, that
            returns a session key, or `None` to refuse. The function has the say over who shares a session.
        openapi: Where below `path` the OpenAPI document lies; `None` for none.
        run_hook: Called after parsing, before the run. With one, input that does not fit the target reaches the hook as
            the JSON that it is, and is refused when the hook leaves it so.
        response_hook: Called after the run, before the answer is rendered; it has the last word on the final body.
        stream_update_hook: Rewrites or drops streamed updates.

    Raises:
        ConfigurationError: `session_names` or `openapi` is none.

    Example:
        >>> from agent_framework_hosting.host import AgentFrameworkHost
        >>> from agent_framework_hosting.testing import ScriptedAgent
        >>> host = AgentFrameworkHost(ScriptedAgent(), channels=[InvocationsChannel(session_names=r"[a-z0-9-]{1,40}")])
    """

    def __init__(
        self,
        *,
        path: str = "/invocations",
        name: str = "invocations",
        session_names: SessionNames | None = None,
        openapi: str | None = "/openapi.json",
        run_hook: ChannelRunHook | None = None,
        response_hook: ChannelResponseHook | None = None,
        stream_update_hook: ChannelStreamUpdateHook | None = None,
    ) -> None:
        check_place(openapi)
        refuse_unfit(run_hook=run_hook, response_hook=response_hook, stream_update_hook=stream_update_hook)
        self.name = name
        self.path = path
        self._openapi = openapi
        self._settings = InvocationSettings(
            channel=name,
            sessions=Sessions(session_names),
            run_hook=run_hook,
            response_hook=response_hook,
            stream_update_hook=stream_update_hook,
        )

    def contribute(self, context: ChannelContext) -> ChannelContribution:
        """Return the routes; every path below the channel's own answers, if only to say that nothing is there."""
        reader = InputReader(context)
        invoke = Endpoint({"POST": Invoke(context, self._settings, reader)}, render_error=problem_response)
        routes = [Route("/", invoke)]
        if self._openapi is not None:
            described = OpenApiDocument(lambda: self._document(context, reader))
            routes.append(Route(self._openapi, Endpoint({"GET": described}, render_error=problem_response)))
        nothing = NotFound(render_error=problem_response)
        return ChannelContribution(
            routes=[*routes, Route("/{rest:path}", nothing)],
            render_error=problem_response,
            body_types=("application/json", "text/plain"),
        )

    def _document(self, context: ChannelContext, reader: InputReader) -> dict[str, object]:
        served = getattr(context.target, "name", None) or "agent"
        return document(path=self.path.rstrip("/"), target=reader.current, name=str(served))
