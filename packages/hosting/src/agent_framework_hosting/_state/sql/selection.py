"""Which conversations an operator means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, func, literal, or_, select, tuple_

from ...types import DEFAULT_TENANT
from .schema import SESSIONS, TURNS
from .script import POSTGRES, SQLITE, Dialect

Conversation: TypeAlias = tuple[str, str]
"""A tenant, and the root of all sessions of one conversation."""

BATCH: Final = 50
"""Conversations of one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is meant: all that fits everything which is given.

    Args:
        tenant: The partition; left out, every one for an age alone and the default one otherwise.
        principal: Who wrote it: an id that an authenticator named.
        is_anonymous: Instead of a principal: what was written while nobody said who is calling.
        session: A session's key, its id, or the key that its conversation began with.
        older_than: Seconds for which it has not been used.
    """

    tenant: str | None = None
    principal: str | None = None
    is_anonymous: bool = False
    session: str | None = None
    older_than: float | None = None

    @property
    def names_somebody(self) -> bool:
        """Whether it says whose."""
        return self.principal is not None or self.is_anonymous

    @property
    def within(self) -> str | None:
        """The tenant that is looked into, `None` for all."""
        return DEFAULT_TENANT if self.tenant is None and (self.names_somebody or self.session) else self.tenant


def selected(
    connection: Connection,
    selection: Selection,
    *,
    after: Conversation | None = None,
    among: Sequence[Conversation] | None = None,
) -> list[Conversation]:
    conversation = tuple_(SESSIONS.c.tenant, SESSIONS.c.root)
    wanted = wanted_by(selection, moment_ago(connection, selection.older_than))
    if after is not None:
        wanted = wanted.where(conversation > tuple_(*map(literal, after)))
    if among is not None:
        wanted = wanted.where(conversation.in_(among))
    wanted = wanted.order_by(SESSIONS.c.tenant, SESSIONS.c.root).limit(BATCH)
    return [(tenant, root) for tenant, root in connection.execute(wanted)]


def wanted_by(selection: Selection, before: float | None) -> Select[Any, Any]:
    wanted = select(SESSIONS.c.tenant, SESSIONS.c.root).group_by(SESSIONS.c.tenant, SESSIONS.c.root)
    if selection.within is not None:
        wanted = wanted.where(SESSIONS.c.tenant == selection.within)
    if selection.session is not None:
        wanted = wanted.where(SESSIONS.c.root.in_(roots_of(selection)))
    if selection.names_somebody:
        wanted = wanted.where(tuple_(SESSIONS.c.tenant, SESSIONS.c.root).in_(_written(selection)))
    if before is not None:
        wanted = wanted.having(func.max(SESSIONS.c.used_at) < before)
    return wanted


def roots_of(selection: Selection) -> Any:
    named = or_(*(column == selection.session for column in (SESSIONS.c.root, SESSIONS.c.key, SESSIONS.c.session_id)))
    return select(SESSIONS.c.root).where(SESSIONS.c.tenant == selection.within, named)


def _written(selection: Selection) -> Any:
    other = SESSIONS.alias()
    here = and_(other.c.tenant == TURNS.c.tenant, other.c.session_id == TURNS.c.session_id)
    return select(other.c.tenant, other.c.root).join_from(TURNS, other, here).where(is_by(selection, TURNS))


def is_by(selection: Selection, table: Table) -> ColumnElement[bool]:
    if selection.is_anonymous:
        return and_(table.c.tenant == selection.within, table.c.is_named == 0)
    return and_(table.c.tenant == selection.within, table.c.is_named != 0, table.c.owner == selection.principal)


def sessions_of(conversations: Sequence[Conversation]) -> Any:
    return select(SESSIONS.c.tenant, SESSIONS.c.session_id).where(
        tuple_(SESSIONS.c.tenant, SESSIONS.c.root).in_(conversations)
    )


def moment_ago(connection: Connection, seconds: float | None) -> float | None:
    """Return the moment that long ago, on the database's clock."""
    if seconds is None:
        return None
    return connection.exec_driver_sql(f"SELECT {dialect_of(connection).now}").scalar_one() - seconds


def dialect_of(connection: Connection) -> Dialect:
    """Return how a connection's database says what differs."""
    return POSTGRES if connection.dialect.name == "postgresql" else SQLITE
