"""Bearer tokens of an identity provider: signed JWTs (RFC 7519, RFC 9068), as OpenID Connect issuers give them out."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping, Sequence
from types import ModuleType
from typing import Any, Final, cast

from starlette.requests import HTTPConnection

from .._headers import LONGEST_HEADER
from ..errors import ConfigurationError
from ..logs import logger
from ..types import DEFAULT_TENANT, Principal
from .authenticator import bearer_token
from .keyset import FetchedKeys, FixedKeys, Jwk, KeySet, require_safe_url, usable_keys

INSTALL_HINT: Final = (
    'JwtBearer needs PyJWT with cryptography, which is not installed. Install the "auth" extra of '
    "agent-framework-hosting."
)
ALGORITHMS: Final = frozenset(
    ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
)
"""The signatures that can be verified: those by a private key, whose public half gives nobody the power to sign."""

_LONGEST_ID: Final = 255
_KINDS: Final = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
_PEM: Final = "-----BEGIN "


class _Refused(Exception):
    """Says for the log, in words of this module's own, why a token is none."""


class JwtBearer:
    """Lets callers in who send `Authorization: Bearer TOKEN` with a token that an issuer has signed for this host.

    A token counts when one of the issuer's keys has signed it with one of `algorithms`, when it is from `issuer`, for
    `audience`, has an end that is not reached and a beginning that is, and says whose it is. Everything else is the
    same 401; the log says why, without the token. Headers of a token that point to keys (`jku`, `x5u`, `jwk`) mean
    nothing. Needs the `[auth]` extra.

    Args:
        issuer: Exactly what the tokens' `iss` says. The keys are found there (OpenID Connect Discovery).
        audience: What the tokens' `aud` has to name: this host, as the issuer knows it; several are alternatives.
        algorithms: Signatures that are taken.
        jwks_url: Where the issuer's keys lie, when they cannot be found from `issuer`.
        keys: The keys themselves, instead: a JWK Set, or a public key in PEM.
        leeway: Seconds by which the issuer's clock may differ.
        id_claim: Whose value is the principal's id. Choose one that the issuer never gives to a second person.
        tenant: The tenant of all callers.
        tenant_claim: Whose value is the tenant, instead.
        tenants: The values of `tenant_claim` that are let in; with `None` any.
        scope_claims: Where scopes stand, as a list or as words; see `Door.scopes`.
        refresh_interval: Seconds between two attempts to fetch keys, at the least.

    Raises:
        ConfigurationError: The arguments would let in the wrong ones or nobody, or PyJWT is missing.

    Example:
        >>> bearer = JwtBearer(issuer="https://login.example.com", audience="api://agent")
        >>> bearer.issuer
        'https://login.example.com'
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str | Sequence[str],
        algorithms: Sequence[str] = ("RS256",),
        jwks_url: str | None = None,
        keys: Mapping[str, Any] | str | None = None,
        leeway: float = 60.0,
        id_claim: str = "sub",
        tenant: str | None = None,
        tenant_claim: str | None = None,
        tenants: Collection[str] | None = None,
        scope_claims: Sequence[str] = ("scope", "scp"),
        refresh_interval: float = 30.0,
    ) -> None:
        self._jwt = _pyjwt()
        self.issuer: str = _text(issuer, name="issuer")
        self._audience = [audience] if isinstance(audience, str) else list(audience)
        if not self._audience or not all(self._audience):
            raise ConfigurationError(
                "JwtBearer(audience=...) is empty, so that tokens for anybody else would be taken."
            )
        self._algorithms = _checked_algorithms(algorithms)
        self._leeway = leeway
        self._id_claim = _text(id_claim, name="id_claim")
        if (tenant_claim is not None and tenant is not None) or (tenant_claim is None and tenants is not None):
            raise ConfigurationError("JwtBearer takes tenant=, or tenant_claim= with tenants= if you like.")
        self._tenant_claim = tenant_claim
        self.tenants: frozenset[str] | None = (
            frozenset((tenant or DEFAULT_TENANT,)) if tenant_claim is None else _set_of(tenants)
        )
        self._scope_claims = tuple(scope_claims)
        self._keys = self._keys_of(jwks_url, keys, interval=refresh_interval)

    async def __call__(self, connection: HTTPConnection) -> Principal | None:
        """Return whose token the request carries; see `Authenticator`."""
        token = bearer_token(connection)
        if token is not None:
            return await self.principal_of(token)
        if len(connection.headers.get("authorization", "")) > LONGEST_HEADER:
            # A person in very many groups has such a one, and nothing else would say what is wrong with it.
            logger.info("A bearer token was refused: it has more than %d bytes.", LONGEST_HEADER)
        return None

    async def principal_of(self, token: str) -> Principal | None:
        """Return whose token this is; `None` when it is nobody's.

        Raises:
            Unavailable: No key of the issuer's can be fetched.
        """
        try:
            return self._named(await self._claims(token))
        except _Refused as refused:
            logger.info("A bearer token was refused: %s.", str(refused))
            return None

    async def _claims(self, token: str) -> dict[str, Any]:
        algorithm, kid = self._head(token)
        self._refuse_others(token)
        keys = [key for key in await self._keys.find(kid) if _fits(key, algorithm)]
        if not keys:
            raise _Refused("its key is none of the issuer's")
        refused = _Refused("it has no key")
        for key in keys:
            try:
                return self._verified(token, algorithm, key)
            except _Refused as error:
                refused = error
        raise refused

    def _head(self, token: str) -> tuple[str, str | None]:
        try:
            head: dict[str, Any] = self._jwt.get_unverified_header(token)
        except (self._jwt.PyJWTError, ValueError, RecursionError):
            raise _Refused("it is no JWT") from None
        algorithm, kid = head.get("alg"), head.get("kid")
        if not isinstance(algorithm, str) or algorithm not in self._algorithms:
            raise _Refused("its algorithm is not taken")
        if "crit" in head or head.get("b64", True) is not True:
            raise _Refused("it has extensions that nobody here understands")
        if kid is not None and not isinstance(kid, str):
            raise _Refused("its key id is no text")
        return algorithm, kid

    def _refuse_others(self, token: str) -> None:
        # Nobody asks this issuer for the keys of another one, nor waits for them while it does not answer.
        try:
            claims = self._jwt.decode(token, options={"verify_signature": False})
        except (self._jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise _Refused("it is no JWT") from None
        if claims.get("iss") != self.issuer:
            raise _Refused(_REASONS["InvalidIssuerError"])

    def _verified(self, token: str, algorithm: str, key: Jwk) -> dict[str, Any]:
        try:
            public = self._jwt.PyJWK(dict(key), algorithm).key
            return self._jwt.decode(
                token,
                public,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self.issuer,
                leeway=self._leeway,
                options={"require": ["exp", "iss", "aud", self._id_claim], "enforce_minimum_key_length": True},
            )
        except (self._jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            # The library's words may quote the token; the kind of error says enough.
            raise _Refused(_REASONS.get(type(error).__name__, "it is not sound")) from None

    def _named(self, claims: dict[str, Any]) -> Principal:
        tenant = DEFAULT_TENANT
        if self._tenant_claim is not None:
            tenant = _name_in(claims, self._tenant_claim)
            if self.tenants is not None and tenant not in self.tenants:
                raise _Refused("its tenant is not let in")
        elif self.tenants is not None:
            (tenant,) = self.tenants
        scopes = frozenset(scope for claim in self._scope_claims for scope in _words(claims.get(claim)))
        return Principal(tenant, _name_in(claims, self._id_claim), "caller", claims, scopes)

    def _keys_of(self, url: str | None, keys: Mapping[str, Any] | str | None, *, interval: float) -> KeySet:
        if keys is not None and url is not None:
            raise ConfigurationError("JwtBearer takes jwks_url= or keys=, not both.")
        if keys is not None:
            return FixedKeys(self._given(keys))
        if url is not None:
            require_safe_url(url, name="JwtBearer(jwks_url=...)")
        else:
            require_safe_url(self.issuer, name="JwtBearer(issuer=...), where the keys are looked for,")
        return FetchedKeys(issuer=self.issuer, url=url, interval=interval)

    def _given(self, keys: Mapping[str, Any] | str) -> Sequence[Jwk]:
        listed: Sequence[Jwk] = self._from_pem(keys) if isinstance(keys, str) else usable_keys(keys.get("keys"))
        if not any(_fits(key, algorithm) for key in listed for algorithm in self._algorithms):
            raise ConfigurationError(
                "JwtBearer(keys=...) has no public key for the algorithms "
                f"{', '.join(self._algorithms)}. Give a JWK Set, {{'keys': [...]}}, or a public key in PEM."
            )
        return listed

    def _from_pem(self, pem: str) -> Sequence[Jwk]:
        for algorithm in self._algorithms if _PEM in pem else ():
            handler = self._jwt.get_algorithm_by_name(algorithm)
            try:
                public = handler.prepare_key(pem.encode())
            except (self._jwt.PyJWTError, ValueError, TypeError):
                continue
            jwk = cast("dict[str, Any]", handler.to_jwk(public, as_dict=True))
            if "d" in jwk:
                raise ConfigurationError(
                    "JwtBearer(keys=...) is a private key. Give the public one: the host only verifies."
                )
            return [jwk]
        return []


def _pyjwt() -> ModuleType | Any:
    try:
        importlib.import_module("cryptography")
        return importlib.import_module("jwt")
    except ModuleNotFoundError as error:
        raise ConfigurationError(INSTALL_HINT) from error


def _checked_algorithms(algorithms: Sequence[str]) -> tuple[str, ...]:
    if isinstance(algorithms, str) or not algorithms or not set(algorithms) <= ALGORITHMS:
        raise ConfigurationError(
            f"JwtBearer(algorithms={algorithms!r}) has to be a list of {', '.join(sorted(ALGORITHMS))}. Algorithms "
            "with a shared secret (HS256) and none let whoever can verify a token make one."
        )
    return tuple(algorithms)


def _text(value: str, *, name: str) -> str:
    if not value:
        raise ConfigurationError(f"JwtBearer({name}=...) is empty.")
    return value


def _set_of(values: Collection[str] | None) -> frozenset[str] | None:
    if isinstance(values, str) or (values is not None and not values):
        raise ConfigurationError("JwtBearer(tenants=...) is a list of tenants, with at least one.")
    return None if values is None else frozenset(values)


def _fits(key: Jwk, algorithm: str) -> bool:
    return key.get("kty") == _KINDS[algorithm[:2]] and key.get("alg", algorithm) == algorithm


def _name_in(claims: Mapping[str, Any], claim: str) -> str:
    value = claims.get(claim)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_ID or not value.isprintable():
        raise _Refused("it does not say whose it is")
    return value


def _words(value: object) -> Sequence[str]:
    if isinstance(value, str):
        return value.split()
    if isinstance(value, list):
        return [each for each in cast("list[object]", value) if isinstance(each, str)]
    return ()


_REASONS: Final = {
    "ExpiredSignatureError": "it has expired",
    "ImmatureSignatureError": "it is not valid yet",
    "InvalidAlgorithmError": "its algorithm is not taken",
    "InvalidAudienceError": "it is for somebody else",
    "InvalidIssuedAtError": "it does not say when it was issued",
    "InvalidIssuerError": "it is from somebody else",
    "InvalidKeyError": "its key is of no use",
    "InvalidSignatureError": "its signature is wrong",
    "MissingRequiredClaimError": "a claim is missing",
}
