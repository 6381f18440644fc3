"""The public keys of whoever issues tokens: fetched when they are needed, seldom, and by one at a time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, cast
from urllib.parse import urlsplit

from .._addresses import is_loopback
from ..errors import ConfigurationError, Unavailable
from ..logs import logger

_LARGEST_DOCUMENT: Final = 1024 * 1024
_FETCH_TIME: Final = 5.0
_CHUNK: Final = 64 * 1024

Jwk = Mapping[str, Any]


class Unfetched(Exception):
    """Says for the log why keys could not be fetched; it quotes the issuer at the most, and never a caller."""


class KeySet(Protocol):
    """Where the keys come from."""

    async def find(self, kid: str | None) -> Sequence[Jwk]:
        """Return the keys that may have signed a token: those with its key id, all when it names none.

        Raises:
            Unavailable: No keys are known, and none can be fetched.
        """
        ...


class FixedKeys:
    """Keys that were given at the start.

    Args:
        keys: JSON Web Keys.
    """

    def __init__(self, keys: Sequence[Jwk]) -> None:
        self._keys = tuple(keys)

    async def find(self, kid: str | None) -> Sequence[Jwk]:
        """Return the keys with this id."""
        return _with_id(self._keys, kid)


class FetchedKeys:
    """Keys that an issuer publishes (RFC 7517), at an address that is known or found (OpenID Connect Discovery 1.0).

    They are fetched with the first token, once more when a token names a key that is not among them, and when they have
    grown old. Whatever callers send, that is at most once in `interval` seconds, and all wait for the same answer. When
    it fails, the keys that are known go on being used.

    Args:
        issuer: Whose keys they are.
        url: Where they lie; found at the issuer when left out.
        interval: Seconds between two attempts to fetch, at the least.
        lifetime: Seconds after which they are fetched again, beside the requests.
        fetch: Returns the JSON document at an address; blocks.
        clock: Tells seconds.
    """

    def __init__(
        self,
        *,
        issuer: str,
        url: str | None,
        interval: float = 30.0,
        lifetime: float = 3600.0,
        fetch: Callable[[str], Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._url = url
        self._interval = interval
        self._lifetime = lifetime
        self._fetch = fetch or fetch_document
        self._clock = clock
        self._keys: tuple[Jwk, ...] = ()
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._refreshing: asyncio.Task[None] | None = None

    async def find(self, kid: str | None) -> Sequence[Jwk]:
        """Return the keys with this id, after a look at what the issuer publishes when there is none."""
        found = _with_id(self._keys, kid)
        if found:
            if self._is_old():
                self._begin_refresh()
            return found
        refreshing = self._begin_refresh()
        if refreshing is not None:
            # Whoever leaves meanwhile takes nobody else's answer away.
            await asyncio.shield(refreshing)
        if not self._keys:
            raise Unavailable("The keys of whoever issued this token cannot be fetched. Send the request again.")
        return _with_id(self._keys, kid)

    def _is_old(self) -> bool:
        return self._fetched_at is None or self._clock() - self._fetched_at > self._lifetime

    def _begin_refresh(self) -> asyncio.Task[None] | None:
        running = self._refreshing
        if running is not None and not running.done() and running.get_loop() is asyncio.get_running_loop():
            return running
        now = self._clock()
        if self._tried_at is not None and now - self._tried_at < self._interval:
            return None
        self._tried_at = now
        self._refreshing = asyncio.create_task(self._refresh(), name="fetch the keys of a token issuer")
        return self._refreshing

    async def _refresh(self) -> None:
        try:
            keys = await asyncio.to_thread(self._fetched)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the keys that are known go on being used
            logger.error(
                "The keys of the token issuer %s cannot be fetched: %s. %s",
                self._issuer,
                str(error) if isinstance(error, Unfetched) else error,
                "Those that are known go on being used." if self._keys else "No token can be verified until they can.",
            )
            return
        self._keys, self._fetched_at = keys, self._clock()

    def _fetched(self) -> tuple[Jwk, ...]:
        document = self._fetch(self._url or self._discovered())
        listed: Any = cast("dict[str, Any]", document).get("keys") if isinstance(document, dict) else None
        keys = usable_keys(listed)
        if not keys:
            raise Unfetched("the document has no public key that could sign a token")
        return keys

    def _discovered(self) -> str:
        document = self._fetch(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        found: dict[str, Any] = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
        if found.get("issuer") != self._issuer:
            raise Unfetched(
                f"its discovery document is that of the issuer {found.get('issuer')!r}. Give JwtBearer(issuer=...) "
                "exactly as it says there"
            )
        url = found.get("jwks_uri")
        if not isinstance(url, str) or not is_safe_url(url):
            raise Unfetched("its discovery document names no address of keys that can be trusted")
        return url


def usable_keys(listed: object) -> tuple[Jwk, ...]:
    """Return the public keys of a JWK Set that are there for signatures."""
    if not isinstance(listed, list):
        return ()
    keys = [cast("Jwk", each) for each in cast("list[object]", listed) if isinstance(each, dict)]
    return tuple(key for key in keys if key.get("kty") in ("RSA", "EC", "OKP") and key.get("use", "sig") == "sig")


def is_safe_url(url: str) -> bool:
    """Whether what comes from an address is what its owner sent: it has TLS, or does not leave this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.username is not None or not host:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and (host == "localhost" or is_loopback(host)))


def require_safe_url(url: str, *, name: str) -> None:
    """Raise when an address could be answered by anybody in between.

    Raises:
        ConfigurationError: It has no TLS.
    """
    if not is_safe_url(url):
        raise ConfigurationError(f"{name} is {url!r}. Give an https address; http is for this machine alone.")


def fetch_document(url: str) -> Any:
    """Return the JSON document at an address; blocks for a few seconds at most, and follows no redirect.

    Raises:
        Unfetched: It cannot be fetched, is too large, comes too slowly, or is no JSON.
    """
    # Here, since few hosts fetch keys.
    from http.client import HTTPException
    from urllib import error, request

    opener = request.OpenerDirector()
    # No handler for redirects, files or FTP: what is asked is what answers.
    for handler in (
        request.ProxyHandler,
        request.HTTPHandler,
        request.HTTPSHandler,
        request.HTTPDefaultErrorHandler,
        request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    deadline = time.monotonic() + _FETCH_TIME
    chunks: list[bytes] = []
    try:
        with opener.open(url, timeout=_FETCH_TIME) as answer:
            while chunk := answer.read1(_CHUNK):
                chunks.append(chunk)
                if sum(map(len, chunks)) > _LARGEST_DOCUMENT:
                    raise Unfetched(f"{url} is larger than {_LARGEST_DOCUMENT} bytes")
                if time.monotonic() > deadline:
                    raise Unfetched(f"{url} took longer than {_FETCH_TIME:g} seconds")
    except error.HTTPError as refused:
        refused.close()
        raise Unfetched(f"{url} answered {refused.code}") from None
    except (OSError, HTTPException) as failed:
        raise Unfetched(f"{url} does not answer ({getattr(failed, 'reason', failed)})") from None
    try:
        return json.loads(b"".join(chunks))
    except (ValueError, RecursionError):
        raise Unfetched(f"{url} is no JSON") from None


def _with_id(keys: Sequence[Jwk], kid: str | None) -> tuple[Jwk, ...]:
    # Without an id on either side, every key may be the one; there are few.
    return tuple(key for key in keys if kid is None or key.get("kid") in (None, kid))
