"""The public surface: names and values that users rely on."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from dataclasses import asdict, dataclass, field, replace

import pytest
from agent_framework import AgentResponse, AgentSession

import agent_framework_hosting as package
from agent_framework_hosting.errors import (
    AnsweredAlready,
    ConfigurationError,
    HostError,
    InsufficientScope,
    InvalidRequest,
    LimitReached,
    StateDamaged,
)
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.types import ChannelSession, HostedRunResult, Principal

CONTRACT = {
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
    "ISOLATION_HEADER_CHAT",
    "ISOLATION_HEADER_USER",
    "IsolationKeys",
    "Principal",
    "__version__",
    "get_current_isolation_keys",
    "logger",
    "reset_current_isolation_keys",
    "set_current_isolation_keys",
}


def test_the_top_level_is_the_contract_and_nothing_else() -> None:
    """Extensions live in modules of their own."""
    assert set(package.__all__) == CONTRACT
    assert package.ISOLATION_HEADER_USER == "x-agent-user-isolation-key"
    assert package.ISOLATION_HEADER_CHAT == "x-agent-chat-isolation-key"
    assert package.logger.name == "agent_framework.hosting"


def test_a_principal_can_be_made_of_another_ones_fields() -> None:
    """Whoever keeps one elsewhere, as JSON or pickled, gets the same back, with the same ids."""
    principal = Principal("acme", "ada", "native", {"groups": ["staff"]}, frozenset({"read"}))
    made = [
        Principal(**asdict(principal)),
        replace(principal),
        copy.copy(principal),
        copy.deepcopy(principal),
        pickle.loads(pickle.dumps(principal)),  # noqa: S301 - it was pickled here
    ]
    assert [(each, each.owner, hash(each)) for each in made] == [(principal, principal.owner, hash(principal))] * 5
    assert replace(principal, kind="caller").owner != principal.owner
    assert "owner" not in repr(principal)


@dataclass(frozen=True, slots=True)
class Member(Principal):
    """A principal of somebody's own."""

    since: int = field(default=0, kw_only=True)


def test_a_principal_of_ones_own_stays_what_it_is_when_it_is_copied() -> None:
    member = Member("acme", "ada", "caller", since=1999)
    pickled = pickle.dumps(member)
    for each in (copy.copy(member), copy.deepcopy(member), pickle.loads(pickled)):  # noqa: S301 - it was pickled here
        assert (type(each), each, each.owner) == (Member, member, member.owner)


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequest("No.", param="input", code="invalid_value"),
        AnsweredAlready(param="input[0]"),
        InsufficientScope({"read", "write"}),
        LimitReached("Later.", retry_after=7),
        StateDamaged("turn 7"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_stays_what_it_is_when_it_goes_to_another_process(error: HostError) -> None:
    """It says the same, and so do all its fields."""
    pickled = pickle.dumps(error)
    for each in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickled)):  # noqa: S301 - it was pickled here
        assert (type(each), str(each), vars(each)) == (type(error), str(error), vars(error))


def test_a_result_is_replaced_part_by_part_and_an_explicit_none_counts() -> None:
    """What is not named stays."""
    session = AgentSession(session_id="s")
    result = HostedRunResult(AgentResponse(), session=session)
    assert result.replace(result=None).result is None
    assert result.replace(result=None).session is session
    assert result.replace(session=None).session is None
    assert result.replace(session=None).result is result.result


def test_a_session_is_made_of_its_key_alone() -> None:
    """The extensions are keyword-only."""
    assert ChannelSession("room") == ChannelSession(isolation_key="room")
    with pytest.raises(TypeError):
        ChannelSession("room", "parent")  # type: ignore[misc]


def test_isolation_keys_know_when_they_are_empty() -> None:
    """Neither key: empty."""
    assert package.IsolationKeys().is_empty
    assert not package.IsolationKeys(user_key="ada").is_empty
    assert not package.IsolationKeys(chat_key="room").is_empty


def test_a_limit_of_nothing_is_refused_by_name() -> None:
    """A bound of zero would shut the host."""
    with pytest.raises(ConfigurationError, match=r"Limits\.max_waiting"):
        Limits(max_waiting=0)


def test_importing_the_base_loads_no_protocol_sdk_and_no_server() -> None:
    """Nothing heavy before it is used."""
    code = (
        "import sys, agent_framework_hosting;"
        "print(sorted({m.partition('.')[0] for m in sys.modules}"
        " & {'openai', 'hypercorn', 'uvicorn', 'sqlalchemy', 'httpx', 'httpx2', 'jwt', 'fastapi'}))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
