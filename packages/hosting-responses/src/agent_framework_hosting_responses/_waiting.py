"""What a turn leaves waiting: calls that ask for approval, and calls that run once the client has answered others.

Agent Framework runs such a call in a later turn, whose updates bring its result and nothing else. So the record
of a turn says what the calls are called and how an answer is told to Agent Framework.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Waiting(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A call that was not run yet.

    Args:
        call_id: The model's id of it.
        occurrence: Core's own id of it.
        name: The tool.
        arguments: Its arguments, as JSON.
        server: The MCP server that runs it, `None` when the agent does.
        request: The id of the `mcp_approval_request` item that asks for it; empty when nothing is asked.
        request_id: Core's id of that request.
        decided: What the client has answered.
    """

    call_id: str = ""
    occurrence: str = ""
    name: str = ""
    arguments: str = ""
    server: str | None = None
    request: str = ""
    request_id: str = ""
    decided: bool | None = None

    def known_as(self, ids: Mapping[str, str]) -> Waiting:
        """Return it with the id that its request has got instead of its first one, if any."""
        return msgspec.structs.replace(self, request=ids[self.request]) if self.request in ids else self

    def answered(self, *, approved: bool) -> Waiting:
        """Return it with the client's answer."""
        return msgspec.structs.replace(self, decided=approved)
