"""Who is calling: what `auth=` of the host may be, and the ways that are built in.

- `ApiKeys`: bearer keys of which the host knows only hashes; `af-hosting keys new` makes them.
- `JwtBearer`: signed tokens of an identity provider (OpenID Connect); needs the `[auth]` extra.
- `mounted_user`: whom the app around the host has authenticated; everybody else is refused.
- `AnyOf`: several of them side by side.
- Any Starlette `AuthenticationBackend`, or a function of yours; see `Authenticator`.
"""

from .authenticator import Authenticator, Caller, bearer_token
from .keys import API_KEYS_VARIABLE, ApiKey, ApiKeys, hash_key, new_key
from .several import AnyOf
from .tokens import JwtBearer
from .users import mounted_user

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
