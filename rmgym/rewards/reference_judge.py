"""A reference-guided judge asked in both orders: a win counts only if it stands.

"References Improve LLM Alignment" puts the reference into the judge's prompt (abstract); the swap
of presentation order is a protocol of ours. Confidence: reconstructed.
"""

from __future__ import annotations

from rmgym.errors import RewardError


def swap_score(winner_first: str, winner_second: str, answer: str = "A", other: str = "B") -> float:
    """Return 1 if `answer` wins in both presentation orders, 0 if `other` does, else 0.5.

    Args:
        winner_first: The winner when `answer` is shown first; `answer`, `other` or "tie".
        winner_second: The winner when it is shown second.
        answer: Name of the answer scored.
        other: Name of its rival.

    >>> swap_score("A", "A"), swap_score("A", "B"), swap_score("B", "B")
    (1.0, 0.5, 0.0)

    Raises:
        RewardError: If a winner has another name.
    """
    strangers = [w for w in (winner_first, winner_second) if w not in (answer, other, "tie")]
    if strangers:
        raise RewardError(f'expected {answer!r}, {other!r} or "tie", got {strangers}')
    if winner_first == winner_second and winner_first != "tie":
        return float(winner_first == answer)
    return 0.5
