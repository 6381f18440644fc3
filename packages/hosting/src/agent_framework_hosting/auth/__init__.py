"""Who is calling: what `auth=` of the host may be, and the ways that are built in.

- `ApiKeys`: bearer keys of which the host knows only hashes; `af-hosting keys new` makes them.
- `JwtBearer`: signed tokens of an identity provider (OpenID Connect); needs the `[auth]` extra.
- `mounted_user`: whom the app around the host has authenticated; everybody else is refused.
- `AnyOf`: several of them side by side.
- Any Starlette `AuthenticationBackend`, or a function of yours; see `Authenticator`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._late import late, listed
from .authenticator import bearer_token
from .keys import API_KEYS_VARIABLE, ApiKey, ApiKeys, hash_key, new_key
from .users import mounted_user

if TYPE_CHECKING:
    from ._accepted import Authenticator, Caller
    from .several import AnyOf
    from .tokens import JwtBearer

_LATE = {"AnyOf": "several", "Authenticator": "_accepted", "Caller": "_accepted", "JwtBearer": "tokens"}

__all__ = [
    "API_KEYS_VARIABLE",
    "AnyOf",
    "ApiKey",
    "ApiKeys",
    "Authenticator",
    "Caller",
    "JwtBearer",
    "bearer_token",
    "hash_key",
    "mounted_user",
    "new_key",
]


# Tokens are a third of this package, and most hosts have keys.
if not TYPE_CHECKING:
    __getattr__ = late(globals(), _LATE)
    __dir__ = listed(globals(), _LATE)
