"""API keys of the host's own: high-entropy keys for the callers, their hashes for the host."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Self, cast

from starlette.requests import HTTPConnection

from .._alike import alike
from ..errors import ConfigurationError
from ..types import DEFAULT_TENANT, Principal
from .authenticator import bearer_token

API_KEYS_VARIABLE: Final = "AF_HOSTING_API_KEYS"
"""The environment variable that holds the entries, separated by commas or white space."""

_PREFIX: Final = "afh_"
"""Says what a key is to whoever finds one, secret scanners included."""
_KEY_BYTES: Final = 32
_KEY: Final = re.compile(rf"{_PREFIX}[0-9a-f]{{{2 * _KEY_BYTES}}}", re.ASCII)
_ALGORITHM: Final = "sha256-"
_HASH: Final = re.compile(rf"{_ALGORITHM}[0-9a-f]{{64}}", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}", re.ASCII)
_SEPARATORS: Final = re.compile(r"[\s,]+")
_HOW: Final = "`af-hosting keys new` prints a key and its entry, [TENANT/]NAME:sha256-HASH[:EXPIRES]."


def new_key() -> str:
    """Return a fresh key: `afh_` and 256 random bits.

    Example:
        >>> len(new_key())
        68
    """
    return _PREFIX + secrets.token_hex(_KEY_BYTES)


def hash_key(key: str) -> str:
    """Return what the host keeps of a key.

    One round of SHA-256, not a password hash: those make guesses of what people choose expensive, and 256 random bits
    cannot be guessed. A password hash per request would only give strangers a way to keep the CPU busy.

    Raises:
        ConfigurationError: This is no key that `new_key` made; keys that people choose can be guessed.
    """
    if _KEY.fullmatch(key) is None:
        raise ConfigurationError(f"This is no API key of the host's: they begin with {_PREFIX}. {_HOW}")
    return _ALGORITHM + _digest(key).hex()


@alike
@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One entry: whose key it is, and its hash.

    Args:
        name: The principal's id; several keys may have one name, for rotation. Letters, digits and `._@+-`.
        hash: What `hash_key` returned.
        tenant: The principal's tenant.
        expires: From when on the key is refused; a time without a zone is in UTC.
    """

    name: str
    hash: str = field(repr=False)
    tenant: str = DEFAULT_TENANT
    expires: datetime | None = None

    def __post_init__(self) -> None:
        if _HASH.fullmatch(self.hash) is None:
            raise ConfigurationError(f"An API key's hash is 'sha256-' and 64 hexadecimal digits. {_HOW}")
        if not (_NAME.fullmatch(self.name) and _NAME.fullmatch(self.tenant)):
            raise ConfigurationError(
                "Name and tenant of an API key begin with a letter or a digit and have at most 128 letters, digits "
                f"and ._@+- in all. {_HOW}"
            )
        if self.expires is not None and self.expires.tzinfo is None:
            object.__setattr__(self, "expires", self.expires.replace(tzinfo=UTC))

    @property
    def entry(self) -> str:
        """The entry as it stands in the environment."""
        name = self.name if self.tenant == DEFAULT_TENANT else f"{self.tenant}/{self.name}"
        return f"{name}:{self.hash}" + (f":{self.expires.isoformat()}" if self.expires else "")

    @classmethod
    def parse(cls, entry: str) -> Self:
        """Return the key that an entry describes.

        Raises:
            ConfigurationError: The entry is malformed. What it says is not repeated: it may be a key.
        """
        owner, _, rest = entry.partition(":")
        hashed, _, expires = rest.partition(":")
        tenant, slash, name = owner.rpartition("/")
        return cls(name=name, hash=hashed, tenant=tenant if slash else DEFAULT_TENANT, expires=expiry_of(expires))


