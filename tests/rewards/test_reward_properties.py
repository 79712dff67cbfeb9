"""Bounds, monotonicity and invariants of the formulas; NaN in is named in the error."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rmgym.errors import RewardError
from rmgym.rewards import cream, medix, memsifter, sar, shaping, smartsearch, toolrl
from rmgym.rewards.adasearch import decision_f1
from rmgym.rewards.aligndistil import adaptive_teacher, extrapolation_weight
from rmgym.rewards.bleu import smoothed_bleu
from rmgym.rewards.carr import rubric_graph, server_mix
from rmgym.rewards.cdr import density_ratio
from rmgym.rewards.combinators import gate, normalise_columns
from rmgym.rewards.coreact import rubric_score
from rmgym.rewards.endogenous import endogenous_rewards, sequence_logprob
from rmgym.rewards.experimental.execution_margin import execution_margin
from rmgym.rewards.experimental.nugget_rollup import nugget_rollup
from rmgym.rewards.experimental.page_and_items import page_and_items
from rmgym.rewards.experimental.tiered_quality import gated_scalar
from rmgym.rewards.experimental.tool_call_errors import tool_call_errors
from rmgym.rewards.experimental.verdict_and_tool import verdict_and_tool
from rmgym.rewards.penalties import keyword_recall, length_penalty, overlong_penalty
from rmgym.rewards.ppr import renorm
from rmgym.rewards.qvalue import implicit_q
from rmgym.rewards.r3rag import step_rewards
from rmgym.rewards.rewardanything import pair_score
from rmgym.rewards.sata import choice_divergence, sata_accuracy, selection_divergence
from rmgym.rewards.search_gen_v import LABELS, verifier_reward
from rmgym.rewards.themis import pairwise_loss
from rmgym.rewards.treg import token_rewards
from rmgym.rewards.truthrl import truthfulness
from rmgym.rewards.vas import value_augmented_logits

NAN = float("nan")
few = settings(max_examples=40, deadline=None)
unit = st.floats(0, 1)
real = st.floats(-50, 50)
units = st.lists(unit, max_size=8)
labels = st.lists(st.sampled_from(LABELS), min_size=1, max_size=6)
letters = st.text(alphabet="ABCD", min_size=1, max_size=4).map(lambda s: "".join(sorted({*s})))
words = st.lists(st.sampled_from("abcde"), min_size=1, max_size=9).map(" ".join)
call = st.builds(
    lambda name, parameters: {"name": name, "parameters": parameters},
    st.sampled_from("fg"),
    st.dictionaries(st.sampled_from("xy"), st.integers(0, 2), max_size=2),
)
ranking = st.permutations(range(1, 6))


@few
@given(units, st.booleans())
def test_renorm_is_bounded_by_the_outcome(process: list[float], right: bool) -> None:
    low, high = (0, 1) if right else (-1, 0)
    assert all(low <= r <= high for r in renorm(process, float(right)))


@few
@given(units, unit)
def test_clip_never_pays(process: list[float], eta: float) -> None:
    assert all(-eta - 1e-12 <= r <= 0 for r in shaping.clip_process(process, eta))


@few
@given(st.lists(unit, min_size=2, max_size=8))
def test_delta_telescopes_from_every_step(process: list[float]) -> None:
    returns = shaping.returns_to_go(shaping.delta_process(process))
    assert returns == pytest.approx([*process[:-1], 0.0], abs=1e-12)


@few
@given(units, st.sampled_from(["correct", "wrong", "no_answer", "format_failure"]))
def test_r3rag_steps_are_bounded_and_ordered_by_the_outcome(
    steps: list[float], status: Any
) -> None:
    found = step_rewards(steps, status)
    assert all(-0.9 <= r <= 2.0 for r in found)
    assert sum(found) <= sum(step_rewards(steps, "correct")) + 1e-9


@few
@given(st.lists(st.integers(0, 1), max_size=12), unit, unit, unit)
def test_a_good_query_never_hurts(marks: list[int], gamma: float, low: float, high: float) -> None:
    for right in (0, 1):
        value = smartsearch.composite(right, marks, gamma=gamma, phi_min=low, phi_max=high)
        better = smartsearch.composite(
            right, [1] * len(marks), gamma=gamma, phi_min=low, phi_max=high
        )
        assert 0.0 <= value <= better <= 1.0


@few
@given(labels, st.data(), unit, unit)
def test_verifier_reward_is_bounded_and_full_for_gold(
    gold: list[str], data: st.DataObject, reasoning: float, form: float
) -> None:
    size = len(gold)
    said = data.draw(st.lists(st.sampled_from(LABELS), min_size=size, max_size=size))
    assert 0.0 <= verifier_reward(said, gold, reasoning, form).reward <= 1.0
    assert verifier_reward(gold, gold).reward == pytest.approx(1.0)


@few
@given(st.lists(st.tuples(st.sampled_from(LABELS), st.booleans()), min_size=1, max_size=8))
def test_lenient_is_at_least_strict(rows: list[tuple[str, bool]]) -> None:
    found = nugget_rollup([label for label, _ in rows], [vital for _, vital in rows])
    assert 0.0 <= found.strict_all <= found.lenient_all <= 1.0


ENTITIES = ["E0", "E1", "E2", "E3"]
statements = st.lists(
    st.tuples(st.lists(st.sampled_from(ENTITIES), max_size=3), st.booleans()),
    min_size=1,
    max_size=8,
)


@few
@given(statements, st.integers(0, 7))
def test_the_graph_counts_part_of_what_is_supported_and_more_support_never_hurts(
    rows: list[tuple[list[str], bool]], extra: int
) -> None:
    names: dict[str, str | None] = dict.fromkeys(ENTITIES, "x")
    entities, supported = [e for e, _ in rows], [s for _, s in rows]
    found = rubric_graph(entities, supported, names)
    assert set(found.connected) <= set(found.supported)
    assert 0.0 <= found.rubric_reward <= found.rubric_reward_without_graph <= 1.0
    supported[extra % len(rows)] = True
    assert rubric_graph(entities, supported, names).rubric_reward >= found.rubric_reward


@few
@given(st.lists(call, max_size=4), st.lists(call, min_size=1, max_size=4))
def test_calls_score_from_minus_three_to_three(said: list[Any], gold: list[Any]) -> None:
    for match in ("graded", "strict", "whole", "all_or_nothing"):
        value = toolrl.call_correctness(said, gold, match=match)
        assert -3.0 <= value <= 3.0 + 1e-12
        assert toolrl.call_correctness(gold, gold, match=match) == 3.0


@few
@given(call, call)
def test_errors_of_a_call_are_bounded(said: Any, gold: Any) -> None:
    assert 0.0 <= tool_call_errors(said, gold) <= 1.0
    assert tool_call_errors(gold, gold) == 1.0


@few
@given(words, st.lists(words, min_size=1, max_size=3))
def test_bleu_is_bounded_and_full_for_a_reference(text: str, references: list[str]) -> None:
    assert 0.0 <= smoothed_bleu(text, references) <= 1.0
    assert smoothed_bleu(text, [text, *references]) == pytest.approx(1.0)


@few
@given(st.floats(1, 1e6), st.floats(1, 1e6), st.floats(1, 10))
def test_sar_is_bounded_and_falls_with_the_perplexity(
    given_ppl: float, alone: float, factor: float
) -> None:
    value = sar.self_aligned(given_ppl, alone)
    assert -1.0 <= value < 1.0
    assert sar.self_aligned(given_ppl * factor, alone) <= value


@few
@given(st.integers(1, 30), unit, st.data())
def test_marginal_utility_is_bounded_and_rises_with_each_score(
    k: int, baseline: float, data: st.DataObject
) -> None:
    tiers = memsifter.fibonacci_tiers(k)
    assert sum(memsifter.tier_weights(tiers)) == pytest.approx(1.0)
    scores = data.draw(st.lists(unit, min_size=len(tiers), max_size=len(tiers)))
    place = data.draw(st.integers(0, len(tiers) - 1))
    for compat in ("paper", "release"):
        value = memsifter.marginal_utility(baseline, tiers, scores, compat)
        assert -1.0 - 1e-12 <= value <= 1.0 + 1e-12
        raised = [*scores[:place], 1.0, *scores[place + 1 :]]
        assert memsifter.marginal_utility(baseline, tiers, raised, compat) >= value - 1e-12


@few
@given(unit, st.floats(-1, 1), unit, unit)
def test_medix_is_bounded(yes: float, cosine: float, modality: float, form: float) -> None:
    assert 0.0 <= medix.composite(yes, cosine, modality, form) <= 1.0 + 1e-12


@few
@given(st.lists(st.tuples(letters, letters), min_size=1, max_size=6))
def test_sata_metrics_are_bounded_and_divergences_not_negative(rows: list[Any]) -> None:
    said, gold = [s for s, _ in rows], [g for _, g in rows]
    found = sata_accuracy(said, gold)
    shares = (found.jaccard, found.precision, found.recall, found.f1_of_means)
    assert all(0.0 <= share <= 1.0 for share in shares)
    assert found.exact_match_all_rows <= found.jaccard
    assert abs(found.count_difference) <= found.count_difference_abs
    assert choice_divergence(said, gold) >= -1e-9
    assert selection_divergence(said, gold, [4] * len(rows)) >= -1e-9


@few
@given(ranking, ranking, st.integers(0, 6), st.lists(st.floats(-1, 1), max_size=6))
def test_a_rubrics_reward_is_bounded(
    said: list[int], experts: list[int], criteria: int, weights: list[float]
) -> None:
    found = rubric_score(
        said, experts, atomic_criteria=criteria // 2, criteria=criteria, weights=weights
    )
    assert 0.0 <= found.reward <= 1.0


@few
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=2, max_size=5))
def test_pairs_are_bounded_and_full_for_gold(rows: list[tuple[int, int]]) -> None:
    said = {str(i): float(s) for i, (s, _) in enumerate(rows)}
    gold = {str(i): float(g) for i, (_, g) in enumerate(rows)}
    assert 0.0 <= pair_score(said, gold) <= 1.0
    assert pair_score(gold, gold) == 1.0
    backwards = dict(reversed(list(gold.items())))
    assert pair_score(said, backwards) == pytest.approx(pair_score(said, gold))


@few
@given(ranking, ranking)
def test_consistency_is_symmetric_and_bounded(a: list[int], b: list[int]) -> None:
    for measure in (cream.kendall_consistency, cream.spearman_consistency):
        assert 0.0 <= measure(a, b) <= 1.0
        assert measure(a, b) == pytest.approx(measure(b, a))
        assert measure(a, a) == pytest.approx(1.0)
        assert measure(a, [6 - rank for rank in a]) == pytest.approx(0.0, abs=1e-12)


@few
@given(
    st.lists(st.tuples(real, real, real, st.integers(0, 2)), min_size=1, max_size=6),
    st.floats(0.1, 5),
    real,
)
def test_endogenous_rewards_sum_to_logprob_and_value(
    rows: list[Any], alpha: float, terminal: float
) -> None:
    logits, actions = [list(row[:3]) for row in rows], [row[3] for row in rows]
    found = endogenous_rewards(logits, actions, alpha=alpha, terminal_value=terminal)
    expected = alpha * sequence_logprob(logits, actions, alpha) + found.values[0] - terminal
    assert sum(found.rewards) == pytest.approx(expected, abs=1e-6)


@few
@given(st.lists(st.tuples(real, real), max_size=6))
def test_token_rewards_are_bounded_and_change_sign_with_the_prompts(rows: list[Any]) -> None:
    better, worse = [b for b, _ in rows], [w for _, w in rows]
    found = token_rewards(better, worse)
    assert all(-0.5 <= r <= 0.5 for r in found)
    assert token_rewards(worse, better) == pytest.approx([-r for r in found], abs=1e-12)


@few
@given(st.lists(st.tuples(real, real), min_size=1, max_size=8), st.integers(1, 10), real)
def test_value_augmentation_keeps_the_sum_of_the_logits(
    rows: list[Any], top_k: int, beta: float
) -> None:
    logits = [z for z, _ in rows]
    found = value_augmented_logits(logits, [v for _, v in rows], top_k=top_k, beta=beta)
    assert sum(found) == pytest.approx(sum(logits), abs=1e-6)


@few
@given(st.floats(0, 1e4), st.floats(1, 1e3), st.floats(0, 100), st.floats(0.2, 4))
def test_length_penalties_are_bounded_and_fall_with_length(
    length: float, target: float, slack: float, exponent: float
) -> None:
    soft = [
        length_penalty(n, target, tolerance=slack, exponent=exponent) for n in (length + 1, length)
    ]
    hard = [overlong_penalty(n, target, min(slack, target)) for n in (length + 1, length)]
    for longer, shorter in (soft, hard):
        assert -1.0 <= longer <= shorter <= 0.0


@few
@given(words, st.lists(st.sampled_from("abcxyz"), min_size=1, max_size=5))
def test_keyword_recall_is_bounded_and_ignores_repetition(text: str, keywords: list[str]) -> None:
    value = keyword_recall(text, keywords)
    assert 0.0 <= value <= 1.0
    assert keyword_recall(f"{text} {text}", keywords * 2) == value


@few
@given(real, unit, st.floats(0, 2), st.floats(0, 2))
def test_gates_are_finite_and_never_raise_a_wrong_answers_gain(
    value: float, outcome: float, right: float, wrong: float
) -> None:
    assert gate(value, outcome, "none") == value
    assert gate(value, outcome, "positive_only") <= max(value, 0.0) or outcome >= 0.5
    scaled = gate(value, outcome, "scale", right=right, wrong=wrong)
    assert abs(scaled) <= 2 * abs(value)
    assert gate(value, 0.0, "renorm") <= gate(value, outcome, "renorm")


@few
@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=8))
def test_normalised_columns_have_mean_zero_whatever_their_scale(column: list[float]) -> None:
    assume(np.std(column) > 1e-3)
    found = normalise_columns({"a": column, "b": [1e3 * x for x in column]})
    assert float(found["a"].mean()) == pytest.approx(0.0, abs=1e-6)
    assert found["a"] == pytest.approx(found["b"], rel=1e-2, abs=1e-6)


@few
@given(st.lists(st.tuples(*[st.sampled_from(["search", "direct"])] * 2), max_size=8))
def test_f1_of_decisions_is_bounded(pairs: list[Any]) -> None:
    assert 0.0 <= decision_f1(pairs) <= 1.0


@few
@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_pairwise_loss_falls_with_the_margin(chosen: float, rejected: float) -> None:
    assert 0.0 <= pairwise_loss(chosen + 1, rejected) <= pairwise_loss(chosen, rejected) < math.inf


@few
@given(unit, units.filter(bool), unit, st.booleans(), st.booleans())
def test_stand_ins_are_bounded(
    page: float, items: list[float], weight: float, a: bool, b: bool
) -> None:
    assert 0.0 <= page_and_items(page, items, weight) <= 1.0 + 1e-12
    assert 0.0 <= gated_scalar(float(a), float(b), page) <= 3.0
    assert 0.0 <= verdict_and_tool(a, b, not b, weight) <= 1.0 + weight
    assert -2 * weight <= execution_margin(a, page, items, weight) <= 1 + 2 * weight


NAN_INPUTS: list[tuple[str, Callable[[], object]]] = [
    (r"process\[1\]", lambda: renorm([0.5, NAN], 1.0)),
    ("outcome", lambda: renorm([0.5], NAN)),
    (r"process\[0\]", lambda: shaping.clip_process([NAN], 0.5)),
    ("eta", lambda: shaping.clip_process([0.5], NAN)),
    (r"process\[2\]", lambda: shaping.delta_process([0.0, 0.0, NAN])),
    (r"step_relevance\[0\]", lambda: step_rewards([NAN], "wrong")),
    ("gamma", lambda: smartsearch.composite(1, [], gamma=NAN, phi_min=0, phi_max=0)),
    ("rubric", lambda: server_mix(1.0, NAN, 0.3)),
    ("ppl_alone", lambda: sar.self_aligned(1.0, NAN)),
    (r"logprobs\[0\]", lambda: sar.perplexity([NAN])),
    (r"scores\[1\]", lambda: memsifter.marginal_utility(0.0, [1, 2], [0.0, NAN])),
    ("baseline_score", lambda: memsifter.marginal_utility(NAN, [1], [0.0])),
    ("cosine", lambda: medix.composite(1, NAN, 1, 1)),
    (r"expert_borda\[0\]", lambda: rubric_score([1, 2], [NAN, 2], atomic_criteria=2, criteria=2,
                                               weights=[1])),
    (r"weights\[0\]", lambda: rubric_score([1], [1], atomic_criteria=0, criteria=0, weights=[NAN])),
    ("predicted\\['a'\\]", lambda: pair_score({"a": NAN, "b": 1}, {"a": 1, "b": 2})),
    (r"rank_now\[0\]", lambda: cream.kendall_consistency([1, 2], [NAN, 2])),
    ("consistency", lambda: cream.consistency_loss(NAN, 0, 0)),
    ("chosen", lambda: pairwise_loss(NAN, 0.0)),
    ("logits", lambda: endogenous_rewards([[NAN, 0.0]], [0])),
    (r"logp_weak\[0\]", lambda: density_ratio([0.0], [NAN])),
    (r"logp_worse_prompt\[0\]", lambda: token_rewards([0.0], [NAN])),
    (r"p_ref\[0\]", lambda: extrapolation_weight([0.0], [NAN], 1.0)),
    (r"z_dpo\[0\]", lambda: adaptive_teacher([1.0], [1.0], [NAN], [0.0])),
    (r"values\[0\]", lambda: value_augmented_logits([0.0], [NAN])),
    (r"ref_logp\[0\]", lambda: implicit_q([0.0], [NAN])),
    ("uncertain", lambda: truthfulness(0.0, NAN, 0.0)),
    ("length", lambda: length_penalty(NAN, 10)),
    ("limit", lambda: overlong_penalty(1, NAN, 0)),
    (r"items\[0\]", lambda: page_and_items(0.5, [NAN])),
    ("accuracy", lambda: gated_scalar(1, 1, NAN)),
    (r"sim_gold\[0\]", lambda: execution_margin(True, NAN, [0.0])),
    ("weight", lambda: verdict_and_tool(True, True, True, NAN)),
    ("value", lambda: gate(NAN, 1.0, "none")),
    ("'a'", lambda: normalise_columns({"a": [NAN, 0.0]})),
]  # fmt: skip


@pytest.mark.parametrize(("named", "compute"), NAN_INPUTS, ids=[name for name, _ in NAN_INPUTS])
def test_nan_in_is_named_in_the_error(named: str, compute: Callable[[], object]) -> None:
    with pytest.raises(RewardError, match=named):
        compute()
