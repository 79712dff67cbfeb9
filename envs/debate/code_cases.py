"""Small Python functions that are right or wrong by construction, with their tests run beforehand.

Only the functions written here are ever run, when a task is made: nothing that an agent writes is.
The tool of `rmgym/Judge-v0` reads out what these runs gave.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any


@dataclass(frozen=True, slots=True)
class CodeCase:
    """A function that is asked for, with versions of it."""

    name: str
    asked: str
    right: tuple[str, ...]
    wrong: tuple[str, ...]
    tests: tuple[tuple[tuple[Any, ...], Any], ...]
    """Arguments and the value expected."""


def _case(
    name: str, asked: str, right: list[str], wrong: list[str], *tests: tuple[tuple[Any, ...], Any]
) -> CodeCase:
    return CodeCase(name, asked, tuple(right), tuple(wrong), tests)


_FIXED = (
    _case(
        "even_sum",
        "returns the sum of the even numbers of a list",
        ["return sum(n for n in items if n % 2 == 0)", "return sum(n for n in items if not n & 1)"],
        ["return sum(n for n in items if n % 2)", "return sum(items[::2])"],
        (([1, 2, 3, 4],), 6),
        (([],), 0),
        (([5, 7],), 0),
        (([-2, 3],), -2),
    ),
    _case(
        "mean",
        "returns the mean of a list of numbers, and 0 for an empty one",
        ["return sum(items) / len(items) if items else 0"],
        ["return sum(items) / len(items)", "return sum(items) // len(items) if items else 0"],
        (([1, 2],), 1.5),
        (([],), 0),
        (([4],), 4.0),
    ),
    _case(
        "is_palindrome",
        "says whether a text reads the same backwards, whatever its case",
        ["return items.lower() == items.lower()[::-1]"],
        ["return items == items[::-1]", "return items.lower()[0] == items.lower()[-1]"],
        (("Anna",), True),
        (("",), True),
        (("abca",), False),
    ),
    _case(
        "second_largest",
        "returns the second largest distinct number of a list, or None",
        ["return sorted(set(items))[-2] if len(set(items)) > 1 else None"],
        ["return sorted(items)[-2]", "return sorted(set(items))[1] if len(items) > 1 else None"],
        (([3, 1, 3, 2],), 2),
        (([5],), None),
        (([4, 4],), None),
        (([1, 2, 3, 4],), 3),
    ),
    _case(
        "count_vowels",
        "counts the vowels a, e, i, o, u of a text, whatever their case",
        ["return sum(c in 'aeiou' for c in items.lower())"],
        [
            "return sum(c in 'aeiou' for c in items)",
            "return len(set('aeiou') & set(items.lower()))",
        ],
        (("Audio",), 4),
        (("xyz",), 0),
        (("Eel",), 2),
    ),
    _case(
        "flatten",
        "joins a list of lists to one list",
        ["return [n for inner in items for n in inner]", "return sum(items, [])"],
        ["return [inner[0] for inner in items]", "return items[0] + items[1]"],
        (([[1], [2, 3]],), [1, 2, 3]),
        (([],), []),
        (([[1, 2]],), [1, 2]),
    ),
    _case(
        "without_repeats",
        "drops repeated items of a list and keeps the first of each in order",
        ["return list(dict.fromkeys(items))"],
        ["return sorted(set(items))", "return [a for a, b in zip(items, items[1:]) if a != b]"],
        (([2, 1, 2],), [2, 1]),
        (([],), []),
        (([3, 3, 1],), [3, 1]),
    ),
    _case(
        "factorial",
        "returns n factorial for n of 0 or more",
        ["import math; return math.prod(range(1, items + 1))"],
        ["import math; return math.prod(range(1, items))", "return items * (items - 1)"],
        ((0,), 1),
        ((4,), 24),
        ((1,), 1),
    ),
    _case(
        "is_leap",
        "says whether a year is a leap year",
        ["return items % 4 == 0 and (items % 100 != 0 or items % 400 == 0)"],
        ["return items % 4 == 0", "return items % 4 == 0 and items % 100 != 0"],
        ((2024,), True),
        ((1900,), False),
        ((2000,), True),
    ),
    _case(
        "words_of",
        "returns the number of words of a text that blanks divide",
        ["return len(items.split())"],
        ["return items.count(' ') + 1", "return len(items.split(' '))"],
        (("one two",), 2),
        (("",), 0),
        (("  a  b ",), 2),
    ),
    _case(
        "clamp",
        "returns a number, but at least 0 and at most 10",
        ["return max(0, min(10, items))"],
        ["return min(0, max(10, items))", "return max(0, items)"],
        ((5,), 5),
        ((-3,), 0),
        ((12,), 10),
    ),
    _case(
        "rotate",
        "moves the first item of a list to its end",
        ["return items[1:] + items[:1]"],
        ["return items[1:] + items[0]", "return items[-1:] + items[:-1]"],
        (([1, 2, 3],), [2, 3, 1]),
        (([],), []),
        (([7],), [7]),
    ),
)


def source(name: str, body: str) -> str:
    """Return the text of a function of one argument, `items`."""
    lines = "\n".join(f"    {line.strip()}" for line in body.split(";"))
    return f"def {name}(items):\n{lines}"


def _call(name: str, body: str, arguments: tuple[Any, ...]) -> Any:
    space: dict[str, Any] = {}
    exec(source(name, body), space)
    return space[name](*arguments)


_NUMBERS: tuple[list[int], ...] = (
    [5, 12, 3, 8, 40, 7, 2, 6, 1, 4, 10],
    [],
    [9, 9, 1],
    [4, 6, 18, 27, 35, 42],
)
_TEMPLATES = (
    (
        "multiples_of_{k}",
        "returns the numbers of a list that {k} divides, in order",
        "return [n for n in items if n % {k} == 0]",
        ("return [n for n in items if n % {k}]", "return [n for n in items if {k} % n == 0]"),
    ),
    (
        "above_{k}",
        "counts the numbers of a list that are {k} or more",
        "return sum(n >= {k} for n in items)",
        ("return sum(n > {k} - 2 for n in items)", "return sum(n for n in items if n >= {k})"),
    ),
    (
        "drop_{k}",
        "returns a list without its last {k} items, an empty one if it has no more",
        "return items[:len(items) - {k}] if len(items) > {k} else []",
        ("return items[{k}:]", "return items[:-{k} - 1]"),
    ),
    (
        "capped_sum_{k}",
        "returns the sum of a list in which every number above {k} counts as {k}",
        "return sum(min(n, {k}) for n in items)",
        ("return min(sum(items), {k})", "return sum(max(n, {k}) for n in items)"),
    ),
)


def _drawn(k: int) -> list[CodeCase]:
    """Return the templates with a number filled in; the right version gives the expected values."""
    cases = []
    for name, asked, right, wrong in _TEMPLATES:
        title, body = name.format(k=k), right.format(k=k)
        tests = tuple(((list(given),), _call(title, body, (list(given),))) for given in _NUMBERS)
        versions = tuple(each.format(k=k) for each in wrong)
        cases.append(CodeCase(title, asked.format(k=k), (body,), versions, tests))
    return cases


@lru_cache(maxsize=1)
def all_cases() -> tuple[CodeCase, ...]:
    """Return every case."""
    return (*_FIXED, *(case for k in range(2, 8) for case in _drawn(k)))


@lru_cache(maxsize=512)
def outcome(name: str, body: str) -> tuple[int, str]:
    """Return how many tests a version written in this module passes, and what is to be said of it.

    Raises:
        ValueError: If the version is not one of this module: nothing else is run.
    """
    case = next((c for c in all_cases() if c.name == name), None)
    if case is None or body not in (*case.right, *case.wrong):
        raise ValueError("expected a function of rmgym.envs.debate.code_cases, got another")
    passed, lines = 0, []
    for arguments, expected in case.tests:
        shown = ", ".join(map(repr, arguments))
        try:
            got = _call(name, body, arguments)
        except (IndexError, TypeError, ZeroDivisionError, ValueError) as error:
            lines.append(f"{name}({shown}) raised {type(error).__name__}")
            continue
        passed += got == expected
        lines.append(f"{name}({shown}) gave {got!r}, expected {expected!r}")
    return passed, f"{passed} of {len(case.tests)} tests pass\n" + "\n".join(lines)
