"""A Bot API server on a free port: it keeps what is sent, hands out updates, and refuses what Telegram refuses."""

from __future__ import annotations

import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import httpx2

from agent_framework_hosting.testing import PlatformCall, PlatformReply, PlatformServer

from ._chats import Chats, Refused, SentMessage
from ._published import published_mistakes

BOT_TOKEN: Final = "4711:AAplayed-by-a-test-and-opens-nothing"  # noqa: S105 - it opens nothing
"""The token of the bot that the server knows."""
_BAD_REQUEST: Final = 400
_TERMINATED: Final = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
_HOOKED: Final = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)


class TelegramServer(PlatformServer):
    """Plays the Bot API for one bot, `BOT_TOKEN`; chats with negative ids are groups.

    Left, it raises what was said against the published description of the API by then: `mistakes`.

    Args:
        username: What the bot is called.
        clock: What drafts and silences are measured by: `FakeClock().time`, for example.
        timeout: Guards every wait, in seconds.

    Example:
        >>> import httpx2
        >>> from agent_framework_hosting_telegram.testing import BOT_TOKEN, TelegramServer
        >>> with TelegramServer() as telegram:
        ...     called = f"{telegram.base_url}/bot{BOT_TOKEN}/sendMessage"
        ...     answer = httpx2.post(called, json={"chat_id": 7, "text": "<b>Hi</b>", "parse_mode": "HTML"})
        ...     print(answer.json()["ok"], telegram.texts(7))
        True ['Hi']
    """

    def __init__(
        self, *, username: str = "played_bot", clock: Callable[[], float] = time.monotonic, timeout: float = 10.0
    ) -> None:
        super().__init__(clock=clock, timeout=timeout)
        self.username: str = username
        self.chats: Chats = Chats(clock)
        self.mistakes: list[str] = []
        self.impatient: list[PlatformCall] = []
        """Calls that came although the chat had been told to be silent for longer."""
        self.webhook: dict[str, Any] = {}
        """What `setWebhook` was called with; empty without a webhook."""
        self.commands: list[dict[str, str]] = []
        self.files: dict[str, bytes] = {}
        """Files to be fetched, by their ids."""
        self.pending: deque[dict[str, Any]] = deque()
        """Updates that nobody has confirmed by asking for later ones."""
        self._now = clock
        self._silent_until: dict[int, float] = {}
        self._poll = 0
        self._last_update = 1000
        self._wait = timeout
        self._facts: Mapping[str, Callable[[PlatformCall], Any]] = {
            "answerCallbackQuery": lambda _: True,
            "deleteWebhook": lambda _: self._hook({}),
            "getFile": self._file,
            "getMe": lambda _: self._bot(),
            "getWebhookInfo": lambda _: {
                "url": self.webhook.get("url", ""),
                "has_custom_certificate": False,
                "pending_update_count": len(self.pending),
            },
            "setMyCommands": self._take_commands,
            "setWebhook": lambda call: self._hook(dict(call.params)),
        }

    # ---------------------------------------------------------------------------------------- what a test looks at

    def messages(self, chat: int) -> list[SentMessage]:
        """Return the bot's messages in a chat, oldest first."""
        return [message for message in [*self.chats.messages.values()] if message.chat == chat]

    def texts(self, chat: int) -> list[str]:
        """Return what they say."""
        return [message.text for message in self.messages(chat)]

    async def wait_texts(self, chat: int, count: int = 1, *, timeout: float | None = None) -> list[str]:
        """Wait until the bot has said so much in a chat; return it."""
        await self.bell.until(
            lambda: len(self.messages(chat)) >= count,
            waiting_for=f"{count} message(s) in chat {chat}",
            timeout=self._wait if timeout is None else timeout,
        )
        return self.texts(chat)

    def draft(self, chat: int) -> str | None:
        """Return the draft that is to be seen in a chat."""
        return self.chats.draft(chat)

    async def wait_draft(self, chat: int, *, timeout: float | None = None) -> str:
        """Wait until a draft is to be seen in a chat; return it."""
        await self.bell.until(
            lambda: self.draft(chat) is not None,
            waiting_for=f"a draft in chat {chat}",
            timeout=self._wait if timeout is None else timeout,
        )
        return self.draft(chat) or ""

    async def wait_confirmed(self, *, timeout: float | None = None) -> None:
        """Wait until whoever polls has taken all updates, and confirmed them by asking for later ones."""
        await self.bell.until(
            lambda: not self.pending,
            waiting_for=f"{len(self.pending)} update(s) to be confirmed",
            timeout=self._wait if timeout is None else timeout,
        )

    # ---------------------------------------------------------------------------------------- what people do

    def said(self, text: str | None = None, *, chat: int = 7, sender: int = 7, **members: Any) -> dict[str, Any]:
        """Return the update for a message that somebody sends; it is not handed out by itself.

        Args:
            text: What is said.
            chat: Where.
            sender: Who says it.
            members: Other members of the message.
        """
        message = {
            "message_id": self.chats.next_message(),
            "date": 1_800_000_000,
            "chat": _chat(chat),
            "from": _person(sender),
            **({} if text is None else {"text": text}),
            **members,
        }
        return self._update({"message": message})

    def pressed(self, message: SentMessage, data: str, *, sender: int = 7) -> dict[str, Any]:
        """Return the update for a button that somebody presses."""
        below = {**self._described(message), "reply_markup": {"inline_keyboard": message.buttons}}
        query = {"id": f"q{message.id}", "from": _person(sender), "message": below, "chat_instance": "1", "data": data}
        return self._update({"callback_query": query})

    def push(self, *updates: Mapping[str, Any]) -> None:
        """Hand updates out to whoever polls."""
        self.pending.extend(dict(update) for update in updates)
        self.bell.ring()

    async def post(self, update: Mapping[str, Any], *, to: str | None = None, secret: str | None = None) -> int:
        """Send an update to the webhook; return the status of the answer.

        Args:
            update: The update.
            to: The webhook's address; the one that was set when left out.
            secret: The secret token; the one that was set when left out.
        """
        known = self.webhook.get("secret_token") if secret is None else secret
        headers = {} if known is None else {"x-telegram-bot-api-secret-token": known}
        async with httpx2.AsyncClient(timeout=self._wait, verify=_trusted()) as client:
            answer = await client.post(to or self.webhook["url"], json=update, headers=headers)
        return answer.status_code

    def silence(self, chat: int, seconds: float) -> Callable[[PlatformCall], PlatformReply]:
        """Return a play for `script`: a chat is to be silent, and who writes there all the same is `impatient`."""

        def play(_: PlatformCall) -> PlatformReply:
            self._silent_until[chat] = self._now() + seconds
            return self.too_many(retry_after=seconds)

        return play

    # ---------------------------------------------------------------------------------------- what Telegram does

    def method_of(self, verb: str, path: str) -> str:  # noqa: ARG002 - Telegram takes both GET and POST
        """Return the method; `download` for a file."""
        return "download" if path.startswith("/file/") else path.rpartition("/")[2]

    def error(self, status: int, message: str, *, retry_after: float | None = None) -> PlatformReply:
        """Return how Telegram says no."""
        parameters = {} if retry_after is None else {"parameters": {"retry_after": int(retry_after)}}
        return PlatformReply(status, json={"ok": False, "error_code": status, "description": message, **parameters})

    async def answer(self, call: PlatformCall) -> PlatformReply:
        """Do what is asked."""
        if call.path.partition("/bot")[2].partition("/")[0] != BOT_TOKEN:
            return self.error(401, "Unauthorized")
        if call.method == "download":
            body = self.files.get(call.path.rpartition("/")[2])
            return self.error(404, "Not Found") if body is None else PlatformReply(body=body)
        mistakes = published_mistakes(call.method, call.params, files=frozenset(call.files))
        if mistakes:
            self.mistakes += mistakes
            return self.error(400, f"Bad Request: {mistakes[0]}")
        return await self._done(call)

    def __exit__(self, *exc_info: object) -> None:
        super().__exit__(*exc_info)
        if self.mistakes and exc_info[0] is None:
            raise AssertionError(f"The Bot API was called as nobody has published: {self.mistakes}")

    async def _done(self, call: PlatformCall) -> PlatformReply:
        try:
            if call.method == "getUpdates":
                return _ok(await self._polled(call))
            if call.method in self._facts:
                return _ok(self._facts[call.method](call))
            return self._written(call)
        except Refused as error:
            told = f"Bad Request: {error}" if error.status == _BAD_REQUEST else str(error)
            return self.error(error.status, told)
        finally:
            self.bell.ring()

    def _written(self, call: PlatformCall) -> PlatformReply:
        chat = int(call.params["chat_id"])
        if self._now() < self._silent_until.get(chat, float("-inf")):
            self.impatient.append(call)
            return self.too_many(retry_after=1)
        done = self.chats.do(call, chat)
        return _ok(self._described(done) if isinstance(done, SentMessage) else done)

    async def _polled(self, call: PlatformCall) -> list[dict[str, Any]]:
        if self.webhook:
            raise Refused(_HOOKED, status=409)
        offset = int(call.params.get("offset", 0))
        while self.pending and self.pending[0]["update_id"] < offset:
            self.pending.popleft()
        self._poll += 1
        mine = self._poll
        self.bell.ring()
        if seconds := float(call.params.get("timeout", 0)):
            await self._until_updates(mine, seconds)
        if self._poll != mine:
            raise Refused(_TERMINATED, status=409)
        return [*self.pending][: int(call.params.get("limit", 100))]

    async def _until_updates(self, poll: int, seconds: float) -> None:
        def is_over() -> bool:
            return bool(self.pending) or bool(self.webhook) or self._poll != poll

        try:
            await self.bell.until(is_over, waiting_for="updates", timeout=seconds)
        except TimeoutError:
            return

    def _hook(self, webhook: dict[str, Any]) -> bool:
        self.webhook = webhook
        return True

    def _take_commands(self, call: PlatformCall) -> bool:
        self.commands = call.params["commands"]
        return True

    def _file(self, call: PlatformCall) -> dict[str, Any]:
        file_id = call.params["file_id"]
        if file_id not in self.files:
            raise Refused("wrong file_id or the file is temporarily unavailable")
        size = len(self.files[file_id])
        return {"file_id": file_id, "file_unique_id": file_id, "file_size": size, "file_path": f"files/{file_id}"}

    def _update(self, what: Mapping[str, Any]) -> dict[str, Any]:
        self._last_update += 1
        return {"update_id": self._last_update, **what}

    def _described(self, message: SentMessage) -> dict[str, Any]:
        said = {"message_id": message.id, "date": 1_800_000_000, "text": message.text}
        return {**said, "chat": _chat(message.chat), "from": self._bot()}

    def _bot(self) -> dict[str, Any]:
        bot_id = int(BOT_TOKEN.partition(":")[0])
        return {"id": bot_id, "is_bot": True, "first_name": "Played", "username": self.username}


@cache
def _trusted() -> ssl.SSLContext:
    # Made once: reading the certificates of the machine takes longer than everything else in a request.
    return httpx2.create_ssl_context()


def _chat(chat: int) -> dict[str, Any]:
    return {"id": chat, "type": "private" if chat > 0 else "supergroup"}


def _person(sender: int) -> dict[str, Any]:
    return {"id": sender, "is_bot": False, "first_name": f"Person {sender}", "username": f"person_{sender}"}


def _ok(result: Any) -> PlatformReply:
    return PlatformReply(json={"ok": True, "result": result})
