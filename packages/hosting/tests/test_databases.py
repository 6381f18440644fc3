"""The PostgreSQL servers of these tests: in folders that nobody closes, and gone when their run is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from .databases import own_postgres_server, postgres_server, sweep_dead_runs


def folder_of(url: str) -> Path:
    """Return where the server's data, and its socket, are."""
    return Path(parse_qs(urlsplit(url).query)["host"][0])


@pytest.mark.timeout(180)  # a server is made, on a machine that may be busy with other tests
def test_those_who_name_the_same_folder_share_a_server_that_lies_elsewhere(tmp_path: Path) -> None:
    """So that it goes on when that folder is closed; the last one removes what it kept."""
    with postgres_server(tmp_path) as url:
        with postgres_server(tmp_path) as same:
            assert same == url
        tmp_path.chmod(0o700)
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert not folder_of(url).is_relative_to(tmp_path)
    assert not folder_of(url).parent.exists()


@pytest.mark.timeout(180)  # as above
def test_a_server_that_was_killed_comes_back_with_what_was_committed(tmp_path: Path) -> None:
    with own_postgres_server(tmp_path) as server:
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        server.kill()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.url)
        server.begin()
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def test_what_dead_runs_left_is_swept_and_what_living_ones_have_stays(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    left = tmp_path / f"af-hosting-postgres-{dead.pid}-x" / "pg"
    kept = tmp_path / f"af-hosting-postgres-{os.getpid()}-x" / "pg"
    # Whoever runs in the background of a shell, as these tests may, has it ignored.
    program = "import signal; signal.signal(signal.SIGQUIT, signal.SIG_DFL); print(flush=True); signal.pause()"
    for data in (left, kept):
        data.mkdir(parents=True)
    with (
        subprocess.Popen([sys.executable, "-c", program, left], stdout=subprocess.PIPE) as server,
        subprocess.Popen([sys.executable, "-c", program, "other"], stdout=subprocess.PIPE) as stranger,
    ):
        try:
            for each in (server, stranger):
                assert each.stdout is not None
                each.stdout.readline()
            (left / "postmaster.pid").write_text(f"{server.pid}\n{left}\n")
            sweep_dead_runs(tmp_path)
            assert server.wait(30) != 0
            assert [each.name for each in tmp_path.iterdir()] == [kept.parent.name]
            # Its number belongs to somebody else by now.
            left.mkdir(parents=True)
            (left / "postmaster.pid").write_text(f"{stranger.pid}\n{left}\n")
            sweep_dead_runs(tmp_path)
            assert stranger.poll() is None
            assert not left.exists()
        finally:
            server.kill()
            stranger.kill()
