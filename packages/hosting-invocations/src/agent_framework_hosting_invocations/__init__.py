"""Plain invocations channel of agent-framework-hosting. Not affiliated with Microsoft."""

from ._foreign import refuse_foreign_base

refuse_foreign_base()

# Everything that imports the base comes after the guard.
from agent_framework_hosting._project import __version__

from .channel import InvocationsChannel
from .protocol import parse_invocation, render_invocation, stream_invocation

__all__ = ["InvocationsChannel", "__version__", "parse_invocation", "render_invocation", "stream_invocation"]
