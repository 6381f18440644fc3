"""The tables, as SQLAlchemy has them: for the schema's steps and for an operator's queries.

Times are seconds since the epoch on the database's clock. A principal is `(is_named, owner)` inside its tenant, where
`is_named` says by whom: 0 nobody, 1 whom the host asks, 2 a channel that knows its own people. What the host stores is
JSON with a version of its own (`snapshots`), never anything that could be executed.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

METADATA: Final = MetaData()
_HAS_ID: Final = "turn_id IS NOT NULL"
_IS_OPEN: Final = "outcome IS NULL"

# SQLite counts up by itself in a column that is exactly INTEGER.
_NUMBER: Final = BigInteger().with_variant(Integer, "sqlite")


def _text(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable)


def _time(name: str) -> Column[float]:
    return Column(name, Double, nullable=False)


def _bytes(name: str) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=True)


def _flag(name: str) -> Column[int]:
    return Column(name, SmallInteger, nullable=False)


def _owner() -> tuple[Column[int], Column[str]]:
    return _flag("is_named"), _text("owner")


WORKERS: Final = Table(
    "af_worker",
    METADATA,
    Column("id", Text, primary_key=True),
    _text("address"),
    _time("alive_until"),
)
"""The processes that run turns: a lease is held by a worker that is alive."""

LANES: Final = Table(
    "af_lane",
    METADATA,
    Column("tenant", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    _text("ticket", nullable=True),
    _text("worker", nullable=True),
    Column("fence", BigInteger, nullable=False),
    _flag("is_stopped"),
    _time("used_at"),
    Index("af_lane_worker", "worker"),
)
"""The line of a session key: whose turn it is. `fence` grows with every turn."""

TICKETS: Final = Table(
    "af_ticket",
    METADATA,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    _text("tenant"),
    _text("key"),
    _text("worker", nullable=True),
    _text("kind"),
    _bytes("payload"),
    Column("attempt", Integer, nullable=False),
    Column("due_at", Double, nullable=True),
    _time("created_at"),
    Index("af_ticket_line", "tenant", "key", "number"),
    Index("af_ticket_worker", "worker"),
    sqlite_autoincrement=True,
)
"""Those who wait in a line, in its order. `kind`, `payload`, `attempt` and `due_at` are not used."""

SESSIONS: Final = Table(
    "af_session",
    METADATA,
    Column("tenant", Text, primary_key=True),
    Column("session_id", Text, primary_key=True),
    _text("key"),
    _text("root"),
    Column("version", BigInteger, nullable=False),
    Column("head", BigInteger, nullable=True),
    _bytes("rest"),
    _time("used_at"),
    Index("af_session_family", "tenant", "root"),
    Index("af_session_used", "used_at"),
)
"""Sessions: the newest finished turn, and the state beside the messages as the last run left it."""

TURNS: Final = Table(
    "af_turn",
    METADATA,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    _text("tenant"),
    _text("session_id"),
    Column("parent", BigInteger, nullable=True),
    _flag("is_base"),
    _flag("is_finished"),
    *_owner(),
    _text("turn_id", nullable=True),
    _bytes("added"),
    _bytes("rest"),
    _bytes("record"),
    _time("created_at"),
    UniqueConstraint("tenant", "is_named", "owner", "turn_id", name="af_turn_id"),
    Index("af_turn_session", "tenant", "session_id"),
    Index("af_turn_created", "created_at", sqlite_where=text(_HAS_ID), postgresql_where=text(_HAS_ID)),
    sqlite_autoincrement=True,
)
"""Turns: what each finished one added to the one before, and the channel's sealed record."""

