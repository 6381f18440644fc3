"""The values that travel through the host: request, session, principal, identity, result.

All are frozen: a hook changes a request with `dataclasses.replace`, a result with `HostedRunResult.replace`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar, cast

from agent_framework import AgentSession

from ._alike import alike

ResultT = TypeVar("ResultT")

JSON: TypeAlias = Mapping[str, Any] | list[Any] | str | int | float | bool | None
"""A value that JSON can carry; what a `seal` returns."""

DEFAULT_TENANT: Final = "default"
"""The tenant of everybody when nobody says otherwise."""

Owner: TypeAlias = tuple[str, int, str]
"""Whose an id is: the tenant, who said who is calling (0 nobody, 1 whom the host asks, 2 a channel), the principal."""

PrincipalKind: TypeAlias = Literal["anonymous", "caller", "native", "linked", "system"]
_SAID_BY: Final[Mapping[PrincipalKind, int]] = {"anonymous": 0, "native": 2}


class _Owned:
    """Has an owner, which is no field of a dataclass: whoever makes a principal of another one's fields gives none."""

    __slots__ = ("owner",)

    owner: Owner
    """The key under which this principal's ids are kept.

    Nobody can name themselves into another kind of principal: a caller who is called `anonymous`, or as a channel calls
    one of its people, is somebody else.
    """


@alike
@dataclass(frozen=True, slots=True)
class Principal(_Owned):
    """Who is calling: the owner of every id that is minted for this call.

    Args:
        tenant: The partition; nothing crosses it.
        id: Unique inside the tenant.
        kind: `anonymous` (nobody said), `caller` (authenticated by the host or a trusted platform), `native` (a chat
            user whom a channel verified), `linked`, or `system`.
        claims: What the authenticator knows besides; for hooks, never for access decisions of the host.
        scopes: What the caller was granted; the host compares them with `Door.scopes`.
    """

    tenant: str = DEFAULT_TENANT
    id: str = "anonymous"
    kind: PrincipalKind = "anonymous"
    claims: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)
    scopes: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        # Asked for several times a request, and kept with all that is this principal's: always the same object.
        object.__setattr__(self, "owner", (self.tenant, _SAID_BY.get(self.kind, 1), self.id))

    def __reduce__(self) -> tuple[Any, ...]:
        # By its fields, since dataclasses know of no others; a subclass stays what it is, and has more of them.
        return _with_fields, (type(self), {each.name: getattr(self, each.name) for each in fields(self)})


def _with_fields(kind: type[Principal], values: Mapping[str, Any]) -> Principal:
    """Return a principal that was copied or pickled."""
    own = kind.__new__(kind)
    for name, value in values.items():
        object.__setattr__(own, name, value)
    Principal.__post_init__(own)
    return own


ANONYMOUS: Final = Principal()
"""The principal of a request about which nothing is known."""


@alike
@dataclass(frozen=True, slots=True)
class ChannelSession:
    """Which conversation a request belongs to, and where its outcome goes.

    Requests with an equal `isolation_key` (inside a tenant) share one session, from whichever channel.

    Args:
        isolation_key: The session key. Whoever sets it has authenticated and authorised the caller.
        parent: The id of a committed turn to continue from. Continuing the newest turn of a session stays in that
            session; continuing an older one makes a branch that does not see its siblings. The id is looked up as
            the request's principal: an unknown one is refused with `UnknownParent`.
        commit_as: The id under which the outcome is stored, to be named as a later turn's `parent`. Without it the
            outcome cannot be continued by id.
    """

    isolation_key: str | None = None
    parent: str | None = field(default=None, kw_only=True)
    commit_as: str | None = field(default=None, kw_only=True)


@alike
@dataclass(frozen=True, slots=True)
class ChannelIdentity:
    """How a channel knows its user: metadata, which never links, authorises or selects a destination by itself."""

    channel: str
    native_id: str
    attributes: Mapping[str, Any] | None = None


@alike
@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """What a caller names a request by, so that the same request sent twice is run once.

    Args:
        key: The caller's; unique among the caller's requests to one channel.
        fingerprint: A hash of what was asked. The same key with another one is refused.
    """

    key: str
    fingerprint: bytes


SessionMode: TypeAlias = Literal["auto", "disabled"]


@alike
@dataclass(frozen=True, slots=True)
class ChannelRequest:
    """One request to the target, in the host's own words.

    Args:
        channel: The name of the channel that took it.
        operation: What is asked, in the channel's words (`"create"`, `"message"`).
        input: What the target gets: text, `Message`(s), `Content`, or a workflow's own type.
        session: The conversation; `None` for a single turn.
        options: Options for the run, in Agent Framework's names, as the channel's policy lets them through.
        session_mode: `"disabled"` passes no session, whatever `session` says.
        metadata: Metadata of the caller; carried along, never interpreted.
        attributes: The channel's own facts about the request (ids, what was asked for).
        stream: Whether the caller wants updates as they come.
        identity: How the channel knows the user.
        principal: Who is calling. Filled in by the host when left `None`; a hook cannot change it.
    """

    channel: str
    operation: str
    input: Any
    session: ChannelSession | None = None
    options: Mapping[str, Any] | None = None
    session_mode: SessionMode = "auto"
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    stream: bool = False
    identity: ChannelIdentity | None = None
    principal: Principal | None = None


_KEEP: Final = object()


@alike
@dataclass(frozen=True, slots=True)
class HostedRunResult(Generic[ResultT]):
    """What the target returned, unflattened, and the session that it ran in."""

    result: ResultT
    session: AgentSession | None = field(default=None, kw_only=True)

    def replace(self, result: Any = _KEEP, session: Any = _KEEP) -> HostedRunResult[Any]:
        """Return a copy with the given parts; an explicit `None` counts."""
        return HostedRunResult(
            self.result if result is _KEEP else result,
            session=self.session if session is _KEEP else cast("AgentSession | None", session),
        )


Seal: TypeAlias = Callable[[HostedRunResult[Any]], JSON]
"""A pure function of a channel: folds what it will send into the opaque record that is committed with the turn."""

SealUnfinished: TypeAlias = Callable[[Exception], JSON]
"""The same for a turn that did not finish: folds what had been sent when the error came, and the end that is told.

The record can be read under the turn's id; the turn cannot be continued. Nothing is kept when it returns `None`.
"""

BeginTurn: TypeAlias = Callable[[ChannelRequest], Awaitable[ChannelRequest]]
"""A channel's last word on a request, once the session is its turn's alone and before the target runs.

What it raises refuses the turn, which gives back what it had claimed. It may change the input; session, principal and
whatever else the turn was admitted with are settled by then.
"""
