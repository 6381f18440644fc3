"""Which class of Agent Framework's something is of, told by names: whoever has no workflow need not load workflows."""

from __future__ import annotations

from typing import Final

_PACKAGE: Final = "agent_framework"


def is_a(value: object, *names: str) -> bool:
    """Whether a value is an instance of one of these classes of Agent Framework, or of a class that stands on one.

    `isinstance` would need the class, and with it all that its module loads: for workflows a tenth of a second and more
    than two megabytes. Nothing can be an instance of what was never loaded. As for `isinstance`, a proxy is what it
    says that it is.

    Example:
        >>> is_a("a text", "Workflow")
        False
    """
    return any(kind.__name__ in names and _is_of_package(kind.__module__) for kind in value.__class__.__mro__)


def _is_of_package(module: str) -> bool:
    return module.partition(".")[0] == _PACKAGE
