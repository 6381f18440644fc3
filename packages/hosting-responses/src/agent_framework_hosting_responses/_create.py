"""`POST /responses`: from the request's bytes to the answer's."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, cast

import msgspec
from agent_framework import AgentResponse, WorkflowRunResult
from starlette.types import Receive, Scope, Send

from agent_framework_hosting.channel import ChannelContext, HostedStream, Replayed
from agent_framework_hosting.errors import (
    HookError,
    InvalidRequest,
    ResponseTooLarge,
    RunCancelled,
    RunError,
    UnknownId,
    UnknownParent,
)
from agent_framework_hosting.hooks import ChannelResponseHook, ChannelRunHook, ChannelStreamUpdateHook
from agent_framework_hosting.isolation import get_current_isolation_keys
from agent_framework_hosting.parsing.agent_tools import asking_names, declared_names, refuse_clashes, tool_names
from agent_framework_hosting.parsing.body import decode
from agent_framework_hosting.parsing.policy import Admitted, CallerInstructions
from agent_framework_hosting.parsing.refusals import shown
from agent_framework_hosting.types import JSON, ChannelRequest, ChannelSession, HostedRunResult, IdempotencyKey
from agent_framework_hosting.web.body import read_body
from agent_framework_hosting.web.endpoint import send_json
from agent_framework_hosting.web.errors import describe
from agent_framework_hosting.web.events import EventStream
from agent_framework_hosting.web.idempotency import REPLAYED, idempotency_key
from agent_framework_hosting.web.models import model_name
from agent_framework_hosting.web.watch import run_while_connected
from agent_framework_hosting.workflows import as_agent_response

from ._errors import failure_code
from ._inbound.decisions import settle
from ._inbound.history import Decision
from ._inbound.open_calls import calls_of, check_answers
from ._inbound.policy import apply_policy
from ._inbound.request import ResponsesRequest, read_request
from ._item_ids import response_id_of
from ._outbound.fold import fold
from ._outbound.machine import ResponseFields, ResponseMachine, render
from ._references import find_referenced
from ._waiting import Waiting, body_of, chat_of, is_of_another_channel, sealed, waiting_of

_CUT: Final = "max_output_tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreationSettings:
    """How a channel was set up; see `ResponsesChannel`."""

    channel: str
    run_hook: ChannelRunHook | None
    response_hook: ChannelResponseHook | None
    stream_update_hook: ChannelStreamUpdateHook | None
    response_id_factory: Callable[[str | None], str]
    caller_instructions: CallerInstructions
    show_tool_calls: bool


class Creation:
    """Creates responses."""

    def __init__(self, context: ChannelContext, settings: CreationSettings) -> None:
        self._context = context
        self._settings = settings

    @property
    def _label(self) -> str:
        return model_name(self._context.target)

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *, request_id: bytes) -> None:
        """Answer one request."""
        body = await read_body(scope, receive, limits=self._context.limits)
        named = idempotency_key(scope, body, chat=_chat_key())
        asked = await self._read(body)
        admitted = apply_policy(asked, caller_instructions=self._settings.caller_instructions)
        waiting = await self._check(asked)
        fields = self._fields(asked, admitted, waiting)
        request = self._request(asked, admitted, response_id=fields["response_id"])
        headers = [(b"x-request-id", request_id)]
        ignored = [(b"x-ignored-parameters", admitted.header.encode())] if admitted.header else []
        try:
            if asked.stream:
                stream = self._stream(request, asked, fields, named)
                answer = self._sent(await run_while_connected(stream, receive), headers=[*headers, *ignored])
                await answer(scope, receive, send)
            else:
                whole = await run_while_connected(self._whole(request, asked, fields, named), receive)
                await send_json(send, 200, msgspec.json.encode(whole), request_id=request_id, headers=ignored)
        except Replayed as replayed:
            before = body_of(replayed.record)
            if asked.stream:
                answer = self._sent(_again(before), headers=[*headers, REPLAYED])
                await answer(scope, receive, send)
            else:
                await send_json(send, 200, msgspec.json.encode(before), request_id=request_id, headers=[REPLAYED])

    async def _read(self, body: bytes) -> ResponsesRequest:
        limits = self._context.limits
        decoded = decode(body, max_depth=limits.max_json_depth)
        referenced = await find_referenced(decoded, self._context.read_records, max_items=limits.max_input_items)
        return read_request(decoded, limits=limits, channel=self._settings.channel, referenced=referenced)

    async def _check(self, asked: ResponsesRequest) -> tuple[Waiting, ...]:
        """Check the request against what it continues; return what that has left waiting."""
        if asked.client_tools:
            if not self._context.accepts_options:
                raise InvalidRequest("This agent takes no tools from its callers. Leave 'tools' out.", param="tools")
            refuse_clashes(asked.client_tools, tool_names(self._context.target))
        previous = asked.previous_response_id
        record = None if previous is None else await self._record(previous)
        if record is not None:
            check_answers(asked, calls_of(record))
            return settle(asked.decisions, waiting_of(record))
        # A session that a platform or a hook names may hold any calls.
        if self._settings.run_hook is None and _chat_key() is None:
            check_answers(asked, [])
        return settle(asked.decisions, await self._asked_for(asked.decisions))

    async def _record(self, previous: str) -> JSON:
        with suppress(UnknownId):
            record = await self._context.read_record(previous)
            if not is_of_another_channel(record):
                return record
        # A run hook may yet choose another conversation, and then the id is not even looked at.
        if self._settings.run_hook is not None:
            return None
        raise UnknownParent(f"Previous response with id '{shown(previous)}' not found.")

    async def _asked_for(self, decisions: Mapping[str, Decision]) -> list[Waiting]:
        """Return what the responses that asked have left waiting, found by the ids of their requests.

        That is for the chat of a platform, which names no response. A hook may choose any session; there Agent
        Framework has the last word.
        """
        waiting: dict[Waiting, None] = {}
        chat, is_hooked = _chat_key(), self._settings.run_hook is not None
        if chat is None and not is_hooked:
            return []
        asking = list(dict.fromkeys(name for request in decisions for name in response_id_of(request)))
        records: Mapping[str, JSON] = await self._context.read_records(asking) if asking else {}
        for record in records.values():
            if is_hooked or chat_of(record) == chat:
                waiting |= dict.fromkeys(waiting_of(record))
        return list(waiting)

    def _fields(self, asked: ResponsesRequest, admitted: Admitted, waiting: tuple[Waiting, ...]) -> ResponseFields:
        previous, included = asked.previous_response_id, frozenset(asked.requested_options.get("include", ()))
        return ResponseFields(
            response_id=self._minted_id(previous),
            created_at=int(time.time()),
            model=asked.echo.get("model") or self._label,
            previous_response_id=previous,
            # What the agent never got is not claimed to have been its instructions.
            echo={**asked.echo, "instructions": admitted.options.get("instructions")},
            client_tools=declared_names(self._context.target).union(tool.name for tool in asked.client_tools),
            custom_tools=asked.custom_tools,
            approval_tools=asking_names(self._context.target),
            server_label=self._label,
            show_tool_calls=self._settings.show_tool_calls,
            encrypted_reasoning="reasoning.encrypted_content" in included,
            include=included,
            waiting=waiting,
        )

    def _minted_id(self, previous: str | None) -> str:
        minted: Any = self._settings.response_id_factory(previous)
        if not isinstance(minted, str) or not minted.isprintable() or not minted:
            raise HookError(
                f"The response_id_factory returned {minted!r}; it must return the new id as text that can be printed."
            )
        return minted

    def _request(self, asked: ResponsesRequest, admitted: Admitted, *, response_id: str) -> ChannelRequest:
        attributes: dict[str, Any] = {"response_id": response_id, "requested_options": asked.requested_options}
        if asked.previous_response_id is not None:
            attributes["previous_response_id"] = asked.previous_response_id
        return ChannelRequest(
            channel=self._settings.channel,
            operation="create",
            input=admitted.messages,
            session=_session(asked, response_id),
            options=admitted.options or None,
            metadata=asked.echo.get("metadata") or {},
            attributes=attributes,
            stream=asked.stream,
            identity=asked.identity,
            principal=self._context.principal,
        )

    async def _whole(
        self,
        request: ChannelRequest,
        asked: ResponsesRequest,
        fields: ResponseFields,
        named: IdempotencyKey | None,
    ) -> dict[str, Any]:
        body: dict[str, Any] = {}
        chat = _chat_key()

        def seal(result: HostedRunResult[Any]) -> JSON:
            rendered = render(_answer(result), completed_at=int(time.time()), **fields)
            body.update(rendered.body)
            return sealed(body, waiting=rendered.waiting, chat=chat)

        await self._context.run(
            request,
            run_hook=self._settings.run_hook,
            protocol_request=asked.body,
            response_hook=self._settings.response_hook,
            seal=seal,
            idempotency=named,
        )
        return body

    async def _stream(
        self,
        request: ChannelRequest,
        asked: ResponsesRequest,
        fields: ResponseFields,
        named: IdempotencyKey | None,
    ) -> AsyncGenerator[bytes, None]:
        machine, endings = ResponseMachine(**fields), list[bytes]()
        hook, chat = self._settings.response_hook, _chat_key()

        def seal(result: HostedRunResult[Any]) -> JSON:
            body = machine.complete(_answer(result), completed_at=int(time.time()), override=hook is not None)
            return sealed(body, waiting=machine.waiting, chat=chat)

        def seal_unfinished(error: Exception) -> JSON:
            endings.append(_ended(machine, error))
            return machine.body

        stream = await self._context.run_stream(
            request,
            run_hook=self._settings.run_hook,
            protocol_request=asked.body,
            stream_update_hook=self._settings.stream_update_hook,
            response_hook=hook,
            seal=seal,
            seal_unfinished=seal_unfinished,
            idempotency=named,
        )
        return _events(machine, stream, endings)

    def _sent(self, events: AsyncGenerator[bytes, None], *, headers: list[tuple[bytes, bytes]]) -> EventStream:
        context = self._context
        return EventStream(events, limits=context.limits, buffers=context.buffers, headers=headers)


def _answer(result: HostedRunResult[Any]) -> AgentResponse[Any]:
    """Return what is to be shown, or say who has to mend it: this is where hooks and agents come in untyped."""
    answer = result.result
    if isinstance(answer, WorkflowRunResult):
        return as_agent_response(answer)
    if not isinstance(answer, AgentResponse):
        raise RunError(
            f"The Responses channel can show an AgentResponse or a WorkflowRunResult, not {type(answer).__name__}. "
            "Look at what the response hook, or else the agent's run(), returns."
        )
    return cast("AgentResponse[Any]", answer)


async def _events(machine: ResponseMachine, stream: HostedStream, endings: list[bytes]) -> AsyncGenerator[bytes, None]:
    """Yield a stream's events; `endings` holds the end of one that did not finish, when that was stored already."""
    ending = b""
    try:
        yield machine.start()
        async for update in stream:
            data = machine.feed(update)
            if data:
                yield data
        ending = machine.closing()
        yield ending
    except Exception as error:  # noqa: BLE001 - the answer has begun, so every failure must become its last event
        # When it was the ending that found no room, its turn is committed: the client has to hear of it all the same.
        yield ending or (endings[0] if endings else _ended(machine, error))
    finally:
        await stream.aclose()


def _ended(machine: ResponseMachine, error: Exception) -> bytes:
    """Return the last event of a stream that did not finish."""
    if isinstance(error, RunCancelled):
        # Of the reasons that the protocol knows, this one says best that there would have been more.
        drained = error.reason == "drained"
        return machine.cancel(status="incomplete", reason=_CUT) if drained else machine.cancel()
    if isinstance(error, ResponseTooLarge):
        return machine.cancel(status="incomplete", reason=_CUT)
    description = describe(error)
    return machine.fail(failure_code(description), description.message)


async def _again(body: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
    yield fold(body)


def _session(asked: ResponsesRequest, response_id: str) -> ChannelSession:
    commit_as = response_id if asked.store else None
    if asked.previous_response_id is not None:
        return ChannelSession(parent=asked.previous_response_id, commit_as=commit_as)
    return ChannelSession(_chat_key(), commit_as=commit_as)


def _chat_key() -> str | None:
    keys = get_current_isolation_keys()
    return keys.chat_key if keys else None
