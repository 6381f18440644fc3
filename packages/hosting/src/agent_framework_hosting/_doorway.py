"""How a host tells who is calling, put together from all that was said about it."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from ._isolation_headers import platform_is_trusted
from .auth.authenticator import Authenticate, authenticate_with, name_of
from .auth.keys import ApiKeys
from .door import Door, checked_door

if TYPE_CHECKING:
    from .auth._accepted import Authenticator


class Doorway:
    """Who says who is calling, and whether callers may come whom nobody names.

    `keys` are there when `auth` is keys and nothing else: these know at once. `trusts_headers` is `None` when isolation
    headers are believed from named proxies alone. `lets_strangers_in` may still be set when the host begins to serve.

    Raises:
        ConfigurationError: `auth` can say nothing, or `door` does not fit the host.
    """

    def __init__(
        self,
        *,
        auth: Authenticator | None,
        door: Door | None,
        trust_isolation_headers: bool | None,
        channels: Collection[str],
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._auth = auth
        self.authenticate: Authenticate | None = None if auth is None else authenticate_with(auth)
        # A class of one's own that stands on it may ask more than it does.
        self.keys: ApiKeys | None = auth if isinstance(auth, ApiKeys) and type(auth) is ApiKeys else None
        self.door: Door = checked_door(door, channels=channels)
        by_platform = platform_is_trusted(environment) or None
        self.trusts_headers: bool | None = by_platform if trust_isolation_headers is None else trust_isolation_headers
        self.lets_strangers_in: bool = self.door.lets_strangers_in(environment)

    @property
    def names_callers(self) -> bool:
        """Whether there is somebody who says who is calling."""
        return self.authenticate is not None or bool(self.trusts_headers) or self.door.names_proxies

    def takes(self, *, is_local: bool, is_vouched: bool) -> bool:
        """Whether a caller may come whom neither `auth=` nor an app around the host has looked at."""
        return is_local or is_vouched or self.lets_strangers_in or bool(self.trusts_headers)

    def __str__(self) -> str:
        by_auth = None if self._auth is None else f"authenticated by {name_of(self._auth)}"
        source = None
        if self.trusts_headers:
            source = "a trusted platform"
        elif self.trusts_headers is None and self.door.names_proxies:
            source = "the named proxies"
        by_headers = None if source is None else f"named by the isolation headers of {source}"
        said = [each for each in (by_auth, by_headers) if each is not None]
        return ", then ".join(said) or "anonymous, unless an app around the host names them"
