"""The worked cases of reward methods, and the shapes of those that are kept aside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rmgym.testing.cases.registry import find_adapter
from rmgym.testing.conformance import conformance

CASES = Path(__file__).resolve().parents[2].parent / "shared" / "cases"
NEEDS_CASES = pytest.mark.skipif(not CASES.is_dir(), reason="needs the worked cases in shared/")
METHODS = (
    "CaRR", "Search-Gen-V", "PPR", "Clip", "Delta", "R3-RAG", "SmartSearch",
    "LLM-specific utility", "AdaSearch", "ToolRL", "TruthRL", "SAR", "MemSifter", "BLEUBERI",
    "MediX-R1", "SATA-BENCH", "Text-to-SQL contrastive", "Co-ReAct", "RewardAnything", "CREAM",
    "SCIR", "CDR", "Generalist reward models", "T-REG", "AlignDistil", "VAS",
    "Step-level Q-value", "Themis", "Reference-guided judge", "One Token to Fool", "CogRE",
    "RLFH", "PageLLM", "OpenRM", "OPTIAGENT", "TTPA",
)  # fmt: skip

SEARCH = {"name": "search", "parameters": {"query": "a", "k": 3}}
CHAIN = {
    "rubric_entities": [["E0", "E1"], ["E1", "E2"], ["E3", "E2"], ["E3"]],
    "judge_supported": [True, False, True, True],
    "identified": {"E0": "a", "E1": "b", "E2": "c", "E3": "d"},
    "root": "E0",
}
MEMORY = {
    "baseline_score": 0.1,
    "tiers": [1, 2, 3, 5, 8, 10],
    "scores": [0.2, 0.5, 0.5, 0.8, 1, 0.9],
}
F = {"name": "f", "parameters": {"a": 1, "b": 2}}
SGV = {"reasoning_format": 1.0, "output_format": 1.0}
BY_HAND: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("CaRR", "citation-aware rubric reward", CHAIN,
     {"supported": [0, 2, 3], "connected": [0], "rubric_reward": 0.25,
      "rubric_reward_without_graph": 0.75}),
    ("CaRR", "server mix without C-GRPO", {"outcome": 1, "rubric": 0.6, "alpha": 0.5},
     {"reward": 0.8}),
    ("Search-Gen-V", "verifier reward",
     {"predicted": ["support", "partial_support", "not_support", "not_support"],
      "gold": ["support", "not_support", "not_support", "not_support"], **SGV},
     {"macro_f1": 0.6, "exact": 0.0, "reward": 0.51}),
    ("Search-Gen-V", "verifier reward", {"predicted": ["support"], "gold": ["support"] * 2, **SGV},
     {"macro_f1": 0.0, "exact": 0.0, "reward": 0.0}),
    ("PPR", "ReNorm, outcome 0", {"process": [0.8, 0.3, 1.0], "outcome": 0.0},
     {"rewards": [-0.2, -0.7, 0.0]}),
    ("Delta", "one step", {"process": [0.4]}, {"rewards": [0.0]}),
    ("ToolRL", "default graded correctness in [-3, 3]", {"predicted": [], "gold": [SEARCH]},
     {"correctness": -3.0, "total_with_format_1": -2.0}),
    ("ToolRL", "default graded correctness in [-3, 3]", {"predicted": None, "gold": None},
     {"correctness": 0.0, "total_with_format_1": 1.0}),
    ("R3-RAG", "step relevance scaled by outcome",
     {"step_relevance": [0.8, 0.35, 1.0], "status": "correct"}, {"rewards": [1.28, 0.56, 1.6, 2]}),
    ("R3-RAG", "step relevance scaled by outcome",
     {"step_relevance": [0.8, 0.35, 1.0], "status": "unanswered"}, {"rewards": [0.72, 0.315, 0.9]}),
    ("SmartSearch", "query quality = novelty AND usefulness",
     {"overlap_with_earlier_docs": [0, 3], "useful": [True, True], "K": 2}, {"labels": [1, 0]}),
    ("MemSifter", "marginal utility, paper", MEMORY, {"reward": 0.4395215862}),
    ("MemSifter", "marginal utility, code", MEMORY, {"reward": 0.3657075369}),
    ("Co-ReAct", "rubric generator reward",
     {"rubric_ranking": [1, 2, 3, 4], "expert_borda": [4, 7, 7, 10], "atomic_criteria": 3,
      "criteria": 4, "weights": [0.25] * 4}, {"expert_ranking": [1.0, 2.5, 2.5, 4.0]}),
    ("CREAM", "spearman and top-order consistency",
     {"rank_prev": [1, 2, 3, 4], "rank_now": [2, 1, 3, 4]},
     {"spearman": 0.9, "toporder_paper": 0.0, "toporder_code": 0.0}),
    ("TruthRL", "ternary under GRPO", {"rewards": [1.0, -1.0]},
     {"advantages": [0.7071062812, -0.7071062812]}),
    ("SAR", "from token log-probs", {"logp_with_question": [0.0], "logp_alone": [0.0]},
     {"ppl_with_question": 1.0, "ppl_alone": 1.0, "sar": 0.0}),
    ("BLEUBERI", "shorter than the reference", {"candidate": "a b", "references": ["a b c d e"]},
     {"reward": 0.22313016}),
    ("BLEUBERI", "empty", {"candidate": "", "references": ["a"]}, {"reward": 0.0}),
    ("TTPA", "error-oriented tool-call score",
     {"predicted": {"name": "f", "parameters": {"a": 1, "c": 2}}, "gold": F}, {"score": 1 / 3}),
]  # fmt: skip


@NEEDS_CASES
@pytest.mark.parametrize("method", METHODS)
def test_all_worked_cases_of_a_method_pass(method: str) -> None:
    report = conformance(CASES / "reward_cases.json", methods=[method])
    assert not report.failed, report.table()
    assert not report.skipped
    assert report.passed > 0


@NEEDS_CASES
@pytest.mark.parametrize("method", METHODS)
def test_all_variants_kept_aside_have_an_adapter(method: str) -> None:
    rows = json.loads((CASES / "kept_aside_variants.json").read_text())["variants"]
    for row in rows:
        if row["method"] == method:
            assert find_adapter(method, row["variant"]), row["variant"]


@pytest.mark.parametrize(
    ("method", "variant", "inputs", "expected"), BY_HAND, ids=[f"{m}: {v}" for m, v, *_ in BY_HAND]
)
def test_variants_kept_aside_by_hand(
    tmp_path: Path, method: str, variant: str, inputs: Any, expected: Any
) -> None:
    case = {"id": "x", "method": method, "variant": variant, "inputs": inputs, "expected": expected}
    path = tmp_path / "cases.json"
    data = {"schema": "rmgym.reward_cases/1", "rel_tol": 1e-6, "abs_tol": 1e-8, "cases": [case]}
    path.write_text(json.dumps(data))
    report = conformance(path)
    assert not report.failed, report.table()
