"""One message to the agent, from its files to the last word of the answer."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Coroutine, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
from agent_framework import Message

from ..channel import ChannelContext, Replayed, Task, TryAgain
from ..errors import (
    AnsweredAlready,
    IdempotencyConflict,
    LeaseLost,
    LimitReached,
    QueueFull,
    RunCancelled,
    SessionBusy,
    StateUnavailable,
    Unavailable,
)
from ..hooks import ChannelResponseHook, ChannelRunHook, ChannelStreamUpdateHook, refuse_unfit
from ..logs import logger
from ..types import JSON, ChannelRequest, ChannelSession, HostedRunResult, IdempotencyKey
from ..web.errors import describe
from ..workflows import as_agent_response
from . import attachments
from .answer import Answer, contents_of, files_of, text_of
from .asked import Asked, Outdated, last_turn
from .attachments import AttachmentPolicy, AttachmentRefused
from .fitting import fitting
from .incoming import Incoming
from .keys import identity_of
from .outlet import Choice, NotOffered, OutletError
from .phrases import Phrases
from .platform import ChatPlatform
from .questions import Question, prompt, questions_of, reply_to
from .record import Record
from .rendering import Progress, StreamRenderer
from .voice import Voice

_STOPPED: Final = ("interrupted", "cancelled", "closed")
"""Why a run ended that somebody wants no more of."""
_SOON: Final = 1.0
"""Seconds after which it is looked again whether a conversation is free."""
_LONGEST_WAIT: Final = 60.0
"""Seconds for which a message waits until its writer may have more runs or tokens; for longer ones they are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """A channel's hooks; see `agent_framework_hosting.hooks`."""

    run_hook: ChannelRunHook | None = None
    response_hook: ChannelResponseHook | None = None
    stream_update_hook: ChannelStreamUpdateHook | None = None

    def __post_init__(self) -> None:
        refuse_unfit(
            run_hook=self.run_hook, response_hook=self.response_hook, stream_update_hook=self.stream_update_hook
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message whose turn has come: the task that it was kept as, its session, and where it is answered."""

    incoming: Incoming
    task: Task
    key: str
    voice: Voice
    progress: Progress


class _Seal:
    """Folds a finished turn into the record of what is sent."""

    def __init__(
        self, hooks: Hooks, spoken: Answer, *, task: str, session: str, remaining: Sequence[Question] = ()
    ) -> None:
        self.spoken = spoken
        self.record = Record()
        self._task = task
        self._session = session
        self._remaining = remaining
        # What was streamed is what is sent, as the hook left it; a response hook has the last word.
        self._is_rewritten = hooks.stream_update_hook is not None and hooks.response_hook is None

    def __call__(self, result: HostedRunResult[Any]) -> JSON:
        response = as_agent_response(result.result)
        self.record = Record(
            text=self.spoken.text if self._is_rewritten else text_of(response),
            files=files_of(self.spoken.contents if self._is_rewritten else contents_of(response)),
            asked=(*self._remaining, *questions_of(result.result)),
            session=self._session,
            task=self._task,
        )
        return self.record.sealed()


class Turns:
    """Runs messages through the agent and answers them.

    Args:
        context: The host's.
        platform: The channel's.
        phrases: What people are told.
        policy: Which files are taken.
        hooks: The channel's hooks.
        asked: Knows what is open.
    """

    def __init__(
        self,
        context: ChannelContext,
        platform: ChatPlatform,
        *,
        phrases: Phrases,
        policy: AttachmentPolicy,
        hooks: Hooks,
        asked: Asked,
    ) -> None:
        self._context = context
        self._platform = platform
        self._phrases = phrases
        self._policy = replace(policy, max_bytes=min(policy.max_bytes, context.limits.max_request_bytes))
        self._hooks = hooks
        self._asked = asked

    async def answer(self, said: Said) -> None:
        """Answer a message.

        Raises:
            TryAgain: It cannot be answered yet.
            Unavailable: The host cannot run it now.
            OutletError: The answer could not be sent; it is there, and a later try sends what is missing.
        """
        spoken = Answer()
        async with StreamRenderer(said.voice, progress=said.progress) as renderer:
            try:
                async with said.voice.typing():
                    record = await self._run(said, spoken, renderer)
            except asyncio.CancelledError as error:
                await self._leave(said, spoken, renderer, reason=error.args[0] if error.args else None)
                raise
            except AttachmentRefused as refused:
                await said.voice.say(refused.text)
            except Outdated:
                await said.voice.say(self._phrases.outdated)
            except Exception as error:  # noqa: BLE001 - whatever went wrong in the run, people are told something of it
                await self._fail(said, spoken, renderer, error)
            else:
                await self._deliver(said, record, renderer)

    async def _run(self, said: Said, spoken: Answer, renderer: StreamRenderer) -> Record:
        """Return what is to be sent: of this run, or of an earlier one that was not answered."""
        session = await self._context.session_id(said.key)
        last = await self._asked.last(said.key, said.task.principal, session=session)
        if self._asked.is_too_early(last, said.incoming, key=said.key, task=said.task):
            # It is asked again.
            return msgspec.structs.replace(last, text="", files=())
        message = await self._message(said.incoming)
        if last.asked:
            reply = reply_to(last.asked, message, self._phrases)
            remaining = tuple(reply.remaining)
            seal = _Seal(self._hooks, spoken, task=said.task.id, session=session, remaining=remaining)
            try:
                return await self._streamed(said, reply.input, seal, renderer)
            except AnsweredAlready:
                if said.incoming.answers is not None:
                    raise Outdated from None
                # By a turn that did not finish, or from another channel. To insist on it would end the conversation.
                logger.info("What was asked had been answered before; the message goes to the agent as it is.")
        seal = _Seal(self._hooks, spoken, task=said.task.id, session=session)
        return await self._streamed(said, fitting(message, self._context.target), seal, renderer)

    async def _streamed(self, said: Said, value: Any, seal: _Seal, renderer: StreamRenderer) -> Record:
        try:
            stream = await self._context.run_stream(
                self._request(said, value),
                run_hook=self._hooks.run_hook,
                protocol_request=said.incoming,
                stream_update_hook=self._hooks.stream_update_hook,
                response_hook=self._hooks.response_hook,
                seal=seal,
                idempotency=IdempotencyKey(said.task.id, hashlib.sha256(said.task.id.encode()).digest()),
            )
        except Replayed as replayed:
            if said.progress == Progress():
                logger.warning("An answer is sent whose turn was done before; part of it may have been sent already.")
            return Record.read(replayed.record)
        async with aclosing(stream):
            async for update in stream:
                seal.spoken.add(update)
                renderer.show(lambda: seal.spoken.text)
        return seal.record

    def _request(self, said: Said, value: Any) -> ChannelRequest:
        incoming = said.incoming
        return ChannelRequest(
            channel=self._platform.name,
            operation="message",
            input=value,
            session=ChannelSession(said.key, commit_as=last_turn(said.key)),
            stream=True,
            identity=identity_of(self._platform, incoming),
            principal=said.task.principal,
            attributes={"message_id": incoming.id, "chat": incoming.chat, "thread": incoming.thread},
        )

    async def _message(self, incoming: Incoming) -> Message:
        files = await attachments.contents_of(
            incoming.attachments, read=self._platform.read, policy=self._policy, phrases=self._phrases
        )
        contents: list[Any] = [*([incoming.text] if incoming.text else []), *files]
        return Message("user", contents, author_name=incoming.sender.name if incoming.is_group else None)

    async def _deliver(self, said: Said, record: Record, renderer: StreamRenderer) -> None:
        progress = said.progress
        await renderer.finish(record.text)
        for file in record.files[progress.files :]:
            try:
                await said.voice.deliver_file(file)
            except NotOffered as error:
                logger.warning("A file of an answer cannot be sent here: %s", error)
            progress.files += 1
        if record.asked and not progress.has_asked:
            text, choices = prompt(record.asked, self._phrases)
            if said.voice.traits.marks:
                choices = tuple(Choice(choice, mark=record.mark) for choice in choices)
            await said.voice.say(text, choices=choices)
            progress.has_asked = True
            self._asked.was_put(said.key, said.task.principal)
        if not (record.text.strip() or record.files or record.asked):
            await said.voice.say(self._phrases.nothing)

    async def _fail(self, said: Said, spoken: Answer, renderer: StreamRenderer, error: Exception) -> None:
        """Say what may be said of a failure, or let the message be tried again."""
        if isinstance(error, SessionBusy | QueueFull | IdempotencyConflict | LeaseLost):
            raise TryAgain(after=_SOON) from error
        if isinstance(error, LimitReached) and error.retry_after <= _LONGEST_WAIT:
            raise TryAgain(after=error.retry_after) from error
        has_run = isinstance(error, StateUnavailable) and error.has_run
        is_stopped = isinstance(error, RunCancelled) and error.reason in _STOPPED
        if (isinstance(error, Unavailable) and not has_run) or (isinstance(error, RunCancelled) and not is_stopped):
            raise error
        told = (
            self._phrases.interrupted
            if is_stopped
            else self._phrases.failed.replace("{reason}", describe(error).message)
        )
        try:
            # To its end, also when the task is stopped meanwhile: half of it said is no better for anybody.
            await _whole(self._tell(said, spoken, renderer, told))
        except OutletError as lost:
            # Not tried again: the agent would run a second time for the sake of an apology.
            logger.warning("Nobody could be told that a message was not answered: %s", lost)

    async def _tell(self, said: Said, spoken: Answer, renderer: StreamRenderer, told: str) -> None:
        await renderer.finish(spoken.text)
        await said.voice.say(told)

    async def _leave(self, said: Said, spoken: Answer, renderer: StreamRenderer, *, reason: Any) -> None:
        """Leave what can be left while the message's task is taken away."""
        with suppress(OutletError):
            if reason == "cancelled":
                await renderer.finish(spoken.text)
            elif reason == "drained" and not self._context.tasks.is_durable and self._phrases.restarting:
                await said.voice.show_message(self._phrases.restarting)


async def _whole(work: Coroutine[Any, Any, None]) -> None:
    """Do something to its end although whoever does it is cancelled; a second cancellation ends it."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
