"""Estimators that give every turn of a trajectory one number: GRPO and its family.

They centre the return of the whole episode, which is unbiased whether or not the policy decides
when to stop, up to the factor (G - 1) / G of a mean that holds the own return. Dividing by the
group's standard deviation weighs groups differently: a group whose returns hardly differ counts as
much as one whose returns differ widely.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import numpy as np

from rmgym.advantages.batch import GroupTurns, TurnAdvantages
from rmgym.advantages.estimator import NO_BASELINE, Estimator, needed
from rmgym.advantages.segments import (
    Floats,
    Ints,
    Singleton,
    centre,
    others_mean,
    pool_sums,
    row_sums,
    standardise,
)

Compat: TypeAlias = Literal["paper", "release"]

STD_NOTE = (
    "Dividing by the group's standard deviation weighs tasks by the inverse of their spread, and "
    "the divisor depends on the own return."
)
LOG_RATIO_CAP = 10.0
"""Largest mean log-ratio of a sequence."""
GSPO_EPS_LOW, GSPO_EPS_HIGH = 3e-4, 4e-4


def grpo(
    batch: GroupTurns, *, ddof: int = 1, eps: float = 1e-6, singleton: Singleton = "zero"
) -> TurnAdvantages:
    """Return (R - mean) / (std + eps) within each group (GRPO).

    Args:
        batch: Groups of trajectories.
        ddof: 1 for the sample standard deviation, 0 for the population's.
        eps: 1e-6 in verl, 1e-4 in TRL, 1e-8 in oat.
        singleton: A group of one: "zero", or "raw" as in verl, R / (1 + eps).
    """
    return batch.advantages(_group_zscore(batch, batch.returns, ddof, eps, singleton))


def dr_grpo(batch: GroupTurns, *, singleton: Singleton = "zero") -> TurnAdvantages:
    """Return R - mean within each group (Dr.GRPO); the loss sums over tokens, by a constant.

    Args:
        batch: Groups of trajectories.
        singleton: A group of one: "zero", or "raw" for R.
    """
    centred = centre(batch.returns, batch.groups, batch.group_count, singleton=singleton)
    return batch.advantages(centred)


def rloo(batch: GroupTurns, *, singleton: Singleton = "zero") -> TurnAdvantages:
    """Return R minus the mean of the others in the group (RLOO).

    Args:
        batch: Groups of trajectories.
        singleton: A group of one: "zero" as in verl's vectorised form, "raw" as in its loop.
    """
    if singleton not in ("zero", "raw"):
        raise ValueError(f"expected singleton 'zero' or 'raw', got {singleton!r}")
    returns = batch.returns
    baselines, has_others = others_mean(returns, batch.groups, batch.group_count)
    alone = returns if singleton == "raw" else np.zeros_like(returns)
    return batch.advantages(np.where(has_others, returns - baselines, alone))


def gspo(
    batch: GroupTurns,
    *,
    log_ratios: Floats | None = None,
    eps_low: float = GSPO_EPS_LOW,
    eps_high: float = GSPO_EPS_HIGH,
    ddof: int = 1,
    eps: float = 1e-6,
    singleton: Singleton = "zero",
) -> TurnAdvantages:
    """Return GRPO's advantages, with GSPO's sequence ratio, its clipped value and the objective.

    Args:
        batch: Groups of trajectories.
        log_ratios: Mean over each trajectory's tokens of log pi - log pi_old (`mean_log_ratios`);
            0 when None: the policy that sampled.
        eps_low: The ratio is clipped from below at 1 - eps_low.
        eps_high: The ratio is clipped from above at 1 + eps_high.
        ddof: As in `grpo`.
        eps: As in `grpo`.
        singleton: As in `grpo`.

    Returns:
        Extras `ratio`, `clipped_ratio` and `objective`, shape (M,).
    """
    advantages = _group_zscore(batch, batch.returns, ddof, eps, singleton)
    means = np.zeros_like(advantages) if log_ratios is None else np.asarray(log_ratios)
    if means.shape != advantages.shape:
        raise ValueError(f"log_ratios: expected shape {advantages.shape}, got {means.shape}")
    ratio, clipped, objective = clip_sequences(means, advantages, eps_low, eps_high)
    return batch.advantages(advantages, ratio=ratio, clipped_ratio=clipped, objective=objective)


def mean_log_ratios(logp_new: Floats, logp_old: Floats, offsets: Ints) -> Floats:
    """Return the mean token log-ratio of each sequence; tokens lie end to end.

    Raises:
        ValueError: If the log-probabilities differ in number or are not finite.
    """
    if logp_new.shape != logp_old.shape:
        raise ValueError(f"expected as many new as old, got {logp_new.shape} and {logp_old.shape}")
    differences = logp_new - logp_old
    if not np.isfinite(differences).all():
        raise ValueError("expected finite log-probabilities, got a log-ratio that is not")
    return row_sums(differences, offsets) / np.diff(offsets)


def clip_sequences(
    log_ratios: Floats, advantages: Floats, eps_low: float, eps_high: float
) -> tuple[Floats, Floats, Floats]:
    """Return ratio, clipped ratio and the smaller of both times the advantage (GSPO)."""
    ratio = np.exp(np.minimum(log_ratios, LOG_RATIO_CAP))
    clipped = np.clip(ratio, 1 - eps_low, 1 + eps_high)
    return ratio, clipped, np.minimum(ratio * advantages, clipped * advantages)


def gdpo(
    batch: GroupTurns,
    *,
    weights: Mapping[str, float] | None = None,
    whiten: bool = True,
    ddof: int = 1,
    eps: float = 1e-6,
    singleton: Singleton = "zero",
) -> TurnAdvantages:
    """Return the weighted sum of GRPO advantages, one per reward column (GDPO).

    Args:
        batch: Groups of trajectories, with the reward terms as columns.
        weights: Weight of each column; 1 for all of the batch's when None.
        whiten: Standardise over all trajectories of the batch at the end (sample form, 1e-8 inside
            the root).
        ddof: As in `grpo`.
        eps: As in `grpo`.
        singleton: As in `grpo`.
    """
    if not batch.columns:
        raise ValueError("expected columns, got a batch without: name the reward terms")
    total = np.zeros(len(batch.groups))
    for name, weight in (weights or dict.fromkeys(batch.columns, 1.0)).items():
        sums = row_sums(batch.column(name), batch.offsets)
        total += weight * _group_zscore(batch, sums, ddof, eps, singleton)
    if whiten:
        one_pool = np.zeros(total.size, dtype=np.int64)
        total = standardise(total, one_pool, 1, ddof=1, eps=0.0, variance_eps=1e-8)
    return batch.advantages(total)


def c_grpo(
    batch: GroupTurns,
    *,
    rubric: str = "rubric",
    alpha: float = 0.3,
    compat: Compat = "paper",
    ddof: int = 1,
    eps: float = 1e-6,
    singleton: Singleton = "zero",
) -> TurnAdvantages:
    """Return GRPO's advantages of the outcome mixed with a rubric reward (C-GRPO).

    A wrong answer earns 0, a right one (1 - alpha) + alpha * rubric / max of the group.

    Args:
        batch: Groups of trajectories with outcomes 0 or 1, and the rubric reward as a column.
        rubric: Name of that column.
        alpha: Weight of the rubric.
        compat: As in `c_grpo_rewards`.
        ddof: As in `grpo`.
        eps: As in `grpo`.
        singleton: As in `grpo`.

    Returns:
        Extra `mixed_reward`, shape (M,).
    """
    outcomes = needed(batch.outcomes, "outcomes")
    scores = row_sums(batch.column(rubric), batch.offsets)
    mixed = c_grpo_rewards(outcomes, scores, batch.groups, alpha=alpha, compat=compat)
    return batch.advantages(_group_zscore(batch, mixed, ddof, eps, singleton), mixed_reward=mixed)


def c_grpo_rewards(
    outcomes: Floats, rubric: Floats, groups: Ints, *, alpha: float = 0.3, compat: Compat = "paper"
) -> Floats:
    """Return C-GRPO's mixed reward of each trajectory.

    The maximum is taken over the whole group, wrong answers included; one of 0 divides nothing.

    Args:
        outcomes: 0 or 1.
        rubric: Rubric reward, 0 to 1.
        groups: Group of each trajectory.
        alpha: Weight of the rubric.
        compat: "release" leaves the rubric reward undivided, as the authors' branch for right
            answers only does.

    Raises:
        ValueError: If an outcome is neither 0 nor 1, or `compat` is unknown.
    """
    if not np.isin(outcomes, (0.0, 1.0)).all():
        raise ValueError(f"expected outcomes 0 or 1, got {np.unique(outcomes).tolist()}")
    if compat not in ("paper", "release"):
        raise ValueError(f"expected compat 'paper' or 'release', got {compat!r}")
    credit = rubric
    if compat == "paper":
        best = np.zeros(int(groups.max()) + 1)
        np.maximum.at(best, groups, rubric)
        credit = rubric / np.where(best > 0, best, 1.0)[groups]
    mixed: Floats = outcomes * ((1 - alpha) + alpha * credit)
    return mixed


def covrl(batch: GroupTurns) -> TurnAdvantages:
    """Return log p(answer | reasoning, question) minus its group mean, no deviation (CoVRL).

    Args:
        batch: Groups of trajectories, with the answer's log-probability as outcomes.
    """
    outcomes = needed(batch.outcomes, "outcomes")
    return batch.advantages(centre(outcomes, batch.groups, batch.group_count))


def covrl_mixture(prior: Floats, posterior: Floats, alpha: float = 0.5) -> Floats:
    """Return the hybrid token probabilities alpha * prior + (1 - alpha) * posterior (CoVRL)."""
    return alpha * np.asarray(prior) + (1 - alpha) * np.asarray(posterior)


def exsearch(batch: GroupTurns) -> TurnAdvantages:
    """Return EXSEARCH's E-step weights: softmax of log p(answer | trajectory) in each group.

    Used in place of an advantage they give the gradient of the M-step; each group's sum to 1.

    Args:
        batch: Groups of trajectories, with the answer's log-probability as outcomes.
    """
    outcomes = needed(batch.outcomes, "outcomes")
    return batch.advantages(exsearch_weights(outcomes, batch.groups))


def exsearch_weights(answer_logprobs: Floats, groups: Ints) -> Floats:
    """Return the softmax of the answer's log-probabilities within each group."""
    count = int(groups.max()) + 1
    largest = np.full(count, -np.inf)
    np.maximum.at(largest, groups, answer_logprobs)
    weights = np.exp(answer_logprobs - largest[groups])
    shares: Floats = weights / pool_sums(weights, groups, count)[groups]
    return shares


