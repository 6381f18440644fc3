"""Several ways to say who one is, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from starlette.requests import HTTPConnection

from ..errors import ConfigurationError
from ..types import Principal
from ._accepted import Authenticator
from .authenticator import authenticate_with, name_of
from .tokens import JwtBearer


class AnyOf:
    """Asks one authenticator after the other; the first that knows the caller has said who it is.

    What one of them raises refuses the request. An id that two of them give out in one tenant is one person: name API
    keys so that no issuer of tokens gives the same names out.

    Raises:
        ConfigurationError: One cannot be asked, or two issuers of tokens could speak for each other's people.

    Example:
        >>> from agent_framework_hosting.auth import ApiKeys, hash_key, new_key
        >>> keys = ApiKeys({"batch": hash_key(new_key())})
        >>> tokens = JwtBearer(issuer="https://login.example.com", audience="api://agent")
        >>> AnyOf(keys, tokens).__name__
        'ApiKeys or JwtBearer'
    """

    def __init__(self, *authenticators: Authenticator) -> None:
        if not authenticators:
            raise ConfigurationError("AnyOf() would refuse everybody. Give it authenticators: AnyOf(keys, tokens).")
        self._issuers = [issuer for each in authenticators for issuer in self._issuers_of(each)]
        for one, other in combinations(self._issuers, 2):
            if one.issuer != other.issuer and _share_people(one, other):
                raise ConfigurationError(
                    f"The issuers {one.issuer!r} and {other.issuer!r} could name people of one tenant, and so speak "
                    "for each other's. Give each a tenant= of its own, or disjoint tenants=."
                )
        self._ask = [authenticate_with(each) for each in authenticators]
        self.__name__: str = " or ".join(name_of(each) for each in authenticators)

    async def __call__(self, connection: HTTPConnection) -> Principal | None:
        """Return who is calling; see `Authenticator`."""
        for ask in self._ask:
            principal = await ask(connection)
            if principal is not None:
                return principal
        return None

    @staticmethod
    def _issuers_of(authenticator: Authenticator) -> Sequence[JwtBearer]:
        if isinstance(authenticator, AnyOf):
            return authenticator._issuers  # noqa: SLF001 - of another one of this class
        return [authenticator] if isinstance(authenticator, JwtBearer) else []


def _share_people(one: JwtBearer, other: JwtBearer) -> bool:
    if one.tenants is None or other.tenants is None:
        return True
    return not one.tenants.isdisjoint(other.tenants)
