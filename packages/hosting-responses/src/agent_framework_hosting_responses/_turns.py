"""Turns of the Responses API, whichever way they came in: read, run, and folded into what is stored."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from agent_framework_hosting.errors import HookError
from agent_framework_hosting.ids import mint
from agent_framework_hosting.parsing.agent_tools import asking_names, declared_names, own_tools
from agent_framework_hosting.parsing.checks import is_list
from agent_framework_hosting.parsing.policy import Admitted
from agent_framework_hosting.types import JSON, BeginTurn, ChannelRequest, HostedRunResult, IdempotencyKey
from agent_framework_hosting.web.models import model_name
from agent_framework_hosting.web.telling import tell
from agent_framework_hosting.workflows import shown_response

from ._continuation import Continuation, is_kept, session_of
from ._exchange import Exchange, Streamed
from ._inbound.input import Referenced, reference_of
from ._inbound.listing import listed
from ._inbound.policy import apply_policy
from ._inbound.request import ResponsesRequest, read_request
from ._outbound.machine import ResponseMachine, render
from ._outbound.showing import ResponseFields
from ._record import sealed
from ._settings import CreationSettings
from ._waiting import Waiting

if TYPE_CHECKING:
    from agent_framework_hosting.channel import ChannelContext

_NOTHING_REFERENCED: Final[Referenced] = {}
_NO_METADATA: Final[Mapping[str, str]] = {}
_NO_NAMES: Final[frozenset[str]] = frozenset()


class Minted(msgspec.Struct, frozen=True):
    """What a response that was accepted is called, and when that was."""

    response_id: str
    created_at: int


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was read, and may be run once.

    Args:
        asked: What it asks for.
        fields: What its response knows about itself.
        request: The same for the host.
        exchange: What becomes of it.
        ignored: What a policy dropped of it, for a header; empty when nothing was.
    """

    asked: ResponsesRequest
    fields: ResponseFields
    request: ChannelRequest
    exchange: Exchange
    ignored: str


