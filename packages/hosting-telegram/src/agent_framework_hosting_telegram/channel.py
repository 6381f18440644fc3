"""`TelegramChannel`: a Telegram bot in front of the agent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, get_args
from urllib.parse import urlsplit

import httpx2
from starlette.routing import Route

from agent_framework_hosting.channel import (
    ChannelCommand,
    ChannelCommandContext,
    ChannelContext,
    ChannelContribution,
    VerifiedRoute,
)
from agent_framework_hosting.clock import SYSTEM_CLOCK, Clock
from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.hooks import ChannelResponseHook, ChannelRunHook, ChannelStreamUpdateHook
from agent_framework_hosting.logs import logger
from agent_framework_hosting.messaging.access import Access, Allow
from agent_framework_hosting.messaging.attachments import AttachmentPolicy
from agent_framework_hosting.messaging.conversations import Conversations
from agent_framework_hosting.messaging.keys import SessionKey
from agent_framework_hosting.messaging.phrases import Phrases
from agent_framework_hosting.messaging.turns import Hooks
from agent_framework_hosting.web.endpoint import Endpoint

from ._api import TELEGRAM, BotApi
from ._intake import Intake
from ._platform import TelegramPlatform
from ._polling import Poller
from ._secret import BotToken
from ._start import Mode, Start
from ._update import GroupPolicy
from ._webhook import Webhook

_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{16,256}")
_BARE_NAME: Final = re.compile(r"[A-Za-z]\w*", re.ASCII)
_PURPOSE: Final = "agent-framework-hosting-telegram webhook"


class TelegramChannel:
    """Serves the agent to people on Telegram.

    An update is kept before it is acknowledged, and answered in its turn: with `database=` of the host also when the
    process dies in between. The messages of a chat, or of a topic of one, are one conversation.

    Args:
        bot_token: The bot's token, from @BotFather.
        allow: Who may talk to the agent: ids of persons, `@usernames`, ids of chats (everybody in them), or a function
            `(incoming) -> bool`, plain or async.
        open: Let everybody in who finds the bot. One of `allow` and `open` has to be given.
        mode: How updates come. `"webhook"`: Telegram sends them to `public_url`. `"polling"`: Telegram is asked for
            them, and a webhook is given up. `"auto"`: a webhook when there is a `public_url`, else polling, unless the
            bot has a webhook somewhere else.
        public_url: The `https` address at which the app is reached from outside, without the channel's path. With
            `mode="webhook"` and none, nothing is registered: tell Telegram yourself, with your own `secret_token`.
        secret_token: What Telegram sends along with every update to prove itself; made from the bot's token when left
            out, the same in every process.
        groups: Which messages of a group are answered: `"addressed"` (those that mention the bot, reply to it or
            command it), `"all"`, or `"never"`.
        key: Chooses the session of a message, `(incoming) -> str`; equal keys meet, from whichever channel.
        commands: Commands of the app's own, besides `/new`, `/stop` and `/help`, which they may replace.
        phrases: What people are told in the host's name.
        attachments: Which files are taken.
        run_hook: Called before the run.
        response_hook: Called after the run, before the answer is sent.
        stream_update_hook: Rewrites or drops streamed updates.
        path: Where the webhook is.
        name: The channel's name; a second bot in one host needs another one, and another path.
        api_base_url: Where the Bot API is: Telegram's own server, or one that you run.
        client: The HTTP client to use, which stays open.
        clock: Tells the time and waits.

    Raises:
        ConfigurationError: Nobody is let in, or the settings do not go together.

    Example:
        >>> from agent_framework_hosting.host import AgentFrameworkHost
        >>> from agent_framework_hosting.testing import ScriptedAgent
        >>> telegram = TelegramChannel(bot_token="42:not-a-real-one", allow=["@ada", 4711])
        >>> host = AgentFrameworkHost(ScriptedAgent(), channels=[telegram])
    """

    def __init__(
        self,
        *,
        bot_token: str,
        allow: Allow | None = None,
        open: bool = False,  # noqa: A002 - the word for it
        mode: Mode = "auto",
        public_url: str | None = None,
        secret_token: str | None = None,
        groups: GroupPolicy = "addressed",
        key: SessionKey | None = None,
        commands: Sequence[ChannelCommand] = (),
        phrases: Phrases | None = None,
        attachments: AttachmentPolicy | None = None,
        run_hook: ChannelRunHook | None = None,
        response_hook: ChannelResponseHook | None = None,
        stream_update_hook: ChannelStreamUpdateHook | None = None,
        path: str = "/telegram",
        name: str = "telegram",
        api_base_url: str = TELEGRAM,
        client: httpx2.AsyncClient | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.name = name
        self.path = path
        token = BotToken(bot_token)
        self._access = Access(allow=_allowed(allow), open=open, channel="TelegramChannel")
        self._api = BotApi(token, base_url=api_base_url, client=client)
        _check(mode, groups, public_url, secret_token, needs_https=self._api.is_telegram)
        self._mode: Mode = mode
        self._public_url = public_url
        self._secret = secret_token or token.derive(_PURPOSE)
        self._key = key
        self._commands = tuple(commands)
        self._phrases = phrases
        self._attachments = attachments
        self._hooks = Hooks(run_hook=run_hook, response_hook=response_hook, stream_update_hook=stream_update_hook)
        self._clock = clock
        self._platform = TelegramPlatform(self._api, name=name, groups=groups, clock=clock)

    def __repr__(self) -> str:
        return f"<TelegramChannel {self.name!r} of bot {self._platform.account}>"

    def contribute(self, context: ChannelContext) -> ChannelContribution:
        """Return the webhook's route, when there is one, and what is to be said to Telegram at the start."""

        async def greet(command: ChannelCommandContext) -> None:
            await conversations.commands["help"].handle(command)

        conversations = Conversations(
            context,
            self._platform,
            access=self._access,
            # What everybody says first who opens a bot, by pressing a button. It is in no menu.
            commands=(*self._commands, ChannelCommand("start", "", greet)),
            key=self._key,
            phrases=self._phrases,
            attachments=self._attachments,
            hooks=self._hooks,
            clock=self._clock,
        )
        intake = Intake(
            self._api,
            self._platform,
            keep=conversations.take,
            admits=self._access.admits,
            is_open=conversations.is_open,
        )
        poller = Poller(self._api, intake, clock=self._clock)

        async def start() -> None:
            try:
                await self._start(conversations, poller)
            except BaseException:
                await self._api.aclose()
                raise

        webhook = Webhook(intake, secret=self._secret, limits=context.limits)
        route = VerifiedRoute(Route("/", Endpoint({"POST": webhook})), "the secret token that Telegram sends along")
        return ChannelContribution(
            verified_routes=[route] if self._has_webhook else [],
            on_startup=[start],
            on_shutdown=[poller.stop, conversations.close, intake.close, self._api.aclose],
            # Telegram hands each update out once, so that two channels of one bot would share its people by chance.
            exclusive=[f"the Telegram bot {self._platform.account}"],
        )

    @property
    def _has_webhook(self) -> bool:
        return self._mode == "webhook" or (self._mode == "auto" and self._public_url is not None)

    async def _start(self, conversations: Conversations, poller: Poller) -> None:
        start = Start(self._api, self._platform, clock=self._clock)
        bot = await start.introduce()
        await start.offer(conversations.commands.values())
        if self._public_url is not None and self._has_webhook:
            url = f"{self._public_url.rstrip('/')}{self.path.rstrip('/')}"
            await start.set_webhook(url, secret=self._secret)
            how = f"updates are sent to {url}"
        elif self._has_webhook:
            how = "updates are sent to a webhook that was registered elsewhere"
        else:
            await start.give_up_webhook(is_wanted=self._mode == "polling")
            poller.start()
            how = "updates are asked for"
        logger.info("%s: %s; %s; %s.", self.name, bot, how, self._access.description)


