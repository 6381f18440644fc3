"""PostgreSQL away, silent, killed or read-only, at the start or in mid-run: it is said, and nothing is lost."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any, Final

import anyio
import httpx2
import pytest

from agent_framework_hosting._state.database import open_store
from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.limits import Limits

from .forked import Forked, Forks, noted
from .proxy import Proxy, proxied
from .replicas import say, until
from .served import free_port

LEASE: Final = 1.0
PATIENCE: Final = 100.0
SECONDS: Final = 20.0
"""Within which a host that has its database again goes on."""


@pytest.fixture
async def away(databases: Any, postgres: str) -> AsyncGenerator[tuple[Proxy, str]]:
    """Return a proxy before an empty database, and the URL that leads through it."""
    with databases.postgres_schema(postgres) as database, free_port() as port:
        async with proxied(database, port) as proxy_and_url:
            yield proxy_and_url


def test_a_url_that_cannot_be_understood_is_refused_without_showing_it() -> None:
    """Nobody knows where in it the password is."""
    with pytest.raises(ConfigurationError, match="is no URL that PostgreSQL understands") as refused:
        open_store("postgresql://ada:se%cret@server/name", limits=Limits())
    assert "cret" not in str(refused.value)


async def turn(client: httpx2.AsyncClient, served: Forked, text: str) -> None:
    answer = await say(client, served.url, text, key="k")
    assert answer.json() == {"said": f"<{text}>"}


async def refused(client: httpx2.AsyncClient, url: str, body: Any) -> None:
    """Ask for something that is refused, and may be asked for again."""
    answer = await client.post(url, json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "state_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert "x-should-retry" not in answer.headers


@pytest.mark.parametrize("is_silent", [False, True])
async def test_a_database_that_is_away_at_the_start_is_named_in_time(away: tuple[Proxy, str], is_silent: bool) -> None:
    proxy, url = away
    if is_silent:
        proxy.freeze()
    else:
        await proxy.cut()
    store = open_store(url, limits=Limits())
    began_at = time.monotonic()
    with pytest.raises(ConfigurationError, match=r"postgresql://postgres.*cannot be used: .*Start it, or mend"):
        await store.start()
    assert time.monotonic() - began_at < SECONDS


@pytest.mark.parametrize("is_silent", [False, True])
async def test_a_host_outlives_its_database(
    away: tuple[Proxy, str], tmp_path: Path, forks: Forks, is_silent: bool
) -> None:
    """Also the turn that was running when it went away leaves no lock behind, and is there wholly or not at all."""
    proxy, url = away
    host = noted(tmp_path)
    cut: list[httpx2.Response] = []

    async def run_on(client: httpx2.AsyncClient, served: Forked) -> None:
        cut.append(await client.post(f"{served.url}/plain", json={"text": "running [gate]", "key": "k"}))

    async with httpx2.AsyncClient(timeout=PATIENCE) as client:
        with forks.starting(tmp_path, url, lease=LEASE) as served:
            await anyio.to_thread.run_sync(served.wait_for_readiness)
            await turn(client, served, "before")
            async with anyio.create_task_group() as group:
                group.start_soon(run_on, client, served)
                await host.reached("gate")
                if is_silent:
                    proxy.freeze()
                else:
                    await proxy.cut()
                async with anyio.create_task_group() as refusals:
                    for path, body in (
                        ("/plain", {"text": "away", "key": "k"}),
                        ("/plain", {"text": "away", "key": "other"}),
                        ("/v1/responses", {"model": "m", "input": "away"}),
                    ):
                        refusals.start_soon(refused, client, f"{served.url}{path}", body)
                    host.open("gate")
                await anyio.to_thread.run_sync(served.wait_for_readiness, 503)
                assert served.readiness() == (503, "state_unavailable")
            # It has run, so that its caller is not asked to send it again.
            assert (cut[0].status_code, cut[0].json()["error"]["code"]) == (503, "state_unavailable")
            assert "retry-after" not in cut[0].headers
            if is_silent:
                await proxy.cut()
            await proxy.begin()
            began_at = time.monotonic()
            await until(lambda: served.readiness() == (200, "ok"), "the database's return")
            await turn(client, served, "after")
            await turn(client, served, "later")
            assert time.monotonic() - began_at < SECONDS
            assert "Traceback" not in served.printed
    seen = host.begun("later")[-1]["seen"][::2]
    assert [each for each in seen if each != "running [gate]"] == ["before", "after", "later"]
    assert not host.begun("away")


@pytest.mark.timeout(3600)
async def test_what_was_acknowledged_is_there_when_the_server_itself_was_killed(
    databases: Any, tmp_path: Path, forks: Forks, figure: Callable[[int, int], int]
) -> None:
    """Again and again, while somebody talks; and no restart of the host is needed."""
    host = noted(tmp_path)
    acknowledged: list[str] = []
    doubtful: list[str] = []
    is_over = anyio.Event()

    async def talk(client: httpx2.AsyncClient, served: Forked) -> None:
        number = 0
        while not is_over.is_set():
            said = f"turn {number}"
            answer = await say(client, served.url, said, key="k")
            if answer.status_code == 200:
                acknowledged.append(said)
            else:
                assert (answer.status_code, answer.json()["error"]["code"]) == (503, "state_unavailable")
                doubtful.append(said)
            number += 1

    with databases.own_postgres_server(tmp_path) as server, forks.serving(tmp_path, server.url, lease=LEASE) as served:
        async with httpx2.AsyncClient(timeout=PATIENCE) as client:
            async with anyio.create_task_group() as group:
                group.start_soon(talk, client, served)
                for _ in range(figure(2, 30)):
                    before, refused_before = len(acknowledged), len(doubtful)
                    await until(lambda before=before: len(acknowledged) > before + 2, "some turns")
                    await anyio.to_thread.run_sync(server.kill)
                    await until(lambda before=refused_before: len(doubtful) > before, "a refusal")
                    await anyio.to_thread.run_sync(server.begin)
                    await until(lambda: served.readiness() == (200, "ok"), "the database's return")
                is_over.set()
            await turn(client, served, "after")
        assert "Traceback" not in served.printed
    *seen, last = host.begun("after")[-1]["seen"][::2]
    assert last == "after"
    assert len(set(seen)) == len(seen)
    assert [each for each in seen if each not in doubtful] == acknowledged


@pytest.mark.timeout(240)  # a server is made, on a machine that may be busy with other tests
async def test_a_database_that_takes_no_writing_any_more_refuses_turns_until_it_does(
    databases: Any, tmp_path: Path, forks: Forks
) -> None:
    """As one that has become a standby; what was there goes on afterwards."""
    host = noted(tmp_path)
    with databases.own_postgres_server(tmp_path) as server, forks.serving(tmp_path, server.url, lease=LEASE) as served:
        async with httpx2.AsyncClient(timeout=PATIENCE) as client:
            await turn(client, served, "before")
            server.make_read_only()
            await anyio.to_thread.run_sync(served.wait_for_readiness, 503)
            await refused(client, f"{served.url}/plain", {"text": "read-only", "key": "k"})
            await refused(client, f"{served.url}/v1/responses", {"model": "m", "input": "read-only"})
            server.make_read_only(is_it=False)
            await anyio.to_thread.run_sync(served.wait_for_readiness)
            await turn(client, served, "after")
        assert "read-only transaction" in served.printed
        assert "Traceback" not in served.printed
    assert host.begun("after")[-1]["seen"][::2] == ["before", "after"]
    assert not host.begun("read-only")
