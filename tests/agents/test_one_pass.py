from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from rmgym.agents.engine import Branch, EngineError, Ids, Sampling, Span
from rmgym.agents.language_model import LanguageModelPolicy, LanguageModelScorer
from rmgym.agents.renderer import Renderer
from rmgym.envs.search.env import SearchEnv
from rmgym.protocols import Target
from rmgym.rewards.information_gain import InformationGain, TrajectoryScorer, gains, potentials
from rmgym.rollout import rollout
from rmgym.testing.bytes_tokenizer import BEGIN, VOCABULARY, ByteTokenizer
from rmgym.trajectory import Completion, Context, Trajectory, Turn
from rmgym.wrappers.turn_reward import TurnReward

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

torch.set_num_threads(1)  # more would wait for each other on models this small

TOLERANCE = 1e-4
SHAPES = [("qwen3", "sdpa"), ("qwen3", "eager"), ("llama", "sdpa"), ("llama", "eager")]
ONE_FORWARD, TRUNK_FIRST, ROW_BY_ROW = 2**24, 10_000, 1


def byte_engine(
    architecture: Any = "qwen3", attention: str = "sdpa", layers: int = 2, **options: Any
) -> Any:
    from rmgym.agents.tiny_models import tiny_model
    from rmgym.agents.transformers_engine import TransformersEngine

    model = tiny_model(
        architecture,
        vocabulary=VOCABULARY,
        hidden=32,
        layers=layers,
        max_tokens=8192,
        attn_implementation=attention,
    )
    return TransformersEngine(model, ByteTokenizer(), **options)


def random_ids(length: int, seed: int) -> Ids:
    return tuple(np.random.default_rng(seed).integers(VOCABULARY, size=length).tolist())


TRUNKS = [random_ids(120, 1), random_ids(70, 2), random_ids(9, 3)]
BRANCHES = [
    [Branch(40, random_ids(16, 4)), Branch(120, random_ids(5, 5), 2), Branch(1, random_ids(1, 6))],
    [Branch(33, random_ids(12, 7), 11), Branch(33, random_ids(3, 8)), Branch(60, ())],
    [],
]


def one_by_one(engine: Any) -> list[list[tuple[float, ...]]]:
    return [
        [
            engine.logprobs(
                [trunk[: b.at] + b.ids], [Span(b.at + b.first_scored, b.at + len(b.ids))]
            )[0]
            for b in own
        ]
        for trunk, own in zip(TRUNKS, BRANCHES, strict=True)
    ]


@pytest.mark.parametrize("mask_bytes", [ONE_FORWARD, TRUNK_FIRST, ROW_BY_ROW])
@pytest.mark.parametrize(("architecture", "attention"), SHAPES)
def test_branches_score_as_separate_passes_do(
    architecture: str, attention: str, mask_bytes: int
) -> None:
    engine = byte_engine(architecture, attention, max_mask_bytes=mask_bytes)
    at_once, expected = engine.branch_logprobs(TRUNKS, BRANCHES), one_by_one(engine)
    assert [[len(b) for b in own] for own in at_once] == [[16, 3, 1], [1, 3, 0], []]
    for found, own in zip(at_once, expected, strict=True):
        for logprobs, apart in zip(found, own, strict=True):
            np.testing.assert_allclose(logprobs, apart, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("mask_bytes", "calls"), [(ONE_FORWARD, 1), (TRUNK_FIRST, 4), (ROW_BY_ROW, 37)]
)
def test_every_token_is_read_once(mask_bytes: int, calls: int) -> None:
    engine, read = byte_engine(max_mask_bytes=mask_bytes), []
    engine.model.register_forward_pre_hook(
        lambda _model, _args, options: read.append(options["input_ids"].numel()), with_kwargs=True
    )
    engine.branch_logprobs(TRUNKS[:1], [[Branch(at, random_ids(13, at)) for at in (50, 99, 120)]])
    assert len(read) == calls
    assert sum(read) == 120 + 3 * 12


def test_a_boolean_mask_is_refused_under_eager_attention() -> None:
    from rmgym.agents.tree_attention import check_mask

    allowed = torch.ones(1, 1, 2, 2, dtype=torch.bool)
    with pytest.raises(EngineError, match="expected an additive mask under eager attention"):
        check_mask("eager", allowed)
    check_mask("sdpa", allowed)
    check_mask("eager", allowed.float())


def test_a_model_that_does_not_see_everything_is_not_branched() -> None:
    engine = byte_engine()
    assert engine.can_branch
    engine.model.config.layer_types = ["full_attention", "sliding_attention"]
    assert not engine.can_branch
    with pytest.raises(EngineError, match="score each prefix"):
        engine.branch_logprobs(TRUNKS, BRANCHES)


def test_a_branch_must_start_within_its_trunk() -> None:
    with pytest.raises(ValueError, match=r"expected a branch within 1..9, got 10"):
        byte_engine().branch_logprobs([TRUNKS[2]], [[Branch(10, (1,))]])


