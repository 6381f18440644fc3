"""Samples as a reader gets them: loaded from their files, or started as their first lines say."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest

SAMPLES = Path(__file__).parent.parent

Load: TypeAlias = Callable[[str], Any]


@pytest.fixture
def sample() -> Load:
    """Return `sample("hooks/redact.py")`, which runs a sample's file afresh and returns its names."""
    return lambda name: SimpleNamespace(**runpy.run_path(str(SAMPLES / name)))
