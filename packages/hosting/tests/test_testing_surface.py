"""The public face of the fakes: names, examples, and what importing them costs."""

from __future__ import annotations

import doctest
import inspect
import pkgutil
import subprocess
import sys
from importlib import import_module

import pytest

from agent_framework_hosting import testing

MODULES = [f"{testing.__name__}.{module.name}" for module in pkgutil.iter_modules(testing.__path__)]


def test_all_names_are_listed_in_order() -> None:
    """`__all__` is exactly what can be imported, and every name exists."""
    public = {name for name, value in vars(testing).items() if not name.startswith("_") and not inspect.ismodule(value)}
    assert set(testing.__all__) == public
    assert list(testing.__all__) == sorted(set(testing.__all__))


@pytest.mark.parametrize("name", MODULES)
def test_every_example_runs(name: str) -> None:
    """The examples in the docstrings do what they show."""
    assert doctest.testmod(import_module(name)).failed == 0


def test_every_public_class_and_function_says_what_it_is() -> None:
    """Whoever writes a test reads it in the editor."""
    things = {name: getattr(testing, name) for name in testing.__all__}
    assert [name for name, thing in things.items() if inspect.isroutine(thing) and not thing.__doc__] == []
    assert [name for name, thing in things.items() if inspect.isclass(thing) and not vars(thing).get("__doc__")] == []


def test_importing_the_fakes_loads_no_server_and_no_test_runner() -> None:
    """Hypercorn and h11 come with the loopback driver's first use, pytest never."""
    code = "import sys, agent_framework_hosting.testing; print({'hypercorn', 'h11', 'pytest'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
