"""From `af-hosting keys new` to a served host: whose key it is decides, and no key is ever written down."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from openai import AuthenticationError, BadRequestError, OpenAI

from agent_framework_hosting.auth import hash_key, new_key

from .served import COMMANDS, free_port, serving

SENTINEL = "canary-" + "c" * 40


def key_made_by_an_operator() -> tuple[str, str]:
    """Return a key of Ada's and its entry, as the command prints them."""
    made = subprocess.run(
        [COMMANDS / "af-hosting", "keys", "new", "--name", "ada"], capture_output=True, text=True, check=True
    )
    key, line = (line.strip() for line in made.stdout.splitlines() if line.startswith("  "))
    return key, line.partition("=")[2]


def test_a_served_host_knows_its_callers_by_their_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two people, a stranger, and nothing of what they sent in all that was printed."""
    ada, entry = key_made_by_an_operator()
    old, bob = new_key(), new_key()
    monkeypatch.setenv("AF_HOSTING_API_KEYS", f"{entry},ada:{hash_key(old)} bob:{hash_key(bob)}")
    command = [sys.executable, Path(__file__).with_name("keyed_host.py")]
    with (
        free_port() as port,
        serving([*command, str(port)], port=port, log=tmp_path / "printed") as served,
        OpenAI(base_url=f"{served.url}/v1", api_key=ada) as client,
    ):
        first = client.responses.create(model="m", input="I am Ada")
        # Another key of hers is still her.
        rotated = client.with_options(api_key=old)
        second = rotated.responses.create(model="m", input="Who am I?", previous_response_id=first.id)
        assert second.output_text == "I am Ada | Who am I?"
        with pytest.raises(BadRequestError) as foreign:
            client.with_options(api_key=bob).responses.create(model="m", input="?", previous_response_id=first.id)
        assert foreign.value.code == "previous_response_not_found"
        for key in (SENTINEL, f"{ada}{SENTINEL}"):
            with pytest.raises(AuthenticationError):
                client.with_options(api_key=key).responses.create(model="m", input="hi")
        with httpx2.Client(headers={"authorization": f"Basic {SENTINEL}", "cookie": SENTINEL}, timeout=60) as stranger:
            for path in ("/responses", "/nothing", "/v1/responses"):
                answer = stranger.post(f"{served.url}{path}", json={"input": "hi"})
                assert answer.status_code == 401
                assert SENTINEL not in answer.text + str(answer.headers)
        assert served.stop() == 0
        assert "Callers: authenticated by ApiKeys." in served.printed
        assert "POST /v1/responses" in served.printed
        assert [secret for secret in (ada, bob, old, SENTINEL) if secret in served.printed] == []


def test_a_host_does_not_start_with_a_key_where_its_hash_belongs() -> None:
    """The refusal says how to mend it, and does not repeat the key."""
    key = new_key()
    environment = {**os.environ, "AF_HOSTING_API_KEYS": f"ada:{key}"}
    script = Path(__file__).with_name("keyed_host.py")
    run = subprocess.run(
        [sys.executable, script, "1"], env=environment, capture_output=True, text=True, check=False, timeout=45
    )
    assert run.returncode != 0
    assert "`af-hosting keys new` prints a key and its entry" in run.stderr
    assert key not in run.stderr
