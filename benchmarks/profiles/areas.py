"""What a reader calls the parts of a process, and which modules belong to each.

What stands in the stack is counted to the innermost frame that belongs to an area. What everybody uses, such as `ids`
or the standard library, belongs to none: it costs its caller. A module of the host that nobody has given an area is
counted as such, so that it is noticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from types import FrameType
from typing import Final

LET_IN: Final = "who is let in: ids, guard, key, limits, route"
READING: Final = "reading the request: body, protocol, policy"
SESSION: Final = "admission, session, place in line, commit"
AGENT: Final = "the agent, and messages made for it"
ANSWER: Final = "the answer and its record"
SENDING: Final = "sending, and watching for the client"
LOOP: Final = "event loop: tasks, timers, callbacks"
FRAMEWORK: Final = "Agent Framework, and the stub"
SERVER: Final = "the server, or what stands for it"
BARE: Final = "the bare callable"
UNNAMED: Final = "elsewhere"

OF_OURS: Final = (LET_IN, READING, SESSION, AGENT, ANSWER, SENDING, LOOP, FRAMEWORK, SERVER)
"""What a request of the host goes through, in that order."""

_HOST: Final[Mapping[str, str]] = {
    LET_IN: "host _app _arrival _answer _drain _proxies _guard _addresses _authority _isolation_headers _authentication"
    " auth _load _ways _signals _disabled _routing _capacity _handled _headers _telemetry.requests _mount door _doorway"
    " entrances isolation web.endpoint",
    READING: "web.body web.upload web.idempotency web.models parsing",
    SESSION: "_pipeline _streaming _admitted _admission _sessions _state _deadlines _quotas _context _tracing"
    " _telemetry.watching _telemetry.turns _runs runs _kept _tasks",
    AGENT: "_target hooks",
    ANSWER: "rendering workflows",
    SENDING: "web.link web.watch web.events web.telling",
}
_CHANNEL: Final[Mapping[str, str]] = {
    READING: "channel _create _turns _inbound _continuation _accepted _operation",
    ANSWER: "_outbound _record _usual _exchange _item_ids _objects _settings",
}
_OTHERS: Final[Mapping[str, str]] = {
    LET_IN: "starlette",
    LOOP: "asyncio selectors uvloop",
    FRAMEWORK: "agent_framework benchmarks.targets",
    SERVER: "uvicorn h11 httptools benchmarks.profiles.asking benchmarks.profiles.opened",
    BARE: "benchmarks.limits benchmarks.profiles.floor benchmarks.profiles.running benchmarks.profiles.waiting"
    " benchmarks.profiles.wording",
    UNNAMED: "agent_framework_hosting agent_framework_hosting_responses",
}
_EVERYBODYS: Final = "ids errors types limits clock logs _stepping _countdown _kinds _spared _telemetry"


def _areas() -> dict[str, str | None]:
    packages = (("agent_framework_hosting.", _HOST), ("agent_framework_hosting_responses.", _CHANNEL), ("", _OTHERS))
    named: dict[str, str | None] = {
        package + module: area
        for package, areas in packages
        for area, modules in areas.items()
        for module in modules.split()
    }
    return named | {f"agent_framework_hosting.{module}": None for module in _EVERYBODYS.split()}


_AREA_OF: Final = _areas()


@cache
def area_of(module: str) -> str | None:
    """Return the area of a module, or of the nearest package around it; `None` when what it costs is its caller's.

    Example:
        >>> area_of("agent_framework_hosting._sessions.turn")
        'admission, session, place in line, commit'
        >>> area_of("msgspec.json") is None
        True
    """
    package = module
    while package:
        if package in _AREA_OF:
            return _AREA_OF[package]
        package = package.rpartition(".")[0]
    return None


def area_of_frame(frame: FrameType | None) -> str:
    """Return the area of the innermost frame that belongs to one."""
    while frame is not None:
        area = area_of(frame.f_globals.get("__name__") or "")
        if area is not None:
            return area
        frame = frame.f_back
    return UNNAMED


def area_of_files(innermost_first: Iterable[str], modules: Mapping[str, str]) -> str:
    """Return the same for the files of a stack; `modules` names the module that each file holds."""
    for file in innermost_first:
        area = area_of(modules.get(file, ""))
        if area is not None:
            return area
    return UNNAMED
