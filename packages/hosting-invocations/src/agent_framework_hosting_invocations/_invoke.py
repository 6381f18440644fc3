"""`POST /invocations`: from the request's bytes to the answer's."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from agent_framework_hosting.channel import ChannelContext, Replayed
from agent_framework_hosting.errors import InvalidRequest, RunCancelled
from agent_framework_hosting.hooks import ChannelResponseHook, ChannelRunHook, ChannelStreamUpdateHook, settled
from agent_framework_hosting.ids import mint
from agent_framework_hosting.isolation import get_current_isolation_keys
from agent_framework_hosting.parsing.agent_tools import declared_names, own_tools
from agent_framework_hosting.rendering.text import to_json
from agent_framework_hosting.types import JSON, ChannelRequest, HostedRunResult, IdempotencyKey
from agent_framework_hosting.web.body import read_body
from agent_framework_hosting.web.endpoint import send_json
from agent_framework_hosting.web.events import EventStream
from agent_framework_hosting.web.idempotency import REPLAYED, idempotency_key
from agent_framework_hosting.web.telling import tell
from agent_framework_hosting.web.watch import run_while_connected
from agent_framework_hosting.workflows import shown

from ._inbound.request import InvocationRequest, read_request
from ._inbound.target_input import TargetInput
from ._outbound.machine import Head, InvocationMachine, fold, render
from ._problems import failure_of
from ._sessions import Place, Sessions
from ._waiting import Waiting, body_of, remembered, sealed, waiting_of


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationSettings:
    """How a channel was set up; see `InvocationsChannel`."""

    channel: str
    sessions: Sessions
    run_hook: ChannelRunHook | None
    response_hook: ChannelResponseHook | None
    stream_update_hook: ChannelStreamUpdateHook | None


class InputReader:
    """Reads what the target takes; what a factory makes is known once the host has started."""

    def __init__(self, context: ChannelContext) -> None:
        self._context = context
        self._reader: TargetInput | None = None

    @property
    def current(self) -> TargetInput:
        """The reader for the target as it is now."""
        target = self._context.target
        if self._reader is None or self._reader.target is not target:
            self._reader = TargetInput(target)
        return self._reader


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One request on its way to the target, and what its answer begins with."""

    request: ChannelRequest
    asked: InvocationRequest
    head: Head
    refusal: InvalidRequest | None
    is_first: bool
    named: IdempotencyKey | None


