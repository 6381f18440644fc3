"""The demo, served as `make serve` does, for the tests that talk to it from outside; and databases for replicas."""

from __future__ import annotations

import os
from collections.abc import Generator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from .forked import Forks, forking
from .served import COMMANDS, free_port, serving


@pytest.fixture(scope="session")
def demo_url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """Serve the demo with its embedded model, in a process of its own, and return its URL.

    In the end it has to stop when told to, and must not have met an error of its own.
    """
    log = tmp_path_factory.mktemp("demo") / "printed"
    with free_port() as port:
        command = [COMMANDS / "af-hosting", "demo", "--offline", "--word-delay", "0", "--port", str(port)]
        with serving(command, port=port, log=log) as served:
            yield served.url
            assert served.stop() == 0, served.printed
            assert "Traceback" not in served.printed


@pytest.fixture(scope="session")
def databases() -> Any:
    """Return the module with which the base's own tests make databases."""
    path = Path(__file__).parent.parent / "packages" / "hosting" / "tests" / "databases.py"
    spec = spec_from_file_location("hosting_databases", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def postgres(databases: Any, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """Return the URL of the PostgreSQL server that all test processes share."""
    shared = tmp_path_factory.getbasetemp()
    with databases.postgres_server(shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared) as url:
        yield url


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def database(
    request: pytest.FixtureRequest, databases: Any, tmp_path_factory: pytest.TempPathFactory
) -> Generator[str]:
    """Return the URL of a database of each kind, empty when the first test of a module comes."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('database')}/state/host.db"
        return
    with databases.postgres_schema(request.getfixturevalue("postgres")) as url:
        yield url


@pytest.fixture(scope="session")
def forks() -> Generator[Forks]:
    """Return what starts replicas within milliseconds."""
    with forking() as forks:
        yield forks


@pytest.fixture(params=["sqlite", "postgres"])
def fresh_database(request: pytest.FixtureRequest, databases: Any, tmp_path: Path) -> Generator[str]:
    """Return the URL of a database of each kind, empty when the test comes."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/state/host.db"
        return
    with databases.postgres_schema(request.getfixturevalue("postgres")) as url:
        yield url
