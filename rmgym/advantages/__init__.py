"""Advantage estimators: turn rewards of groups of trajectories to turn advantages, in NumPy.

Every estimator takes a `GroupTurns` batch and keyword parameters, and gives `TurnAdvantages`; it
carries a data sheet (source, equation, confidence, needs, `bias_note`):

    batch = GroupTurns.from_groups(groups, outcome="em")
    advantages = get("centred_returns")(batch).per_trajectory()

`python -m rmgym.advantages.bias` prints each one's bias and variance where the policy decides when
to stop.
"""

from __future__ import annotations

from typing import cast

from rmgym.advantages.batch import GroupTurns, TurnAdvantages
from rmgym.advantages.estimator import Estimator
from rmgym.registry import Registry

DEFAULT = "centred_returns"
"""The estimator to use when there is no reason for another."""

_ESTIMATORS = Registry(
    "estimator",
    {
        "a2tgpo": "rmgym.advantages.gains:A2TGPO",
        "anchor_rank": "rmgym.advantages.experimental:ANCHOR_RANK",
        "c_grpo": "rmgym.advantages.group:C_GRPO",
        "centred_returns": "rmgym.advantages.returns:CENTRED_RETURNS",
        "centred_returns_padded": "rmgym.advantages.returns:CENTRED_RETURNS_PADDED",
        "covrl": "rmgym.advantages.group:COVRL",
        "dr_grpo": "rmgym.advantages.group:DR_GRPO",
        "exsearch": "rmgym.advantages.group:EXSEARCH",
        "fork_relative": "rmgym.advantages.experimental:FORK_RELATIVE",
        "gdpo": "rmgym.advantages.group:GDPO",
        "gigpo": "rmgym.advantages.gigpo:GIGPO",
        "grpo": "rmgym.advantages.group:GRPO",
        "gspo": "rmgym.advantages.group:GSPO",
        "igpo": "rmgym.advantages.gains:IGPO",
        "portool": "rmgym.advantages.experimental:FORK_RELATIVE",
        "prorl": "rmgym.advantages.returns:PRORL",
        "pu_anchor": "rmgym.advantages.experimental:ANCHOR_RANK",
        "rest_mcts": "rmgym.advantages.tree:REST_MCTS",
        "rloo": "rmgym.advantages.group:RLOO",
        "token_return_minus_position_mean": "rmgym.advantages.returns:POSITION_MEAN",
        "turn_centred": "rmgym.advantages.returns:TURN_CENTRED",
        "turn_gae": "rmgym.advantages.turn_gae:TURN_GAE",
    },
)

names = _ESTIMATORS.names
register = _ESTIMATORS.register


def get(name: str = DEFAULT) -> Estimator:
    """Return the estimator registered under `name`.

    Raises:
        KeyError: If there is none; names the nearest.
    """
    return cast(Estimator, _ESTIMATORS.get(name))


__all__ = [
    "DEFAULT",
    "Estimator",
    "GroupTurns",
    "TurnAdvantages",
    "get",
    "names",
    "register",
]