class Invoke:
    """Answers invocations."""

    def __init__(self, context: ChannelContext, settings: InvocationSettings, reader: InputReader) -> None:
        self._context = context
        self._settings = settings
        self._reader = reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *, request_id: bytes) -> None:
        """Answer one request."""
        body = await read_body(scope, receive, limits=self._context.limits)
        headers = _headers(scope)
        named = idempotency_key(scope, _all_that_counts(body, headers))
        asked = read_request(body, headers=headers, limits=self._context.limits)
        place = await self._settings.sessions.find(asked.session_id, self._context, at=asked.session_at)
        where = _session(place.session_id)
        try:
            run = self._run(asked, place, named)
            if asked.stream:
                events = await run_while_connected(self._stream(run), receive)
                told = [(b"x-request-id", request_id), *where]
                await self._send_events(events, (scope, receive, send), told=told)
            else:
                whole = await run_while_connected(self._whole(run), receive)
                await send_json(send, 200, to_json(whole), request_id=request_id, headers=where)
        except Replayed as replayed:
            await self._send_again(body_of(replayed.record), asked, (scope, receive, send), request_id=request_id)
        except InvalidRequest as refusal:
            # The target's own refusals know no fields.
            refusal.param = refusal.param or ("responses" if asked.replies else "input")
            raise

    def _run(self, asked: InvocationRequest, place: Place, named: IdempotencyKey | None) -> _Run:
        settings, context = self._settings, self._context
        invocation_id = mint("inv_")
        value, refusal = self._input(asked, waiting_of(place.record))
        request = ChannelRequest(
            channel=settings.channel,
            operation="invoke",
            input=value,
            session=place.session,
            metadata=asked.metadata,
            attributes={"invocation_id": invocation_id, "session_id": place.session_id},
            stream=asked.stream,
            principal=context.principal,
        )
        head = Head(
            id=invocation_id,
            session_id=place.session_id,
            client_tools=declared_names(own_tools(self._reader.current.target)),
        )
        is_first = place.record is None
        return _Run(request=request, asked=asked, head=head, refusal=refusal, is_first=is_first, named=named)

    def _input(self, asked: InvocationRequest, waiting: tuple[Waiting, ...]) -> tuple[Any, InvalidRequest | None]:
        """Return what the target gets; what does not fit stays as it is while a run hook may yet shape it."""
        try:
            return self._reader.current.read(asked, waiting=waiting), None
        except InvalidRequest as refusal:
            if self._settings.run_hook is None or asked.replies:
                raise
            return asked.input, refusal

    def _run_hook(self, run: _Run) -> ChannelRunHook | None:
        hook, refusal = self._settings.run_hook, run.refusal
        if hook is None or refusal is None:
            return hook

        async def shape(request: ChannelRequest, /, *, target: Any, protocol_request: Any) -> ChannelRequest:
            hooked: Any = await settled(hook(request, target=target, protocol_request=protocol_request))
            if isinstance(hooked, ChannelRequest) and hooked.input is request.input:
                # A hook that only looks makes nothing fit.
                raise refusal
            return hooked

        return shape

    async def _whole(self, run: _Run) -> dict[str, Any]:
        body: dict[str, Any] = {}

        def seal(result: HostedRunResult[Any]) -> JSON:
            rendered = render(shown(result, by="Invocations"), **run.head)
            body.update(rendered.body)
            return sealed(body, waiting=_open(result, run, rendered.waiting))

        await self._context.run(
            run.request,
            run_hook=self._run_hook(run),
            protocol_request=run.asked.body,
            response_hook=self._settings.response_hook,
            seal=seal,
            idempotency=run.named,
        )
        return body

    async def _stream(self, run: _Run) -> AsyncGenerator[bytes, None]:
        machine, endings = InvocationMachine(**run.head), list[bytes]()
        hook = self._settings.response_hook

        def seal(result: HostedRunResult[Any]) -> JSON:
            body = machine.complete(shown(result, by="Invocations"), override=hook is not None)
            return sealed(body, waiting=_open(result, run, machine.waiting))

        def seal_unfinished(error: Exception) -> JSON:
            endings.append(_ended(machine, error))
            return machine.body

        stream = await self._context.run_stream(
            run.request,
            run_hook=self._run_hook(run),
            protocol_request=run.asked.body,
            stream_update_hook=self._settings.stream_update_hook,
            response_hook=hook,
            seal=seal,
            # The session has to be there that the caller is told of; one that is there keeps its last turn's record.
            seal_unfinished=seal_unfinished if run.is_first else None,
            idempotency=run.named,
        )
        # The end of an answer that did not finish may have been stored already.
        return tell(machine, stream, ended=lambda error: endings[0] if endings else _ended(machine, error))

    async def _send_again(
        self,
        body: dict[str, Any],
        asked: InvocationRequest,
        asgi: tuple[Scope, Receive, Send],
        *,
        request_id: bytes,
    ) -> None:
        again = [*_session(body["session_id"]), REPLAYED]
        if asked.stream:
            await self._send_events(_again(body), asgi, told=[(b"x-request-id", request_id), *again])
        else:
            await send_json(asgi[2], 200, to_json(body), request_id=request_id, headers=again)

    async def _send_events(
        self, events: AsyncGenerator[bytes, None], asgi: tuple[Scope, Receive, Send], *, told: list[tuple[bytes, bytes]]
    ) -> None:
        context = self._context
        answer = EventStream(events, limits=context.limits, buffers=context.buffers, headers=told)
        await answer(*asgi)


def _session(session_id: str | None) -> list[tuple[bytes, bytes]]:
    return [] if session_id is None else [(b"x-session-id", session_id.encode())]


def _headers(scope: Scope) -> Mapping[str, str]:
    joined: dict[str, str] = {}
    for name, value in scope["headers"]:
        known, said = name.decode("latin-1"), value.decode("latin-1")
        # Sent twice, a header is a list: of two sessions none is gone on with.
        joined[known] = f"{joined[known]}, {said}" if known in joined else said
    return joined


def _all_that_counts(body: bytes, headers: Mapping[str, str]) -> bytes:
    """Return what makes two requests the same one."""
    keys = get_current_isolation_keys()
    beside = [headers.get(name) for name in ("content-type", "accept", "x-session-id")]
    return msgspec.json.encode([*beside, keys.chat_key if keys is not None else None]) + body


def _open(result: HostedRunResult[Any], run: _Run, asked: list[Waiting]) -> tuple[Waiting, ...]:
    answered = [reply.request_id for reply in run.asked.replies]
    return remembered(result.session, asked=asked, answered=answered)


def _ended(machine: InvocationMachine, error: Exception) -> bytes:
    failure = failure_of(error)
    return machine.cancel(failure) if isinstance(error, RunCancelled) else machine.fail(failure)


async def _again(body: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
    yield fold(body)
