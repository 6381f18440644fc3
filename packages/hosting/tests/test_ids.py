"""Ids: nobody gets one that somebody else has, in whichever thread or process."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from agent_framework_hosting.ids import mint

FORKS = """
import os
from agent_framework_hosting.ids import mint

mint()
reading, writing = os.pipe()
if not os.fork():
    os.write(writing, " ".join(mint() for _ in range(100)).encode())
    os._exit(0)
os.close(writing)
theirs = os.read(reading, 10_000).decode().split()
os.wait()
print(len(theirs), len({mint() for _ in range(100)} | set(theirs)))
"""


def test_an_id_has_128_bits_in_hexadecimal_behind_its_prefix() -> None:
    assert re.fullmatch("resp_[0-9a-f]{32}", mint("resp_"))


def test_threads_never_get_the_same_id() -> None:
    def many(_: int) -> list[str]:
        return [mint() for _ in range(2_000)]

    with ThreadPoolExecutor(4) as threads:
        minted = [made for ids in threads.map(many, range(8)) for made in ids]
    assert len(set(minted)) == len(minted)


def test_a_process_that_was_forked_repeats_no_id_of_the_one_before() -> None:
    done = subprocess.run([sys.executable, "-c", FORKS], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["100", "200"]
