"""The import guard: tells a foreign `agent_framework_hosting` from ours before anything of it runs.

A package of another project bears the same name on PyPI. The guard looks for the base where Python would find it, loads
only its `_project` module, and compares the mark in it. Every channel has this same file: it cannot lie in the base,
which may be the wrong one.
"""

from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import distributions
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import Final

BASE: Final = "agent_framework_hosting"
PROJECT: Final = "agent-framework-hosting: one agent, every channel"
CHANNEL: Final = __name__.partition(".")[0]
INSTALL: Final = f'pip install "./packages/hosting[serve]" ./packages/{CHANNEL[16:].replace("_", "-")}'


def refuse_foreign_base() -> None:
    """Return when the base is ours.

    Raises:
        ImportError: The base is missing, or another project's; the message says what was found, where, and how to
            mend it.
    """
    spec = _spec_of_base()
    if spec is None:
        message = f"{CHANNEL} needs {BASE}, which is not installed."
    elif _mark(spec) == PROJECT:
        return
    else:
        message = (
            f"{CHANNEL} found another project's package under the name {BASE}.\n"
            f"  file:    {spec.origin or 'unknown'}\n"
            f"  version: {_version(spec)}\n"
            "The package of that name on PyPI is not the one that this channel belongs to. If the file lies outside of "
            "this environment's site-packages, take its folder off PYTHONPATH or sys.path."
        )
    path = spec.origin if spec else None
    raise ImportError(f"{message}\nTo mend it, run in a clone of this project:\n  {INSTALL}", name=BASE, path=path)


def _spec_of_base() -> ModuleSpec | None:
    try:
        return find_spec(BASE)
    except ValueError:  # a module that was put into `sys.modules` by hand knows no place
        return ModuleSpec(BASE, None)


def _mark(package: ModuleSpec) -> object:
    """Return the mark in the package's `_project` module; `None` when there is no such module or no mark in it."""
    spec = PathFinder.find_spec(f"{BASE}._project", package.submodule_search_locations or [])
    if spec is None or spec.loader is None:
        return None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, "PROJECT", None)


def _version(package: ModuleSpec) -> str:
    """Return the version of the distribution that lies beside the package, without running the package."""
    folders = [str(Path(location).parent) for location in package.submodule_search_locations or []]
    found = [item.version for item in distributions(name="agent-framework-hosting", path=folders)]
    return found[0] if found else "unknown"
