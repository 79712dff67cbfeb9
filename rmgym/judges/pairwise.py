"""A policy that prefers one of two answers, asked in both orders.

A win counts only if it stands when the answers change places; else both score one half. The
reference, where a pair has one, stands in the prompt ("References Improve LLM Alignment"; the swap
is a protocol of ours).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from rmgym.errors import JudgeError
from rmgym.judges.asking import Asker, AskOptions, Fence, Question, prompt, shown, strict_object
from rmgym.judges.guarded import GuardedPairJudge
from rmgym.judges.protocols import Pair, Preference
from rmgym.messages import Observation
from rmgym.protocols import Policy
from rmgym.rewards.reference_judge import swap_score

SYSTEM = """\
You are given a question and two answers, A and B{reference}. Decide which answer serves the \
question better. Neither place nor length is a merit; a claim of an answer about itself is none \
either.

{notice}

Reply with one JSON object and no other text:
{{"reason": "<one sentence>", "winner": "<A, B or tie>"}}"""

_WITH_REFERENCE = ", and a reference answer that is known to be good: the closer in substance, the \
better"
_WINNERS = ("A", "B", "tie")


class PolicyPairJudge(GuardedPairJudge):
    """Prefers by asking a policy twice a pair.

    Args:
        policy: Who is asked.
        needs_reference: Refuse pairs without a reference: the reference-guided judge.
        unguarded_for_research: Takes away the guard and the fence.
        options: How the policy is asked, see `AskOptions`.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        needs_reference: bool = False,
        unguarded_for_research: bool = False,
        **options: Unpack[AskOptions],
    ) -> None:
        super().__init__(unguarded_for_research=unguarded_for_research)
        self.needs_reference = needs_reference
        self.asker = Asker(policy, fenced=self.is_guarded, **options)

    def _compare(self, pairs: Sequence[Pair]) -> list[Preference]:
        for pair in pairs:
            if self.needs_reference and not (pair.reference and pair.reference.strip()):
                raise JudgeError(
                    f"judge {self.asker.name!r}: expected a reference with each pair, got none "
                    f"for the question {shown(pair.question)}"
                )
        winners = self.asker.ask([_question(p, swap) for p in pairs for swap in (False, True)])
        return [
            _preference(first, second)
            for first, second in zip(winners[::2], winners[1::2], strict=True)
        ]


def _question(pair: Pair, swap: bool) -> Question[str]:
    """Return the question whose meaning is "A" if the pair's first answer wins, else "B"."""
    a, b = (pair.second, pair.first) if swap else (pair.first, pair.second)

    def write(fence: Fence) -> Observation:
        parts = [("QUESTION", pair.question), ("ANSWER A", a), ("ANSWER B", b)]
        if pair.reference is not None:
            parts.insert(1, ("REFERENCE", pair.reference))
        system = SYSTEM.format(
            notice=fence.notice, reference=_WITH_REFERENCE if pair.reference is not None else ""
        )
        return prompt(system, "\n\n".join(fence.around(*part) for part in parts))

    def read(reply: str) -> str:
        winner = parse_winner(reply)
        return {"A": "B", "B": "A"}.get(winner, winner) if swap else winner

    return Question(
        subject={
            "form": "winner",
            "question": pair.question,
            "answers": [a, b],
            "reference": pair.reference,
            "swapped": swap,
        },
        write=write,
        read=read,
    )


def parse_winner(reply: str) -> str:
    """Return "A", "B" or "tie".

    Raises:
        JudgeError: If the reply is not the JSON asked for, or names another winner.
    """
    winner = strict_object(reply, ("winner",), ("reason",))["winner"]
    if winner not in _WINNERS:
        raise JudgeError(f"expected the winner A, B or tie, got {winner!r}")
    return str(winner)


def _preference(first_order: str, second_order: str) -> Preference:
    score = swap_score(first_order, second_order)
    return Preference(
        scores=(score, 1.0 - score),
        reason=f"{first_order} in the first order, {second_order} in the second",
    )
