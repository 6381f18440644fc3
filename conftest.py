"""What every test may use, and the examples of documents and docstrings as tests."""

import os
import warnings
from collections.abc import Callable, Generator, Iterable
from typing import Final

import pytest
from hypothesis import settings
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
        fixtures=["pretended_key", "experimental_features"],
    )
    + Sybil(parsers=[DocTestParser()], path="packages", patterns=["*.py"], excludes=["test_*.py", "conftest.py"])
).pytest()
