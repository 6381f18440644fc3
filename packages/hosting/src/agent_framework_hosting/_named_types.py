"""Types that signatures name and no host needs: each is looked up, and its module loaded, when somebody asks for it.

What is typed can be asked for its types while it runs, so that the names have to lead somewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._late import late

if TYPE_CHECKING:
    from ._state.database import Migrate
    from ._state.port import StateStore
    from ._target.session_store import SessionStore
    from .auth._accepted import Authenticator
    from .observability import Observability

__all__ = ["Authenticator", "Migrate", "Observability", "SessionStore", "StateStore"]

_LATE: Final = {
    "Authenticator": "auth._accepted",
    "Migrate": "_state.database",
    "Observability": "observability",
    "SessionStore": "_target.session_store",
    "StateStore": "_state.port",
}

if not TYPE_CHECKING:
    __getattr__ = late(globals(), _LATE)
