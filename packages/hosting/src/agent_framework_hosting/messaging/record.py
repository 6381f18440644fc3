"""What is sealed with a turn: all that is sent of its answer, to be sent again by whoever finds the turn done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from ..types import JSON
from .outlet import OutgoingFile
from .questions import Question, asked_next

_VERSION: Final = 1
_MARK: Final = 12
"""Characters of a mark; buttons have little room."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as it is sent.

    Args:
        text: Its text, Markdown.
        files: Its files.
        asked: What is open after it, in the order in which it is asked.
        session: The id of the session that the questions belong to; after a reset they are nobody's any more.
        task: The id of the message that it answers.
        schema_version: Grows with every change of these fields that an older release cannot read.
    """

    text: str = ""
    files: Sequence[OutgoingFile] = ()
    asked: Sequence[Question] = ()
    session: str = ""
    task: str = ""
    schema_version: int = _VERSION

    @classmethod
    def read(cls, stored: JSON) -> Record:
        """Return a record as it was sealed.

        Raises:
            msgspec.ValidationError: It is another release's, or none.
        """
        record = msgspec.convert(stored, cls)
        if record.schema_version > _VERSION:
            raise msgspec.ValidationError(f"A record of version {record.schema_version} is a newer release's.")
        return record

    @property
    def mark(self) -> str:
        """What the choices carry of what is asked next: no two questions have the same one."""
        asked = [self.task, *(question.id for question in asked_next(self.asked))]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:_MARK]

    def sealed(self) -> JSON:
        """Return it as JSON."""
        sealed: dict[str, Any] = msgspec.to_builtins(self)
        return sealed