class Turns:
    """Reads requests and runs them.

    Args:
        context: The host's, or that of one connection.
        settings: How the channel was set up.
        is_apart: Whether the context is a connection's, where everything has an id that can be continued.
    """

    def __init__(self, context: ChannelContext, settings: CreationSettings, *, is_apart: bool = False) -> None:
        self._context = context
        self._settings = settings
        self._is_apart = is_apart
        self._continuation = Continuation(context, settings)

    @property
    def channel(self) -> str:
        """What the channel is called."""
        return self._settings.channel

    async def read(self, decoded: Any, *, named: IdempotencyKey | None, minted: Minted | None = None) -> Turn:
        """Return what a decoded body asks for; whatever is wrong with it is raised here, before anything runs.

        Args:
            decoded: The body.
            named: The idempotency key.
            minted: What its response is called already, when it was accepted before.
        """
        limits, referenced = self._context.limits, _NOTHING_REFERENCED
        given = decoded.get("input")
        if is_list(given) and any(reference_of(item) is not None for item in given):
            from ._references import find_referenced

            referenced = await find_referenced(decoded, self._context.read_records, max_items=limits.max_input_items)
        asked = read_request(decoded, limits=limits, channel=self._settings.channel, referenced=referenced)
        admitted = apply_policy(asked, caller_instructions=self._settings.caller_instructions)
        waiting = await self._continuation.check(asked)
        minted = minted or Minted(self._minted_id(asked.previous_response_id), int(time.time()))
        fields = self._fields(asked, admitted, waiting, minted)
        exchange = _exchange(asked, minted.response_id, referenced, named, is_apart=self._is_apart)
        request = self._request(asked, admitted, response_id=minted.response_id)
        return Turn(asked=asked, fields=fields, request=request, exchange=exchange, ignored=admitted.header or "")

    async def check(self, turn: Turn) -> None:
        """Raise what is known by now to be wrong with running a turn later; a run hook may yet change all of it.

        Raises:
            RequestError: It would be refused.
        """
        if self._settings.run_hook is None:
            await self._context.check(turn.request)

    def _fields(
        self, asked: ResponsesRequest, admitted: Admitted, waiting: tuple[Waiting, ...], minted: Minted
    ) -> ResponseFields:
        include = asked.requested_options.get("include")
        # Each empty set would be an object of its own.
        included: frozenset[str] = frozenset(include) if include else _NO_NAMES
        target, echo = self._context.target, asked.echo
        instructions = admitted.options.get("instructions")
        if echo.get("instructions") != instructions:
            # What the agent never got is not claimed to have been its instructions.
            echo = {**echo, "instructions": instructions}
        name, own = model_name(target), own_tools(target)
        client_tools, approval_tools = _NO_NAMES, _NO_NAMES
        if own:
            client_tools, approval_tools = declared_names(own), asking_names(own)
        if asked.client_tools:
            client_tools = client_tools.union(tool.name for tool in asked.client_tools)
        return ResponseFields(
            response_id=minted.response_id,
            created_at=minted.created_at,
            model=asked.requested_options.get("model") or name,
            previous_response_id=asked.previous_response_id,
            echo=echo,
            client_tools=client_tools,
            custom_tools=asked.custom_tools,
            forbidden_tools=asked.forbidden_tools,
            approval_tools=approval_tools,
            server_label=name,
            show_tool_calls=self._settings.show_tool_calls,
            encrypted_reasoning="reasoning.encrypted_content" in included,
            include=included,
            waiting=waiting,
        )

    def _minted_id(self, previous: str | None) -> str:
        factory = self._settings.response_id_factory
        if factory is None:
            return mint("resp_")
        minted: Any = factory(previous)
        if not isinstance(minted, str) or not minted.isprintable() or not minted:
            raise HookError(
                f"The response_id_factory returned {minted!r}; it must return the new id as text that can be printed."
            )
        return minted

    def _request(self, asked: ResponsesRequest, admitted: Admitted, *, response_id: str) -> ChannelRequest:
        attributes: dict[str, Any] = {"response_id": response_id, "requested_options": asked.requested_options}
        if asked.previous_response_id is not None:
            attributes["previous_response_id"] = asked.previous_response_id
        if asked.conversation is not None:
            attributes["conversation"] = asked.conversation
        return ChannelRequest(
            channel=self._settings.channel,
            operation="create",
            input=admitted.messages,
            session=session_of(asked, response_id, is_apart=self._is_apart),
            options=admitted.options or None,
            # A run hook may add to it what no response could show.
            metadata={**asked.echo.get("metadata", _NO_METADATA)},
            attributes=attributes,
            # In the background the updates are taken down as they come, whether or not anybody reads them.
            stream=asked.stream or asked.background,
            identity=asked.identity,
            principal=self._context.principal,
        )

    def _begin(self, turn: Turn, machine: ResponseMachine | None = None) -> BeginTurn:
        """Return what has to be done once the session is this turn's alone: its conversation may have moved on."""
        asked, fields, exchange = turn.asked, turn.fields, turn.exchange

        async def begin(request: ChannelRequest) -> ChannelRequest:
            begun = await self._continuation.begin(asked, request)
            fields.waiting = begun.waiting
            if machine is not None:
                machine.expect(begun.waiting)
            exchange.items = [*begun.items, *exchange.input]
            exchange.taken, exchange.reads = begun.taken, bool(begun.items)
            return begun.request

        return begin

    async def _drop_read(self, conversation: str, exchange: Exchange) -> None:
        if exchange.reads:
            await self._continuation.conversations.drop_read(conversation, until=exchange.taken)

    async def whole(self, turn: Turn) -> bytes:
        """Run it to its end, and return the response as JSON."""
        asked, fields, exchange, body = turn.asked, turn.fields, turn.exchange, b""

        def seal(result: HostedRunResult[Any]) -> JSON:
            nonlocal body
            rendered = render(shown_response(result, by="Responses"), fields, completed_at=int(time.time()))
            body = rendered.body.json
            return sealed(rendered.body.kept, exchange.private(waiting=rendered.waiting))

        await self._context.run(
            turn.request,
            run_hook=self._settings.run_hook,
            protocol_request=asked.body,
            response_hook=self._settings.response_hook,
            seal=seal,
            begin=None if asked.conversation is None else self._begin(turn),
            idempotency=exchange.named,
        )
        if asked.conversation is not None:
            await self._drop_read(asked.conversation, exchange)
        return body

    def prepared(self, turn: Turn) -> bytes:
        """Return the events of a turn that says nothing: the agent is not run."""
        machine = ResponseMachine(turn.fields)
        machine.complete(completed_at=int(time.time()))
        return machine.closing()

    async def stream(
        self, turn: Turn, *, is_queued: bool = False, is_to_try_again: Callable[[Exception], bool] | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Admit it, and return its events, framed for an event stream; refusals are raised here.

        Args:
            turn: The turn.
            is_queued: Say first that the response waits.
            is_to_try_again: Says of an error that the turn is to be run once more. Then nothing is said or kept of this
                try, and the events end with that error.
        """
        # What waits for as long as the stream lasts holds nothing of the turn but its exchange, and what a conversation
        # needs to `begin`.
        asked, exchange, hook = turn.asked, turn.exchange, self._settings.response_hook
        machine = ResponseMachine(turn.fields, first=exchange.first, is_queued=is_queued)
        streamed = Streamed(exchange, machine, is_overridden=hook is not None, is_to_try_again=is_to_try_again)
        stream = await self._context.run_stream(
            turn.request,
            run_hook=self._settings.run_hook,
            protocol_request=asked.body,
            stream_update_hook=self._settings.stream_update_hook,
            response_hook=hook,
            seal=streamed.seal,
            seal_unfinished=streamed.seal_unfinished,
            begin=None if asked.conversation is None else self._begin(turn, machine),
            idempotency=exchange.named,
        )
        conversation = asked.conversation
        on_commit = partial(self._drop_read, conversation, exchange) if conversation is not None else None
        return tell(machine, stream, ended=streamed.ended, on_commit=on_commit)


def _exchange(
    asked: ResponsesRequest,
    response_id: str,
    referenced: Referenced,
    named: IdempotencyKey | None,
    *,
    is_apart: bool,
) -> Exchange:
    if not (is_apart or is_kept(asked)):
        return Exchange(named=named, is_kept=named is not None)
    given: Any = asked.body.get("input")
    if isinstance(given, str):
        return Exchange(named=named, is_kept=True, response_id=response_id, text=given)
    items = listed(given, response_id=response_id, referenced=referenced, keeps_ids=asked.conversation is None)
    return Exchange(named=named, is_kept=True, items=items)
