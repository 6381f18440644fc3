"""All bounds of the host in one object."""

from __future__ import annotations

from dataclasses import dataclass, fields

from .errors import ConfigurationError

_KIB = 1024
_MIB = 1024 * _KIB
_DAY = 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the host takes, keeps and sends, at the most. Sizes are bytes, times are seconds.

    Example:
        >>> Limits(max_request_bytes=1024 * 1024).max_waiting
        64
    """

    max_request_bytes: int = 10 * _MIB
    """A larger body is refused with 413, before it is read when its length is announced."""
    max_json_depth: int = 64
    """Nesting of arrays and objects in a JSON body."""
    max_input_items: int = 2_000
    """Items of a request's input list."""
    max_response_bytes: int = 64 * _MIB
    """Bytes of one streamed answer, or of what a background run says; a longer one is cut and its run cancelled."""
    max_buffered_bytes: int = 256 * _MIB
    """Bytes that all streams together may hold for readers that are slower than their runs, and, without a database,
    that all event logs may hold; each."""
    max_waiting: int = 64
    """Turns that may wait for one session; the next is refused with 429."""
    max_tasks: int = 10_000
    """Accepted tasks that are not done, in all; the next is refused with 429. In one line: `max_waiting`."""
    max_running_tasks: int = 100
    """Accepted tasks that one process runs at once; the others wait."""
    task_failures: int = 5
    """Times that a task may fail, or take its process down with it, before it is given up."""
    task_backoff: float = 1.0
    """Time before a failed task is tried again; it doubles with every failure, up to five minutes."""
    max_sessions: int = 10_000
    """Live sessions in memory; beyond it the least recently used one is dropped."""
    max_turns: int = 50_000
    """Committed turns that can be continued by id; beyond it the oldest is forgotten."""
    max_resets: int = 100_000
    """Session resets that are remembered; beyond it the oldest is forgotten, and its key means its first session."""
    session_ttl: float = _DAY
    """Idle time after which a session in memory is forgotten with its turns; one in a database is loaded again."""
    stored_session_ttl: float = 30 * _DAY
    """Idle time after which a conversation in a database is forgotten, with its branches and all its turns."""
    record_ttl: float = 30 * _DAY
    """Age at which a turn in a database can no more be read or continued by its id; its session goes on by its key."""
    idempotency_ttl: float = _DAY
    """Time for which an idempotency key is remembered."""
    lease: float = 15.0
    """Time for which a process may be silent before others that share its database take its sessions over."""
    heartbeat: float = 15.0
    """Silence after which a comment line is sent to keep a stream open."""
    stall_timeout: float = 30.0
    """Time for one write to make progress; a reader that takes longer is cut, which counts as a disconnect."""
    socket_lifetime: float = 3600.0
    """Time after which a WebSocket of the Responses API is ended, and its client told to connect again."""
    receive_timeout: float = 30.0
    """Time for a request body to arrive."""
    authentication_timeout: float = 10.0
    """Time that `auth=` gets to say who is calling; then the request is refused with 503."""
    drain_timeout: float = 25.0
    """Time that running work gets to finish once the host drains; then it is told."""
    state_grace: float = 20.0
    """Time beyond `drain_timeout` that a host waits at its start for another one to give the state folder up."""

    def __post_init__(self) -> None:
        for item in fields(self):
            if getattr(self, item.name) <= 0:
                raise ConfigurationError(f"Limits.{item.name} must be greater than 0.")
