"""API keys: only hashes are kept, unknown keys look like known ones, and no header makes the host stumble."""

from __future__ import annotations

import hashlib
import logging
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from agent_framework_hosting.auth import API_KEYS_VARIABLE, ApiKey, ApiKeys, bearer_token, hash_key, new_key
from agent_framework_hosting.cli import build_parser, main
from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import InMemoryDriver, LoopbackDriver, ScriptedAgent

KEY, OTHER = new_key(), new_key()
NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)


def connection(*authorization: bytes) -> HTTPConnection:
    """Return a connection with these headers."""
    return HTTPConnection({"type": "http", "headers": [(b"authorization", value) for value in authorization]})


def test_keys_are_long_random_and_recognisable() -> None:
    """256 bits behind a prefix that secret scanners can look for."""
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(key.startswith("afh_") and len(key) == 4 + 64 for key in keys)


@pytest.mark.parametrize(
    "keys",
    [
        {"acme/ada": hash_key(KEY)},
        {"acme/ada": [hash_key(KEY), hash_key(OTHER)]},
        [f"acme/ada:{hash_key(KEY)}"],
        [ApiKey(name="ada", tenant="acme", hash=hash_key(KEY))],
        f"bob:{hash_key(OTHER)},\n  acme/ada:{hash_key(KEY)}:2999-01-01T00:00+02:00 ,",
    ],
)
def test_keys_are_given_as_mapping_sequence_or_text(keys: Any) -> None:
    """All say the same of whose key it is."""
    principal = ApiKeys(keys).principal_of(KEY)
    assert principal is not None
    assert (principal.tenant, principal.id, principal.kind) == ("acme", "ada", "caller")
    assert principal.owner == ("acme", 1, "ada")


def test_keys_come_from_the_environment() -> None:
    """The variable that the command names, or one of your own."""
    assert len(ApiKeys.from_environment(environment={API_KEYS_VARIABLE: f"ada:{hash_key(KEY)}"})) == 1
    assert len(ApiKeys.from_environment("MINE", environment={"MINE": f"ada:{hash_key(KEY)}"})) == 1
    with pytest.raises(ConfigurationError, match=r"AF_HOSTING_API_KEYS holds no API keys.*af-hosting keys new"):
        ApiKeys.from_environment(environment={API_KEYS_VARIABLE: " "})


def test_two_keys_of_one_name_are_one_principal() -> None:
    """So that clients can change over one by one."""
    keys = ApiKeys({"ada": [hash_key(KEY), hash_key(OTHER)]})
    assert keys.principal_of(KEY) == keys.principal_of(OTHER)


def test_a_key_ends_when_its_time_has_come() -> None:
    """A day means its first moment in UTC."""
    now = NEW_YEAR - timedelta(seconds=1)
    keys = ApiKeys([f"ada:{hash_key(KEY)}:2030-01-01", f"ada:{hash_key(OTHER)}"], now=lambda: now)
    assert keys.principal_of(KEY) is not None
    now = NEW_YEAR
    assert keys.principal_of(KEY) is None
    assert keys.principal_of(OTHER) is not None


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ("", "there are none"),
        ([], "there are none"),
        ({}, "there are none"),
        ([f"ada:{hash_key(KEY)}:2000-01-01"], "all have expired"),
        ([f"ada:{KEY}"], "Entry 1 of the API keys is malformed.*'sha256-' and 64"),
        ({"ada": KEY}, "Entry 1 of the API keys is malformed"),
        ([f"ok:{hash_key(OTHER)}", KEY], "Entry 2 of the API keys is malformed"),
        ([f"{KEY}:{KEY}"], "malformed"),
        ([f":{hash_key(KEY)}"], "begin with a letter or a digit"),
        ([f"/ada:{hash_key(KEY)}"], "begin with a letter or a digit"),
        ([f"a/b/c:{hash_key(KEY)}"], "begin with a letter or a digit"),
        ([f"a\xe4:{hash_key(KEY)}"], "begin with a letter or a digit"),
        ([f"{'a' * 129}:{hash_key(KEY)}"], "at most 128"),
        ([f"ada:{hash_key(KEY)}:tomorrow"], "a day or a time"),
        ([f"ada:{hash_key(KEY)}", f"bob:{hash_key(KEY)}"], "Entry 2 .* hash of an earlier one"),
        ([f"ada:{hash_key(KEY).upper()}"], "malformed"),
    ],
)
def test_what_would_deny_everybody_or_is_malformed_is_refused_without_repeating_it(keys: Any, reason: str) -> None:
    """By the place of the entry: what stands there may be a key."""
    with pytest.raises(ConfigurationError, match=reason) as refused:
        ApiKeys(keys)
    assert KEY not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("chosen", ["password", "", "afh_", "afh_" + "g" * 64, "afh_" + "0" * 63])
