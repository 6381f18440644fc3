"""All bounds of the host in one object."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from math import isfinite
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

from ._alike import alike
from .errors import ConfigurationError

if TYPE_CHECKING:
    from ._quantities import Kind

Bytes: TypeAlias = int
Seconds: TypeAlias = float
Count: TypeAlias = int

_KIB = 1024
_MIB = 1024 * _KIB
_MINUTE = 60.0
_HOUR = 3600.0
_DAY = 24 * _HOUR
_PREFIX: Final = "AF_HOSTING_"
_NONE: Final = " | None"
_KINDS: Final[Mapping[str, Kind]] = MappingProxyType({"Bytes": "bytes", "Seconds": "seconds", "Count": "count"})
_LIKENESS: Final = 0.7
"""How like a variable that is known another one's name must be to be taken for a slip of the pen."""


@alike
@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the host takes, keeps and sends, at the most. Sizes are bytes, times are seconds.

    What is not given here a host takes from the environment: `AF_HOSTING_` and the name in capitals, such as
    `AF_HOSTING_MAX_REQUEST_BYTES=10MiB` or `AF_HOSTING_RUN_TIMEOUT=5min`; and else the default. `None` is no limit, and
    `off` in a variable.

    Example:
        >>> Limits(max_request_bytes=1024 * 1024).max_waiting
        64
        >>> Limits(max_waiting=8).with_environment({"AF_HOSTING_MAX_WAITING": "9", "AF_HOSTING_LEASE": "20s"}).lease
        20.0
    """

    max_request_bytes: Bytes = 10 * _MIB
    """A larger body is refused with 413, before it is read when its length is announced; so is a WebSocket message."""
    max_json_depth: Count = 64
    """Nesting of arrays and objects in a JSON body."""
    max_input_items: Count = 2_000
    """Items of a request's input list."""
    max_response_bytes: Bytes = 64 * _MIB
    """Bytes of one streamed answer, or of what a background run says; a longer one is cut and its run cancelled."""
    max_buffered_bytes: Bytes = 256 * _MIB
    """Bytes that all streams together may hold for readers that are slower than their runs; that all request bodies
    under way may hold; and, without a database, that all event logs may hold; each."""
    max_open_requests: Count = 10_000
    """Requests and WebSocket connections under way in one process, open streams among them; the next is refused with
    503."""
    max_open_requests_per_principal: Count | None = None
    """The same of one principal; the next is refused with 429. All anonymous callers are one principal."""
    max_concurrent_runs: Count = 10_000
    """Runs under way or waiting for their session in one process, from all channels; the next is refused with 503, and
    accepted work waits."""
    max_runs_per_principal: Count | None = None
    """The same of one principal; the next is refused with 429, and accepted work waits."""
    tokens_per_minute: Count | None = None
    """Tokens that the runs of one principal may use in a minute, as the agent reports them; then 429."""
    tokens_per_day: Count | None = None
    """Tokens that the runs of one principal may use in a day, as the agent reports them; then 429."""
    max_waiting: Count = 64
    """Turns that may wait for one session; the next is refused with 429."""
    max_tasks: Count = 10_000
    """Accepted tasks that are not done, in all; the next is refused with 429. In one line: `max_waiting`."""
    max_running_tasks: Count = 100
    """Accepted tasks that one process runs at once; the others wait."""
    task_failures: Count = 5
    """Times that a task may fail, or take its process down with it, before it is given up."""
    task_backoff: Seconds = 1.0
    """Time before a failed task is tried again; it doubles with every failure, up to five minutes."""
    max_sessions: Count = 10_000
    """Live sessions in memory; beyond it the least recently used one is dropped."""
    max_turns: Count = 50_000
    """Committed turns that can be continued by id; beyond it the oldest is forgotten."""
    max_stored_bytes: Bytes = 256 * _MIB
    """Without a database: bytes of the records of turns, of answers under idempotency keys, of what channels keep
    beside them, each; beyond it the oldest is forgotten. And of accepted tasks that are not done; the next is refused
    with 429."""
    max_resets: Count = 100_000
    """Session resets that are remembered; beyond it the oldest is forgotten, and its key means its first session."""
    session_ttl: Seconds = _DAY
    """Idle time after which a session in memory is forgotten with its turns; one in a database is loaded again."""
    stored_session_ttl: Seconds = 30 * _DAY
    """Idle time after which a conversation in a database is forgotten, with its branches and all its turns."""
    record_ttl: Seconds = 30 * _DAY
    """Age at which a turn in a database can no more be read or continued by its id; its session goes on by its key."""
    idempotency_ttl: Seconds = _DAY
    """Time for which an idempotency key is remembered."""
    lease: Seconds = 15.0
    """Time for which a process may be silent before others that share its database take its sessions over."""
    heartbeat: Seconds = 15.0
    """Silence after which a comment line is sent to keep a stream open."""
    stall_timeout: Seconds = 30.0
    """Time for one write to make progress; a reader that takes longer is cut, which counts as a disconnect."""
    socket_lifetime: Seconds = _HOUR
    """Time after which a WebSocket of the Responses API is ended, and its client told to connect again."""
    receive_timeout: Seconds = 30.0
    """Time for a request body to arrive, besides what its bytes take at `min_receive_rate`; then 408."""
    min_receive_rate: Bytes = _KIB
    """Bytes of a request body that have to arrive in each second, once `receive_timeout` is over."""
    header_timeout: Seconds = 10.0
    """Time for the head of a request to arrive under `serve`, once it has begun, and for a TLS handshake."""
    idle_timeout: Seconds = 65.0
    """Time for which `serve` keeps a connection open on which there is no request."""
    run_timeout: Seconds | None = 10 * _MINUTE
    """Time that a run gets, from when it has its session to the agent's last word; then it is stopped: 504."""
    background_run_timeout: Seconds | None = _HOUR
    """The same for background runs, for which nobody waits at the other end of a line."""
    first_update_timeout: Seconds | None = None
    """Time in which the first update of a streamed run has to come; then it is stopped like one that takes too long."""
    authentication_timeout: Seconds = 10.0
    """Time that `auth=` gets to say who is calling; then the request is refused with 503."""
    drain_timeout: Seconds = 25.0
    """Time that running work gets to finish once the host drains; then it is told."""
    state_grace: Seconds = 20.0
    """Time beyond `drain_timeout` that a host waits at its start for another one to give the state folder up."""

    _given: frozenset[str] = field(init=False, repr=False, compare=False)

    def __new__(cls, **given: Any) -> Self:
        """Remember what was given: it wins over the environment, also where it says what the default says."""
        made = object.__new__(cls)
        object.__setattr__(made, "_given", frozenset(given))
        return made

    def __post_init__(self) -> None:
        for name, (kind, may_be_off) in _SETTINGS.items():
            value: Any = getattr(self, name)
            if value is None and may_be_off:
                continue
            if kind != "seconds" and isinstance(value, float):
                raise ConfigurationError(f"Limits.{name} is {value!r}; it must be a whole number greater than 0.")
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value) or value <= 0:
                raise ConfigurationError(f"Limits.{name} is {value!r}; it must be a number greater than 0.")

    def with_environment(self, environment: Mapping[str, str] = os.environ) -> Self:
        """Return the same limits, with those that were not given taken from the environment where it has them.

        Raises:
            ConfigurationError: A variable cannot be read; the message names it and shows a mend.
        """
        found: dict[str, Any] = {}
        for name, (kind, may_be_off) in _SETTINGS.items():
            variable = variable_of(name)
            # A variable that holds nothing is how many tools say that it is not set.
            if name not in self._given and environment.get(variable):
                from ._quantities import read_quantity

                found[name] = read_quantity(variable, environment[variable], kind=kind, may_be_off=may_be_off)
        return replace(self, **found) if found else self


