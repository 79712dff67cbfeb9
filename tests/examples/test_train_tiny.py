"""The tiny experiment: its parts do what they say, and its script runs with a budget of seconds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rmgym import Context
from rmgym.protocols import Target
from rmgym.rewards.information_gain import answer_target, potentials
from rmgym.rollout import rollout
from rmgym.trajectory import group_by_task

torch = pytest.importorskip("torch", reason="the tiny experiment needs torch")
ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"

if TYPE_CHECKING:
    from tiny.policy import TinyPolicy
    from tiny.world import TinyWorld


@pytest.fixture(scope="module", autouse=True)
def examples_on_the_path() -> None:
    sys.path.insert(0, str(EXAMPLES))


@pytest.fixture(scope="module")
def world() -> TinyWorld:
    from tiny.world import make_world

    return make_world((2, 1, 0), 40)


@pytest.fixture(scope="module")
def policy(world: TinyWorld) -> TinyPolicy:
    from tiny.imitate import learn_tokenizer, play_script
    from tiny.model import TinyTransformer
    from tiny.policy import TinyPolicy
    from tiny.tokenizer import TinyRenderer

    tokenizer = learn_tokenizer(play_script([world], 40, noise=0.3, seed=0))
    torch.manual_seed(0)
    model = TinyTransformer(len(tokenizer), width=16, layers=2)
    return TinyPolicy(model, TinyRenderer(tokenizer), seed=3)


def test_scripted_play_without_mistakes_always_succeeds(world: TinyWorld) -> None:
    from tiny.imitate import play_script

    played = play_script([world], 30, noise=0.0, seed=0)
    assert {each.metrics["success"] for each in played} == {1.0}
    assert {len(each.turns) for each in played} == {2, 3}


def test_the_second_answer_is_not_in_the_first_passage(world: TinyWorld) -> None:
    for task in world.tasks:
        if len(task["gold_passages"]) == 2:
            (hit,) = world.retriever.search([task["gold_passages"][0]], 1)[0]
            assert hit.passage.id == task["gold_passages"][0]
            assert task["answers"][0] not in hit.passage.contents


def test_attempts_share_the_question(world: TinyWorld, policy: TinyPolicy) -> None:
    played = rollout(world.vector(8, attempts=4), policy, 8, seed=8).trajectories
    tasks = [each.task_id for each in played]
    assert tasks[:4] == tasks[:1] * 4
    assert tasks[4:] == tasks[4:5] * 4


def test_text_survives_the_tokenizer(world: TinyWorld, policy: TinyPolicy) -> None:
    from tiny.imitate import play_script

    tokenizer = policy.renderer.tokenizer
    for each in play_script([world], 10, noise=0.3, seed=1):
        for said in each.messages:
            assert tokenizer.decode(tokenizer.encode(said["content"])) == said["content"]


def test_sampled_logprobs_are_those_of_a_pass_over_the_ids(
    world: TinyWorld, policy: TinyPolicy
) -> None:
    from tiny.model import next_logprobs

    for each in rollout(world.vector(6), policy, 6, seed=0).trajectories:
        for turn in each.turns:
            said = turn.completion
            whole = torch.tensor([[*said.prompt_ids, *said.completion_ids]])
            again = next_logprobs(policy.model, whole)[0, -len(said.completion_ids) :]
            assert said.logprobs is not None
            np.testing.assert_allclose(said.logprobs, again.detach().numpy(), atol=1e-4)


def test_each_prompt_extends_what_was_sampled(world: TinyWorld, policy: TinyPolicy) -> None:
    for each in rollout(world.vector(6), policy, 6, seed=0).trajectories:
        for turn, later in zip(each.turns, each.turns[1:], strict=False):
            so_far = (*turn.completion.prompt_ids, *turn.completion.completion_ids)
            assert later.completion.prompt_ids[: len(so_far)] == so_far


def test_potentials_of_a_batch_are_those_of_single_prefixes(
    world: TinyWorld, policy: TinyPolicy
) -> None:
    played = rollout(world.vector(4), policy, 4, seed=0).trajectories
    targets = [answer_target(each.turns[-1].info["task"]["references"], "<x>") for each in played]
    batch = policy.potentials(played, targets)
    for each, target, row in zip(played, targets, batch, strict=True):
        prefixes = [Context(each.turns[:t], turn.observation) for t, turn in enumerate(each.turns)]
        alone = policy.logprobs(prefixes, [target] * len(prefixes))
        means = [[scored.mean for scored in scores] for scores in (row, alone)]
        np.testing.assert_allclose(means[0], means[1], atol=1e-5)


def test_gains_telescope_to_the_last_belief_minus_the_first(
    world: TinyWorld, policy: TinyPolicy
) -> None:
    from tiny.schemes import ANSWER_LEAD, GAIN, with_gains

    played = rollout(world.vector(4), policy, 4, seed=0).trajectories
    for each, scored in zip(played, with_gains(played, policy), strict=True):
        beliefs = potentials(each, policy, lead=ANSWER_LEAD)
        assert scored.term_sums.get(GAIN, 0.0) == pytest.approx(beliefs[-1] - beliefs[0], abs=1e-6)
        assert GAIN not in scored.turns[-1].reward_terms


def test_equal_outcomes_with_other_gains_have_other_advantages(
    world: TinyWorld, policy: TinyPolicy
) -> None:
    from tiny.schemes import SCHEMES, with_gains

    groups = group_by_task(with_gains(rollout(world.vector(8, 8), policy, 8).trajectories, policy))
    assert {each.turns[-1].reward_terms["em"] for g in groups for each in g.trajectories} == {0.0}
    found = {name: SCHEMES[name].advantages(groups).values for name in ("outcome", "igpo")}
    assert not found["outcome"].any()
    assert found["igpo"].std() > 0


def test_the_environments_tokens_are_left_out_of_the_loss(
    world: TinyWorld, policy: TinyPolicy
) -> None:
    from tiny.learn import credited, policy_loss
    from tiny.schemes import SCHEMES

    played = rollout(world.vector(8, 8), policy, 8).trajectories
    batch = credited(played, SCHEMES["rubric"], policy)
    loss = policy_loss(policy, batch, clip=0.2).item()
    other = [
        (replace(s, advantages=np.where(s.loss_mask == 1, np.asarray(s.advantages), 9.0)), scale)
        for s, scale in batch
    ]
    assert policy_loss(policy, other, clip=0.2).item() == loss


def test_a_missing_target_has_no_tokens(world: TinyWorld, policy: TinyPolicy) -> None:
    (each,) = rollout(world.vector(1), policy, 1).trajectories
    context = Context((), each.turns[0].observation)
    (scored,) = policy.logprobs([context], [Target("", "<x>")])
    assert scored.logprobs == ()


def test_interval_of_three_seeds_by_hand() -> None:
    from tiny.picture import half_width

    # sample std of 1, 2, 3 is 1; t(2 df) 4.303; root of 3
    assert half_width(np.array([1.0, 2.0, 3.0])) == pytest.approx(4.303 / 3**0.5)
    assert np.isnan(half_width(np.array([1.0])))


@pytest.mark.slow
def test_script_runs_every_scheme_and_keeps_what_it_ran(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "train_tiny.py"), "--tiny", "--seeds", "1", "2"]
    outputs = []
    for _ in range(2):
        done = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout.splitlines())
    assert len(list((tmp_path / "train_tiny").glob("*_[12].json"))) == 12
    assert re.fullmatch(r"most to least: (\w+ \d\.\d{3}(, )?){6}", outputs[0][-1])
    assert outputs[1] == outputs[0][-len(outputs[1]) :]
    assert outputs[1][0].startswith("| scheme")
