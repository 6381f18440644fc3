"""The supervisor's patience, with real processes that do little."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from functools import partial
from pathlib import Path
from textwrap import dedent

import pytest

from agent_framework_hosting._workers.process import WorkerProcess
from agent_framework_hosting._workers.supervisor import Pacing, Supervisor
from agent_framework_hosting._workers.worker import Share
from agent_framework_hosting.errors import StartFailed

pytestmark = pytest.mark.timeout(300)  # several processes, one after the other, on a machine that may be busy
QUICK = Pacing(failed_starts=3, first_pause=0.01, longest_pause=0.02)

WORK = """
    import os
    import signal
    from pathlib import Path

    from agent_framework_hosting._workers.report import reporting
    from agent_framework_hosting.errors import ConfigurationError

    def work(folder, share, reports):
        starts = Path(folder) / "starts"
        with starts.open("a") as file:
            file.write(".")
        deeds = (Path(folder) / "deeds").read_text().split()
        deed = deeds[min(starts.stat().st_size, len(deeds)) - 1]
        with reporting(reports) as tell:
            if deed == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if deed == "broken":
                raise ConfigurationError("it is broken")
            if deed == "wrong":
                raise ValueError("nobody thought of this")
            tell("I serve")
            if deed == "serves":
                signal.pause()
"""


class Rehearsal:
    """Workers that do one deed after another, as they are started; `said` is what the first report said."""

    def __init__(self, folder: Path, deeds: str) -> None:
        (folder / "deeds").write_text(deeds)
        self._folder = folder
        self.said: list[str] = []
        self.stops = 0
        self._start = partial(
            WorkerProcess.start,
            work=importlib.import_module("rehearsed_work").work,
            location=str(folder),
            share=Share(sockets=(), plain=(), bind="", options={}),
        )

    def _note_stop(self) -> None:
        self.stops += 1

    async def run(self, *, stop_when_up: bool = False) -> None:
        def on_up(description: str) -> None:
            self.said.append(description)
            if stop_when_up:
                os.kill(os.getpid(), signal.SIGTERM)

        await Supervisor(
            self._start,
            count=1,
            on_up=on_up,
            patience=120,
            on_stop=self._note_stop,
            pacing=QUICK,
        ).run()

    @property
    def starts(self) -> int:
        return (self._folder / "starts").stat().st_size


class Rehearse:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, deeds: str) -> Rehearsal:
        return Rehearsal(self._folder, deeds)


@pytest.fixture
def rehearse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rehearse:
    """Return a function that names what workers do, in the order in which they are started."""
    (tmp_path / "rehearsed_work.py").write_text(dedent(WORK))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "rehearsed_work", raising=False)
    return Rehearse(tmp_path)


def test_pauses_grow_to_a_bound() -> None:
    pacing = Pacing(first_pause=0.5, longest_pause=30.0)
    assert [pacing.pause(lives) for lives in (1, 2, 3, 4)] == [0.5, 1.0, 2.0, 4.0]
    assert pacing.pause(1_000) == 30.0


@pytest.mark.parametrize(("deed", "said"), [("broken", "it is broken"), ("wrong", "ValueError: nobody thought")])
async def test_when_the_first_start_fails_no_second_one_is_tried(rehearse: Rehearse, deed: str, said: str) -> None:
    """As with a single process; a mistake that the host knows is told without a traceback."""
    rehearsal = rehearse(deed)
    with pytest.raises(StartFailed, match=said) as failed:
        await rehearsal.run()
    assert ("Traceback" in failed.value.message) == (deed == "wrong")
    assert (rehearsal.starts, rehearsal.said) == (1, [])


async def test_starts_that_fail_one_after_another_end_the_whole(rehearse: Rehearse) -> None:
    """What had worked once may work again, but not forever."""
    rehearsal = rehearse("ends broken killed broken serves")
    with pytest.raises(StartFailed, match=r"3 times in a row\. The last one: it is broken"):
        await rehearsal.run()
    assert (rehearsal.starts, rehearsal.said) == (4, ["I serve"])


async def test_a_start_that_was_killed_is_tried_again(rehearse: Rehearse) -> None:
    """Somebody else's signal says nothing about the host."""
    rehearsal = rehearse("killed killed serves")
    await rehearsal.run(stop_when_up=True)
    assert (rehearsal.starts, rehearsal.said) == (3, ["I serve"])
    assert rehearsal.stops == 1, "Sockets that nobody serves any more are let go of."
