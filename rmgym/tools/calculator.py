"""Arithmetic for agents and judges, without running anything that they wrote.

An expression is read into a syntax tree of numbers, `+ - * / // % **` and a few functions; any
other thing is refused. Length, nesting, exponents and the size of integers are bounded, so that no
expression can take long or fill the memory.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from rmgym.errors import ParseError
from rmgym.protocols import Tool

Number: TypeAlias = int | float

MAX_CHARACTERS = 500
MAX_DEPTH = 40
MAX_BITS = 4096
"""Size of the largest integer, exact up to there."""
_SHOWN_CHARACTERS = 60
_MAX_DIGITS = 300

CALCULATOR = Tool(
    name="calculator",
    description="Works out one arithmetic expression, e.g. (3 + 4) * sqrt(2).",
    parameters={"expression": {"type": "string"}},
    required=("expression",),
    text_argument="expression",
)

_TOKENS = re.compile(
    r"\s*(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])|[A-Za-z_]\w*|\*\*|//|[-+*/%(),])"
)
_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


def _round(value: Number, digits: Number = 0) -> Number:
    # The interpreter's own raises ten to the number of digits, however many are asked for.
    if not isinstance(digits, int) or abs(digits) > _MAX_DIGITS:
        raise ParseError(
            f"expected digits from -{_MAX_DIGITS} to {_MAX_DIGITS}, got {_shown(str(digits))}"
        )
    return round(value, digits) if digits else round(value)


_CONSTANTS: Mapping[str, float] = {"pi": math.pi, "e": math.e}
_FUNCTIONS: Mapping[str, tuple[Callable[..., Any], int, int | None]] = {
    "abs": (abs, 1, 1),
    "ceil": (math.ceil, 1, 1),
    "cos": (math.cos, 1, 1),
    "exp": (math.exp, 1, 1),
    "floor": (math.floor, 1, 1),
    "log": (math.log, 1, 2),
    "log10": (math.log10, 1, 1),
    "max": (max, 1, None),
    "min": (min, 1, None),
    "round": (_round, 1, 2),
    "sin": (math.sin, 1, 1),
    "sqrt": (math.sqrt, 1, 1),
    "tan": (math.tan, 1, 1),
}
"""Each function with the fewest and the most arguments it takes."""


def evaluate(expression: str) -> Number:
    """Return the value of an expression: an exact integer, or a finite float.

    >>> evaluate("2 ** 10 + 7 // 2"), evaluate("round(10 / 4, 1)")
    (1027, 2.5)

    Raises:
        ParseError: If it is not such an expression, divides by zero, or its value is too large.
    """
    _check_tokens(expression)
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ParseError(f"expected an arithmetic expression, got {_shown(expression)}") from None
    try:
        return _value(tree.body, MAX_DEPTH)
    except ZeroDivisionError:
        raise ParseError(f"expected no division by zero, got it in {_shown(expression)}") from None
    except (OverflowError, ValueError, TypeError) as error:
        if isinstance(error, ParseError):
            raise
        raise ParseError(
            f"expected arguments that the function takes, got {_shown(expression)} "
            f"({_shown(str(error))})"
        ) from None


def calculate(expression: str) -> str:
    """Return the value as text: integers exactly, other numbers to 12 significant digits.

    >>> calculate("1 / 3"), calculate("0.1 + 0.2"), calculate("6 / 3")
    ('0.333333333333', '0.3', '2')

    Raises:
        ParseError: As `evaluate`.
    """
    value = evaluate(expression)
    return str(value) if isinstance(value, int) else f"{value:.12g}"


def _check_tokens(expression: str) -> None:
    if not expression.strip() or len(expression) > MAX_CHARACTERS:
        raise ParseError(
            f"expected an expression of 1 to {MAX_CHARACTERS} characters, got {len(expression)}"
        )
    place, end = 0, len(expression.rstrip())
    while place < end:
        token = _TOKENS.match(expression, place)
        if token is None:
            raise ParseError(
                "expected numbers, + - * / // % **, brackets and "
                f"{', '.join(sorted(_FUNCTIONS))}, got {_shown(expression[place:].strip())}"
            )
        place = token.end()


def _value(node: ast.expr, depth: int) -> Number:
    if depth == 0:
        raise ParseError(f"expected at most {MAX_DEPTH} levels of nesting, got more")
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return _bounded(value)
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, depth - 1)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand, depth - 1)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_value(left, depth - 1), _value(right, depth - 1))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            apply = _BINARY[type(op)]
            return _bounded(apply(_value(left, depth - 1), _value(right, depth - 1)))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            return _call(name, [_value(argument, depth - 1) for argument in arguments])
        case _:
            raise ParseError(
                f"expected arithmetic, got {_shown(ast.unparse(node))}; functions are "
                f"{', '.join(sorted(_FUNCTIONS))}"
            )


def _call(name: str, arguments: list[Number]) -> Number:
    function, fewest, most = _FUNCTIONS[name]
    if len(arguments) < fewest or (most is not None and len(arguments) > most):
        wanted = f"{fewest} or more" if most is None else f"{fewest} to {most}"
        raise ParseError(f"expected {wanted} arguments of {name}, got {len(arguments)}")
    return _bounded(function(*arguments))


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, int) and isinstance(exponent, int) and exponent >= 0:
        if base.bit_length() * exponent > MAX_BITS:
            raise ParseError(f"expected integers of at most {MAX_BITS} bits, got a larger power")
        return _bounded(base**exponent)
    value = base**exponent
    if isinstance(value, complex):
        raise ParseError("expected a real number, got a root of a negative one")
    return _bounded(value)


def _bounded(value: Number) -> Number:
    if isinstance(value, int):
        if value.bit_length() > MAX_BITS:
            raise ParseError(f"expected integers of at most {MAX_BITS} bits, got a larger one")
        return value
    if not math.isfinite(value):
        raise ParseError(f"expected a finite number, got {value}")
    return value


def _shown(text: str) -> str:
    return ascii(text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "...")
