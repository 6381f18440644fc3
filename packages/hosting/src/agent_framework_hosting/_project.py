"""Which project this package belongs to, and its version.

A package of another project bears the same name on PyPI. Import guards of the channels load this file alone, without
the package around it, so it imports nothing.
"""

from typing import Final

PROJECT: Final = "agent-framework-hosting: one agent, every channel"
"""The mark by which the channels recognise their base."""

__version__: Final = "1!0.1.0"
"""The version of this package; the epoch `1!` beats every version that has none."""
