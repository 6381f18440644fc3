"""docs/limits.md has every limit, with its variable, its default and what it means, as the code says it.

`python -m tests.test_limits_page` prints the table.
"""

from __future__ import annotations

import ast
import inspect
import sys
from dataclasses import fields
from pathlib import Path

from agent_framework_hosting import limits as module
from agent_framework_hosting.limits import Limits, variable_of

PAGE = Path(__file__).parents[1] / "docs" / "limits.md"
UNITS = {
    "Bytes": ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")),
    "Seconds": ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")),
    "Count": (),
}


def meanings() -> dict[str, str]:
    """Return the text below each field of the class."""
    made = next(node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.ClassDef))
    found: dict[str, str] = {}
    for field, text in zip(made.body, made.body[1:], strict=False):
        match field, text:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(said))):
                found[name] = " ".join(said.split())
            case _:
                pass
    return found


def shown(kind: str, value: float | None) -> str:
    """Return a default as a variable would say it."""
    if value is None:
        return "off"
    for size, unit in UNITS[kind.removesuffix(" | None")]:
        if value >= size and value % size == 0:
            return f"{value / size:g}{unit}"
    return f"{value:g}" if value < 10**6 else str(value)


def defaults() -> dict[str, str]:
    """Return the default of each limit as a variable would say it."""
    limits = Limits()
    return {each.name: shown(str(each.type), getattr(limits, each.name)) for each in fields(Limits) if each.init}


def table() -> list[str]:
    """Return the rows of the page's table."""
    said = meanings()
    return [f"| `{name}` | `{variable_of(name)}` | {value} | {said[name]} |" for name, value in defaults().items()]


def test_every_limit_is_on_the_page_as_the_code_says_it() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert rows == table()


def test_every_default_can_be_written_as_the_page_shows_it() -> None:
    variables = {variable_of(name): value for name, value in defaults().items()}
    assert Limits().with_environment(variables) == Limits()


if __name__ == "__main__":
    sys.stdout.write("\n".join(table()) + "\n")
