"""All bounds in one object: what is given wins over the environment, and that over the defaults."""

from __future__ import annotations

import pickle
from dataclasses import fields
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits, misspelt_variables, variable_of
from agent_framework_hosting.testing import ScriptedAgent

NAMES = [each.name for each in fields(Limits) if each.init]


def set_to(limits: Limits, **variables: str) -> Limits:
    """Return the limits in an environment with these variables, named without their prefix."""
    return limits.with_environment({f"AF_HOSTING_{name}": value for name, value in variables.items()})


@pytest.mark.parametrize(
    ("name", "written", "expected"),
    [
        ("max_request_bytes", "512", 512),
        ("max_request_bytes", "10MiB", 10 * 2**20),
        ("max_request_bytes", "1.5 KiB", 1536),
        ("max_buffered_bytes", "2GiB", 2**31),
        ("min_receive_rate", "64KiB", 65536),
        ("max_waiting", "8", 8),
        ("run_timeout", "30s", 30.0),
        ("run_timeout", "1.5min", 90.0),
        ("run_timeout", "off", None),
        ("record_ttl", "7d", 7 * 86400.0),
        ("heartbeat", "500ms", 0.5),
        ("lease", "2", 2.0),
        ("tokens_per_day", "1000000", 1_000_000),
    ],
)
def test_a_variable_says_a_limit_with_its_unit(name: str, written: str, expected: object) -> None:
    limits = set_to(Limits(), **{name.upper(): written})
    assert getattr(limits, name) == expected
    assert all(getattr(limits, other) == getattr(Limits(), other) for other in NAMES if other != name)


def test_what_is_given_wins_also_when_it_says_what_the_default_says() -> None:
    default = Limits().max_waiting
    limits = set_to(Limits(max_waiting=default, tokens_per_day=None), MAX_WAITING="9", TOKENS_PER_DAY="9", LEASE="9s")
    assert (limits.max_waiting, limits.tokens_per_day, limits.lease) == (default, None, 9.0)
    assert Limits(max_waiting=default) == Limits()
    assert set_to(pickle.loads(pickle.dumps(Limits(lease=1.0))), LEASE="9s").lease == 1.0  # noqa: S301 - our own bytes


def test_a_variable_that_is_set_to_nothing_is_not_set() -> None:
    assert set_to(Limits(), MAX_WAITING="") == Limits()


@pytest.mark.parametrize(
    ("name", "written", "complaint"),
    [
        ("MAX_REQUEST_BYTES", "10MB", r"AF_HOSTING_MAX_REQUEST_BYTES='10MB' cannot be read.*10MiB"),
        ("MAX_REQUEST_BYTES", "0.3B", r"no whole number"),
        ("MAX_WAITING", "8s", r"cannot be read.*2000"),
        ("MAX_WAITING", "off", r"cannot be read"),
        ("MAX_WAITING", "0", r"greater than 0"),
        ("MAX_WAITING", "-1", r"cannot be read"),
        ("MAX_WAITING", "1_000", r"cannot be read"),
        ("MAX_WAITING", "\u0663", r"cannot be read"),
        ("RUN_TIMEOUT", "5 minutes", r"cannot be read.*30s; or off, for none"),
        ("RUN_TIMEOUT", "nan", r"cannot be read"),
        ("RUN_TIMEOUT", "0s", r"greater than 0"),
        ("RUN_TIMEOUT", " 5s", r"cannot be read"),
    ],
)
def test_a_variable_that_cannot_be_read_is_named_with_its_mend(name: str, written: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        set_to(Limits(), **{name: written})


@given(st.text())
def test_whatever_a_variable_holds_it_is_a_number_above_nothing_or_refused(written: str) -> None:
    for name in ("max_request_bytes", "run_timeout", "max_waiting"):
        try:
            value = getattr(set_to(Limits(), **{name.upper(): written}), name)
        except ConfigurationError:
            continue
        assert value is None or value > 0


@pytest.mark.parametrize("value", [0, -1, nan, inf, "8", True, None, 0.5])
def test_an_argument_that_is_no_bound_is_refused_by_name(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"Limits\.max_waiting is"):
        Limits(max_waiting=value)


def test_a_host_reads_the_environment_with_and_without_limits_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AF_HOSTING_MAX_WAITING", "many")
    for limits in (None, Limits(lease=9.0)):
        with pytest.raises(ConfigurationError, match="AF_HOSTING_MAX_WAITING='many'"):
            AgentFrameworkHost(ScriptedAgent(), channels=[], limits=limits)
    AgentFrameworkHost(ScriptedAgent(), channels=[], limits=Limits(max_waiting=3))


def test_a_misspelt_variable_is_told_of(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("AF_HOSTING_MAX_WAIT", "8")
    AgentFrameworkHost(ScriptedAgent(), channels=[])
    assert "AF_HOSTING_MAX_WAIT is no setting of the host, and does nothing. Is AF_HOSTING_MAX_WAITING meant?" in (
        caplog.text
    )


@pytest.mark.parametrize(
    ("slip", "meant"),
    [("LOG_FROMAT", "LOG_FORMAT"), ("APIKEYS", "API_KEYS"), ("ALLOW_UNAUTHENTICATE", "ALLOW_UNAUTHENTICATED")],
)
def test_so_is_one_that_is_no_limits(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, slip: str, meant: str
) -> None:
    monkeypatch.setenv(f"AF_HOSTING_{slip}", "1")
    AgentFrameworkHost(ScriptedAgent(), channels=[])
    assert f"Is AF_HOSTING_{meant} meant?" in caplog.text


def test_variables_with_another_meaning_are_left_alone() -> None:
    others = ["DATABASE", "API_KEYS", "CHECKPOINT_KEY", "FIGURES", "SEED"]
    assert misspelt_variables({f"AF_HOSTING_{name}": "" for name in others} | {"MAX_WAIT": "8"}) == {}
    assert misspelt_variables({variable_of(name): "" for name in NAMES}) == {}
