"""The benchmarks work, and believe no answer that is wrong."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.request import Request, urlopen

import msgspec
import pytest
from benchmarks.answers import WrongAnswer, check_stream, check_whole
from benchmarks.goals import GOALS, Gain, Goal, Growth, judged
from benchmarks.measuring import Result, Run
from benchmarks.memory import slope
from benchmarks.page import BEGIN, END, merged, written
from benchmarks.report import goals_table
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import Servers, serving
from benchmarks.soak import Soaked
from benchmarks.systems import COALESCING_TWO_WORKERS, OURS, OURS_ON_SQLITE, System, Target
from starlette.applications import Starlette
from starlette.requests import Request as Asked
from starlette.responses import Response
from starlette.routing import Route

from agent_framework_hosting.testing import LoopbackDriver

ROOT = Path(__file__).parents[1]


def python(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)


@pytest.fixture(scope="module")
def right() -> bytes:
    """A right stream, as the quickest of the systems sends it."""
    command = [sys.executable, "-m", "benchmarks.serve", "coalescing", "raw"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/responses"
        with urlopen(Request(url, data=b'{"input": "Say something.", "stream": true}')) as answer:
            return answer.read()


@contextmanager
def noting(name: str, body: bytes, asked: list[tuple[str, object]]) -> Generator[int]:
    """Serve a stream; note for each request the server's name and the client's address."""

    async def answer(request: Asked) -> Response:
        asked.append((name, request.client))
        return Response(body, media_type="text/event-stream")

    with LoopbackDriver(Starlette(routes=[Route("/responses", answer, methods=["POST"])])) as driver:
        yield driver.address[1]


@contextmanager
def served(body: bytes, *, media_type: str) -> Generator[int]:
    async def answer(_: Asked) -> Response:
        return Response(body, media_type=media_type)

    with LoopbackDriver(Starlette(routes=[Route("/responses", answer, methods=["POST"])])) as driver:
        yield driver.address[1]


def measured(tmp_path: Path, *names: str, rounds: int = 1) -> tuple[Run, str]:
    """Measure the scenarios of these names at the least figures; return the run, and what was printed."""
    file = tmp_path / "figures.json"
    only = [option for name in names for option in ("--only", name)]
    done = python("-m", "benchmarks", "--quick", "--rounds", rounds, *only, "--json", file)
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(file.read_bytes(), type=Run), done.stdout


@pytest.mark.timeout(180)  # a dozen processes, on a machine that may be busy with other tests
def test_the_report_sets_ours_beside_both_limits(tmp_path: Path) -> None:
    run, printed = measured(tmp_path, "JSON, raw stub, c=16", rounds=2)
    assert [result.scenario for result in run.results] == ["JSON, raw stub, c=16"]
    for result in run.results:
        assert result.scenario in printed
        assert set(result.rounds) == {"ours", "Starlette route", "coalescing ASGI"}
        for measures in result.rounds.values():
            assert [each["per second"] > 0 and each["CPU µs"] > 0 for each in measures] == [True, True]
    page = written(run, f"# Title\n{BEGIN}\nold\n{END}\nrest\n")
    assert page.startswith("# Title\n")
    assert page.endswith("\nrest\n")
    assert "old" not in page
    assert "| JSON, raw stub, c=16 | ours |" in page
    assert written(run, page) == page


@pytest.mark.parametrize(
    ("name", "system", "measures"),
    [
        ("memory of open streams, 1 chunk", OURS, ["KiB each"]),
        ("conversation, raw stub", OURS_ON_SQLITE, ["CPU ms at turn 10", "bytes kept, last", "kept : said"]),
    ],
)
def test_memory_and_conversations_are_measured(name: str, system: System, measures: list[str]) -> None:
    [scenario] = (each for each in SCENARIOS if each.name == name)
    alone = replace(scenario.quick(), systems=[system])
    found = alone.measured(Servers())[system.name]
    assert set(measures) <= set(found)
    assert 0 < found.get("kept : said", 1) < 3


def test_every_goal_is_measured_somewhere() -> None:
    known = {scenario.name: {system.name for system in scenario.systems} for scenario in SCENARIOS}
    assert len(known) == len(SCENARIOS)
    for goal in GOALS:
        if isinstance(goal, Gain):
            wanted = {system.name for system in (*goal.of, *goal.beside)}
        else:
            wanted = {goal.of.name} if goal.beside is None else {goal.of.name, goal.beside.name}
        assert wanted <= known[goal.scenario], goal.what
        if isinstance(goal, Goal):
            assert goal.before is None or goal.of.name in known[goal.before[0]], goal.what
        if isinstance(goal, Growth):
            assert wanted <= known[goal.start], goal.what


def test_what_was_measured_again_takes_the_place_of_what_was_measured_first() -> None:
    first = [Result(name, {"ours": [{"per second": 1.0}] * 2}) for name in ("JSON, one", "JSON, two")]
    again = Result("JSON, one", {"ours": [{"per second": 5.0}] * 7})
    run = merged([Run({}, 2, first), Run({}, 7, [again])])
    assert [(result.scenario, result.value("ours", "per second")) for result in run.results] == [
        ("JSON, one", 5.0),
        ("JSON, two", 1.0),
    ]
    assert "medians of 2 to 7 rounds; elsewhere one." in written(run, f"{BEGIN}\n{END}")


def test_the_page_says_what_a_core_carries_and_how_a_soak_ended() -> None:
    results = [
        Result("JSON, real Agent, c=16", {"ours": [{"CPU µs": 500.0}, {"CPU µs": 400.0}, {"CPU µs": 900.0}]}),
        Result("conversation, raw stub", {"ours, SQLite": [{"CPU ms at turn 100": 2.0}]}),
    ]
    soaked = Soaked(1_800.0, 90_000, 50.0, 0.6, 4.0, 30.0, 80.0, 80.5, 6.0)
    page = written(Run({}, 3, results), f"{BEGIN}\n{END}", soaked=soaked)
    assert "| a whole answer, real Agent | 500 µs | 2,000 answers a second |" in page
    assert "raw stub, SQLite | 2 ms | 500 turns a second |" in page
    assert "30 minutes at 70 %" in page
    assert "80.0 MiB, at the end 80.5 MiB, 6 bytes more" in page


def test_a_goal_is_judged_by_the_median_of_the_rounds_own_ratios() -> None:
    result = Result(
        "JSON, raw stub, c=16",
        {
            "ours": [{"per second": 80.0}, {"per second": 10.0}, {"per second": 60.0}],
            "coalescing ASGI": [{"per second": 100.0}, {"per second": 10.0}, {"per second": 100.0}],
        },
    )
    [verdict] = judged([result], cores=2)
    assert (verdict.figure, verdict.wanted, verdict.is_met) == (0.8, "≥ 0.7 of coalescing ASGI", True)
    assert "| yes |" in goals_table([verdict])


@pytest.mark.parametrize(("long", "figure", "is_met"), [(220.0, 0.0, True), (222.0, 0.05, True), (230.0, 0.25, False)])
def test_what_chunks_add_to_a_stream_is_judged_without_what_the_agent_and_the_text_add(
    long: float, figure: float, is_met: bool
) -> None:
    one, many = (
        Result(
            f"memory of open streams, {chunks}",
            {"ours": [{"KiB each": ours}], "coalescing ASGI": [{"KiB each": limit}]},
        )
        for chunks, ours, limit in (("1 chunk", 40.0, 20.0), ("10,000 chunks", long, 200.0))
    )
    [verdict] = (each for each in judged([one, many], cores=2) if each.goal.startswith("what 10,000 chunks add"))
    assert (verdict.figure, verdict.is_met) == (pytest.approx(figure), is_met)
    assert not [each for each in judged([many], cores=2) if each.goal == verdict.goal]


@pytest.mark.parametrize(
    ("speed", "cpu", "is_met"),
    [(127.0, 65.0, [True, True]), (134.0, 67.0, [True, False]), (125.0, 60.0, [False, True])],
)
def test_a_second_worker_is_judged_by_what_it_gains_where_nothing_is_shared(
    speed: float, cpu: float, is_met: list[bool]
) -> None:
    rounds = {
        "ours, 1 worker": [{"per second": 100.0, "CPU µs": 50.0}],
        "ours, 2 workers": [{"per second": speed, "CPU µs": cpu}],
        "coalescing ASGI, 1 worker": [{"per second": 200.0, "CPU µs": 10.0}],
        "coalescing ASGI, 2 workers": [{"per second": 280.0, "CPU µs": 12.0}],
    }
    result = Result("workers: stream, real Agent, c=32", rounds)
    assert [each.is_met for each in judged([result], cores=2)] == [*is_met, None]
    assert [each.is_met for each in judged([result], cores=3)] == [*is_met, False]
    *_, doubling = judged([result], cores=2)
    assert (doubling.figure, doubling.because) == (speed / 100, "takes 3 cores to judge")
    assert "| ≥ 0.9 of coalescing ASGI's |" in goals_table(judged([result], cores=2))


def test_memory_that_grows_has_a_slope() -> None:
    assert slope([(100, 1_000), (200, 1_500), (300, 2_000)]) == pytest.approx(5)
    assert slope([(100, 1_000), (200, 1_000)]) == 0


def test_a_right_stream_is_measured(right: bytes) -> None:
    with served(right, media_type="text/event-stream") as port:
        done = python("-m", "benchmarks.load", f"{port}:{os.getpid()}", "--stream", "--concurrency", 2)
    [figures] = json.loads(done.stdout)
    assert figures["answers"] == 2


def test_servers_take_turns_on_connections_that_stay_open(right: bytes) -> None:
    """Each of two servers notes who asks it, and when."""
    asked: list[tuple[str, object]] = []
    with noting("one", right, asked) as one, noting("two", right, asked) as two:
        servers = [f"{port}:{os.getpid()}" for port in (one, two)]
        done = python("-m", "benchmarks.load", *servers, "--stream", "--concurrency", 1, "--turns", 4)
    assert [figures["answers"] for figures in json.loads(done.stdout)] == [4, 4]
    assert [name for name, _ in asked] == ["one", "two", "two", "one", "one", "two", "two", "one"]
    assert len(set(asked)) == 2


@pytest.mark.timeout(120)  # three processes that import the framework
def test_the_limit_is_served_by_two_processes_at_one_port(tmp_path: Path) -> None:
    with serving(COALESCING_TWO_WORKERS, Target(), compiled=tmp_path) as running:
        url = f"http://127.0.0.1:{running.port}/responses"
        with urlopen(Request(url, data=b'{"input": "Say something."}')) as answer:
            check_whole(answer.read(), chunks=200)
        assert len(running.pids()) >= 3


def test_a_server_that_hangs_up_between_two_turns_is_told(right: bytes) -> None:
    async def answer(_: Asked) -> Response:
        return Response(right, media_type="text/event-stream", headers={"connection": "close"})

    with LoopbackDriver(Starlette(routes=[Route("/responses", answer, methods=["POST"])])) as driver:
        server = f"{driver.address[1]}:{os.getpid()}"
        done = python("-m", "benchmarks.load", server, "--stream", "--turns", 2)
    assert done.returncode != 0
    # Which of the two is seen first is chance.
    assert re.search("WrongAnswer: The (connection is not open|server hung up)", done.stderr)


DELTA = b"event: response.output_text.delta"
Spoil = Callable[[list[bytes]], list[bytes]]
SPOILT: dict[str, tuple[Spoil, str]] = {
    "a delta is missing": (lambda events: events[:50] + events[51:], "Event 203 is a response.output_text.done"),
    "a delta comes twice": (
        lambda events: [*events[:50], events[50], *events[50:]],
        "Event 204 is a response.output_text.delta",
    ),
    "two deltas change places": (
        lambda events: [*events[:50], events[51], events[50], *events[52:]],
        "sequence numbers",
    ),
    "a delta says something else": (
        lambda events: [*events[:50], events[50].replace(b"chunk", b"other"), *events[51:]],
        "do not add up",
    ),
    "an item changes its id": (
        lambda events: [*events[:50], events[50].replace(b"msg_", b"gsm_"), *events[51:]],
        "2 ids",
    ),
    "the item is never opened": (lambda events: events[:2] + events[3:], "output_item.added is due"),
    "the end is missing": (lambda events: events[:-2], "instead of [DONE]"),
    "the response did not complete": (
        lambda events: [*events[:-2], events[-2].replace(b'"status":"completed"', b'"status":"failed"'), events[-1]],
        "The response is failed",
    ),
    "an event has another name than its data": (
        lambda events: [*events[:50], events[50].replace(DELTA, DELTA + b"s", 1), *events[51:]],
        "carries a response.output_text.delta",
    ),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_wrong_stream_is_told(case: str, right: bytes) -> None:
    spoil, complaint = SPOILT[case]
    events = right.removesuffix(b"\n\n").split(b"\n\n")
    with pytest.raises(WrongAnswer, match=re.escape(complaint)):
        check_stream(b"\n\n".join(spoil(events)) + b"\n\n", chunks=200)


def test_a_wrong_whole_answer_is_told() -> None:
    body = b'{"object": "response", "status": "completed", "output": []}'
    with served(body, media_type="application/json") as port:
        done = python("-m", "benchmarks.load", f"{port}:{os.getpid()}")
    assert done.returncode != 0
    assert "WrongAnswer: The response does not carry the text." in done.stderr


@pytest.mark.timeout(300)  # half a dozen processes, on a machine that may be busy with other tests
def test_lines_are_set_beside_the_same_turns_without_a_line(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/lines.db"
    done = python("-m", "benchmarks.lines", database, "--processes", 2, "--turns", 12, "--rounds", 1)
    assert done.returncode == 0, done.stderr
    title, _, *lines = [[cell.strip() for cell in line.strip("| ").split("|")] for line in done.stdout.splitlines()]
    assert title[:2] == ["processes", "line"]
    assert [line[:2] for line in lines] == [["2", "one"], ["2", "none"]]
    for one, none in zip(lines[::2], lines[1::2], strict=True):
        speed, beside = (float(line[2].replace(",", "")) for line in (one, none))
        cpu, p50, p99, ratio = map(float, one[3:])
        assert min(cpu, p50) > 0
        assert p50 <= p99
        # Both speeds are shown in whole turns.
        assert (speed - 1) / (beside + 1) - 0.01 <= ratio <= (speed + 1) / (beside - 1) + 0.01
        assert none[4:6] == ["-", "-"]


def test_turns_of_one_line_that_ran_side_by_side_are_told() -> None:
    """The times that are answered overlap."""
    body = b'{"output": [{"content": [{"text": "1.0 2.0"}]}]}'
    program = "import asyncio, sys; from benchmarks.lines import burst; {}"
    asking = "asyncio.run(burst([(int(sys.argv[1]), int(sys.argv[2]))], turns=3, has_line={}))"
    with served(body, media_type="application/json") as port:
        in_line, beside = (
            python("-c", program.format(asking.format(has_line)), port, os.getpid()) for has_line in (True, False)
        )
    assert "WrongAnswer: Two turns of one session ran side by side." in in_line.stderr
    assert beside.returncode == 0, beside.stderr
