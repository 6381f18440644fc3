"""`POST /chat/completions`: from the request's bytes to the answer's."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from agent_framework import Message
from starlette.types import Receive, Scope, Send

from agent_framework_hosting.channel import ChannelContext, Replayed
from agent_framework_hosting.errors import InvalidRequest, ResponseTooLarge, UnknownId
from agent_framework_hosting.hooks import ChannelResponseHook, ChannelRunHook, ChannelStreamUpdateHook
from agent_framework_hosting.ids import mint
from agent_framework_hosting.parsing.agent_tools import declared_names, own_tools, refuse_clashes, tool_names
from agent_framework_hosting.parsing.policy import Admitted, CallerInstructions
from agent_framework_hosting.rendering.text import to_json
from agent_framework_hosting.types import JSON, ChannelRequest, ChannelSession, HostedRunResult, IdempotencyKey
from agent_framework_hosting.web.body import read_body
from agent_framework_hosting.web.endpoint import send_json
from agent_framework_hosting.web.errors import describe
from agent_framework_hosting.web.events import EventStream
from agent_framework_hosting.web.idempotency import REPLAYED, idempotency_key
from agent_framework_hosting.web.models import model_name
from agent_framework_hosting.web.telling import tell
from agent_framework_hosting.web.watch import run_while_connected
from agent_framework_hosting.workflows import REQUEST_INFO, shown_response

from ._approvals import TOOL, Decision, answer, body_of, completion_of, find, sealed, unknown
from ._errors import error_response
from ._inbound.fields import UnknownFields
from ._inbound.policy import apply_policy
from ._inbound.request import ChatRequest, parse
from ._inbound.tools import NAME_PLACE
from ._outbound.machine import ChatFields, ChatMachine, fold, render
from ._outbound.showing import Showing
from ._sessions import refuse_strange_results, session_key, session_name

RequestsAs: TypeAlias = Literal["text", "tool_calls"]
"""How a client is told what an agent or a workflow asks of people."""

_ASKING: Final = frozenset({TOOL, REQUEST_INFO})


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionSettings:
    """How a channel was set up; see `ChatCompletionsChannel`."""

    channel: str
    run_hook: ChannelRunHook | None
    response_hook: ChannelResponseHook | None
    stream_update_hook: ChannelStreamUpdateHook | None
    model_name: str | None
    session_header: str | None
    caller_instructions: CallerInstructions
    unknown_fields: UnknownFields
    requests_as: RequestsAs
    show_reasoning: bool


@dataclass(frozen=True, slots=True)
class _Job:
    """A request that was read: what was asked, what is run, in which session, and the headers of its answer."""

    asked: ChatRequest
    request: ChannelRequest
    fields: ChatFields
    named: IdempotencyKey | None
    session: str | None
    headers: list[tuple[bytes, bytes]]


class Completion:
    """Creates completions."""

    def __init__(self, context: ChannelContext, settings: CompletionSettings) -> None:
        self._context = context
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *, request_id: bytes) -> None:
        """Answer one request."""
        job = await self._read(scope, receive)
        headers = [(b"x-request-id", request_id)]
        try:
            if job.asked.stream:
                sent = self._sent(
                    await run_while_connected(self._stream(job), receive), headers=[*headers, *job.headers]
                )
                await sent(scope, receive, send)
            else:
                body = to_json(await run_while_connected(self._whole(job), receive))
                await send_json(send, 200, body, request_id=request_id, headers=job.headers)
        except Replayed as replayed:
            before = body_of(replayed.record)
            if job.asked.stream:
                events = _again(fold(before, include_usage=job.asked.include_usage))
                await self._sent(events, headers=[*headers, REPLAYED])(scope, receive, send)
            else:
                await send_json(send, 200, to_json(before), request_id=request_id, headers=[REPLAYED])

    async def _read(self, scope: Scope, receive: Receive) -> _Job:
        settings, limits = self._settings, self._context.limits
        body = await read_body(scope, receive, limits=limits)
        session = self._session(scope)
        named = idempotency_key(scope, body, chat=session)
        asked = parse(
            body,
            limits=limits,
            channel=settings.channel,
            unknown_fields=settings.unknown_fields,
            own_tools=_ASKING if settings.requests_as == "tool_calls" else (),
        )
        self._check_tools(asked)
        continues = session is not None
        admitted = apply_policy(asked, caller_instructions=settings.caller_instructions, continues=continues)
        if session is not None and named is None:
            # What is sent again under a key is answered with what was said, whatever has been answered since.
            await self._check_results(asked, session)
        decided = await self._decided(asked.decisions, session)
        fields = self._fields(asked, remembers=continues)
        request = self._request(asked, admitted, decided, session, fields["showing"].completion_id)
        headers = [(b"x-ignored-parameters", admitted.header.encode())] if admitted.header else []
        return _Job(asked, request, fields, named, session, headers)

    def _check_tools(self, asked: ChatRequest) -> None:
        if asked.client_tools:
            if not self._context.accepts_options:
                raise InvalidRequest("This agent takes no tools from its callers. Leave 'tools' out.", param="tools")
            refuse_clashes(asked.client_tools, tool_names(self._context.target), place=NAME_PLACE)

    def _session(self, scope: Scope) -> str | None:
        header = self._settings.session_header
        name = session_name(scope, header) if header is not None else None
        if name is None:
            return None
        return session_key(name, channel=self._settings.channel, principal=self._context.principal)

    async def _check_results(self, asked: ChatRequest, session: str) -> None:
        settings = self._settings
        # A hook may choose another conversation; a workflow, which takes no options, knows itself what it waits for.
        if not asked.answered or settings.run_hook is not None or not self._context.accepts_options:
            return
        newest = await self._context.records.newest(session)
        if newest is None or newest.record is not None:
            refuse_strange_results(asked.answered, None if newest is None else newest.record)

    async def _decided(self, decisions: Mapping[str, Decision], session: str | None) -> list[Message]:
        """Return what people have decided as one message to the agent; its own answers to what this server asked."""
        # Without a conversation, only a hook could choose the one in which the request waits.
        remembers = session is not None or self._settings.run_hook is not None
        contents: list[Any] = []
        for call_id, decision in decisions.items():
            record = await self._record(completion_of(call_id) or "") if remembers else None
            asked = find(record, call_id, session=session)
            if asked is None:
                raise unknown(call_id, decision)
            contents.append(answer(asked, decision))
        return [Message("user", contents)] if contents else []

    async def _record(self, completion_id: str) -> JSON:
        try:
            return await self._context.read_record(completion_id)
        except UnknownId:
            return None

    def _fields(self, asked: ChatRequest, *, remembers: bool) -> ChatFields:
        settings, target = self._settings, self._context.target
        showing = Showing(
            completion_id=mint("chatcmpl-"),
            client_tools=declared_names(own_tools(target)).union(tool.name for tool in asked.client_tools),
            show_reasoning=settings.show_reasoning,
            # Nobody could answer where nothing is remembered; what a hook chooses, it has to know.
            requests_as_calls=settings.requests_as == "tool_calls" and (remembers or settings.run_hook is not None),
        )
        model = asked.echo["model"] or settings.model_name or model_name(target)
        return ChatFields(created=int(time.time()), model=model, showing=showing, echo=asked.echo)

    def _request(
        self,
        asked: ChatRequest,
        admitted: Admitted,
        decided: list[Message],
        session: str | None,
        completion_id: str,
    ) -> ChannelRequest:
        return ChannelRequest(
            channel=self._settings.channel,
            operation="create",
            input=[*admitted.messages, *decided],
            session=None if session is None else ChannelSession(session, commit_as=completion_id),
            options=admitted.options or None,
            metadata=asked.echo.get("metadata") or {},
            attributes={"completion_id": completion_id, "requested_options": asked.requested_options},
            stream=asked.stream,
            identity=asked.identity,
            principal=self._context.principal,
        )

    async def _whole(self, job: _Job) -> dict[str, Any]:
        body: dict[str, Any] = {}

        def seal(result: HostedRunResult[Any]) -> JSON:
            rendered = render(shown_response(result, by="Chat Completions"), **job.fields)
            body.update(rendered.body)
            return sealed(body, rendered.asked, session=job.session)

        await self._context.run(
            job.request,
            run_hook=self._settings.run_hook,
            protocol_request=job.asked.body,
            response_hook=self._settings.response_hook,
            seal=seal,
            idempotency=job.named,
        )
        return body

    async def _stream(self, job: _Job) -> AsyncGenerator[bytes, None]:
        hook = self._settings.response_hook
        machine = ChatMachine(include_usage=job.asked.include_usage, holds_back=hook is not None, **job.fields)

        def seal(result: HostedRunResult[Any]) -> JSON:
            return sealed(*machine.complete(shown_response(result, by="Chat Completions")), session=job.session)

        stream = await self._context.run_stream(
            job.request,
            run_hook=self._settings.run_hook,
            protocol_request=job.asked.body,
            stream_update_hook=self._settings.stream_update_hook,
            response_hook=hook,
            seal=seal,
            idempotency=job.named,
        )
        return tell(machine, stream, ended=partial(_ended, machine))

    def _sent(self, events: AsyncGenerator[bytes, None], *, headers: list[tuple[bytes, bytes]]) -> EventStream:
        context = self._context
        return EventStream(events, limits=context.limits, buffers=context.buffers, headers=headers)


def _ended(machine: ChatMachine, error: Exception) -> bytes:
    """Return the last event of a stream that did not finish."""
    if isinstance(error, ResponseTooLarge):
        return machine.cut()
    return machine.fail(error_response.body(describe(error)))


async def _again(events: bytes) -> AsyncGenerator[bytes, None]:
    yield events
