"""A benchmark of credit itself: which turn-level reward says what a turn was truly worth?

    report = measure_credit(
        env,
        lambda seed: make_policy("rmgym/Search-v0", "noisy_chain", env, seed=seed),
        rewards={"information_gain": "information_gain"},
        estimators={"centred_returns": rmgym.advantages.get("centred_returns")},
        effort=Effort(episodes=80, group=4, replays=32),
    )

Every turn's value difference is measured by forking the environment before and after it and playing
on (`values`); rewards and estimators (`schemes`) are ranked by their agreement with it
(`agreement`). `rmgym credit` is this on the command line.
"""

from __future__ import annotations

from rmgym.credit.agreement import Agreement, Estimate, measure_agreement
from rmgym.credit.benchmark import Effort, measure_credit
from rmgym.credit.episodes import RecordedEpisode, record_episode
from rmgym.credit.report import CreditReport
from rmgym.credit.schemes import score_turns
from rmgym.credit.values import TurnValues, make_outcome, replay_values

__all__ = [
    "Agreement",
    "CreditReport",
    "Effort",
    "Estimate",
    "RecordedEpisode",
    "TurnValues",
    "make_outcome",
    "measure_agreement",
    "measure_credit",
    "record_episode",
    "replay_values",
    "score_turns",
]
