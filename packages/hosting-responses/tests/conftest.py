"""Lets the tests of this folder import the modules beside them; and databases for replicas."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def databases() -> Any:
    """Return the module with which the base's own tests make databases."""
    path = Path(__file__).parents[2] / "hosting" / "tests" / "databases.py"
    spec = spec_from_file_location("hosting_databases", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def postgres(databases: Any, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """Return the URL of a PostgreSQL server that all test processes share."""
    shared = tmp_path_factory.getbasetemp()
    with databases.postgres_server(shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared) as url:
        yield url


@pytest.fixture
def make_database(request: pytest.FixtureRequest, databases: Any, tmp_path: Path) -> Generator[Callable[[str], str]]:
    """Return a function that returns the URL of an empty database of a kind."""
    with ExitStack() as stack:

        def make_database(kind: str) -> str:
            if kind == "sqlite":
                return f"sqlite:///{tmp_path}/state/host.db"
            return stack.enter_context(databases.postgres_schema(request.getfixturevalue("postgres")))

        yield make_database