def variable_of(name: str) -> str:
    """Return the environment variable of a limit.

    Example:
        >>> variable_of("max_waiting")
        'AF_HOSTING_MAX_WAITING'
    """
    return f"{_PREFIX}{name.upper()}"


def misspelt_variables(environment: Mapping[str, str], *, others: Collection[str] = ()) -> Mapping[str, str]:
    """Return variables that look like a limit's and are none, each with the one that is likely meant.

    `others` are variables that mean something else, and may be misspelt as well.
    """
    known = {variable.removeprefix(_PREFIX): variable for variable in (*map(variable_of, _SETTINGS), *others)}
    found: dict[str, str] = {}
    for variable in environment:
        name = variable.removeprefix(_PREFIX)
        if variable.startswith(_PREFIX) and name not in known:
            # It is large, and few ever misspell anything.
            import difflib

            meant = difflib.get_close_matches(name, known, n=1, cutoff=_LIKENESS)
            if meant:
                found[variable] = known[meant[0]]
    return found


_SETTINGS: Final[Mapping[str, tuple[Kind, bool]]] = MappingProxyType(
    {
        each.name: (_KINDS[str(each.type).removesuffix(_NONE)], str(each.type).endswith(_NONE))
        for each in fields(Limits)
        if each.init
    }
)
"""What each limit counts, and whether there may be none."""
