"""Cases of rubric, nugget and citation rewards, and of judges' rewards."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rmgym.judges.guard import guarded
from rmgym.rewards import cream
from rmgym.rewards.carr import rubric_graph, server_mix
from rmgym.rewards.coreact import rubric_score
from rmgym.rewards.experimental.nugget_rollup import nugget_rollup
from rmgym.rewards.experimental.page_and_items import page_and_items
from rmgym.rewards.experimental.verdict_and_tool import verdict_and_tool
from rmgym.rewards.reference_judge import swap_score
from rmgym.rewards.rewardanything import pair_score
from rmgym.rewards.scir import agreeing_pairs
from rmgym.rewards.search_gen_v import verifier_reward
from rmgym.rewards.themis import pairwise_loss, themis_loss
from rmgym.testing.cases.registry import Inputs, adapter


@adapter("CaRR", "citation-aware rubric reward")
@adapter("CaRR", "rubric that names no entity")
def carr_graph(inputs: Inputs) -> dict[str, Any]:
    """Return which statements count, and the rewards."""
    found = rubric_graph(**inputs)
    return {**asdict(found), "supported": [*found.supported], "connected": [*found.connected]}


@adapter("CaRR", "server mix*")
def carr_mix(inputs: Inputs) -> dict[str, Any]:
    """Return the plain mix of outcome and rubric reward."""
    return {"reward": server_mix(inputs["outcome"], inputs["rubric"], inputs["alpha"])}


@adapter("Search-Gen-V", "verifier reward")
def search_gen_v(inputs: Inputs) -> dict[str, Any]:
    """Return the parts of a verifier's reward."""
    return asdict(verifier_reward(**inputs))


@adapter("Search-Gen-V", "nuggets to policy reward*")
def nuggets(inputs: Inputs) -> dict[str, Any]:
    """Return the roll-up of nugget labels."""
    return asdict(nugget_rollup(inputs["labels"], inputs["vital"]))


@adapter("Co-ReAct", "rubric generator reward")
def coreact(inputs: Inputs) -> dict[str, Any]:
    """Return the parts of a rubric generator's reward."""
    found = rubric_score(
        inputs["rubric_ranking"],
        inputs["expert_borda"],
        atomic_criteria=inputs["atomic_criteria"],
        criteria=inputs["criteria"],
        weights=inputs["weights"],
    )
    return asdict(found)


@adapter("RewardAnything", "pair-reversal accuracy part")
def rewardanything(inputs: Inputs) -> dict[str, Any]:
    """Return the accuracy part."""
    return {"score": pair_score(inputs["predicted"], inputs["gold"])}


@adapter("One Token to Fool", "adversarial answers")
def master_keys(inputs: Inputs) -> dict[str, Any]:
    """Return what answers earn from a judge that says yes to everything, behind the guard."""
    return {"reward_for_each": [guarded(answer, lambda _: 1.0) for answer in inputs["answers"]]}


@adapter("CREAM", "Kendall consistency")
def cream_kendall(inputs: Inputs) -> dict[str, Any]:
    """Return consistency and the mixed loss."""
    found = cream.kendall_consistency(inputs["rank_prev"], inputs["rank_now"])
    loss = cream.consistency_loss(found, inputs["loss_forward"], inputs["loss_reversed"])
    return {"consistency": found, "loss": loss}


@adapter("CREAM", "spearman and top-order*")
@adapter("CREAM", "top-order consistency*")
def cream_orders(inputs: Inputs) -> dict[str, Any]:
    """Return the Spearman and both top-order consistencies."""
    ranks = inputs["rank_prev"], inputs["rank_now"]
    return {
        "spearman": cream.spearman_consistency(*ranks),
        "toporder_paper": cream.top_order_consistency(*ranks),
        "toporder_code": cream.top_order_consistency(*ranks, "release"),
    }


@adapter("SCIR")
def scir(inputs: Inputs) -> dict[str, Any]:
    """Return the pairs kept and the agreement."""
    keep, agreement = agreeing_pairs(inputs["judge_sign"], inputs["implicit_sign"])
    return {"keep": keep, "agreement": agreement}


@adapter("Themis", "pairwise loss")
def themis(inputs: Inputs) -> dict[str, Any]:
    """Return the pairwise and the total loss."""
    chosen, rejected = inputs["chosen"], inputs["rejected"]
    return {
        "rm_loss": pairwise_loss(chosen, rejected),
        "total": themis_loss(chosen, rejected, inputs["lm_loss"], inputs["weight"]),
    }


@adapter("Reference-guided judge")
def reference_judge(inputs: Inputs) -> dict[str, Any]:
    """Return the score of A over both presentation orders."""
    return {"score_of_A": [swap_score(*pair) for pair in inputs["winner_in_order_1_and_2"]]}


@adapter("OpenRM")
def openrm(inputs: Inputs) -> dict[str, Any]:
    """Return our stand-in's reward."""
    return {"reward": verdict_and_tool(**inputs)}


@adapter("PageLLM")
def pagellm(inputs: Inputs) -> dict[str, Any]:
    """Return our stand-in's reward."""
    return {"reward": page_and_items(inputs["page"], inputs["items"], inputs["page_weight"])}
