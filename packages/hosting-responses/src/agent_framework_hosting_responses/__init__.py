"""The OpenAI Responses channel of agent-framework-hosting."""

from ._foreign import refuse_foreign_base

refuse_foreign_base()

# Everything of the base comes after the guard.
from agent_framework_hosting._project import __version__

__all__ = ["__version__"]