ANSWERS: Final = Table(
    "af_answer",
    METADATA,
    Column("tenant", Text, primary_key=True),
    Column("root", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    _text("ticket"),
    _time("answered_at"),
)
"""Requests for approval that were answered, in a conversation with all its branches."""

CLAIMS: Final = Table(
    "af_claim",
    METADATA,
    Column("tenant", Text, primary_key=True),
    Column("is_named", SmallInteger, primary_key=True),
    Column("owner", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("claim_key", Text, primary_key=True),
    Column("body_hash", LargeBinary, nullable=False),
    _text("ticket"),
    _text("worker", nullable=True),
    Column("attempt", Integer, nullable=False),
    Column("turn", BigInteger, nullable=True),
    _bytes("record"),
    _time("created_at"),
    Index("af_claim_ticket", "ticket"),
    Index("af_claim_created", "created_at"),
)
"""Idempotency keys: what was asked under them, and what it was answered once it is known."""

ALIASES: Final = Table(
    "af_alias",
    METADATA,
    Column("tenant", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    _text("suffix"),
    _time("rotated_at"),
)
"""Which session a key stands for after it was reset."""

CHECKPOINTS: Final = Table(
    "af_checkpoint",
    METADATA,
    Column("tenant", Text, primary_key=True),
    Column("session_id", Text, primary_key=True),
    Column("checkpoint_id", Text, primary_key=True),
    _text("workflow"),
    Column("number", BigInteger, nullable=False),
    _bytes("data"),
    _time("created_at"),
)
"""Checkpoints of workflows."""

OUTBOX: Final = Table(
    "af_outbox",
    METADATA,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    _text("tenant"),
    Column("turn", BigInteger, nullable=True),
    _text("destination"),
    _bytes("payload"),
    _text("outcome"),
    Column("attempt", Integer, nullable=False),
    Column("due_at", Double, nullable=True),
    _time("created_at"),
    Index("af_outbox_due", "outcome", "due_at"),
    sqlite_autoincrement=True,
)
"""What is to be delivered, committed together with the turn that wants it."""

TASKS: Final = Table(
    "af_task",
    METADATA,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    _text("tenant"),
    *_owner(),
    _text("kind"),
    _text("task_id"),
    _text("line"),
    _bytes("payload"),
    _bytes("circumstances"),
    _text("worker", nullable=True),
    Column("attempt", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("deaths", Integer, nullable=False),
    _flag("is_stopped"),
    _text("outcome", nullable=True),
    _time("due_at"),
    _time("created_at"),
    Column("ended_at", Double, nullable=True),
    UniqueConstraint("tenant", "is_named", "owner", "kind", "task_id", name="af_task_id"),
    Index("af_task_open", "number", sqlite_where=text(_IS_OPEN), postgresql_where=text(_IS_OPEN)),
    Index("af_task_line", "tenant", "line", "number", sqlite_where=text(_IS_OPEN), postgresql_where=text(_IS_OPEN)),
    Index("af_task_worker", "worker"),
    Index("af_task_ended", "ended_at"),
    sqlite_autoincrement=True,
)
"""Accepted work: what is to be done while its `outcome` is open, and the ids of what was done, for some time."""

EVENTS: Final = Table(
    "af_event",
    METADATA,
    Column("tenant", Text, primary_key=True),
    Column("is_named", SmallInteger, primary_key=True),
    Column("owner", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("run_id", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("data", LargeBinary, nullable=False),
    _time("created_at"),
    Index("af_event_created", "created_at"),
)
"""What background runs said, in each of their attempts."""

DOCUMENTS: Final = Table(
    "af_document",
    METADATA,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    _text("tenant"),
    *_owner(),
    _text("kind"),
    _text("id"),
    _text("root"),
    Column("body", LargeBinary, nullable=False),
    _time("used_at"),
    UniqueConstraint("tenant", "is_named", "owner", "kind", "id", name="af_document_id"),
    Index("af_document_root", "tenant", "root", "kind", "number"),
    Index("af_document_used", "used_at"),
    sqlite_autoincrement=True,
)
"""What channels keep beside turns; `root` is the session key that a document belongs to."""

SCHEMA: Final = Table("af_schema", METADATA, Column("version", Integer, nullable=False))
"""One row: which of the schema's steps have been taken."""
