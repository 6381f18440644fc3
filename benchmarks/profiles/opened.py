"""What a stream that stays open holds, by the area that asked for the memory.

    python -m benchmarks.profiles.opened ours --streams 200

opens streams on a server in its own process, and prints bytes and blocks of one as `tracemalloc` has them.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import socket
import subprocess
import sys
import tracemalloc
from collections import Counter
from typing import Final

import msgspec
import uvicorn

from ..answers import WrongAnswer
from ..serve import make_app
from ..servers import ROOT
from ..systems import KEY
from ..targets import make_target
from .areas import area_of_files
from .asking import PATH, STREAM

_FRAMES: Final = 25
_CALM: Final = 0.5
_PATIENCE: Final = 60
_DELTA: Final = b"response.output_text.delta"
_REQUEST: Final = (
    f"POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    f"authorization: Bearer {KEY}\r\ncontent-length: {len(STREAM)}\r\n\r\n"
).encode() + STREAM


class Held(msgspec.Struct):
    """What one stream holds, by area."""

    bytes: dict[str, float]
    blocks: dict[str, float]


def held(system: str, *, streams: int) -> Held:
    """Return what an open stream of this system holds, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.profiles.opened", system, "--streams", str(streams)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    return msgspec.json.decode(done.stdout, type=Held)


async def _tell(system: str, *, streams: int) -> None:
    app = make_app(system, make_target("raw", chunks=1, holds=True))
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    port = listener.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    async with asyncio.timeout(_PATIENCE):
        # The first ones fill what all of them share, and have said that the server answers.
        clients = [await _opened(port) for _ in range(min(50, streams))]
        await asyncio.sleep(_CALM)
        gc.collect()
        tracemalloc.start(_FRAMES)
        clients += [await _opened(port) for _ in range(streams)]
        await asyncio.sleep(_CALM)
        gc.collect()
        taken = tracemalloc.take_snapshot().statistics("traceback")
    assert not serving.done()
    files = {file: name for name, module in sys.modules.items() if (file := getattr(module, "__file__", None))}
    weights, counts = Counter[str](), Counter[str]()
    for statistic in taken:
        area = area_of_files((frame.filename for frame in reversed(statistic.traceback)), files)
        weights[area] += statistic.size
        counts[area] += statistic.count
    told = Held(*({area: of / streams for area, of in by.items()} for by in (weights, counts)))
    sys.stdout.write(msgspec.json.encode(told).decode())
    sys.stdout.flush()
    # Its streams never end.
    os._exit(0)


async def _opened(port: int) -> socket.socket:
    """Open a stream, and return its client's end when the first delta has come."""
    client, loop = socket.socket(), asyncio.get_running_loop()
    client.setblocking(False)
    await loop.sock_connect(client, ("127.0.0.1", port))
    await loop.sock_sendall(client, _REQUEST)
    got = b""
    while _DELTA not in got:
        part = await loop.sock_recv(client, 65_536)
        if not part:
            raise WrongAnswer(f"A stream ended that was to stay open: {got[:200]!r}")
        got += part
    return client


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("system", choices=["ours", "coalescing"])
    parser.add_argument("--streams", type=int, default=200)
    asked = parser.parse_args()
    asyncio.run(_tell(asked.system, streams=asked.streams))


if __name__ == "__main__":
    main()
