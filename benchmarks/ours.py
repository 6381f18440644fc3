"""The host with its Responses channel, as its README sets it up, with API keys."""

from __future__ import annotations

import os
from typing import Any, Final

from agent_framework_hosting.auth import ApiKeys, hash_key
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting_responses.channel import ResponsesChannel

from .systems import KEY
from .targets import told_target

DATABASE_VARIABLE: Final = "BENCHMARK_DATABASE"


def make_host(agent: Any, *, database: str | None = None, kept: int | None = None) -> AgentFrameworkHost:
    """Return the host.

    Args:
        agent: What it serves.
        database: Where it keeps its state; in memory when left out.
        kept: How many sessions and turns it keeps in memory; as many as by default when left out.
    """
    limits = Limits() if kept is None else Limits(max_sessions=kept, max_turns=kept)
    keys = ApiKeys({"bench": hash_key(KEY)})
    return AgentFrameworkHost(agent, channels=[ResponsesChannel()], auth=keys, limits=limits, database=database)


def make_shared_host() -> AgentFrameworkHost:
    """Return the host of one of several processes, as the environment describes it."""
    return make_host(told_target(), database=os.environ[DATABASE_VARIABLE])
