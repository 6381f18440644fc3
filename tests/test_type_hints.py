"""What is typed can be asked for its types while it runs, as dependency injection, validators and documentation do."""

import dataclasses
import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

import pytest

PACKAGES = sorted(path.name for path in Path(__file__).parents[1].glob("packages/*/src/*") if path.is_dir())


def modules(package: str) -> Iterator[Any]:
    """All public modules of a package."""
    root = import_module(package)
    yield root
    for found in pkgutil.walk_packages(root.__path__, f"{package}."):
        if not any(part.startswith("_") for part in found.name.split(".")):
            yield import_module(found.name)


def exported(module: Any) -> Iterator[Any]:
    """What a module offers of its package's own: all that is listed, or else all that it defines itself."""
    package = str(module.__name__).partition(".")[0]
    listed: list[str] | None = getattr(module, "__all__", None)
    for name in listed or [name for name in dir(module) if not name.startswith("_")]:
        value = getattr(module, name)
        home = str(getattr(value, "__module__", ""))
        if home == module.__name__ or (listed and home.startswith(package)):
            yield value


def callables(value: Any) -> Iterator[Any]:
    """What of a function or a class has types: itself, and what of a class may be called from outside."""
    if inspect.isfunction(value):
        yield value
    if not inspect.isclass(value):
        return
    if all(base.__module__.partition(".")[0] not in {"agent_framework", "starlette"} for base in value.__mro__):
        yield value
    for name, member in vars(value).items():
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        is_written = inspect.isfunction(function) and not (name == "__init__" and dataclasses.is_dataclass(value))
        if is_written and (not name.startswith("_") or name in {"__init__", "__call__"}):
            yield function


@pytest.mark.parametrize("package", PACKAGES)
def test_all_that_is_public_tells_its_types_while_it_runs(package: str) -> None:
    """No name in a signature is one that only a type checker knows."""
    asked = 0
    for module in modules(package):
        for value in exported(module):
            for each in callables(value):
                try:
                    get_type_hints(each)
                except (NameError, TypeError) as error:
                    pytest.fail(f"{module.__name__}: {each.__qualname__}: {error}")
                asked += 1
    assert asked > 5