def test_a_key_that_somebody_chose_is_no_key(chosen: str) -> None:
    """One round of SHA-256 protects only what cannot be guessed."""
    with pytest.raises(ConfigurationError, match="no API key of the host's"):
        hash_key(chosen)
    smuggled = "sha256-" + hashlib.sha256(chosen.encode()).hexdigest()
    assert ApiKeys({"ada": smuggled}).principal_of(chosen) is None


def test_neither_keys_nor_hashes_are_in_what_is_shown() -> None:
    """A value that is printed by accident opens nothing."""
    hashed = hash_key(KEY)
    key = ApiKey(name="ada", hash=hashed)
    assert hashed not in repr(key) + repr(ApiKeys([key]))


@given(st.lists(st.binary(max_size=200), max_size=3))
def test_no_authorization_header_makes_the_parser_stumble(values: list[bytes]) -> None:
    """Whatever comes gives one sound token or none."""
    token = bearer_token(connection(*values))
    assert token is None or (len(values) == 1 and token.isascii() and token.isprintable() and " " not in token)


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1))
def test_every_printable_token_is_read_back_whatever_the_case_of_the_scheme(token: str) -> None:
    """As RFC 6750 and RFC 9110 have it."""
    for scheme in (b"Bearer", b"bearer", b"BEARER"):
        assert bearer_token(connection(scheme + b"  " + token.encode() + b" ")) == token


@pytest.mark.parametrize(
    "values",
    [
        [],
        [b""],
        [b"Bearer"],
        [b"Bearer "],
        [b"Basic " + KEY.encode()],
        [b"Bearer\t" + KEY.encode()],
        [b"Bearer a b"],
        [b"Bearer \xff"],
        [b"Bearer a\x00"],
        [b"Bearer " + b"a" * 9000],
        [b"Bearer " + KEY.encode()] * 2,
    ],
)
def test_a_header_that_is_not_exactly_one_token_is_none(values: list[bytes]) -> None:
    """Two answers to one question are none."""
    assert bearer_token(connection(*values)) is None


@pytest.fixture
def app(make_probe: Callable[..., Any]) -> Any:
    """Return an app that tells who is calling, for the holders of two keys."""

    async def who(_: Request) -> PlainTextResponse:
        return PlainTextResponse(probe.context.principal.id)

    probe = make_probe(routes=[Route("/", who)])
    keys = ApiKeys({"ada": hash_key(KEY), "bob": hash_key(OTHER)})
    return AgentFrameworkHost(ScriptedAgent(), channels=[probe], auth=keys).app


AWKWARD = {
    "none": [],
    "empty": [("authorization", "")],
    "another scheme": [("authorization", f"Basic {KEY}")],
    "unknown": [("authorization", f"Bearer {new_key()}")],
    "one digit off": [("authorization", f"Bearer {KEY[:-1]}{'0' if KEY[-1] != '0' else '1'}")],
    "cut": [("authorization", f"Bearer {KEY[:-1]}")],
    "upper case": [("authorization", f"Bearer {KEY.upper()}")],
    "a hash": [("authorization", f"Bearer {hash_key(KEY)}")],
    "twice": [("authorization", f"Bearer {KEY}"), ("authorization", f"Bearer {KEY}")],
    "two": [("authorization", f"Bearer {KEY}"), ("authorization", f"Bearer {OTHER}")],
    "joined": [("authorization", f"Bearer {KEY}, Bearer {OTHER}")],
    "a quote": [("authorization", "Bearer ' OR 1=1 --")],
    "not ASCII": [("authorization", "Bearer \xe4\xf6")],
    "overlong": [("authorization", f"Bearer {KEY}{'0' * 8200}")],
}


