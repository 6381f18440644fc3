"""Hosts in processes of their own on one database, and what their runs have noted."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio
import httpx2

from .served import Served, free_port, starting

_PATIENCE: Final = 45.0
_BETWEEN_LOOKS: Final = 0.01


@dataclass
class Replicas:
    """Several hosts on one database; a single one may consist of several workers."""

    folder: Path
    served: list[Served]

    def url(self, number: int = 0) -> str:
        """Return the address of one of them, in turns."""
        return self.served[number % len(self.served)].url

    def notes(self, tag: str = "") -> list[dict[str, Any]]:
        """Return what all runs whose texts begin with `tag` have noted, in the order of time."""
        path = self.folder / "runs"
        notes = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [each for each in notes if (each.get("began") or each.get("ended")).startswith(tag)]

    def begun(self, tag: str = "") -> list[dict[str, Any]]:
        """Return what such runs saw when they began."""
        return [each for each in self.notes(tag) if "began" in each]

    async def reached(self, gate: str) -> None:
        """Wait until a run stands at this gate."""
        await until((self.folder / f"{gate}.reached").exists, f"a run at the gate {gate}")

    def open(self, gate: str) -> None:
        """Let whoever stands, or will stand, at this gate go on."""
        (self.folder / f"{gate}.open").touch()


async def until(met: Callable[[], bool], waiting_for: str) -> None:
    """Wait until a condition that another process brings about is met.

    Raises:
        AssertionError: It did not come in time.
    """
    give_up = time.monotonic() + _PATIENCE
    while not met():
        assert time.monotonic() < give_up, f"Waited for {waiting_for}, in vain."
        await anyio.sleep(_BETWEEN_LOOKS)


@contextmanager
def replicas(
    folder: Path,
    database: str,
    count: int,
    *,
    concurrency: str = "queue",
    workers: int = 1,
    agent: str = "core",
) -> Generator[Replicas]:
    """Serve one database by several hosts."""
    command = [sys.executable, Path(__file__).with_name("replica_host.py"), folder]
    with ExitStack() as stack:
        served: list[Served] = []
        for number in range(count):
            port = stack.enter_context(free_port())
            rest = [database, concurrency, agent, str(workers)]
            served.append(
                stack.enter_context(
                    starting(
                        [*command, str(port), *rest],
                        port=port,
                        log=folder / f"printed{number}",
                    )
                )
            )
        for each in served:
            each.wait_for_readiness(200)
        yield Replicas(folder, served)


async def say(client: httpx2.AsyncClient, url: str, text: str, **asked: Any) -> httpx2.Response:
    """Post a turn to the plain channel."""
    return await client.post(f"{url}/plain", json={"text": text, **asked})


def responses_body(text: str, **fields: Any) -> Mapping[str, Any]:
    """Return the body of a request to the Responses channel."""
    return {"model": "m", "input": text, **fields}
