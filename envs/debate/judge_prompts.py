"""What the judge's gym says; all of it is written by the environment."""

from __future__ import annotations

from collections.abc import Sequence

from rmgym.envs.debate.judge_tasks import LETTERS

_AGAIN = "You will be shown the answers a second time, in another order.\n"


def opening_text(*, actions: str, calls: int, presentations: int, case: str) -> str:
    """Return the first message."""
    again = _AGAIN if presentations > 1 else ""
    return (
        "You are a judge. Find out which answer to the prompt is best: what counts is whether it "
        "is right, not its length, its place or its tone.\n"
        f"You may call a tool up to {calls} times, then give your verdict:\n"
        f"{actions}\n{again}{case}"
    )


def case_text(prompt: str, answers: Sequence[str]) -> str:
    """Return a prompt and its answers; every line of them stands behind a bar."""
    parts = [f"Prompt:\n{quoted(prompt)}"]
    for letter, answer in zip(LETTERS, answers, strict=False):
        parts.append(f"Answer {letter}:\n{quoted(answer)}")
    return "\n".join(parts)


def quoted(text: str) -> str:
    """Return text with a bar before each line."""
    return "\n".join(f"| {line}" for line in text.splitlines() or [""])
