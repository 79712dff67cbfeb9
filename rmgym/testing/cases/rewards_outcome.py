"""Cases of outcome rewards."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rmgym.advantages.batch import GroupTurns
from rmgym.advantages.group import grpo
from rmgym.rewards import medix, memsifter, sar, truthrl
from rmgym.rewards.bleu import smoothed_bleu
from rmgym.rewards.experimental.execution_margin import execution_margin
from rmgym.rewards.experimental.keyword_explanation import keyword_explanation
from rmgym.rewards.experimental.tiered_quality import gated_scalar, lexicographic_order
from rmgym.rewards.penalties import keyword_recall
from rmgym.rewards.sata import sata_accuracy
from rmgym.testing.cases.registry import Inputs, adapter


@adapter("TruthRL", "ternary")
def truthrl_ternary(inputs: Inputs) -> dict[str, Any]:
    """Return the reward of each label."""
    return {"rewards": [truthrl.ternary(label) for label in inputs["labels"]]}


@adapter("TruthRL", "truthfulness score")
def truthrl_score(inputs: Inputs) -> dict[str, Any]:
    """Return the weighted score of a set of answers."""
    shares = inputs["accuracy"], inputs["uncertain"], inputs["hallucination"]
    return {"score": truthrl.truthfulness(*shares, weights=inputs["w"])}


@adapter("TruthRL", "ternary under GRPO")
def truthrl_group(inputs: Inputs) -> dict[str, Any]:
    """Return GRPO's advantages of a group."""
    batch = GroupTurns.from_lists([[reward] for reward in inputs["rewards"]])
    return {"advantages": grpo(batch).values.tolist()}


@adapter("SAR", "relative perplexity")
def sar_total(inputs: Inputs) -> dict[str, Any]:
    """Return SAR and its sum with the base reward."""
    value = sar.self_aligned(inputs["ppl_with_question"], inputs["ppl_alone"])
    return {"sar": value, "total": sar.with_base(inputs["base"], value, inputs["weight"])}


@adapter("SAR", "from token log-probs")
def sar_from_logprobs(inputs: Inputs) -> dict[str, Any]:
    """Return both perplexities and SAR."""
    given = sar.perplexity(inputs["logp_with_question"])
    alone = sar.perplexity(inputs["logp_alone"])
    value = sar.self_aligned(given, alone)
    return {"ppl_with_question": given, "ppl_alone": alone, "sar": value}


@adapter("MemSifter", "Fibonacci tiers")
def memsifter_tiers(inputs: Inputs) -> dict[str, Any]:
    """Return the tiers up to k."""
    return {"tiers": memsifter.fibonacci_tiers(inputs["k"])}


@adapter("MemSifter", "gold-index DCG fallback")
def memsifter_dcg(inputs: Inputs) -> dict[str, Any]:
    """Return the DCG over the number of gold items."""
    return {"reward": memsifter.gold_dcg(inputs["ranking"], inputs["gold"])}


@adapter("MemSifter", "marginal utility, paper")
def memsifter_paper(inputs: Inputs) -> dict[str, Any]:
    """Return tier weights and the paper's reward."""
    return _memsifter(inputs, "paper")


@adapter("MemSifter", "marginal utility, code")
def memsifter_code(inputs: Inputs) -> dict[str, Any]:
    """Return tier weights and the release's reward."""
    return _memsifter(inputs, "release")


def _memsifter(inputs: Inputs, compat: memsifter.Compat) -> dict[str, Any]:
    tiers = inputs["tiers"]
    reward = memsifter.marginal_utility(inputs["baseline_score"], tiers, inputs["scores"], compat)
    return {"weights": memsifter.tier_weights(tiers), "reward": reward}


@adapter("BLEUBERI")
def bleuberi(inputs: Inputs) -> dict[str, Any]:
    """Return smoothed BLEU of blank-separated words."""
    return {"reward": smoothed_bleu(inputs["candidate"], inputs["references"])}


@adapter("MediX-R1", "composite")
def medix_composite(inputs: Inputs) -> dict[str, Any]:
    """Return the composite of given parts."""
    return {"reward": medix.composite(**inputs)}


@adapter("MediX-R1", "degenerate answer filter")
@adapter("MediX-R1", "single-character answer*")
def medix_answer(inputs: Inputs) -> dict[str, Any]:
    """Return the composite of an answer that a judge and an embedding would pay in full."""
    reward = medix.answer_score(
        inputs["answer"],
        inputs.get("gold"),
        llm_yes=1.0,
        cosine=1.0,
        modality_ok=inputs["modality_ok"],
        format_ok=inputs["format_ok"],
    )
    return {"reward": reward}


@adapter("SATA-BENCH", "accuracy family")
def sata(inputs: Inputs) -> dict[str, Any]:
    """Return the accuracy family."""
    return asdict(sata_accuracy(inputs["predicted"], inputs["gold"]))


@adapter("OPTIAGENT")
def optiagent(inputs: Inputs) -> dict[str, Any]:
    """Return our stand-in's order and gated scalar."""
    items = inputs["items"]
    scalars = {
        item["id"]: gated_scalar(item["format"], item["feasible"], item["accuracy"])
        for item in items
    }
    order = lexicographic_order(items, inputs["keys"])
    return {"best_to_worst": order, "gated_scalar": scalars}


@adapter("CogRE")
def cogre(inputs: Inputs) -> dict[str, Any]:
    """Return keyword recall and our stand-in's reward."""
    keywords, text = inputs["keywords"], inputs["explanation"]
    reward = keyword_explanation(inputs["correct"], keywords, text, inputs["weight"])
    return {"keyword_recall": keyword_recall(text, keywords), "reward": reward}


@adapter("Text-to-SQL contrastive")
def text_to_sql(inputs: Inputs) -> dict[str, Any]:
    """Return our stand-in's reward of a query."""
    return {"reward": execution_margin(**inputs)}
