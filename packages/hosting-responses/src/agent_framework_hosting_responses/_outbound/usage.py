"""Token counts as the protocol's usage object."""

from __future__ import annotations

from typing import Any

from agent_framework_hosting.rendering.usage import TokenCounts


def usage_object(counts: TokenCounts) -> dict[str, Any]:
    """Return the usage object."""
    return {
        "input_tokens": counts.read,
        "input_tokens_details": {"cached_tokens": counts.cached, "cache_write_tokens": counts.cache_written},
        "output_tokens": counts.written,
        "output_tokens_details": {"reasoning_tokens": counts.reasoning},
        "total_tokens": counts.total,
    }
