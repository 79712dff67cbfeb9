"""A listwise judge that follows a principle in plain language (RewardAnything).

Source of the form: zhuohaoyu/RewardAnything, `rewardanything/processing.py` (scores 1 to 5, an
order, names masked and shuffled with seed 42). The wording is ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import Unpack

import numpy as np

from rmgym.errors import JudgeError
from rmgym.judges.asking import (
    Asker,
    AskOptions,
    Fence,
    Question,
    as_json,
    check_keys,
    check_texts,
    prompt,
    strict_object,
)
from rmgym.judges.guarded import GuardedListJudge
from rmgym.judges.protocols import Ranking, Slate
from rmgym.messages import Observation
from rmgym.protocols import Policy

LOWEST, HIGHEST = 1, 5

SYSTEM = """\
Rate several answers to one question by this principle, and by it alone, even where your own taste \
differs:
{principle}

Give each answer a whole number from 1 (goes against the principle) to 5 (follows it fully), then \
order all of them, best first; equal scores may stand in any order.

{notice}

Reply with one JSON object and no other text:
{{"scores": {{"<name of an answer>": <1 to 5>}}, "ranking": ["<name>"]}}"""


class PrincipleJudge(GuardedListJudge):
    """Ranks by asking a policy once a slate.

    The policy sees the answers under made-up names in a shuffled order, so that neither a name nor
    a place can please it.

    Args:
        policy: Who is asked.
        shuffle_seed: Seeds the order, together with the slate itself.
        unguarded_for_research: Takes away the guard and the fence.
        options: How the policy is asked, see `AskOptions`.
    """

    floor = float(LOWEST)

    def __init__(
        self,
        policy: Policy,
        *,
        shuffle_seed: int = 42,
        unguarded_for_research: bool = False,
        **options: Unpack[AskOptions],
    ) -> None:
        super().__init__(unguarded_for_research=unguarded_for_research)
        self.shuffle_seed = shuffle_seed
        self.asker = Asker(policy, fenced=self.is_guarded, **options)

    def _rank(self, slates: Sequence[Slate]) -> list[Ranking]:
        for slate in slates:
            if not slate.principle.strip():
                raise JudgeError("expected a principle in each slate, got none; state what is good")
        return self.asker.ask([self._question(slate) for slate in slates])

    def _question(self, slate: Slate) -> Question[Ranking]:
        names = masks(slate, self.shuffle_seed)

        def write(fence: Fence) -> Observation:
            parts = [fence.around("QUESTION", slate.question)]
            parts += [fence.around(f"ANSWER {m}", slate.answers[n]) for m, n in names.items()]
            system = SYSTEM.format(notice=fence.notice, principle=slate.principle)
            return prompt(system, "\n\n".join(parts))

        return Question(
            subject={
                "form": "ranking",
                "principle": slate.principle,
                "question": slate.question,
                "answers": [[mask, slate.answers[name]] for mask, name in names.items()],
            },
            write=write,
            read=lambda reply: unmasked(parse_ranking(reply, list(names)), names),
        )


def masks(slate: Slate, seed: int) -> dict[str, str]:
    """Return the real name of each made-up one, in the order shown; a slate is always shown alike.

    The names depend on nothing but the place.
    """
    text = as_json([slate.principle, slate.question, sorted(slate.answers.items())])
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    rng = np.random.default_rng([seed, int.from_bytes(digest, "big")])
    names = sorted(slate.answers)
    order = rng.permutation(len(names)).tolist()
    return {f"R{place}": names[i] for place, i in enumerate(order, start=1)}


def parse_ranking(reply: str, names: Sequence[str]) -> Ranking:
    """Return the ranking of a reply, under the names that the judge was shown.

    Raises:
        JudgeError: If the reply is not the JSON asked for; a name is missing, doubled or unknown;
            a score is not a whole number from 1 to 5; or the order contradicts the scores.
    """
    found = strict_object(reply, ("scores", "ranking"))
    scores, order = found["scores"], check_texts("the ranking", found["ranking"])
    check_keys("the scores", scores, names)
    bad = {n: s for n, s in scores.items() if type(s) is not int or not LOWEST <= s <= HIGHEST}
    if bad:
        raise JudgeError(f"expected whole numbers from {LOWEST} to {HIGHEST}, got {bad}")
    if sorted(order) != sorted(names):
        raise JudgeError(f"expected each of {list(names)} once in the ranking, got {order}")
    for better, worse in pairwise(order):
        if scores[better] < scores[worse]:
            raise JudgeError(
                f"expected an order that fits the scores, got {better} ({scores[better]}) before "
                f"{worse} ({scores[worse]})"
            )
    return Ranking(scores={n: float(scores[n]) for n in names}, order=tuple(order))


def unmasked(ranking: Ranking, names: Mapping[str, str]) -> Ranking:
    """Return a ranking under the real names."""
    return Ranking(
        scores={names[mask]: score for mask, score in ranking.scores.items()},
        order=tuple(names[mask] for mask in ranking.order),
    )
