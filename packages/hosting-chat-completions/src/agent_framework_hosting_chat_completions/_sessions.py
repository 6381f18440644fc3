"""Which conversation a request belongs to, where a header names one.

What a caller names is a candidate, never a session key by itself: the key is made of it, of the channel, and of who is
calling, so that nobody can name a conversation of somebody else's, or of another channel.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Final

from starlette.types import Scope

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.parsing.refusals import shown
from agent_framework_hosting.types import JSON, Principal

_LONGEST: Final = 255


def session_name(scope: Scope, header: str) -> str | None:
    """Return what a header names, `None` when it is absent or empty.

    Raises:
        InvalidRequest: The header is there twice, is too long, or holds more than visible characters.
    """
    wanted = header.lower().encode()
    values = [value for name, value in scope["headers"] if name == wanted]
    if not values:
        return None
    if len(values) > 1:
        raise _refused(header, "was sent more than once")
    try:
        name = values[0].decode("ascii").strip()
    except UnicodeDecodeError:
        raise _refused(header, "holds something else than ASCII characters") from None
    if len(name) > _LONGEST or not name.isprintable():
        raise _refused(header, f"must have at most {_LONGEST} visible characters")
    return name or None


def session_key(name: str, *, channel: str, principal: Principal) -> str:
    """Return the key of the session that this principal calls by this name.

    Example:
        >>> key = session_key("tea", channel="chat-completions", principal=Principal(id="ada", kind="caller"))
        >>> key == session_key("tea", channel="chat-completions", principal=Principal(id="bob", kind="caller"))
        False
    """
    named = json.dumps([*principal.owner, name]).encode()
    return f"{channel}:{sha256(named).hexdigest()[:32]}"


def refuse_strange_results(answered: Mapping[str, str], record: JSON) -> None:
    """Refuse results of calls that the newest turn of a remembered conversation has not made.

    Args:
        answered: The places of the results, by the ids of the calls.
        record: The completion of that turn; `None` where there is none.

    Raises:
        InvalidRequest: `param` says where.
    """
    made = {call["id"] for call in _calls_of(record)}
    for call_id, at in answered.items():
        if call_id not in made:
            raise InvalidRequest(
                f"No tool call '{shown(call_id)}' waits for its output in this conversation, which the server"
                " remembers: it was not made there, or has been answered.",
                param=f"{at}.tool_call_id",
                code="invalid_value",
            )


def _calls_of(record: JSON) -> Iterable[Mapping[str, Any]]:
    choices: Any = record.get("choices") if isinstance(record, Mapping) else None
    return (choices[0]["message"].get("tool_calls") or ()) if choices else ()


def _refused(header: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"The header {header} {why}. Send the name of one conversation.", param=header)
