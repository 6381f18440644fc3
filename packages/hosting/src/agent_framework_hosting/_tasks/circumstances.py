"""In which circumstances a task was accepted: who asked, under which isolation keys, in which trace and request."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
from opentelemetry import context as otel

from .._handled import HandledRequest, handling, request_id
from ..errors import ConfigurationError
from ..ids import mint
from ..isolation import (
    Calling,
    IsolationKeys,
    current_principal,
    get_current_isolation_keys,
    reset_current_isolation_keys,
    set_current_isolation_keys,
)
from ..types import Principal, PrincipalKind


class _Circumstances(msgspec.Struct, kw_only=True):
    tenant: str
    principal: str
    kind: PrincipalKind
    claims: dict[str, Any] = {}
    scopes: frozenset[str] = frozenset()
    user_key: str | None = None
    chat_key: str | None = None
    trace: dict[str, str] = {}
    request: str = ""


def described(principal: Principal) -> bytes:
    """Return what a handler will find again.

    Raises:
        ConfigurationError: The principal has a claim that JSON cannot carry.
    """
    keys = get_current_isolation_keys() if principal == current_principal() else None
    # As in the telemetry of requests: it is looked up with its import which propagators there are.
    from opentelemetry import propagate

    trace: dict[str, str] = {}
    propagate.inject(trace)
    described = _Circumstances(
        tenant=principal.tenant,
        principal=principal.id,
        kind=principal.kind,
        claims=dict(principal.claims),
        scopes=principal.scopes,
        user_key=keys.user_key if keys is not None else None,
        chat_key=keys.chat_key if keys is not None else None,
        trace=trace,
        request=request_id(),
    )
    try:
        return msgspec.json.encode(described)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"A claim of the principal cannot be kept with accepted work: {error}. Let `auth=` give claims that JSON "
            "can carry: texts, numbers, lists and mappings."
        ) from error


class Restored:
    """The circumstances of a task."""

    def __init__(self, described: bytes) -> None:
        found = msgspec.json.decode(described, type=_Circumstances)
        self.principal: Principal = Principal(found.tenant, found.principal, found.kind, found.claims, found.scopes)
        self._keys = IsolationKeys(found.user_key, found.chat_key)
        self._trace: Mapping[str, str] = found.trace
        self._request = found.request

    @contextmanager
    def named(self) -> Generator[None]:
        """Let the log lines of the block name the request that the task was accepted with."""
        with handling(HandledRequest(self._request or mint("req_"))):
            yield

    @contextmanager
    def around(self) -> Generator[None]:
        """Let them be those of what runs inside the block."""
        from opentelemetry import propagate

        token = otel.attach(propagate.extract(self._trace))
        keys = set_current_isolation_keys(None if self._keys.is_empty else self._keys)
        try:
            with Calling(self.principal):
                yield
        finally:
            reset_current_isolation_keys(keys)
            otel.detach(token)