@pytest.mark.parametrize("headers", AWKWARD.values(), ids=AWKWARD)
async def test_whatever_is_no_key_is_401_with_one_and_the_same_answer(
    app: Any, headers: list[tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    """Over real sockets, and with nothing of it in the log."""
    caplog.set_level(logging.DEBUG, logger="agent_framework.hosting")
    async with LoopbackDriver(app) as driver:
        missing = await driver.request("GET", "/probe")
        answer = await driver.request("GET", "/probe", headers=headers)
        assert (await driver.request("GET", "/probe", headers={"authorization": f"Bearer {KEY}"})).text == "ada"
    assert (answer.status, answer.body) == (401, missing.body)
    assert not driver.errors
    assert [record for record in caplog.records if record.name == "agent_framework.hosting"][1:] == []
    assert KEY not in caplog.text + answer.text


@given(st.lists(st.text(st.characters(max_codepoint=0xFF)), min_size=1, max_size=2))
async def test_no_authorization_header_is_a_server_error(values: list[str]) -> None:
    """Nor opens anything."""
    headers = [("authorization", value) for value in values]
    host = AgentFrameworkHost(ScriptedAgent(), channels=[], auth=ApiKeys({"ada": hash_key(KEY)}))
    async with InMemoryDriver(host.app, lifespan=False) as driver:
        assert (await driver.request("GET", "/", headers=headers)).status == 401


def test_known_and_unknown_keys_take_the_same_time(figure: Any) -> None:
    """The medians of many interleaved look-ups are less than a fifth apart; a busy machine gets three tries."""
    keys = ApiKeys({f"name{number}": hash_key(new_key()) for number in range(200)} | {"ada": hash_key(KEY)})
    candidates = {"known": KEY, "unknown": new_key(), "close": f"{KEY[:-1]}{'0' if KEY[-1] != '0' else '1'}"}

    def apart() -> float:
        times: dict[str, list[int]] = {name: [] for name in candidates}
        for _ in range(figure(3_000, 50_000)):
            for name, key in candidates.items():
                start = time.perf_counter_ns()
                keys.principal_of(key)
                times[name].append(time.perf_counter_ns() - start)
        medians = [statistics.median(taken) for taken in times.values()]
        return max(medians) / min(medians)

    assert any(apart() < 1.2 for _ in range(3))


def made(output: str) -> tuple[str, str]:
    """Return the key and the entry that the command printed."""
    key, line = (line.strip() for line in output.splitlines() if line.startswith("  "))
    variable, _, entry = line.partition("=")
    assert variable == API_KEYS_VARIABLE
    return key, entry


def test_the_command_prints_a_key_once_and_the_entry_that_lets_its_holder_in(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What it prints is what the host takes."""
    assert main(["keys", "new", "--name", "ada", "--tenant", "acme", "--expires", "2999-12-31"]) == 0
    out, err = capsys.readouterr()
    key, entry = made(out)
    assert (out.count(key), err) == (1, "")
    assert entry == f"acme/ada:{hash_key(key)}:2999-12-31T00:00:00+00:00"
    principal = ApiKeys.from_environment(environment={API_KEYS_VARIABLE: entry}).principal_of(key)
    assert principal is not None
    assert (principal.tenant, principal.id) == ("acme", "ada")


def test_keys_without_a_name_are_of_different_callers(capsys: pytest.CaptureFixture[str]) -> None:
    """Two people must not become one principal because nobody named them."""
    names: set[str] = set()
    for _ in range(2):
        assert main(["keys", "new"]) == 0
        names.add(made(capsys.readouterr().out)[1].partition(":")[0])
    assert len(names) == 2


@pytest.mark.parametrize("arguments", [["--name", "a b"], ["--name", "a:b"], ["--tenant", ""], ["--expires", "soon"]])
def test_the_command_refuses_what_the_host_would_not_take(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """In one line, and without a key."""
    assert main(["keys", "new", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("af-hosting: ")
    assert "afh_" not in err


def test_keys_alone_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    """As every command with commands of its own."""
    with pytest.raises(SystemExit) as stopped:
        build_parser().parse_args(["keys"])
    assert stopped.value.code == 2
    assert "COMMAND" in capsys.readouterr().err
