"""Cases of the advantage estimators and their relatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rmgym.advantages import get
from rmgym.advantages.batch import GroupTurns, TurnAdvantages
from rmgym.advantages.group import (
    clip_sequences,
    covrl_mixture,
    exsearch_loss,
    mean_log_ratios,
)
from rmgym.advantages.returns import RunningMoments
from rmgym.advantages.tree import rest_values, rest_weight, uct
from rmgym.testing.cases.registry import Inputs, adapter


@adapter("GRPO")
def grpo(inputs: Inputs) -> dict[str, Any]:
    """Return a group's advantages; a group of one keeps its reward, as in verl."""
    batch = _one_turn_each(inputs["rewards"])
    return _advantages(get("grpo")(batch, eps=inputs["eps"], singleton="raw"))


@adapter("Dr.GRPO")
def dr_grpo(inputs: Inputs) -> dict[str, Any]:
    """Return a group's advantages."""
    return _advantages(get("dr_grpo")(_one_turn_each(inputs["rewards"])))


@adapter("RLOO", "leave-one-out")
def rloo(inputs: Inputs) -> dict[str, Any]:
    """Return a group's advantages."""
    return _advantages(get("rloo")(_one_turn_each(inputs["rewards"])))


@adapter("RLOO", "group of one")
def rloo_singleton(inputs: Inputs) -> dict[str, Any]:
    """Return both rules for a group of one."""
    batch = _one_turn_each(inputs["rewards"])
    return {
        "loop_form": get("rloo")(batch, singleton="raw").values.tolist(),
        "vectorised_form": get("rloo")(batch, singleton="zero").values.tolist(),
    }


@adapter("GDPO")
def gdpo(inputs: Inputs) -> dict[str, Any]:
    """Return a group's advantages before whitening."""
    names = [f"term_{k}" for k in range(len(inputs["weights"]))]
    columns = {
        name: [[reward] for reward in column]
        for name, column in zip(names, inputs["reward_columns"], strict=True)
    }
    batch = GroupTurns.from_lists([[0.0] for _ in inputs["reward_columns"][0]], columns=columns)
    weights = dict(zip(names, inputs["weights"], strict=True))
    return _advantages(get("gdpo")(batch, weights=weights, whiten=False))


@adapter("GSPO")
def gspo(inputs: Inputs) -> dict[str, Any]:
    """Return sequence ratio, clipped ratio, objective and the token ratios of one sequence."""
    new, old = np.array(inputs["logp_new"]), np.array(inputs["logp_old"])
    mean = mean_log_ratios(new, old, np.array([0, new.size]))
    advantage = np.array([inputs["advantage"]])
    found = clip_sequences(mean, advantage, inputs["eps_low"], inputs["eps_high"])
    names = ("ratio", "clipped_ratio", "objective")
    scalars = {name: float(value[0]) for name, value in zip(names, found, strict=True)}
    return {**scalars, "token_ratios": np.exp(new - old).tolist()}


@adapter("C-GRPO")
def c_grpo(inputs: Inputs) -> dict[str, Any]:
    """Return the mixed rewards, in the paper's form."""
    return _mixed(inputs, "paper")


@adapter("C-GRPO", "*as released")
def c_grpo_release(inputs: Inputs) -> dict[str, Any]:
    """Return the mixed rewards, in the form of the authors' code."""
    return _mixed(inputs, "release")


@adapter("CoVRL", "hybrid token distribution")
def covrl_tokens(inputs: Inputs) -> dict[str, Any]:
    """Return the hybrid token probabilities."""
    return {"mixture": covrl_mixture(**inputs).tolist()}


@adapter("CoVRL", "answer log-likelihood minus mean")
def covrl(inputs: Inputs) -> dict[str, Any]:
    """Return a group's advantages."""
    return _advantages(get("covrl")(_outcomes_only(inputs["answer_logprob"])))


@adapter("EXSEARCH", "E-step importance weights")
def exsearch(inputs: Inputs) -> dict[str, Any]:
    """Return a group's importance weights."""
    batch = _outcomes_only(inputs["answer_logprob_given_trajectory"])
    return {"weights": get("exsearch")(batch).values.tolist()}


@adapter("EXSEARCH", "M-step loss")
def exsearch_m_step(inputs: Inputs) -> dict[str, Any]:
    """Return the weighted loss of a group."""
    logprobs = np.array(inputs["answer_logprob_given_trajectory"])
    return {"loss": exsearch_loss(logprobs, np.array(inputs["trajectory_and_answer_nll"]))}


@adapter("ProRL", "stepwise reward centring")
def prorl_centring(inputs: Inputs) -> dict[str, Any]:
    """Return a batch's values centred by moments that have seen them."""
    batch = inputs["batch_values"]
    moments = RunningMoments().updated(inputs["earlier_values"]).updated(batch)
    return {"centred": moments.centred(batch, inputs["std_floor"]).tolist()}


