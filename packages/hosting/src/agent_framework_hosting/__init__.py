"""Serve one Microsoft Agent Framework agent over many channels. Not affiliated with Microsoft."""

from typing import TYPE_CHECKING

from ._late import late, listed
from ._project import __version__
from ._state.paths import HostStatePaths
from .channel import ChannelCommand, ChannelCommandContext, ChannelContribution
from .host import AgentFrameworkHost
from .isolation import (
    ISOLATION_HEADER_CHAT,
    ISOLATION_HEADER_USER,
    IsolationKeys,
    get_current_isolation_keys,
    reset_current_isolation_keys,
    set_current_isolation_keys,
)
from .logs import logger
from .types import ChannelIdentity, ChannelRequest, ChannelSession, HostedRunResult, Principal

if TYPE_CHECKING:
    from ._hook_types import ChannelResponseHook, ChannelRunHook, ChannelStreamUpdateHook
    from .channel import Channel, ChannelContext

__all__ = [
    "ISOLATION_HEADER_CHAT",
    "ISOLATION_HEADER_USER",
    "AgentFrameworkHost",
    "Channel",
    "ChannelCommand",
    "ChannelCommandContext",
    "ChannelContext",
    "ChannelContribution",
    "ChannelIdentity",
    "ChannelRequest",
    "ChannelResponseHook",
    "ChannelRunHook",
    "ChannelSession",
    "ChannelStreamUpdateHook",
    "HostStatePaths",
    "HostedRunResult",
    "IsolationKeys",
    "Principal",
    "__version__",
    "get_current_isolation_keys",
    "logger",
    "reset_current_isolation_keys",
    "set_current_isolation_keys",
]

if not TYPE_CHECKING:
    # Who writes a channel or a hook asks for them; see `channel` and `hooks`.
    __getattr__ = late(
        globals(),
        {
            "Channel": "channel",
            "ChannelContext": "channel",
            "ChannelResponseHook": "_hook_types",
            "ChannelRunHook": "_hook_types",
            "ChannelStreamUpdateHook": "_hook_types",
        },
    )
    __dir__ = listed(globals(), __all__)