def exsearch_loss(answer_logprobs: Floats, negative_loglikelihoods: Floats) -> float:
    """Return the M-step loss of one group: the weighted sum of trajectory and answer NLL."""
    one_group = np.zeros(len(answer_logprobs), dtype=np.int64)
    return float(exsearch_weights(answer_logprobs, one_group) @ negative_loglikelihoods)


def _group_zscore(
    batch: GroupTurns, scores: Floats, ddof: int, eps: float, singleton: Singleton
) -> Floats:
    return standardise(
        scores, batch.groups, batch.group_count, ddof=ddof, eps=eps, singleton=singleton
    )


GRPO = Estimator(
    name="grpo",
    function=grpo,
    source="GRPO (verl core_algos.py L265-328; TRL and oat by eps)",
    equation="(R - mean) / (std + eps)",
    confidence="source",
    bias_note=STD_NOTE,
)
DR_GRPO = Estimator(
    name="dr_grpo",
    function=dr_grpo,
    source="Dr.GRPO (oat ppo.py L352-357)",
    equation="R - mean",
    confidence="source",
)
RLOO = Estimator(
    name="rloo",
    function=rloo,
    source="RLOO (verl core_algos.py L475-523, L719-753)",
    equation="R - mean of the others",
    confidence="source",
)
GSPO = Estimator(
    name="gspo",
    function=gspo,
    source="GSPO (verl core_algos.py L974-1037)",
    equation="A = (R - mean) / (std + eps); min(s A, clip(s) A), s = exp(mean log-ratio)",
    confidence="source",
    bias_note=STD_NOTE,
)
GDPO = Estimator(
    name="gdpo",
    function=gdpo,
    source="GDPO (verl core_algos.py L361-470; TRL normalize_then_sum)",
    equation="whiten(sum_k w_k (R_k - mean_k) / (std_k + eps))",
    confidence="source",
    needs=("columns",),
    bias_note=(
        "Each column is divided by its own standard deviation, so the direction is that of another "
        "mix of the rewards than their sum."
    ),
)
C_GRPO = Estimator(
    name="c_grpo",
    function=c_grpo,
    source="C-GRPO (THUDM/CaRR, arXiv 2601.06021)",
    equation="GRPO of 1[right] ((1 - a) + a rubric / max rubric)",
    confidence="source",
    needs=("outcomes", "columns"),
    bias_note=NO_BASELINE
    + "the objective is its own mix of outcome and rubric, which depends on the group's best.",
)
COVRL = Estimator(
    name="covrl",
    function=covrl,
    source="CoVRL",
    equation="log p(y | z, x) - mean",
    confidence="secondary",
    needs=("outcomes",),
    bias_note=NO_BASELINE + "it sees the outcome alone and leaves turn rewards out.",
)
EXSEARCH = Estimator(
    name="exsearch",
    function=exsearch,
    source="EXSEARCH (arXiv 2505.20128)",
    equation="softmax over the group of log p(y | x, z)",
    confidence="secondary",
    needs=("outcomes",),
    bias_note=NO_BASELINE + "weights of an EM step, not centred, which see the outcome alone.",
)