class ApiKeys:
    """Lets callers in who send `Authorization: Bearer KEY`, as the official OpenAI clients do with their `api_key`.

    The host knows only hashes. To rotate, give one name two keys until every client has the new one.

    Args:
        keys: Entries (`ApiKey`, or text as `af-hosting keys new` prints it), one text with several of them, or a
            mapping of names to hashes.
        now: The clock that expiry is judged by.

    Raises:
        ConfigurationError: There is no valid key, or an entry is malformed; keys themselves are never repeated.

    Example:
        >>> key = new_key()
        >>> keys = ApiKeys({"ada": hash_key(key)})
        >>> keys.principal_of(key).id
        'ada'
        >>> keys.principal_of(new_key()) is None
        True
    """

    def __init__(
        self,
        keys: str | Iterable[str | ApiKey] | Mapping[str, str | Iterable[str]],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._now = now
        self._keys: dict[bytes, tuple[bytes, ApiKey, Principal | None]] = {}
        for position, entry in enumerate(_entries(keys), start=1):
            self._add(entry, position)
        if not any(self._is_valid(key) for _, key, _ in self._keys.values()):
            state = "all have expired" if self._keys else "there are none"
            raise ConfigurationError(f"ApiKeys would refuse everybody: {state}. {_HOW}")

    @classmethod
    def from_environment(
        cls, variable: str = API_KEYS_VARIABLE, *, environment: Mapping[str, str] | None = None
    ) -> Self:
        """Return the keys whose entries an environment variable holds.

        Raises:
            ConfigurationError: The variable is not set, or not to entries.
        """
        text = (os.environ if environment is None else environment).get(variable, "")
        if not text.strip():
            raise ConfigurationError(f"The environment variable {variable} holds no API keys. {_HOW}")
        return cls(text)

    async def __call__(self, connection: HTTPConnection) -> Principal | None:
        """Return whose key the request carries; see `Authenticator`."""
        token = bearer_token(connection)
        return None if token is None else self.principal_of(token)

    def principal_of(self, key: str) -> Principal | None:
        """Return whose key this is; `None` when it is nobody's, or has expired."""
        # Nobody can steer the hash of a key that they do not have, so the time of the look-up tells nothing of the
        # hashes that are kept. All steps are taken for every key, known or not.
        digest = _digest(key)
        kept, entry, principal = self._keys.get(digest, _NOBODYS)
        is_same = hmac.compare_digest(digest, kept)
        is_valid = self._is_valid(entry)
        # Only what `new_key` makes cannot be guessed, so nothing else is a key, whatever its hash.
        is_key = _KEY.fullmatch(key) is not None
        return principal if is_same and is_valid and is_key else None

    def __len__(self) -> int:
        return len(self._keys)

    def _add(self, entry: str | ApiKey, position: int) -> None:
        try:
            key = entry if isinstance(entry, ApiKey) else ApiKey.parse(entry)
        except ConfigurationError as error:
            raise ConfigurationError(f"Entry {position} of the API keys is malformed. {error.message}") from None
        digest = bytes.fromhex(key.hash.removeprefix(_ALGORITHM))
        if digest in self._keys:
            raise ConfigurationError(f"Entry {position} of the API keys has the hash of an earlier one. Remove one.")
        self._keys[digest] = digest, key, Principal(tenant=key.tenant, id=key.name, kind="caller")

    def _is_valid(self, key: ApiKey) -> bool:
        return key.expires is None or self._now() < key.expires


_NOBODYS: Final = b"\0" * 32, ApiKey(name="nobody", hash=_ALGORITHM + "0" * 64), None


def _entries(keys: str | Iterable[str | ApiKey] | Mapping[str, str | Iterable[str]]) -> list[str | ApiKey]:
    if isinstance(keys, str):
        return [entry for entry in _SEPARATORS.split(keys) if entry]
    if not isinstance(keys, Mapping):
        return list(keys)
    named = cast("Mapping[str, str | Iterable[str]]", keys)
    pairs = ((name, [hashes] if isinstance(hashes, str) else hashes) for name, hashes in named.items())
    return [f"{name}:{hashed}" for name, hashes in pairs for hashed in hashes]


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()


def expiry_of(text: str) -> datetime | None:
    """Return the end of a key as a day or a time in ISO 8601 says it; `None` for no text.

    Raises:
        ConfigurationError: It is neither.
    """
    if not text:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"The end of an API key is a day or a time, like 2030-01-31 or 2030-01-31T12:00Z. {_HOW}"
        ) from None
