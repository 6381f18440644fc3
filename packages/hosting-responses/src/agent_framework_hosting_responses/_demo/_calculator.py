"""Arithmetic from text: parsed by Python's own parser, evaluated by a walk over a handful of node types.

Nothing is ever executed, and every step is bounded: length, nesting, exponents, and the size of each number.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

Number: TypeAlias = int | float

MAX_LENGTH: Final = 200
MAX_DEPTH: Final = 50
MAX_BITS: Final = 1024
"""No integer may grow beyond this, about 308 digits: as far as a float reaches, too."""

# The signs that people and word processors write for these operators.
_SPELLINGS: Final = str.maketrans({"\u00d7": "*", "\u00f7": "/", "\u2212": "-"})
# What is left of Python's grammar: numbers, operators, brackets. `^` is a power here, as people write it.
_ALLOWED: Final = re.compile(r"[0-9eE.+\-*/%^() ]+")


class CalculationError(ValueError):
    """The expression has no value; the message says why, for the person who wrote it."""


def evaluate(expression: str) -> Number:
    """Return the value of an arithmetic expression.

    Raises:
        CalculationError: The text is no arithmetic, or its value is out of bounds.
    """
    if len(expression) > MAX_LENGTH:
        raise CalculationError(f"the expression is longer than {MAX_LENGTH} characters")
    text = " ".join(expression.translate(_SPELLINGS).split())
    if not text:
        raise CalculationError("the expression is empty")
    if _ALLOWED.fullmatch(text) is None:
        raise CalculationError("only numbers, brackets and the operators + - * / // % ** ^ are understood")
    try:
        tree = ast.parse(text.replace("^", "**"), mode="eval")
    except SyntaxError as error:
        raise CalculationError("the expression is not complete or not well formed") from error
    return _value(tree.body, depth=0)


def show(value: Number) -> str:
    """Return the number as people write it: `0.3`, not `0.30000000000000004`."""
    return str(value) if isinstance(value, int) else format(value, ".12g")


def _value(node: ast.expr, *, depth: int) -> Number:
    if depth > MAX_DEPTH:
        raise CalculationError(f"the expression is nested deeper than {MAX_DEPTH} levels")
    match node:
        case ast.Constant(value=int() | float() as value):
            return _bounded(value)
        case ast.UnaryOp(op=ast.UAdd() | ast.USub() as sign, operand=operand):
            value = _value(operand, depth=depth + 1)
            return -value if isinstance(sign, ast.USub) else value
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _combined(_OPERATORS[type(op)], _value(left, depth=depth + 1), _value(right, depth=depth + 1))
        case _:
            raise CalculationError("the expression is no arithmetic")


def _combined(operation: Callable[[Number, Number], Number], left: Number, right: Number) -> Number:
    try:
        return _bounded(operation(left, right))
    except ZeroDivisionError as error:
        raise CalculationError("division by zero") from error
    except OverflowError as error:
        raise CalculationError("the result is too large") from error


def _bounded(value: Number) -> Number:
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise CalculationError("the result is too large")
    if isinstance(value, float) and not math.isfinite(value):
        raise CalculationError("the result is too large")
    return value


def _power(base: Number, exponent: Number) -> Number:
    """Raise to a power whose size is known before it is computed."""
    if isinstance(base, int) and isinstance(exponent, int):
        if exponent > 0 and abs(base) > 1 and base.bit_length() * exponent > 2 * MAX_BITS:
            raise CalculationError("the result is too large")
        return base**exponent
    result = float(base) ** float(exponent)
    if isinstance(result, complex):
        raise CalculationError("a root of a negative number is not a real number")
    return result


_OPERATORS: Final[Mapping[type[ast.operator], Callable[[Number, Number], Number]]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: lambda left, right: left / right,
    ast.FloorDiv: lambda left, right: left // right,
    ast.Mod: lambda left, right: left % right,
    ast.Pow: _power,
}
