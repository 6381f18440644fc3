"""The contract for channel authors: what a channel gives to the host, and what the host gives to a channel.

Whoever writes a channel finds all names of the contract here; those of tasks and of runs have modules of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._contribution import (
    ChannelCommand,
    ChannelCommandContext,
    ChannelContribution,
    ErrorRenderer,
    Replayed,
    SiblingRoute,
    VerifiedRoute,
)
from ._late import late, listed

if TYPE_CHECKING:
    from ._contract import Channel, ChannelContext, ConnectionContext, HostedStream
    from .runs import RunEvent, RunHandler, Runs, RunStatus, RunWriter
    from .tasks import Task, TaskHandler, Tasks, TryAgain

__all__ = [
    "Channel",
    "ChannelCommand",
    "ChannelCommandContext",
    "ChannelContext",
    "ChannelContribution",
    "ConnectionContext",
    "ErrorRenderer",
    "HostedStream",
    "Replayed",
    "RunEvent",
    "RunHandler",
    "RunStatus",
    "RunWriter",
    "Runs",
    "SiblingRoute",
    "Task",
    "TaskHandler",
    "Tasks",
    "TryAgain",
    "VerifiedRoute",
]

_LATE: Final = {
    "Channel": "_contract",
    "ChannelContext": "_contract",
    "ConnectionContext": "_contract",
    "HostedStream": "_contract",
    "RunEvent": "runs",
    "RunHandler": "runs",
    "RunStatus": "runs",
    "RunWriter": "runs",
    "Runs": "runs",
    "Task": "tasks",
    "TaskHandler": "tasks",
    "Tasks": "tasks",
    "TryAgain": "tasks",
}
"""Names that no host needs: each is looked up, and its module loaded, when somebody asks for it."""

if not TYPE_CHECKING:
    __getattr__ = late(globals(), _LATE)
    __dir__ = listed(globals(), _LATE)
