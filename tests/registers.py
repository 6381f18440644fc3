"""Pages that name the test behind each of their lines."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]


@cache
def defined_in(file: str) -> frozenset[str]:
    """Return the names of the tests that a file defines, those in classes included."""
    path = ROOT / file
    if not path.is_file() or not path.name.startswith("test_"):
        return frozenset()
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return frozenset(function.name for function in functions if function.name.startswith("test_"))


def is_test(cell: str) -> bool:
    """Whether a cell of a register names an existing test, in backticks."""
    file, separator, name = cell.removeprefix("`").removesuffix("`").partition("::")
    return cell == f"`{file}{separator}{name}`" and name in defined_in(file)
