"""Turns of the Responses API, whichever way they came in: read, run, and folded into what is stored."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from agent_framework_hosting.channel import ChannelContext
from agent_framework_hosting.errors import HookError, ResponseTooLarge, RunCancelled
from agent_framework_hosting.parsing.agent_tools import asking_names, declared_names
from agent_framework_hosting.parsing.checks import is_list
from agent_framework_hosting.parsing.policy import Admitted
from agent_framework_hosting.types import JSON, BeginTurn, ChannelRequest, HostedRunResult, IdempotencyKey
from agent_framework_hosting.web.errors import describe
from agent_framework_hosting.web.models import model_name
from agent_framework_hosting.web.telling import tell
from agent_framework_hosting.workflows import shown_response

from ._continuation import Continuation, chat_key, is_kept, session_of
from ._conversation import Conversations
from ._errors import failure_of
from ._inbound.input import Referenced
from ._inbound.listing import listed
from ._inbound.policy import apply_policy
from ._inbound.request import ResponsesRequest, read_request
from ._outbound.machine import ResponseFields, ResponseMachine, render
from ._outbound.tape import Tape
from ._record import MOST_WAITING, Private, sealed
from ._references import find_referenced
from ._settings import CreationSettings
from ._waiting import Waiting

_CUT: Final = "max_output_tokens"
_NOTHING_REFERENCED: Final[Referenced] = {}


class Exchange(msgspec.Struct, kw_only=True):
    """One request and what becomes of it.

    Args:
        asked: The request.
        fields: What its response knows about itself.
        named: The idempotency key.
        input: The items that it answers, as they are listed later; empty when nothing is kept.
        taken: The number of the last item of its conversation that this turn, or one before, has read.
        reads: Whether it reads any itself.
        first: The sequence number of its first event.
        key: The idempotency key under which it was accepted, when it runs in the background.
        remains: The record of a turn that did not finish, once it has ended.
        is_apart: Whether one connection alone can ask for its record.
    """

    asked: ResponsesRequest
    fields: ResponseFields
    named: IdempotencyKey | None
    input: list[dict[str, Any]]
    taken: int = 0
    reads: bool = False
    first: int = 0
    key: str | None = None
    remains: JSON = None
    is_apart: bool = False

    @property
    def is_kept(self) -> bool:
        """Whether anybody can ask for its record."""
        return is_kept(self.asked) or self.is_apart or self.named is not None

    def private(
        self, *, waiting: Sequence[Waiting] = (), tape: Tape | None = None, unfinished: bool = False
    ) -> Private:
        """Return what its record holds beside the body."""
        return Private(
            waiting=waiting[-MOST_WAITING:],
            chat=chat_key() if waiting else None,
            input=self.input,
            tape=tape,
            taken=self.taken,
            first=self.first,
            key=self.key,
            unfinished=unfinished,
        )


class Minted(NamedTuple):
    """What a response that was accepted is called, and when that was."""

    response_id: str
    created_at: int


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was read, and may be run once.

    Args:
        asked: What it asks for.
        request: The same for the host.
        exchange: What becomes of it.
        ignored: What a policy dropped of it, for a header; empty when nothing was.
    """

    asked: ResponsesRequest
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
        self._conversations = Conversations(context)

    @property
    def channel(self) -> str:
        """What the channel is called."""
        return self._settings.channel

    @property
    def _label(self) -> str:
        return model_name(self._context.target)

    async def read(self, decoded: Any, *, named: IdempotencyKey | None, minted: Minted | None = None) -> Turn:
        """Return what a decoded body asks for; whatever is wrong with it is raised here, before anything runs.

        Args:
            decoded: The body.
            named: The idempotency key.
            minted: What its response is called already, when it was accepted before.
        """
        limits, referenced = self._context.limits, _NOTHING_REFERENCED
        if is_list(decoded.get("input")):
            referenced = await find_referenced(decoded, self._context.read_records, max_items=limits.max_input_items)
        asked = read_request(decoded, limits=limits, channel=self._settings.channel, referenced=referenced)
        admitted = apply_policy(asked, caller_instructions=self._settings.caller_instructions)
        waiting = await self._continuation.check(asked)
        minted = minted or Minted(self._minted_id(asked.previous_response_id), int(time.time()))
        fields = self._fields(asked, admitted, waiting, minted)
        exchange = _exchange(asked, fields, referenced, named, is_apart=self._is_apart)
        request = self._request(asked, admitted, response_id=exchange.fields["response_id"])
        return Turn(asked=asked, request=request, exchange=exchange, ignored=admitted.header or "")

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
        included = frozenset(asked.requested_options.get("include", ()))
        target, name = self._context.target, self._label
        client_tools = declared_names(target)
        if asked.client_tools:
            client_tools = client_tools.union(tool.name for tool in asked.client_tools)
        return ResponseFields(
            response_id=minted.response_id,
            created_at=minted.created_at,
            model=asked.echo["model"] or name,
            previous_response_id=asked.previous_response_id,
            # What the agent never got is not claimed to have been its instructions.
            echo=_echo(asked.echo, instructions=admitted.options.get("instructions")),
            client_tools=client_tools,
            custom_tools=asked.custom_tools,
            forbidden_tools=asked.forbidden_tools,
            approval_tools=asking_names(target),
            server_label=name,
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
        if asked.conversation is not None:
            attributes["conversation"] = asked.conversation
        return ChannelRequest(
            channel=self._settings.channel,
            operation="create",
            input=admitted.messages,
            session=session_of(asked, response_id, is_apart=self._is_apart),
            options=admitted.options or None,
            # A run hook may add to it what no response could show.
            metadata={**asked.echo["metadata"]},
            attributes=attributes,
            # In the background the updates are taken down as they come, whether or not anybody reads them.
            stream=asked.stream or asked.background,
            identity=asked.identity,
            principal=self._context.principal,
        )

    def _begin(self, exchange: Exchange, machine: ResponseMachine | None = None) -> BeginTurn | None:
        """Return what has to be done once the session is this turn's alone: a conversation may have moved on."""
        if exchange.asked.conversation is None:
            return None

        async def begin(request: ChannelRequest) -> ChannelRequest:
            begun = await self._continuation.begin(exchange.asked, request)
            exchange.fields["waiting"] = begun.waiting
            if machine is not None:
                machine.expect(begun.waiting)
            exchange.input = [*begun.items, *exchange.input]
            exchange.taken, exchange.reads = begun.taken, bool(begun.items)
            return begun.request

        return begin

    async def _drop_read(self, exchange: Exchange) -> None:
        if exchange.asked.conversation is not None and exchange.reads:
            await self._conversations.drop_read(exchange.asked.conversation, until=exchange.taken)

    async def whole(self, turn: Turn) -> bytes:
        """Run it to its end, and return the response as JSON."""
        exchange, body = turn.exchange, b""

        def seal(result: HostedRunResult[Any]) -> JSON:
            nonlocal body
            rendered = render(shown_response(result, by="Responses"), completed_at=int(time.time()), **exchange.fields)
            body = msgspec.json.encode(rendered.body)
            return sealed(rendered.body, exchange.private(waiting=rendered.waiting))

        await self._context.run(
            turn.request,
            run_hook=self._settings.run_hook,
            protocol_request=exchange.asked.body,
            response_hook=self._settings.response_hook,
            seal=seal,
            begin=self._begin(exchange),
            idempotency=exchange.named,
        )
        await self._drop_read(exchange)
        return body

    def prepared(self, turn: Turn) -> bytes:
        """Return the events of a turn that says nothing: the agent is not run."""
        machine = ResponseMachine(**turn.exchange.fields)
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
        exchange = turn.exchange
        machine = ResponseMachine(first=exchange.first, is_queued=is_queued, **exchange.fields)
        endings, is_void = list[bytes](), is_to_try_again or _never
        hook = self._settings.response_hook

        def seal(result: HostedRunResult[Any]) -> JSON:
            body = machine.complete(
                shown_response(result, by="Responses"),
                completed_at=int(time.time()),
                override=hook is not None,
            )
            tape = machine.tape if exchange.is_kept else None
            return sealed(body, exchange.private(waiting=machine.waiting, tape=tape))

        def seal_unfinished(error: Exception) -> JSON:
            if not machine.is_ended and is_void(error):
                return None
            endings.append(_ended(machine, error))
            tape = machine.tape if exchange.is_kept else None
            exchange.remains = sealed(machine.body or {}, exchange.private(tape=tape, unfinished=True))
            return exchange.remains

        def ended(error: Exception) -> bytes:
            if not machine.is_ended and is_void(error):
                raise error
            return endings[0] if endings else _ended(machine, error)

        stream = await self._context.run_stream(
            turn.request,
            run_hook=self._settings.run_hook,
            protocol_request=exchange.asked.body,
            stream_update_hook=self._settings.stream_update_hook,
            response_hook=hook,
            seal=seal,
            seal_unfinished=seal_unfinished,
            begin=self._begin(exchange, machine),
            idempotency=exchange.named,
        )
        return tell(machine, stream, ended=ended, on_commit=partial(self._drop_read, exchange))


def _echo(echo: dict[str, Any], *, instructions: object) -> dict[str, Any]:
    # Mostly there are none, and nothing to copy.
    return echo if echo["instructions"] == instructions else {**echo, "instructions": instructions}


def _exchange(
    asked: ResponsesRequest,
    fields: ResponseFields,
    referenced: Referenced,
    named: IdempotencyKey | None,
    *,
    is_apart: bool,
) -> Exchange:
    items: list[dict[str, Any]] = []
    if is_kept(asked) or is_apart:
        items = listed(
            asked.body.get("input"),
            response_id=fields["response_id"],
            referenced=referenced,
            keeps_ids=asked.conversation is None,
        )
    return Exchange(asked=asked, fields=fields, named=named, input=items, is_apart=is_apart)


def _never(_: Exception) -> bool:
    return False


def _ended(machine: ResponseMachine, error: Exception) -> bytes:
    """Return the last event of a stream that did not finish."""
    if isinstance(error, RunCancelled):
        # Of the reasons that the protocol knows, this one says best that there would have been more.
        drained = error.reason == "drained"
        return machine.cancel(status="incomplete", reason=_CUT) if drained else machine.cancel()
    if isinstance(error, ResponseTooLarge):
        return machine.cancel(status="incomplete", reason=_CUT)
    return machine.fail(*failure_of(describe(error)))
