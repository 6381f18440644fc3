"""From a platform's payload to an answered message: what every chat channel does, whatever its platform.

    payload → parsed → kept (and acknowledged) → in its turn: let in → command or agent → answered

A payload is kept before it is acknowledged, under the platform's own id, so that what the platform sends twice is taken
once; with a database it is answered also when this process dies. Messages of one conversation are answered one after
the other, in the order in which they came.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from ..channel import ChannelCommand, ChannelCommandContext, ChannelContext, Task, TryAgain
from ..clock import SYSTEM_CLOCK, Clock
from ..errors import ConfigurationError, QueueFull, RequestError, Unavailable
from ..logs import logger
from ..types import ChannelRequest, ChannelSession
from ..web.errors import describe
from .access import Access
from .asked import Asked
from .attachments import AttachmentPolicy
from .commands import SpokenCommand, by_name, parse_command
from .incoming import Incoming
from .keys import SessionKey, identity_of, principal_of, session_key
from .outlet import Gone, OutletError, RetryAfter, Unreachable
from .pacing import PATIENCE, Gates
from .phrases import Phrases
from .platform import ChatPlatform
from .rendering import Progress
from .turns import Hooks, Said, Turns
from .voice import Voice

_OVERTAKING: Final = ("stop", "help")
"""Commands that do not wait for the messages before them."""
_BETWEEN_REFUSALS: Final = 30.0
"""Seconds after which somebody is told once more that too many messages wait."""
_PAUSE: Final = 30.0
"""Seconds after which a platform that takes nothing is tried again."""
_REMEMBERED: Final = 10_000
"""Messages of which is known what was sent, at the most."""


class Conversations:
    """All conversations of one bot. A channel makes it in `contribute`, and hands it every payload of its platform.

    Args:
        context: The host's.
        platform: The channel's side of it.
        access: Who may talk to the agent.
        commands: The app's own commands, besides those of other channels and the built-in `/new`, `/stop`, `/help`,
            which they may replace. A command runs again when its process dies in the middle of it.
        key: Chooses the session of a message; its chat, or the thread of it, when left out.
        phrases: What people are told in the host's name.
        attachments: Which files are taken.
        hooks: The channel's hooks.
        clock: Tells the time and waits.
        patience: Seconds for which an answer is tried to be sent at one go; it is taken up again for as long as the
            platform does not take it, and its conversation waits.

    Raises:
        ConfigurationError: A command has a name that cannot be typed.
    """

    def __init__(
        self,
        context: ChannelContext,
        platform: ChatPlatform,
        *,
        access: Access,
        commands: Sequence[ChannelCommand] = (),
        key: SessionKey | None = None,
        phrases: Phrases | None = None,
        attachments: AttachmentPolicy | None = None,
        hooks: Hooks | None = None,
        clock: Clock = SYSTEM_CLOCK,
        patience: float = PATIENCE,
    ) -> None:
        self._context = context
        self._platform = platform
        self._access = access
        self._own = tuple(by_name(commands).values())
        self._key = key or partial(session_key, platform)
        self._phrases = phrases or Phrases()
        self._clock = clock
        self._pause = max(context.limits.task_backoff, min(patience, _PAUSE))
        self._gates = Gates(clock=clock, patience=patience)
        self._asked = Asked(context, self._phrases, clock=clock)
        self._turns = Turns(
            context,
            platform,
            phrases=self._phrases,
            policy=attachments or AttachmentPolicy(),
            hooks=hooks or Hooks(),
            asked=self._asked,
        )
        self._kind = f"{platform.name}.message"
        self._progress: OrderedDict[str, Progress] = OrderedDict()
        self._refused_at: dict[str, float] = {}
        self._asides: set[asyncio.Task[None]] = set()
        context.tasks.handle(self._kind, self._handle, on_give_up=self._give_up)

    @property
    def commands(self) -> Mapping[str, ChannelCommand]:
        """All commands by their names, for the platform's own menu; complete once all channels have contributed."""
        return by_name((*self._own, *self._context.commands, *self._built_in()))

    async def take(self, payload: Any) -> bool:
        """Keep a payload; when this returns, it may be acknowledged.

        Returns:
            Whether it is new and will be answered; `False` for what was taken before, is not meant for the agent, or
            cannot be taken now, of which the sender is told.

        Raises:
            Unavailable: The host cannot keep it; the platform has to send it again.
        """
        incoming = self._platform.parse(payload)
        if incoming is None or not incoming.is_for_agent:
            return False
        spoken = self._spoken(incoming)
        if spoken is not None and not spoken.is_ours:
            return False
        line = _line(self._key_of(incoming))
        task_id = f"{self._platform.account}:{incoming.id}"
        self._asked.has_come(task_id)
        try:
            return await self._context.tasks.accept(
                kind=self._kind,
                id=task_id,
                line=f"{line}!" if spoken is not None and spoken.name in _OVERTAKING else line,
                payload=payload,
                principal=principal_of(self._platform, incoming),
            )
        except QueueFull:
            self._refuse_for_now(incoming, line)
        except RequestError as error:
            # Sent again it would be the same, so that it has to be acknowledged.
            logger.warning("A message cannot be taken: %s", error)
        return False

    async def is_open(self, incoming: Incoming) -> bool:
        """Whether what somebody has pressed answers something that they were asked, and that is open.

        Raises:
            Unavailable: The host cannot tell now.
        """
        principal = principal_of(self._platform, incoming)
        return await self._asked.is_open(self._key_of(incoming), principal, incoming.answers or "")

    async def close(self) -> None:
        """Leave off what need not arrive; for a channel's `on_shutdown`."""
        for task in self._asides:
            task.cancel()
        await asyncio.gather(*self._asides, return_exceptions=True)
        self._gates.clear()

    async def _handle(self, task: Task) -> None:
        incoming = self._platform.parse(task.payload)
        if incoming is None:
            return
        said = Said(
            incoming=incoming,
            task=task,
            key=self._key_of(incoming),
            voice=self._voice(incoming),
            progress=self._progress_of(task),
        )
        try:
            await self._serve(said)
        except Gone as gone:
            logger.info("Somebody who wrote cannot be answered any more: %s", gone)
        except RetryAfter as error:
            # What has been sent is remembered, and what the agent has done is stored: nothing is done twice.
            raise TryAgain(after=error.seconds) from error
        except Unreachable as error:
            logger.warning("The platform does not take an answer, which waits: %s", error)
            raise TryAgain(after=self._pause) from error
        except asyncio.CancelledError:
            self._progress.pop(task.id, None)
            raise
        self._progress.pop(task.id, None)

    def _progress_of(self, task: Task) -> Progress:
        progress = self._progress.setdefault(task.id, Progress())
        if len(self._progress) > _REMEMBERED:
            # The oldest of those that failed here and were tried again elsewhere.
            self._progress.popitem(last=False)
        return progress

    async def _serve(self, said: Said) -> None:
        if not await self._access.admits(said.incoming):
            if self._access.is_to_be_told(said.incoming):
                # Waited for, it would take the place of somebody who is let in.
                with suppress(OutletError):
                    await said.voice.show_message(self._phrases.refused)
            return
        spoken = self._spoken(said.incoming)
        command = self.commands.get(spoken.name) if spoken is not None else None
        if spoken is None or command is None:
            await self._turns.answer(said)
        else:
            await self._run_command(command, spoken, said)

    async def _run_command(self, command: ChannelCommand, spoken: SpokenCommand, said: Said) -> None:
        request = ChannelRequest(
            channel=self._platform.name,
            operation="command",
            input=spoken.arguments,
            session=ChannelSession(said.key),
            identity=identity_of(self._platform, said.incoming),
            principal=said.task.principal,
            attributes={"command": spoken.name, "message_id": said.incoming.id, "chat": said.incoming.chat},
        )

        async def reply(text: str) -> None:
            try:
                await said.voice.say(text)
            except OutletError as error:
                # Not tried again: the command would be carried out a second time for the sake of its answer.
                logger.warning("The answer to a command could not be sent: %s", error)

        try:
            await command.handle(ChannelCommandContext(request, reply))
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - a handler of the app's: what went wrong is told, and not tried again
            await reply(self._phrases.failed.replace("{reason}", describe(error).message))

    async def _give_up(self, task: Task) -> None:
        self._progress.pop(task.id, None)
        incoming = self._platform.parse(task.payload)
        if incoming is not None and self._phrases.given_up and await self._access.admits(incoming):
            with suppress(OutletError):
                await self._voice(incoming).show_message(self._phrases.given_up)

    def _refuse_for_now(self, incoming: Incoming, line: str) -> None:
        """Say that a message was not taken; beside the acknowledgement, and once for several of them."""
        now = self._clock.monotonic()
        self._refused_at = {at: when for at, when in self._refused_at.items() if when > now - _BETWEEN_REFUSALS}
        if line in self._refused_at or not self._phrases.busy:
            return
        self._refused_at[line] = now
        task = asyncio.create_task(self._say_busy(incoming))
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)

    async def _say_busy(self, incoming: Incoming) -> None:
        with suppress(OutletError):
            if await self._access.admits(incoming):
                # Delivered: where so much is said that messages are refused, something is on its way all the time.
                await self._voice(incoming).deliver_message(self._phrases.busy)

    def _voice(self, incoming: Incoming) -> Voice:
        outlet = self._platform.outlet(incoming)
        return Voice(outlet, self._gates.at(outlet.address))

    def _spoken(self, incoming: Incoming) -> SpokenCommand | None:
        return parse_command(incoming.text, bot_name=self._platform.bot_name)

    def _key_of(self, incoming: Incoming) -> str:
        key: Any = self._key(incoming)
        if not isinstance(key, str) or not key:
            raise ConfigurationError(f"key= returned {key!r} for a message; it must return a text that is not empty.")
        return key

    def _built_in(self) -> Sequence[ChannelCommand]:
        return (
            ChannelCommand("new", self._phrases.new_command, self._begin_anew),
            ChannelCommand("stop", self._phrases.stop_command, self._stop),
            ChannelCommand("help", self._phrases.help_command, self._help),
        )

    async def _begin_anew(self, command: ChannelCommandContext) -> None:
        await self._context.areset_session(_key_in(command))
        await command.reply(self._phrases.started_afresh)

    async def _stop(self, command: ChannelCommandContext) -> None:
        key = _key_in(command)
        # What runs for this chat ends with its task; what another channel runs in this session has none here.
        is_stopped = await self._context.tasks.cancel_line(_line(key)) or await self._context.cancel(key)
        await command.reply(self._phrases.stopped if is_stopped else self._phrases.nothing_to_stop)

    async def _help(self, command: ChannelCommandContext) -> None:
        known = [f"/{each.name}: {each.description}" for each in self.commands.values() if each.description]
        await command.reply("\n".join((self._phrases.help, "", *known)))


def _line(key: str) -> str:
    return f"chat:{key}"


def _key_in(command: ChannelCommandContext) -> str:
    session = command.request.session
    return session.isolation_key or "" if session is not None else ""
