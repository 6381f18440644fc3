"""The rows of one session's checkpoints."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select

from .schema import CHECKPOINTS as T


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Reads and writes the checkpoints of one session."""

    tenant: str
    session_id: str

    def put(self, connection: Connection, checkpoint_id: str, *, workflow: str, data: bytes, made_at: float) -> None:
        """Keep a checkpoint, in the place of an earlier one of the same id."""
        self.delete(connection, checkpoint_id)
        last = select(func.coalesce(func.max(T.c.number), 0)).where(self._own)
        connection.execute(
            insert(T).values(
                tenant=self.tenant,
                session_id=self.session_id,
                checkpoint_id=checkpoint_id,
                workflow=workflow,
                number=connection.execute(last).scalar_one() + 1,
                data=data,
                created_at=made_at,
            )
        )

    def prune(self, connection: Connection, *, workflow: str, keep: int) -> None:
        """Drop all but the newest of a workflow."""
        newest = select(T.c.checkpoint_id).where(self._of(workflow))
        newest = newest.order_by(T.c.created_at.desc(), T.c.number.desc()).limit(keep)
        kept = connection.execute(newest).scalars().all()
        connection.execute(delete(T).where(self._of(workflow), T.c.checkpoint_id.not_in(kept)))

    def data(self, connection: Connection, checkpoint_id: str) -> bytes | None:
        """Return what was kept under an id."""
        found = select(T.c.data).where(self._own, T.c.checkpoint_id == checkpoint_id)
        data = connection.execute(found).scalar_one_or_none()
        return bytes(data) if data is not None else None

    def all(self, connection: Connection, *, workflow: str) -> list[tuple[str, bytes]]:
        """Return the ids and data of a workflow's, in the order in which they were kept."""
        found = select(T.c.checkpoint_id, T.c.data).where(self._of(workflow)).order_by(T.c.number)
        return [(checkpoint_id, bytes(data)) for checkpoint_id, data in connection.execute(found)]

    def latest(self, connection: Connection, *, workflow: str) -> tuple[str, bytes] | None:
        """Return the id and data of a workflow's newest one."""
        found = select(T.c.checkpoint_id, T.c.data).where(self._of(workflow))
        row = connection.execute(found.order_by(T.c.created_at.desc(), T.c.number.desc()).limit(1)).first()
        return (row[0], bytes(row[1])) if row is not None else None

    def delete(self, connection: Connection, checkpoint_id: str) -> bool:
        """Drop a checkpoint; says whether it was there."""
        return connection.execute(delete(T).where(self._own, T.c.checkpoint_id == checkpoint_id)).rowcount > 0

    @property
    def _own(self) -> ColumnElement[bool]:
        return and_(T.c.tenant == self.tenant, T.c.session_id == self.session_id)

    def _of(self, workflow: str) -> ColumnElement[bool]:
        return and_(self._own, T.c.workflow == workflow)
