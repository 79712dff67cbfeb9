"""Every estimator against numbers computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rmgym.advantages import GroupTurns, get
from rmgym.advantages.a2tgpo import a2tgpo_advantages
from rmgym.advantages.group import c_grpo_rewards, mean_log_ratios
from rmgym.advantages.igpo import GainRollout, igpo_advantages
from rmgym.advantages.returns import RunningMoments
from rmgym.advantages.tree import rest_values, rest_weight, uct


def rows(name: str, batch: GroupTurns, **params: object) -> list[list[float]]:
    return [row.tolist() for row in get(name)(batch, **params).per_trajectory()]


def approx(expected: list[list[float]], rel: float = 1e-6) -> list[object]:
    return [pytest.approx(row, rel=rel) for row in expected]


RAGGED = GroupTurns.from_lists([[1.0, 2.0], [3.0], [0.0, 0.0, 6.0]])
"""Returns-to-go (3, 2), (3), (6, 6, 6); returns 3, 3, 6."""


def test_centred_returns_subtract_the_mean_over_all_turns_of_the_others() -> None:
    # Others: (3+18)/4 = 5.25, (5+18)/5 = 4.6, (5+3)/3 = 8/3.
    expected = [[-2.25, -3.25], [-1.6], [10 / 3, 10 / 3, 10 / 3]]
    assert rows("centred_returns", RAGGED) == approx(expected)


def test_centred_returns_padded_subtract_the_mean_of_the_others_at_the_turn() -> None:
    # Turn 1: (3+6)/2, (3+6)/2, (3+3)/2. Turn 2: (0+6)/2, (2+0)/2. Turn 3: 0.
    expected = [[-1.5, -1.0], [-1.5], [3.0, 5.0, 6.0]]
    assert rows("centred_returns_padded", RAGGED) == approx(expected)


def test_position_mean_takes_the_own_return_in() -> None:
    # Means 12/3, 8/3, 6/3.
    expected = [[-1.0, -2 / 3], [-1.0], [2.0, 10 / 3, 4.0]]
    assert rows("token_return_minus_position_mean", RAGGED) == approx(expected)


def test_prorl_takes_the_mean_over_the_active() -> None:
    # Means 12/3, 8/2, 6/1.
    expected = [[-1.0, -2.0], [-1.0], [2.0, 2.0, 0.0]]
    assert rows("prorl", RAGGED) == approx(expected)


def test_turn_centred_centres_then_sums() -> None:
    # Reward means 4/3, 1, 6: centred (-1/3, 1), (5/3), (-4/3, -1, 0).
    expected = [[2 / 3, 1.0], [5 / 3], [-7 / 3, -1.0, 0.0]]
    assert rows("turn_centred", RAGGED) == approx(expected)


def test_returns_are_discounted_by_turn() -> None:
    found = get("centred_returns")(RAGGED, gamma=0.5)
    assert found.extras["returns"].tolist() == [2.0, 2.0, 3.0, 1.5, 3.0, 6.0]


def test_dr_grpo_and_rloo_give_every_turn_the_same() -> None:
    assert rows("dr_grpo", RAGGED) == approx([[-1.0, -1.0], [-1.0], [2.0, 2.0, 2.0]])
    assert rows("rloo", RAGGED) == approx([[-1.5, -1.5], [-1.5], [3.0, 3.0, 3.0]])


@pytest.mark.parametrize(("ddof", "deviation"), [(1, math.sqrt(3)), (0, math.sqrt(2))])
def test_grpo_divides_by_the_deviation_of_its_ddof(ddof: int, deviation: float) -> None:
    found = rows("grpo", RAGGED, ddof=ddof, eps=0.5)
    assert found[2] == pytest.approx([2 / (deviation + 0.5)] * 3)


@pytest.mark.parametrize(("name", "raw"), [("grpo", 0.7 / 1.5), ("dr_grpo", 0.7), ("rloo", 0.7)])
def test_a_group_of_one_is_zero_or_raw(name: str, raw: float) -> None:
    batch = GroupTurns.from_lists([[0.7]])
    eps = {"eps": 0.5} if name == "grpo" else {}
    assert rows(name, batch, **eps) == [[0.0]]
    assert rows(name, batch, singleton="raw", **eps) == [[pytest.approx(raw)]]


@pytest.mark.parametrize("name", ["centred_returns", "centred_returns_padded"])
def test_a_lone_trajectory_has_no_baseline(name: str) -> None:
    batch = GroupTurns.from_lists([[1.0, 2.0]])
    assert rows(name, batch) == [[0.0, 0.0]]
    assert rows(name, batch, singleton="raw") == [[3.0, 2.0]]


@pytest.mark.parametrize("name", ["grpo", "rloo", "centred_returns"])
def test_an_unknown_singleton_rule_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match="expected singleton 'zero' or 'raw', got 'mean'"):
        get(name)(RAGGED, singleton="mean")


def test_grpo_without_eps_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected a positive eps"):
        get("grpo")(RAGGED, eps=0.0)


def test_gspo_clips_the_sequence_ratio() -> None:
    batch = GroupTurns.from_lists([[1.0], [0.0]])
    found = get("gspo")(batch, log_ratios=np.array([0.1, 50.0]), eps_low=0.1, eps_high=0.2)
    assert found.extras["ratio"].tolist() == pytest.approx([1.1051709, math.exp(10)])
    assert found.extras["clipped_ratio"].tolist() == pytest.approx([1.1051709, 1.2])
    # The advantages are (0.7071, -0.7071): the smaller product leaves the second unclipped.
    expected = [1.1051709 * 0.70710578, -math.exp(10) * 0.70710578]
    assert found.extras["objective"].tolist() == pytest.approx(expected)


def test_gspo_of_the_sampling_policy_has_ratio_one() -> None:
    assert get("gspo")(RAGGED).extras["ratio"].tolist() == [1.0, 1.0, 1.0]


def test_mean_log_ratios_average_each_sequence() -> None:
    new, old = np.array([-1.0, -2.0, -3.0]), np.array([-1.5, -2.5, -1.0])
    assert mean_log_ratios(new, old, np.array([0, 2, 3])).tolist() == [0.5, -2.0]


def test_mean_log_ratios_refuse_what_is_not_finite() -> None:
    with pytest.raises(ValueError, match="expected finite log-probabilities"):
        mean_log_ratios(np.array([-np.inf]), np.array([-1.0]), np.array([0, 1]))


def test_gdpo_normalises_each_column_before_the_sum() -> None:
    columns = {"a": [[2.0], [0.0]], "b": [[0.0], [100.0]]}
    batch = GroupTurns.from_lists([[0.0], [0.0]], columns=columns)
    found = rows("gdpo", batch, weights={"a": 1.0, "b": 0.5}, whiten=False)
    assert found == approx([[0.5 * math.sqrt(0.5)], [-0.5 * math.sqrt(0.5)]], rel=1e-5)


def test_gdpo_whitens_over_the_batch() -> None:
    columns = {"a": [[2.0], [0.0], [1.0], [1.0]]}
    batch = GroupTurns.from_lists([[0.0]] * 4, groups=[0, 0, 1, 1], columns=columns)
    values = get("gdpo")(batch).values
    assert values.mean() == pytest.approx(0.0, abs=1e-12)
    assert values.std(ddof=1) == pytest.approx(1.0)


def test_gdpo_without_columns_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected columns"):
        get("gdpo")(RAGGED)


def test_c_grpo_takes_the_best_rubric_of_the_group_wrong_answers_included() -> None:
    mixed = c_grpo_rewards(np.array([1.0, 1.0, 0.0]), np.array([0.4, 0.5, 0.8]), np.zeros(3, int))
    assert mixed.tolist() == pytest.approx([0.85, 0.7 + 0.3 * 0.625, 0.0])


def test_c_grpo_refuses_an_outcome_between() -> None:
    with pytest.raises(ValueError, match="expected outcomes 0 or 1"):
        c_grpo_rewards(np.array([0.5]), np.array([1.0]), np.zeros(1, int))


def test_c_grpo_refuses_an_unknown_compat() -> None:
    with pytest.raises(ValueError, match="expected compat"):
        c_grpo_rewards(np.ones(1), np.ones(1), np.zeros(1, int), compat="code")  # type: ignore[arg-type]  # the error under test


def test_covrl_centres_the_outcome_by_group() -> None:
    batch = GroupTurns.from_lists([[None]] * 3, groups=[0, 0, 1], outcomes=[-1.0, -3.0, -7.0])
    assert rows("covrl", batch) == [[1.0], [-1.0], [0.0]]


def test_exsearch_weights_sum_to_one_in_each_group() -> None:
    outcomes = [-1000.0, -1000.0 - math.log(3), -5.0]
    batch = GroupTurns.from_lists([[None]] * 3, groups=[0, 0, 1], outcomes=outcomes)
    assert rows("exsearch", batch) == approx([[0.75], [0.25], [1.0]])


def test_turn_gae_bootstraps_what_was_cut() -> None:
    batch = GroupTurns.from_lists([[1.0, 1.0], [1.0]], values=[[0.5, 2.0], [1.0]])
    assert rows("turn_gae", batch, lam=0.5) == [[2.0, -1.0], [0.0]]
    cut = GroupTurns.from_lists([[1.0]], values=[[1.0]], bootstraps=[4.0])
    assert rows("turn_gae", cut, gamma=0.5) == [[2.0]]


def test_turn_gae_whitens_on_request() -> None:
    batch = GroupTurns.from_lists([[1.0, 5.0], [2.0]], values=[[0.0, 0.0], [0.0]])
    values = get("turn_gae")(batch, whiten=True).values
    assert (values.mean(), values.std(ddof=1)) == (pytest.approx(0, abs=1e-12), pytest.approx(1))


def test_gigpo_gives_a_state_met_once_nothing() -> None:
    batch = GroupTurns.from_lists(
        [[0.0, 1.0], [0.0]], states=[["s", "lonely"], ["s"]], groups=["g", "g"]
    )
    found = get("gigpo")(batch, gamma=0.5, per_step_row=False)
    assert found.extras["step_advantage"].tolist() == [0.25, 0.0, -0.25]
    assert found.extras["episode_advantage"].tolist() == [0.5, 0.5, -0.5]
    assert found.values.tolist() == [0.75, 0.5, -0.75]


def test_gigpo_weighs_long_episodes_more_by_step_rows() -> None:
    batch = GroupTurns.from_lists([[0.0, 1.0], [0.0]], states=[["s", "t"], ["s"]])
    found = get("gigpo")(batch)
    assert found.extras["episode_advantage"].tolist() == pytest.approx([1 / 3, 1 / 3, -2 / 3])


def test_gigpo_refuses_an_unknown_norm() -> None:
    batch = GroupTurns.from_lists([[0.0]], states=[["s"]])
    with pytest.raises(ValueError, match="expected norm 'mean' or 'mean_std'"):
        get("gigpo")(batch, norm="std")


def test_igpo_joint_without_division_is_pooled_centring() -> None:
    batch = GroupTurns.from_lists([[0.5, None], [None]], outcomes=[1.0, 0.0])
    assert rows("igpo", batch, scale="none") == approx([[0.5, 0.5], [-0.5]])


def test_igpo_adds_the_score_of_a_granted_last_turn_to_the_outcome() -> None:
    batch = GroupTurns.from_lists([[1.0], [3.0]], outcomes=[1.0, 0.0])
    assert rows("igpo", batch, norm="separate", scale="none") == [[-0.5], [0.5]]


def random_gains(seed: int) -> list[list[GainRollout]]:
    rng = np.random.default_rng(seed)
    return [
        [
            GainRollout(rng.normal(size=rng.integers(0, 6)).round(1).tolist(), float(rng.random()))
            for _ in range(rng.integers(1, 6))
        ]
        for _ in range(20)
    ]


def batch_of(groups: list[list[GainRollout]]) -> GroupTurns:
    rollouts = [rollout for group in groups for rollout in group]
    return GroupTurns.from_lists(
        [[*rollout.gains, None] for rollout in rollouts],
        groups=[i for i, group in enumerate(groups) for _ in group],
        outcomes=[rollout.outcome for rollout in rollouts],
    )


@pytest.mark.parametrize("norm", ["joint", "separate"])
@pytest.mark.parametrize("drop_zero", [False, True])
def test_igpo_over_a_batch_is_igpo_of_each_group(norm: str, drop_zero: bool) -> None:
    groups = random_gains(1)
    options = {"norm": norm, "drop_zero": drop_zero, "gamma": 0.9}
    expected = [row.tolist() for g in groups for row in igpo_advantages(g, **options)]  # type: ignore[arg-type]  # one dict for both calls
    assert rows("igpo", batch_of(groups), **options) == approx(expected)


def test_igpo_over_a_batch_skips_turns_without_a_gain() -> None:
    group = [GainRollout([None, 0.5, None], 1.0), GainRollout([0.1], 0.0)]
    expected = [row.tolist() for row in igpo_advantages(group, gamma=0.5)]
    assert rows("igpo", batch_of([group]), gamma=0.5) == approx(expected)


def test_a2tgpo_over_a_batch_is_a2tgpo_of_each_group() -> None:
    groups = random_gains(2)
    expected = [each for g in groups for each in a2tgpo_advantages(g, gamma=0.9, alpha=0.3)]
    found = get("a2tgpo")(batch_of(groups), gamma=0.9, alpha=0.3)
    for got, scale, want in zip(
        found.per_trajectory(), found.extra("clip_scale"), expected, strict=True
    ):
        assert got.tolist() == pytest.approx(want.advantages.tolist())
        assert scale.tolist() == pytest.approx(want.clip_scale.tolist())


def test_a2tgpo_refuses_a_missing_gain() -> None:
    batch = GroupTurns.from_lists([[0.1, None, 0.2]], outcomes=[1.0])
    with pytest.raises(ValueError, match="got none in trajectory 0, turn 1"):
        get("a2tgpo")(batch)


def test_running_moments_are_those_of_all_values() -> None:
    values = np.array([0.3, -2.0, 5.0, 0.1, 0.2])
    moments = RunningMoments().updated(values[:2]).updated(values[2:])
    assert moments.mean == pytest.approx(values.mean())
    assert moments.std == pytest.approx(values.std(ddof=1))


def test_running_moments_are_not_changed_by_nothing() -> None:
    assert RunningMoments(2, 1.0, 3.0).updated([]) == RunningMoments(2, 1.0, 3.0)


def test_running_moments_refuse_what_is_not_finite() -> None:
    with pytest.raises(ValueError, match="expected finite values, got nan"):
        RunningMoments().updated([1.0, float("nan")])


def test_rest_mcts_values_of_a_tree() -> None:
    # Right: a-b-c. Wrong: a-x-y leaves it after one good step; q never had one.
    batch = GroupTurns.from_lists(
        [[0.0] * 3, [0.0] * 3, [0.0]],
        outcomes=[1.0, 0.0, 0.0],
        nodes=[["a", "b", "c"], ["a", "x", "y"], ["q"]],
    )
    expected = [[1 / 3, 2 / 3, 1.0], [1 / 3, 1 / 9, 0.0], [0.0]]
    assert rows("rest_mcts", batch) == approx(expected)


def test_rest_mcts_takes_the_nearest_right_leaf() -> None:
    batch = GroupTurns.from_lists(
        [[0.0] * 3, [0.0] * 2],
        outcomes=[1.0, 1.0],
        nodes=[["a", "b", "c"], ["a", "d"]],
    )
    assert rows("rest_mcts", batch) == approx([[0.5, 0.75, 1.0], [0.5, 1.0]])


def test_rest_values_refuse_a_step_count_of_zero() -> None:
    with pytest.raises(ValueError, match="m >= 1"):
        rest_values([(1, 0)])


def test_rest_weight_is_the_paper_form() -> None:
    assert rest_weight(0.5, 0, 1) == 0.25
    assert rest_weight(0.5, 1, 1) == -0.25


def test_uct_of_an_unvisited_node_is_an_error() -> None:
    assert uct(0.5, 4, 4, 1.0) == pytest.approx(0.5 + math.sqrt(2 * math.log(4) / 4))
    with pytest.raises(ValueError, match="expected visits"):
        uct(0.5, 0, 4, 1.0)


def test_fork_relative_decays_towards_the_leaf() -> None:
    batch = GroupTurns.from_lists(
        [[0.0] * 2, [0.0]], outcomes=[1.0, 1.0], nodes=[["a", "b"], ["c"]]
    )
    found = get("fork_relative")(batch, decay=0.5)
    assert found.extras["step_reward"].tolist() == [0.5, 1.0, 1.0]
    expected = [-math.sqrt(0.5), 0.0, math.sqrt(0.5)]
    assert found.values.tolist() == pytest.approx(expected, rel=1e-5)


def test_fork_relative_refuses_a_decay_of_zero() -> None:
    batch = GroupTurns.from_lists([[0.0]], outcomes=[1.0], nodes=[["a"]])
    with pytest.raises(ValueError, match="expected a decay above 0"):
        get("fork_relative")(batch, decay=0.0)


def test_anchor_rank_counts_places_above_the_anchor() -> None:
    # In order: 1, anchor 2, 3, 3, 9. Places 0, 1, 2.5, 2.5, 4.
    batch = GroupTurns.from_lists([[None]] * 4, outcomes=[3.0, 9.0, 1.0, 3.0])
    expected = [[1.5 / 4], [3 / 4], [-1 / 4], [1.5 / 4]]
    assert rows("anchor_rank", batch, anchors=[2.0]) == approx(expected)


def test_anchor_rank_shares_the_place_of_a_tie_with_the_anchor() -> None:
    batch = GroupTurns.from_lists([[None]] * 2, outcomes=[1.0, 1.0])
    assert rows("anchor_rank", batch, anchors=[1.0]) == [[0.0], [0.0]]


def test_anchor_rank_without_an_anchor_centres_the_places() -> None:
    batch = GroupTurns.from_lists(
        [[None]] * 6, groups=[0, 0, 0, 1, 1, 1], outcomes=[0.1, 0.1, 0.1, 5.0, -2.0, 0.0]
    )
    expected = [[0.0], [0.0], [0.0], [1 / 3], [-1 / 3], [0.0]]
    assert rows("anchor_rank", batch) == approx(expected)


def test_anchor_rank_wants_one_anchor_a_group() -> None:
    batch = GroupTurns.from_lists([[None]] * 2, groups=[0, 1], outcomes=[1.0, 1.0])
    with pytest.raises(ValueError, match="expected 2 finite scores, one a group"):
        get("anchor_rank")(batch, anchors=[1.0])