def _allowed(allow: Allow | None) -> Allow | None:
    """Return who is allowed; Telegram's ids are numbers, so that a name by itself would let nobody in."""
    if allow is None or callable(allow):
        return allow
    entries = [allow] if isinstance(allow, (str, int)) else list(allow)
    for entry in entries:
        if isinstance(entry, str) and _BARE_NAME.fullmatch(entry.strip()):
            raise ConfigurationError(
                f"TelegramChannel has {entry!r} in allow=, which is no id of Telegram's. Write a username as "
                f"'@{entry.strip()}'."
            )
    return entries


def _check(mode: str, groups: str, public_url: str | None, secret_token: str | None, *, needs_https: bool) -> None:
    if mode not in get_args(Mode):
        raise ConfigurationError(f"mode={mode!r} is unknown. Use 'auto', 'webhook' or 'polling'.")
    if groups not in get_args(GroupPolicy):
        raise ConfigurationError(f"groups={groups!r} is unknown. Use 'addressed', 'all' or 'never'.")
    if secret_token is not None and not _SECRET.fullmatch(secret_token):
        raise ConfigurationError(
            "secret_token= must have 16 to 256 characters, which are letters (a-z, A-Z), digits, '_' or '-'."
        )
    if mode == "polling" and public_url is not None:
        raise ConfigurationError("mode='polling' has no use for public_url=. Leave one of them out.")
    if mode == "webhook" and public_url is None and secret_token is None:
        raise ConfigurationError(
            "mode='webhook' needs public_url=, the https address at which the app is reached from outside; or, when "
            "you register the webhook yourself, the secret_token= that you tell Telegram."
        )
    if public_url is not None:
        _check_public_url(public_url, needs_https=needs_https)


def _check_public_url(public_url: str, *, needs_https: bool) -> None:
    parts = urlsplit(public_url)
    schemes = ("https",) if needs_https else ("https", "http")
    if parts.scheme not in schemes or not parts.hostname or parts.query or parts.fragment:
        raise ConfigurationError(
            f"public_url={public_url!r} is no address that Telegram sends updates to. It looks like "
            "'https://bot.example.org', and ends where the app begins."
        )
