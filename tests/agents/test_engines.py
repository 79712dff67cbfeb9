"""What holds for every engine, on one tiny random model.

To add an engine: a function that makes it from the folder of the model, and a line in `ENGINES`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rmgym.agents.engine import Engine, Ids, Sampling, Span
from rmgym.agents.language_model import LanguageModelPolicy, LanguageModelScorer
from rmgym.agents.renderer import Renderer
from rmgym.protocols import Policy, Scorer, Target
from rmgym.rollout import rollout
from rmgym.samples import to_samples
from rmgym.trajectory import Context, Trajectory

torch = pytest.importorskip("torch", reason="torch is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

torch.set_num_threads(1)  # more would wait for each other on models this small

TOLERANCE = 1e-4
NEW_TOKENS = 12


def transformers_engine(folder: Path, attention: str) -> Engine:
    from rmgym.agents.transformers_engine import TransformersEngine

    return TransformersEngine.from_pretrained(str(folder), attn_implementation=attention)


ENGINES: dict[str, Callable[[Path], Engine]] = {
    "transformers-sdpa": lambda folder: transformers_engine(folder, "sdpa"),
    "transformers-eager": lambda folder: transformers_engine(folder, "eager"),
}


@pytest.fixture(scope="module", params=["qwen3", "llama"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a model that ends its turns now and then, as a trained one does."""
    from rmgym.agents.tiny_models import tiny_model, tiny_tokenizer

    where: Path = tmp_path_factory.mktemp(request.param)
    tokenizer, model = tiny_tokenizer(), tiny_model(request.param)
    with torch.no_grad():
        model.lm_head.weight[tokenizer.eos_token_id] *= 16
    model.save_pretrained(where)
    tokenizer.save_pretrained(where)
    return where


@pytest.fixture(scope="module", params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest, folder: Path) -> Engine:
    return ENGINES[request.param](folder)


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Any:
    return transformers.AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def reference(folder: Path) -> Any:
    """Return the model in plain transformers."""
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def renderer(tokenizer: Any) -> Renderer:
    return Renderer(tokenizer)


@pytest.fixture(scope="module")
def episodes(engine: Engine, renderer: Renderer) -> Sequence[Trajectory]:
    policy = LanguageModelPolicy(
        engine, renderer, sampling=Sampling(max_new_tokens=NEW_TOKENS, seed=5)
    )
    played = rollout("rmgym/Search-v0", policy, 4, num_envs=4)
    assert not played.failures
    return list(played)


def prompts_of(tokenizer: Any) -> list[Ids]:
    texts = ["Where is the lake?", "north", "It lies north of the tower. And the bridge?"]
    return [tuple(tokenizer.encode(text)) for text in texts]


def reference_logprobs(model: Any, ids: Ids, span: Span) -> list[float]:
    with torch.no_grad():
        logprobs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return [float(logprobs[i - 1, ids[i]]) for i in range(*span)]


def test_greedy_output_is_that_of_plain_generation(
    engine: Engine, reference: Any, tokenizer: Any
) -> None:
    prompts = prompts_of(tokenizer)
    stop = (tokenizer.eos_token_id,)
    sampling = Sampling(temperature=0.0, max_new_tokens=NEW_TOKENS, stop_ids=stop)
    outputs = engine.generate(prompts, [sampling] * len(prompts))
    for prompt, output in zip(prompts, outputs, strict=True):
        ids = torch.tensor([prompt])
        expected = reference.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=NEW_TOKENS,
            eos_token_id=stop[0],
            pad_token_id=0,
        )
        assert list(output.ids) == expected[0, len(prompt) :].tolist()
        assert output.finish_reason == ("stop" if output.ids[-1] in stop else "length")


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.5])
def test_logprobs_are_the_models_own_whatever_the_temperature(
    engine: Engine, reference: Any, tokenizer: Any, temperature: float
) -> None:
    prompts = prompts_of(tokenizer)
    sampling = Sampling(temperature=temperature, top_p=0.9, max_new_tokens=NEW_TOKENS, seed=3)
    outputs = engine.generate(prompts, [sampling] * len(prompts))
    for prompt, output in zip(prompts, outputs, strict=True):
        span = Span(len(prompt), len(prompt) + len(output.ids))
        expected = reference_logprobs(reference, prompt + output.ids, span)
        np.testing.assert_allclose(output.logprobs, expected, atol=TOLERANCE)


def test_scored_logprobs_are_those_of_a_plain_forward_pass(
    engine: Engine, reference: Any, tokenizer: Any
) -> None:
    sequences = [*prompts_of(tokenizer), tuple(range(3, 40))]
    spans = [Span(1, len(sequences[0])), Span(1, 1), Span(4, 6), Span(20, 37)]
    found = engine.logprobs(sequences, spans)
    for ids, span, logprobs in zip(sequences, spans, found, strict=True):
        expected = reference_logprobs(reference, ids, span)
        np.testing.assert_allclose(logprobs, expected, atol=TOLERANCE)


