"""An environment's docstring is its manual: is it all there?"""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence

from rmgym.errors import RmgymError

HEADINGS = (
    "Description",
    "Observation Space",
    "Action Space",
    "Rewards",
    "Starting State",
    "Episode End",
    "Arguments",
    "Version History",
    "References",
)
"""In this order."""


class CheckError(RmgymError, AssertionError):
    """Raised when an environment breaks its promises; says all that was found."""

    def __init__(self, subject: str, problems: Sequence[str]) -> None:
        lines = "\n".join(f"- {problem}" for problem in problems)
        super().__init__(f"{subject}: {len(problems)} problem(s)\n{lines}")
        self.subject = subject
        self.problems = tuple(problems)

    def __reduce__(self) -> tuple[type[CheckError], tuple[str, tuple[str, ...]]]:
        """Rebuild from the two arguments, so that the error crosses process borders."""
        return type(self), (self.subject, self.problems)


def manual_problems(env_class: type) -> list[str]:
    """Return what is wrong with the manual of an environment's class."""
    manual = env_class.__dict__.get("__doc__")
    if not manual:
        return [f"manual: expected a docstring of {env_class.__name__}, got none; write its manual"]
    sections = re.split(r"^#+[ \t]+(.+?)[ \t]*$", inspect.cleandoc(manual), flags=re.MULTILINE)
    found, bodies = sections[1::2], sections[2::2]
    known = [heading for heading in found if heading in HEADINGS]
    if known != list(HEADINGS):
        return [f"manual: expected the headings {list(HEADINGS)} in this order, got {known}"]
    return [
        f"manual: expected text under {heading!r}, got none; describe it"
        for heading, body in zip(found, bodies, strict=True)
        if heading in HEADINGS and not body.strip()
    ]


def check_manual(env_class: type) -> None:
    """Hold the docstring of an environment's class against the fixed headings.

    Raises:
        CheckError: If it lacks one, has them in another order, or says nothing under one.
    """
    problems = manual_problems(env_class)
    if problems:
        raise CheckError(env_class.__name__, problems)
