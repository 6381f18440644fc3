"""The profile finds where the time of a request goes, and no rung of the floor is there in name alone."""

import re
import subprocess
import sys
from collections import Counter
from copy import deepcopy
from pathlib import Path

import msgspec
import pytest
from benchmarks.answers import WrongAnswer
from benchmarks.bursts import Burst
from benchmarks.measuring import Result
from benchmarks.ours import make_host
from benchmarks.profiles.areas import OF_OURS, UNNAMED, area_of, area_of_files
from benchmarks.profiles.asking import STREAM, WHOLE, Asked, ask
from benchmarks.profiles.costs import (
    BARE,
    BY_HAND,
    LONG,
    OURS,
    PACED_LONG,
    PACED_SHORT,
    SHORT,
    STEPS,
    WHOLE_ANSWER,
    Measured,
    Slices,
)
from benchmarks.profiles.floor import RUNGS, Floor
from benchmarks.profiles.imported import by_package
from benchmarks.profiles.parts import BEST, DELTA, ENDS, parts
from benchmarks.profiles.proofs import prove
from benchmarks.profiles.sampling import Sampler, counted_calls
from benchmarks.profiles.told import BEGIN, END, Profiled, written
from benchmarks.servers import Servers, environment
from benchmarks.systems import BY_HAND as BY_HAND_SERVED
from benchmarks.systems import Target
from benchmarks.targets import make_target

pytestmark = pytest.mark.timeout(360)  # three processes that import much, on a machine that may be busy

ROOT = Path(__file__).parents[1]
MOST_UNNAMED = 0.03
HOST = OF_OURS[:-3]
_SYSTEMS = (OURS, BY_HAND, BARE)
MOST_CALLS = {WHOLE_ANSWER: 205, ENDS: 335, DELTA: 6.7}
"""Of Python functions of the host's, a tenth more than there are: what would lose a gain has to say so here."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Profiled, str]:
    """What a quick run measures, and the page that it writes."""
    folder = tmp_path_factory.mktemp("profile")
    page, figures = folder / "page.md", folder / "profile.json"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nbehind\n")
    command = [sys.executable, "-m", "benchmarks.profile", str(page), "--json", str(figures)]
    # It starts three more, which import the same: only the first one compiles it.
    env = environment(folder / "compiled")
    command += ["--quick", "--rounds", "1", "--streams", "4"]
    done = subprocess.run(command, cwd=ROOT, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(figures.read_bytes(), type=Profiled), page.read_text()


def test_a_run_writes_its_section_of_the_page_and_no_other(run: tuple[Profiled, str]) -> None:
    profiled, page = run
    assert page.startswith(f"before\n{BEGIN}\n")
    assert page.endswith(f"{END}\nbehind\n")
    assert "old" not in page.split()
    for words in ("a stream's two ends, real Agent", *OF_OURS, *RUNGS, "`agent_framework_hosting._state`"):
        assert words in page
    assert written(profiled, page) == page


def test_every_part_of_a_request_is_measured_of_ours_and_of_the_bare_callable(run: tuple[Profiled, str]) -> None:
    profiled, _ = run
    assert set(profiled.cpu) == {"raw", "agent"}
    for measured in profiled.cpu.values():
        assert all(slices.best > 0 for systems in measured.slices.values() for slices in systems.values())
        assert all(list(systems) == list(STEPS) for systems in measured.ladder.values())
        assert len(parts(measured)) == 4
    assert set(profiled.opened) == {OURS, BARE}
    assert sum(profiled.opened[OURS].bytes.values()) > sum(profiled.opened[BARE].bytes.values()) > 0
    assert profiled.imported.ours["agent_framework_hosting._pipeline"] > 0
    assert "agent_framework" in profiled.imported.bare
    assert not any(module.startswith("agent_framework_hosting") for module in profiled.imported.bare)


def test_every_area_has_its_calls_and_next_to_none_are_in_no_area(run: tuple[Profiled, str]) -> None:
    profiled, _ = run
    for measured in profiled.cpu.values():
        calls = Counter[str]()
        for systems in measured.slices.values():
            calls.update(systems[OURS].calls)
        assert set(OF_OURS) <= set(calls)
        assert calls[UNNAMED] <= MOST_UNNAMED * calls.total()


@pytest.mark.parametrize("name", MOST_CALLS)
def test_the_host_takes_no_more_calls_than_it_needs(run: tuple[Profiled, str], name: str) -> None:
    calls = parts(run[0].cpu["raw"])[name].calls
    assert sum(calls[area] for area in HOST) <= MOST_CALLS[name]


async def test_every_area_gets_its_samples_and_next_to_none_are_in_no_area() -> None:
    sampler, samples = Sampler(), Counter[str]()
    async with make_host(make_target("raw", chunks=20)) as host:
        with sampler.running():
            sampler.into = samples
            # A tick of processor time is some milliseconds: this goes on until each area was met.
            while not set(OF_OURS) <= set(samples):
                (await ask(host.app, STREAM)).right_body()
            sampler.into = None
    assert samples[UNNAMED] <= MOST_UNNAMED * samples.total()


async def test_calls_are_counted_to_the_innermost_area() -> None:
    with counted_calls() as calls:
        make_target("raw")
        area_of("nobody's")
    assert calls["Agent Framework, and the stub"] > 0


def test_what_everybody_uses_costs_its_caller() -> None:
    modules = {"ids.py": "agent_framework_hosting.ids", "turn.py": "agent_framework_hosting._sessions.turn"}
    assert area_of_files(["ids.py", "turn.py"], modules) == area_of("agent_framework_hosting._sessions")
    assert area_of("agent_framework_hosting.ids") is None
    assert area_of("msgspec.json") is None
    assert area_of_files([], modules) == UNNAMED


def test_a_module_of_the_host_that_has_no_area_is_noticed() -> None:
    assert area_of("agent_framework_hosting._new") == UNNAMED
    assert area_of("agent_framework_hosting_responses._new.part") == UNNAMED
    assert area_of("agent_framework_hosting_elsewhere") is None


@pytest.mark.parametrize("number", range(len(RUNGS)), ids=RUNGS)
async def test_a_rung_does_its_duty_and_the_floor_below_it_does_not(number: int) -> None:
    await prove(RUNGS[number], rungs=number + 1)
    await prove(RUNGS[number], rungs=len(RUNGS))
    with pytest.raises(WrongAnswer):
        await prove(RUNGS[number], rungs=number, patience=0.5)


@pytest.mark.parametrize("body", [WHOLE, STREAM], ids=["a whole answer", "a stream"])
async def test_the_duties_by_hand_say_what_the_host_says(body: bytes) -> None:
    target = make_target("raw", chunks=3)
    async with make_host(target) as host:
        said, by_hand = [_known(await ask(app, body)) for app in (host.app, Floor(target))]
    assert by_hand == said


def _known(got: Asked) -> list[object]:
    """What an answer says, without what is another's each time."""
    said = re.sub(rb"(resp|msg)_[0-9a-f]{32}(_0)?", rb"\1", got.right_body())
    said = re.sub(rb'(_at":)\d+', rb"\1 0", said)
    return [
        line if line[:1] != b"{" else msgspec.json.decode(line) for line in said.replace(b"data: ", b"").split(b"\n")
    ]