def test_a_seeded_completion_does_not_depend_on_its_batch(engine: Engine, tokenizer: Any) -> None:
    prompts = prompts_of(tokenizer)
    samplings = [Sampling(max_new_tokens=NEW_TOKENS, seed=seed) for seed in (1, 2, 3)]
    together = engine.generate(prompts, samplings)
    alone = [engine.generate([p], [s])[0] for p, s in zip(prompts, samplings, strict=True)]
    assert [each.ids for each in together] == [each.ids for each in alone]


def test_engines_make_policies_and_scorers(engine: Engine, renderer: Renderer) -> None:
    assert isinstance(engine, Engine)
    assert isinstance(LanguageModelPolicy(engine, renderer), Policy)
    assert isinstance(LanguageModelScorer(engine, renderer), Scorer)


def test_ids_are_never_tokenised_again(episodes: Sequence[Trajectory], tokenizer: Any) -> None:
    retold = 0
    for trajectory in episodes:
        completions = [turn.completion for turn in trajectory.turns]
        for before, after in pairwise(completions):
            said = before.prompt_ids + before.completion_ids
            assert after.prompt_ids[: len(said)] == said
            retold += tokenizer.encode(before.text) != list(before.completion_ids)
    assert retold > 0, "tokenising again would have gone unnoticed"


def test_the_stop_token_of_a_turn_stands_once(
    episodes: Sequence[Trajectory], tokenizer: Any
) -> None:
    stop, reasons = tokenizer.eos_token_id, set()
    for trajectory in episodes:
        completions = [turn.completion for turn in trajectory.turns]
        for turn, before, after in zip(
            trajectory.turns[1:], completions, completions[1:], strict=False
        ):
            added = after.prompt_ids[len(before.prompt_ids) :]
            assert added.count(stop) == 1 + len(turn.observation)
            reasons.add(before.finish_reason)
    assert reasons == {"stop", "length"}


def test_the_loss_mask_is_one_on_sampled_tokens_alone(episodes: Sequence[Trajectory]) -> None:
    for trajectory in episodes:
        (sample,) = to_samples(trajectory)
        assert sample.logprobs is not None
        sampled = [i for turn in trajectory.turns for i in turn.completion.completion_ids]
        assert sample.token_ids[sample.loss_mask == 1].tolist() == sampled
        for number, turn in enumerate(trajectory.turns):
            own = sample.turn_index == number
            start = len(turn.completion.prompt_ids)
            length = len(turn.completion.completion_ids)
            assert np.flatnonzero(own).tolist() == list(range(start, start + length))
            np.testing.assert_array_equal(sample.logprobs[own], turn.completion.logprobs)


def test_sampled_logprobs_are_those_of_the_whole_sequence(
    episodes: Sequence[Trajectory], reference: Any
) -> None:
    (sample,) = to_samples(episodes[0])
    assert sample.logprobs is not None
    ids = tuple(sample.token_ids.tolist())
    expected = np.array([0.0, *reference_logprobs(reference, ids, Span(1, len(ids)))])
    sampled = sample.loss_mask == 1
    np.testing.assert_allclose(sample.logprobs[sampled], expected[sampled], atol=TOLERANCE)


def test_the_policy_version_is_kept(engine: Any, renderer: Renderer) -> None:
    policy = LanguageModelPolicy(engine, renderer, sampling=Sampling(max_new_tokens=1))
    context = Context((), ({"role": "user", "content": "?"},))
    before = engine.policy_version
    try:
        for version in (7, 8):
            engine.policy_version = version
            assert policy.act([context])[0].policy_version == version
    finally:
        engine.policy_version = before


def test_potentials_are_those_of_each_prefix(
    engine: Engine, renderer: Renderer, episodes: Sequence[Trajectory]
) -> None:
    scorer = LanguageModelScorer(engine, renderer)
    targets = [Target("the lake", "<answer>"), Target("in the north"), Target("x"), Target("", "y")]
    at_once = scorer.potentials(episodes, targets)
    for trajectory, target, found in zip(episodes, targets, at_once, strict=True):
        prefixes = [
            Context(trajectory.turns[:t], u.observation) for t, u in enumerate(trajectory.turns)
        ]
        one_by_one = scorer.logprobs(prefixes, [target] * len(prefixes))
        assert [each.token_ids for each in found] == [each.token_ids for each in one_by_one]
        for each, other in zip(found, one_by_one, strict=True):
            np.testing.assert_allclose(each.logprobs, other.logprobs, atol=TOLERANCE)
