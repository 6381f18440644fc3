"""Where another process finds the host: `package.module:name`."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeVar, cast

from ..errors import ConfigurationError

KindT = TypeVar("KindT")

_MAIN: Final = "__main__"
_MENDS: Final = (
    "Make the host a variable of a module, above `if __name__ == '__main__':`, or say where it is: "
    'serve(workers=2, import_path="package.module:host").'
)


def find(host: object) -> str:
    """Return the import path of a host that is a variable of a module, of the program's own first of all.

    Raises:
        ConfigurationError: It is no such variable; says how to mend it.
    """
    # `__mp_main__` is the program once more, under the name that another process would give it.
    names = [_MAIN, *(name for name in list(sys.modules) if name not in (_MAIN, "__mp_main__"))]
    for name in names:
        module: Any = sys.modules.get(name)
        if name != _MAIN or _can_be_imported_again(module):
            for variable, value in list(getattr(module, "__dict__", {}).items()):
                if value is host:
                    return f"{name}:{variable}"
    raise ConfigurationError(
        f"Another process cannot find this host, because no module that it could import has it as a variable. {_MENDS}"
    )


def load(import_path: str, *, kind: type[KindT]) -> KindT:
    """Import what a path names: a host, or a function without arguments that makes one.

    Raises:
        ConfigurationError: There is no such thing; says what was found instead.
    """
    module_name, _, names = import_path.partition(":")
    if not module_name or not names or module_name.startswith("."):
        raise ConfigurationError(f"{import_path!r} names no host. Write it as 'package.module:host'.")
    module = _imported(module_name)
    try:
        found: Any = attrgetter(names)(module)
    except AttributeError:
        hosts = [repr(f"{module_name}:{name}") for name, value in vars(module).items() if isinstance(value, kind)]
        meant = f"Is {' or '.join(hosts)} meant?" if hosts else "Name a variable of it."
        raise ConfigurationError(f"The module {module_name!r} has no {names!r}. {meant}") from None
    if isinstance(found, kind):
        return found
    made: Any = cast("Callable[[], Any]", found)() if _makes_something(found) else found
    if not isinstance(made, kind):
        raise ConfigurationError(
            f"{import_path!r} is {_described(made)}. Name a variable that is the host itself, or a plain function "
            "without arguments that makes it."
        )
    return made


def _makes_something(found: object) -> bool:
    if not callable(found) or inspect.iscoroutinefunction(found):
        return False
    try:
        inspect.signature(found).bind()
    except (TypeError, ValueError):
        return False
    return True


def _described(found: object) -> str:
    if inspect.iscoroutinefunction(found):
        return "an async function, and no event loop runs yet"
    if inspect.isroutine(found):
        return "a function that needs arguments"
    return f"an object of type {type(found).__name__}"


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # the module is there, and something that it wants is not: its own traceback says more
        mend = f" Write a module without '.py': '{name.removesuffix('.py')}:host'." if name.endswith(".py") else ""
        raise ConfigurationError(
            f"No module {error.name!r}: it was looked for from {str(Path.cwd())!r} and among the installed ones.{mend}"
        ) from None


def _can_be_imported_again(main: ModuleType) -> bool:
    # What was typed into an interpreter, or came by its standard input, is nowhere to be found.
    return getattr(main, "__spec__", None) is not None or hasattr(main, "__file__")