def played(engine: Any, renderer: Renderer, env: Any) -> Trajectory:
    sampling = Sampling(max_new_tokens=12, seed=2)
    found = rollout(env, LanguageModelPolicy(engine, renderer, sampling=sampling), 1)
    assert not found.failures
    return found[0]


def search_env(**options: Any) -> SearchEnv:
    return SearchEnv(passages=100, questions=10, topk=1, max_searches=2, **options)


def prefixes(trajectory: Trajectory) -> list[Context]:
    return [Context(trajectory.turns[:t], u.observation) for t, u in enumerate(trajectory.turns)]


def told() -> Trajectory:
    """Return an episode without ids."""
    turns = tuple(
        Turn(observation=({"role": "user", "content": seen},), completion=Completion(text=said))
        for seen, said in [("Where?", "<search>é</search>"), ("A lake.", "<search>b</search>")]
    )
    return Trajectory(env_id="e", task_id="t", turns=turns)


def test_text_without_ids_scores_in_one_pass_too() -> None:
    engine, renderer, trajectory = byte_engine(), Renderer(ByteTokenizer()), told()
    scorer = LanguageModelScorer(engine, renderer)
    (found,) = scorer.potentials([trajectory], [Target("north", "<answer>")])
    expected = scorer.logprobs(prefixes(trajectory), [Target("north", "<answer>")] * 2)
    for each, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(each.logprobs, other.logprobs, atol=TOLERANCE)


def test_prompts_that_do_not_extend_one_another_are_scored_apart() -> None:
    engine, renderer = byte_engine(), Renderer(ByteTokenizer())
    said = {"text": "ab", "completion_ids": (97, 98)}
    completions = [
        Completion(prompt_ids=prompt, **said)  # type: ignore[arg-type]  # two keys, two types
        for prompt in [(BEGIN, 1), (BEGIN, 1, 97, 98, 5), (BEGIN, 7, 7, 7)]
    ]
    turns = tuple(Turn(observation=(), completion=completion) for completion in completions)
    scorer = LanguageModelScorer(engine, renderer)
    (found,) = scorer.potentials([Trajectory(env_id="e", task_id="t", turns=turns)], [Target("x")])
    sequences = [(*completion.prompt_ids, 120) for completion in completions]
    spans = [Span(len(ids) - 1, len(ids)) for ids in sequences]
    expected = engine.logprobs(sequences, spans)
    for each, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(each.logprobs, other, atol=TOLERANCE)


class PlainEngine:
    """An engine that scores each prefix by itself."""

    def __init__(self, engine: Any) -> None:
        self.policy_version = engine.policy_version
        self.generate, self.logprobs = engine.generate, engine.logprobs


def test_an_engine_that_cannot_branch_scores_each_prefix() -> None:
    engine, renderer = byte_engine(), Renderer(ByteTokenizer())
    trajectories, targets = [told(), told()], [Target("north", "<answer>"), Target("x")]
    at_once = LanguageModelScorer(engine, renderer).potentials(trajectories, targets)
    plain = LanguageModelScorer(PlainEngine(engine), renderer).potentials(trajectories, targets)
    for own, other in zip(at_once, plain, strict=True):
        for each, alone in zip(own, other, strict=True):
            np.testing.assert_allclose(each.logprobs, alone.logprobs, atol=TOLERANCE)


def check_gains(trajectory: Trajectory, scorer: LanguageModelScorer) -> None:
    """Compare the gains that were paid during play with those of one pass afterwards."""
    paid = [turn.reward_terms.get("information_gain") for turn in trajectory.turns]
    beliefs = potentials(trajectory, scorer, mode="logprob")
    afterwards = gains(beliefs)
    assert afterwards is not None
    assert paid[-1] is None
    np.testing.assert_allclose(np.array(paid[:-1], float), afterwards, atol=TOLERANCE)
    assert all(math.isfinite(belief) and belief < 0 for belief in beliefs)
    assert max(map(abs, afterwards)) > 10 * TOLERANCE


def test_gains_paid_during_play_are_those_of_one_pass_afterwards() -> None:
    engine, renderer = byte_engine(layers=1), Renderer(ByteTokenizer())
    scorer = LanguageModelScorer(engine, renderer)
    assert isinstance(scorer, TrajectoryScorer)
    env = TurnReward(search_env(), [InformationGain(scorer, "logprob")])
    check_gains(played(engine, renderer, env), scorer)


def test_an_environment_that_pays_gains_itself_scores_the_text() -> None:
    engine, renderer = byte_engine(layers=1), Renderer(ByteTokenizer())
    scorer = LanguageModelScorer(engine, renderer, keep_ids=False)
    env = search_env(rewards=[InformationGain(scorer, "logprob")])
    check_gains(played(engine, renderer, env), scorer)