@pytest.mark.parametrize("stream", [False, True], ids=["whole answers", "streams"])
def test_the_duties_by_hand_are_served_beside_the_others(stream: bool) -> None:
    asked = Burst("by hand", (BY_HAND_SERVED,), Target(chunks=20), 4, stream=stream).quick()
    with Servers() as servers:
        assert asked.measured(servers)[BY_HAND_SERVED.name]["per second"] > 0


def test_the_ends_of_a_stream_and_its_deltas_are_told_apart_by_streams_of_two_lengths() -> None:
    def stream(us: float, answer: int) -> Slices:
        return Slices([us, 2 * us], [1.0], {"the answer": answer, "the loop": 10 - answer}, {"the answer": us / 10})

    slices = {SHORT: stream(120.0, 5), LONG: stream(920.0, 5)}
    measured = Measured({name: dict.fromkeys(_SYSTEMS, each) for name, each in slices.items()} | _others(), {})
    named = parts(measured)
    assert named[DELTA].ours[BEST] == pytest.approx(2)
    assert named[ENDS].ours[BEST] == pytest.approx(80)
    assert named[DELTA].us == pytest.approx({"the answer": 1.5, "the loop": 1.5})
    assert named[ENDS].calls == pytest.approx({"the answer": 8})


def _others() -> dict[str, dict[str, Slices]]:
    some = Slices([1.0], [1.0], {}, {})
    return {name: dict.fromkeys(_SYSTEMS, some) for name in (WHOLE_ANSWER, PACED_SHORT, PACED_LONG)}


def test_the_page_sets_the_duties_beside_what_the_goal_leaves(run: tuple[Profiled, str]) -> None:
    profiled, page = deepcopy(run)
    for step, us in ((BARE, 30.0), (BY_HAND, 60.0), (OURS, 200.0)):
        profiled.cpu["raw"].ladder[WHOLE_ANSWER][step].us = [us]
    speeds = {"coalescing ASGI": 7_000.0, "duties by hand": 4_900.0, "ours": 1_400.0}
    name = "JSON, raw stub, c=16"
    profiled.served = [Result(name, {system: [{"per second": speed}] for system, speed in speeds.items()})]
    told = written(profiled, page)
    assert "Of the 170 µs that the host costs more than the bare callable, 30 are these duties" in told
    assert f"| {name}: per second | ≥ 0.7 of coalescing ASGI | 0.7 | yes | 0.2 | **no** |" in told


def test_a_page_without_a_place_for_it_is_told(run: tuple[Profiled, str]) -> None:
    with pytest.raises(ValueError, match="no place for this"):
        written(run[0], "# Performance")


def test_modules_are_summed_by_package_and_ours_by_the_packages_inside() -> None:
    sizes = {"a": 1, "a.b": 2, "agent_framework_hosting.x": 4, "agent_framework_hosting._in.y": 8}
    summed = by_package(sizes)
    assert summed == {"agent_framework_hosting._in": 8, "agent_framework_hosting": 4, "a": 3}
