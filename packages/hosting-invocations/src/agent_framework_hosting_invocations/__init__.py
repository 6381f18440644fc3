"""Plain invocations channel of agent-framework-hosting. Not affiliated with Microsoft."""

from ._foreign import refuse_foreign_base

refuse_foreign_base()

# Everything that imports the base comes after the guard.
from agent_framework_hosting._project import __version__

from .channel import InvocationsChannel

__all__ = ["InvocationsChannel", "__version__"]
