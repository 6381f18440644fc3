"""Becomes a replica of `replica_host.py` for each line on its input, in a process of its own that starts at once.

A line is a JSON list: the file to print into, and what that script is told. It is answered by the process id.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys
from pathlib import Path

import hypercorn.asyncio
import psycopg_pool
import sqlalchemy.dialects.postgresql.psycopg
import sqlalchemy.dialects.sqlite

import agent_framework_hosting.host
import agent_framework_hosting.testing
import agent_framework_hosting_responses.channel
from agent_framework_hosting._state.sql import postgres, sqlite, sqlstore

IMPORTED = (
    hypercorn.asyncio,
    postgres,
    psycopg_pool,
    sqlite,
    sqlstore,
    sqlalchemy.dialects.postgresql.psycopg,
    sqlalchemy.dialects.sqlite,
    agent_framework_hosting.host,
    agent_framework_hosting.testing,
    agent_framework_hosting_responses.channel,
)
"""What takes most of a start, and is taken over by every replica."""


def become(log: str, told: list[str]) -> None:
    """Be a replica, to its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    script = str(Path(__file__).with_name("replica_host.py"))
    sys.argv = [script, *told]
    code = 1
    try:
        runpy.run_path(script, run_name="__main__")
        code = 0
    except Exception as error:  # noqa: BLE001 - as the interpreter would say it, in the replica's own log
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    # Whoever ends is gone at once: nobody here waits for it.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        log, *told = json.loads(line)
        child = os.fork()
        if child == 0:
            become(log, told)
        print(child, flush=True)  # noqa: T201 - that is the answer
