"""Updates that are asked for, one long question after the other; what was kept is confirmed by the next question.

Telegram lets one process ask for the updates of a bot. Of several that do, each newer question ends the older one; who
is ended stands by for a while, so that the processes take turns. No update is lost by that: one that was not confirmed
is handed out again, and one that was kept already is known by its id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, cast

from agent_framework_hosting.clock import Clock
from agent_framework_hosting.errors import RequestError, Unavailable
from agent_framework_hosting.logs import logger
from agent_framework_hosting.messaging.outlet import OutletError, RetryAfter

from ._answer import OtherPoller
from ._api import BotApi
from ._intake import ALLOWED_UPDATES, Intake

_QUESTION: Final = 50
"""Seconds for which Telegram holds a question open when there is nothing new."""
_MARGIN: Final = 10
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0
_STAND_BY: Final = 30.0
_LAST_WORD: Final = 5.0


class Poller:
    """Asks for updates until it is stopped.

    Args:
        api: The Bot API.
        intake: Where updates go.
        clock: Waits.
    """

    def __init__(self, api: BotApi, intake: Intake, *, clock: Clock) -> None:
        self._api = api
        self._intake = intake
        self._clock = clock
        self._offset: int | None = None
        self._confirmed: int | None = None
        self._pause = _FIRST_PAUSE
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to ask."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ask no more, and confirm what was kept: nobody is to be handed it again."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if self._offset != self._confirmed:
            with suppress(OutletError):
                await self._api.call("getUpdates", {"offset": self._offset, "limit": 1}, timeout=_LAST_WORD)

    async def _run(self) -> None:
        while True:
            asked_at = self._clock.monotonic()
            try:
                updates = await self._asked()
            except OtherPoller:
                logger.warning(
                    "Another process asks for the updates of bot %d, or its webhook was set; this one stands by for %g "
                    "seconds. Several processes that share a database are better served by a webhook (public_url=).",
                    self._api.token.bot_id,
                    _STAND_BY,
                )
                await self._clock.sleep(_STAND_BY)
            except OutletError as error:
                await self._wait(error)
            except Exception:  # noqa: BLE001 - of a client of the user's, say: who stops asking is deaf, and nobody sees it
                logger.exception("Updates could not be asked for; this is tried again in %g seconds.", _LONGEST_PAUSE)
                await self._clock.sleep(_LONGEST_PAUSE)
            else:
                self._pause = _FIRST_PAUSE
                for update in updates:
                    await self._take(update)
                if self._offset == self._confirmed and self._clock.monotonic() - asked_at < _FIRST_PAUSE:
                    # Something in between does not hold questions open; it is not to be asked without a pause.
                    await self._clock.sleep(_FIRST_PAUSE)

    async def _asked(self) -> list[Any]:
        offset = self._offset
        asked = {"offset": offset, "timeout": _QUESTION, "allowed_updates": ALLOWED_UPDATES}
        given = await self._api.call("getUpdates", asked, timeout=_QUESTION + _MARGIN)
        self._confirmed = offset
        return cast("list[Any]", given) if isinstance(given, list) else []

    async def _wait(self, error: OutletError) -> None:
        seconds = error.seconds if isinstance(error, RetryAfter) else self._pause
        logger.warning("Telegram gives no updates; it is asked again in %g seconds: %s", seconds, error)
        await self._clock.sleep(seconds)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)

    async def _take(self, update: Any) -> None:
        """Keep an update, however long that takes: those after it must not overtake it."""
        if not isinstance(update, dict):
            return
        told = cast("Mapping[str, Any]", update)
        while True:
            try:
                await self._intake.take(told)
            except Unavailable as error:
                logger.debug("An update cannot be kept yet: %s", error)
                await self._clock.sleep(_FIRST_PAUSE)
                continue
            except RequestError as error:
                logger.warning("Something that Telegram gave is no update, and is left out: %s", error)
            except Exception:  # noqa: BLE001 - one update that cannot be taken must not keep all others from being taken
                logger.exception("An update could not be taken, and is left out.")
            break
        update_id: Any = told.get("update_id")
        if isinstance(update_id, int):
            self._offset = update_id + 1
