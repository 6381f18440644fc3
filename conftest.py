"""What every test may use, and the examples of documents and docstrings as tests."""

import asyncio
import logging
import os
import warnings
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

import pytest
from hypothesis import settings
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sybil import Document, Region, Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser
from sybil.parsers.rest import DocTestParser

FIGURES: Final = os.environ.get("AF_HOSTING_FIGURES", "small")
if FIGURES not in ("small", "full"):
    raise pytest.UsageError(
        f"AF_HOSTING_FIGURES is {FIGURES!r}; it can be 'small' (make test) or 'full' (make torture)."
    )

# Small runs are repeatable: the same code gets the same verdict. Full ones explore.
settings.register_profile("small", deadline=None, derandomize=True, max_examples=100)
settings.register_profile("full", deadline=None, max_examples=2_000, print_blob=True)
settings.load_profile(FIGURES)


@pytest.fixture(scope="session")
def figure() -> Callable[[int, int], int]:
    """Return `figure(small, full)`, which picks how many: the first for `make test`, the second for `make torture`."""

    def figure(small: int, full: int, /) -> int:
        return full if FIGURES == "full" else small

    return figure


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Agent Framework runs on asyncio, so the tests do."""
    return "asyncio"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have measured, and the seeds that they used: `record_property(name, value)`."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, value in getattr(report, "user_properties", ()):
                terminalreporter.write_line(f"{name}: {value}")


class ReasonedSkipParser(SkipParser):
    """Skips an example of a document, provided that it says why: `<!-- skip: next "needs a phone" -->`."""

    def __call__(self, document: Document) -> Iterable[Region]:
        for region in super().__call__(document):
            action, reason = region.parsed
            if action != "end" and not reason:
                raise ValueError(f'{document.path}: a skipped example needs a reason: <!-- skip: {action} "why" -->')
            yield region


@pytest.fixture(autouse=True)
def logs_as_before() -> Generator[None]:
    """Undo what a test, or an example, has set up of the project's own logging: it belongs to the whole process."""
    loggers = [logging.getLogger(name) for name in ("agent_framework.hosting", "agent_framework.hosting.access")]
    before = [(each.level, each.propagate, list(each.handlers)) for each in loggers]
    yield
    for each, (level, propagate, handlers) in zip(loggers, before, strict=True):
        each.setLevel(level)
        each.propagate = propagate
        each.handlers[:] = handlers


@pytest.fixture
async def later() -> AsyncGenerator[Callable[[float], None]]:
    """Return `later(seconds)`, after which so much more time has gone by for all timers of the event loop.

    Nobody waits, and however slow the machine is, nothing is late before the test says so.
    """
    loop = asyncio.get_running_loop()
    now, ahead = loop.time, 0.0

    def later(seconds: float) -> None:
        nonlocal ahead
        ahead += seconds

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(loop, "time", lambda: now() + ahead)
        yield later


@pytest.fixture
def only() -> Callable[[float], AbstractContextManager[None]]:
    """Return `only(seconds)`, a block that begins so much later, and in which no more time goes by for the event loop.

    What ends in it has ended within these seconds, however slow the machine is.
    """

    @contextmanager
    def only(seconds: float) -> Generator[None]:
        loop = asyncio.get_running_loop()
        then = loop.time() + seconds
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(loop, "time", lambda: then)
            yield

    return only


class Collected:
    """What OpenTelemetry's SDK was told while a test ran."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracer_provider = TracerProvider()
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.meter_provider = MeterProvider([self._reader])

    def spans(self, name: str | None = None) -> list[ReadableSpan]:
        """Return the spans that have ended, in that order; those of one name, when it is given."""
        return [span for span in self._exporter.get_finished_spans() if name in (None, span.name)]

    def metrics(self) -> dict[str, list[Any]]:
        """Return the points of every metric by its name."""
        data = self._reader.get_metrics_data()
        found: dict[str, list[Any]] = {}
        for resource in data.resource_metrics if data is not None else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    found.setdefault(metric.name, []).extend(metric.data.data_points)
        return found


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> Generator[Collected]:
    """Let the process have OpenTelemetry's SDK, with exporters in memory, for the length of a test."""
    collected = Collected()
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", collected.tracer_provider)
    monkeypatch.setattr("opentelemetry.metrics._internal._METER_PROVIDER", collected.meter_provider)
    yield collected
    collected.meter_provider.shutdown()


@pytest.fixture
def pretended_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let documents build real clients: they are constructed, never called."""
    monkeypatch.setenv("OPENAI_API_KEY", "documents-only-construct-clients")


@pytest.fixture
def experimental_features() -> Generator[None]:
    """Let documents use what Agent Framework calls experimental: their readers see the warning, and go on."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* is experimental", category=FutureWarning)
        yield


pytest_collect_file = (
    Sybil(
        parsers=[PythonCodeBlockParser(), ReasonedSkipParser()],
        patterns=["*.md"],
        excludes=["CHANGELOG.md"],
        fixtures=["pretended_key", "experimental_features", "logs_as_before"],
    )
    + Sybil(
        parsers=[DocTestParser()],
        path="packages",
        patterns=["*.py"],
        excludes=["test_*.py", "conftest.py"],
        fixtures=["logs_as_before"],
    )
).pytest()