@adapter("ProRL", "position-specific advantage")
def prorl(inputs: Inputs) -> dict[str, Any]:
    """Return returns, the baseline of each position, and advantages."""
    batch = GroupTurns.from_lists(inputs["step_rewards"])
    found = get("prorl")(batch, gamma=inputs["gamma"])
    longest = max(found.extra("baseline"), key=len)
    return {
        "returns": _rows(found, "returns"),
        "baseline": longest.tolist(),
        "advantages": _rows(found),
    }


@adapter("turn-level GAE")
def turn_gae(inputs: Inputs) -> dict[str, Any]:
    """Return advantages and returns of one trajectory."""
    bootstrap = inputs.get("bootstrap_value")
    batch = GroupTurns.from_lists(
        [inputs["rewards"]],
        values=[inputs["values"]],
        bootstraps=None if bootstrap is None else [bootstrap],
    )
    found = get("turn_gae")(batch, gamma=inputs["gamma"], lam=inputs["lambda"])
    return {"advantages": found.values.tolist(), "returns": found.extras["returns"].tolist()}


@adapter("GiGPO")
def gigpo(inputs: Inputs) -> dict[str, Any]:
    """Return the episode and step parts of a group's advantages, and their sum."""
    rollouts = inputs["trajectories"]
    batch = GroupTurns.from_lists(
        [each["rewards"] for each in rollouts], states=[each["obs"] for each in rollouts]
    )
    found = get("gigpo")(
        batch,
        gamma=inputs["gamma"],
        w=inputs["w"],
        norm=inputs["step_norm"],
        per_step_row=inputs["episode_stats_per_step_row"],
    )
    return {
        "step_returns": _rows(found, "step_returns"),
        "episode_advantage": [row[0] for row in _rows(found, "episode_advantage")],
        "step_advantage": _rows(found, "step_advantage"),
        "advantage": _rows(found),
    }


@adapter("PORTool")
def portool(inputs: Inputs) -> dict[str, Any]:
    """Return step rewards and both advantages of a rollout tree, by node."""
    paths = _paths(inputs["tree"], "root")
    leaves = [path[-1] for path in paths]
    batch = GroupTurns.from_lists(
        [[0.0] * len(path) for path in paths],
        outcomes=[float(inputs["correct"][leaf]) for leaf in leaves],
        nodes=paths,
        columns={"format": [[inputs["format"][node] for node in path] for path in paths]},
    )
    found = get("portool")(
        batch, decay=inputs["decay"], format_column="format", format_weight=inputs["lambda"]
    )
    order = [node for path in paths for node in path]
    return {
        "step_reward": _by_label(order, found.extras["step_reward"].tolist()),
        "fork_advantage": _by_label(order, found.extras["fork_advantage"].tolist()),
        "trajectory_advantage": _by_label(leaves, found.extras["trajectory_advantage"].tolist()),
    }


@adapter("ReST-MCTS*", "value targets on a correct path of *")
@adapter("ReST-MCTS*", "right step then wrong step")
def rest_mcts(inputs: Inputs) -> dict[str, Any]:
    """Return the values along a path."""
    return {"values": rest_values(inputs["steps"])}


@adapter("ReST-MCTS*", "paper form *")
def rest_mcts_paper(inputs: Inputs) -> dict[str, Any]:
    """Return the paper's weighted reward and the value after it."""
    weight = rest_weight(inputs["v"], inputs["r"], inputs["m"])
    return {"weight": weight, "value": max(0.0, inputs["v"] + weight)}


@adapter("ReST-MCTS*", "UCT")
def rest_mcts_uct(inputs: Inputs) -> dict[str, Any]:
    """Return the score by which a node is selected."""
    return {"score": uct(inputs["V"], inputs["n"], inputs["N_parent"], inputs["c"])}


def _one_turn_each(rewards: Sequence[float]) -> GroupTurns:
    return GroupTurns.from_lists([[reward] for reward in rewards])


def _outcomes_only(outcomes: Sequence[float]) -> GroupTurns:
    return GroupTurns.from_lists([[None] for _ in outcomes], outcomes=outcomes)


def _mixed(inputs: Inputs, compat: str) -> dict[str, Any]:
    batch = GroupTurns.from_lists(
        [[None] for _ in inputs["outcome"]],
        outcomes=inputs["outcome"],
        columns={"rubric": [[score] for score in inputs["rubric"]]},
    )
    found = get("c_grpo")(batch, alpha=inputs["alpha"], compat=compat)
    return {"rewards": found.extras["mixed_reward"].tolist()}


def _advantages(found: TurnAdvantages) -> dict[str, Any]:
    return {"advantages": found.values.tolist()}


def _rows(found: TurnAdvantages, extra: str | None = None) -> list[list[float]]:
    rows = found.per_trajectory() if extra is None else found.extra(extra)
    return [row.tolist() for row in rows]


def _paths(tree: dict[str, list[str]], node: str) -> list[list[str]]:
    """Return every path from below `node` to a leaf."""
    return [
        [child, *path]
        for child in tree.get(node, [])
        for path in (_paths(tree, child) if child in tree else [[]])
    ]


def _by_label(labels: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    return dict(zip(labels, values, strict=True))
