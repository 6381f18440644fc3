"""What the modules of an idle process hold, as they are imported: of a bare route's process, and what ours adds.

python -m benchmarks.profiles.imported
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import tracemalloc
from collections import Counter
from collections.abc import Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Final

import msgspec

from ..servers import ROOT, environment

_MODULE: Final = "benchmarks.profiles.imported"


class Imported(msgspec.Struct):
    """Bytes that modules' imports have left, each without those that it imports itself.

    `bare` is a process that has a plain route's modules; `ours` what comes to it with the host, first request included.
    `made` is what the host, its app and that request hold beyond modules.
    """

    bare: dict[str, int]
    ours: dict[str, int]
    made: int


class _Weighing:
    """Weighs every module of Python that is imported from now on."""

    def __init__(self) -> None:
        self.own = Counter[str]()
        self._inner = [0]
        self._exec = SourceFileLoader.exec_module

    def begin(self) -> None:
        weighing = self

        def exec_module(self: SourceFileLoader, module: ModuleType) -> None:
            weighing.weigh(self, module)

        SourceFileLoader.exec_module = exec_module
        tracemalloc.start(1)

    def weigh(self, loader: SourceFileLoader, module: ModuleType) -> None:
        before = tracemalloc.get_traced_memory()[0]
        self._inner.append(0)
        try:
            self._exec(loader, module)
        finally:
            grown = tracemalloc.get_traced_memory()[0] - before
            self.own[module.__name__] += grown - self._inner.pop()
            self._inner[-1] += grown

    def taken(self) -> dict[str, int]:
        """Return what has been weighed since the last time."""
        own, self.own = self.own, Counter[str]()
        return dict(own)


def imported(*, quick: bool) -> Imported:
    """Return what a process of its own has weighed, which started from compiled modules unless it is to be quick."""
    command = [sys.executable, "-m", _MODULE]
    with tempfile.TemporaryDirectory(prefix="benchmark-") as compiled:
        env = environment(None if quick else Path(compiled))
        if not quick:
            # The first one compiles.
            subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, env=env)
        done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, env=env)
    return msgspec.json.decode(done.stdout, type=Imported)


def by_package(modules: Mapping[str, int]) -> dict[str, int]:
    """Return the sums of packages, of ours also of those inside of them; the heaviest first."""
    sums = Counter[str]()
    for module, size in modules.items():
        package, *inner = module.split(".")
        is_deeper = package.startswith("agent_framework_hosting") and len(inner) > 1
        sums[f"{package}.{inner[0]}" if is_deeper else package] += size
    return dict(sums.most_common())


async def _weighed() -> Imported:
    weighing = _Weighing()
    weighing.begin()
    import uvicorn

    from ..limits import starlette_app
    from ..targets import make_target
    from .asking import WHOLE, ask

    target = make_target("raw")
    app = starlette_app(target)
    (await ask(app, WHOLE)).right_body()
    # What it loads when it starts to serve.
    uvicorn.Config(app).load()
    bare = weighing.taken()
    before = tracemalloc.get_traced_memory()[0]
    from ..ours import make_host

    async with make_host(target) as host:
        (await ask(host.app, WHOLE)).right_body()
        grown = tracemalloc.get_traced_memory()[0] - before
    ours = weighing.taken()
    return Imported(bare, ours, grown - sum(ours.values()))


if __name__ == "__main__":
    sys.stdout.write(msgspec.json.encode(asyncio.run(_weighed())).decode())
