"""The Bot API over HTTP: one method, one request; what went wrong comes out as an `OutletError`.

The token is a part of every address that is called; see `_secret` for why nobody sees it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx2

from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.messaging.outlet import OutcomeUnknown, OutgoingFile, Unreachable

from ._answer import result_of
from ._secret import BotToken, SecretURL

TELEGRAM: Final = "https://api.telegram.org"
_CONNECT: Final = 10.0
_ANSWER: Final = 30.0
_UPLOAD: Final = 120.0
_NO_FILES: Final[Mapping[str, OutgoingFile]] = MappingProxyType({})
_NOT_SENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)


class BotApi:
    """Calls methods of the Bot API for one bot.

    Args:
        token: The bot's.
        base_url: Where the API is.
        client: The client to use, which stays open; one of our own when left out.
    """

    def __init__(self, token: BotToken, *, base_url: str = TELEGRAM, client: httpx2.AsyncClient | None = None) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or "{" in base_url:
            raise ConfigurationError(
                "api_base_url= must be an http or https address such as 'https://api.telegram.org'."
            )
        self.token = token
        self._base = base_url.rstrip("/")
        self._given = client
        self._own: httpx2.AsyncClient | None = None

    @property
    def is_telegram(self) -> bool:
        """Whether this is Telegram's own server."""
        return self._base == TELEGRAM

    async def call(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        files: Mapping[str, OutgoingFile] = _NO_FILES,
        timeout: float | None = None,
    ) -> Any:
        """Return what a method gives.

        Args:
            method: Its name.
            params: Its parameters; those that are `None` are left out.
            files: Parameters that are files, with their bytes.
            timeout: Seconds to wait for the answer.

        Raises:
            OutletError: It was not done, or nobody knows.
        """
        given = {name: value for name, value in (params or {}).items() if value is not None}
        url = self.token.url(f"{self._base}/bot{{token}}/{method}")
        request = self._client.build_request("POST", str(url), **_body(given, files), timeout=_timeout(timeout, files))
        response = await self._sent(request, url, method)
        return result_of(
            method,
            status=response.status_code,
            body=response.content,
            retry_after=response.headers.get("retry-after"),
        )

    async def download(self, path: str) -> AsyncGenerator[bytes]:
        """Return a file by the path that `getFile` gave, as it comes.

        Raises:
            OutletError: It could not be fetched.
        """
        url = self.token.url(f"{self._base}/file/bot{{token}}/{quote(path)}")
        request = self._client.build_request("GET", str(url), timeout=_timeout(None, _NO_FILES))
        response = await self._sent(request, url, "download", stream=True)
        try:
            if not response.is_success:
                result_of("download", status=response.status_code, body=b"")
            async for chunk in response.aiter_bytes():
                yield chunk
        except httpx2.HTTPError as error:
            raise Unreachable(f"download: {type(error).__name__}") from None
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Close what is our own."""
        own, self._own = self._own, None
        if own is not None:
            await own.aclose()

    @property
    def _client(self) -> httpx2.AsyncClient:
        if self._given is not None:
            return self._given
        if self._own is None:
            self._own = httpx2.AsyncClient()
        return self._own

    async def _sent(
        self, request: httpx2.Request, url: SecretURL, method: str, *, stream: bool = False
    ) -> httpx2.Response:
        request.url = url
        try:
            return await self._client.send(request, stream=stream, follow_redirects=False)
        except _NOT_SENT as error:
            raise Unreachable(f"{method}: {type(error).__name__}") from None
        except httpx2.HTTPError as error:
            raise OutcomeUnknown(f"{method}: {type(error).__name__}") from None


def _body(params: Mapping[str, Any], files: Mapping[str, OutgoingFile]) -> dict[str, Any]:
    if not files:
        return {"json": params}
    parts = {name: (file.name, file.data or b"", file.media_type) for name, file in files.items()}
    return {"data": {name: _field(value) for name, value in params.items()}, "files": parts}


def _field(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _timeout(seconds: float | None, files: Mapping[str, OutgoingFile]) -> httpx2.Timeout:
    return httpx2.Timeout(_UPLOAD if files else _ANSWER if seconds is None else seconds, connect=_CONNECT)
