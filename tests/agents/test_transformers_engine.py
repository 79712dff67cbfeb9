from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from rmgym.agents.engine import Branch, EngineError, Sampling, Span
from rmgym.agents.language_model import LanguageModelPolicy, LanguageModelScorer
from rmgym.agents.renderer import Renderer
from rmgym.errors import PolicyError, ScorerError
from rmgym.protocols import Target
from rmgym.testing.bytes_tokenizer import VOCABULARY, ByteTokenizer
from rmgym.trajectory import Context

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

torch.set_num_threads(1)  # more would wait for each other on models this small

PROMPT = tuple(b"Where is the lake?")
ASKED = Context((), ({"role": "user", "content": "Where is the lake?"},))


def byte_engine(max_tokens: int = 512, **options: Any) -> Any:
    from rmgym.agents.tiny_models import tiny_model
    from rmgym.agents.transformers_engine import TransformersEngine

    model = tiny_model(vocabulary=VOCABULARY, hidden=32, layers=1, max_tokens=max_tokens)
    return TransformersEngine(model, ByteTokenizer(), **options)


@pytest.fixture(scope="module")
def engine() -> Any:
    return byte_engine()


def test_bytes_can_be_played(engine: Any) -> None:
    sampling = Sampling(max_new_tokens=5, seed=0)
    policy = LanguageModelPolicy(engine, Renderer(ByteTokenizer()), sampling=sampling)
    (completion,) = policy.act([ASKED])
    assert completion.prompt_ids == ByteTokenizer().prompt(ASKED)
    assert len(completion.completion_ids) == 5
    assert completion.text == ByteTokenizer().decode(completion.completion_ids)


def test_seeds_of_contexts_tell_attempts_apart(engine: Any) -> None:
    sampling = Sampling(max_new_tokens=8)
    policy = LanguageModelPolicy(engine, Renderer(ByteTokenizer()), sampling=sampling)
    first, second, again = policy.act([ASKED] * 3, seeds=[1, 2, 1])
    assert first.completion_ids == again.completion_ids != second.completion_ids


def test_without_a_seed_two_completions_differ(engine: Any) -> None:
    sampling = Sampling(max_new_tokens=16)
    policy = LanguageModelPolicy(engine, Renderer(ByteTokenizer()), sampling=sampling)
    first, second = policy.act([ASKED] * 2)
    assert first.completion_ids != second.completion_ids


def test_one_seed_per_context_is_asked_for(engine: Any) -> None:
    policy = LanguageModelPolicy(engine, Renderer(ByteTokenizer()))
    with pytest.raises(ValueError, match="expected one seed per context, got 1 for 2"):
        policy.act([ASKED] * 2, seeds=[1])


def test_tokens_are_drawn_as_often_as_the_model_says(engine: Any) -> None:
    samplings = [Sampling(max_new_tokens=1, temperature=0.2, seed=i) for i in range(4000)]
    outputs = engine.generate([PROMPT] * len(samplings), samplings)
    with torch.no_grad():
        logits = engine.model(torch.tensor([PROMPT])).logits[0, -1]
    expected = (logits / 0.2).softmax(-1).numpy()
    counts = Counter(output.ids[0] for output in outputs)
    drawn = np.array([counts[i] / len(samplings) for i in range(VOCABULARY)])
    # The mean of |drawn - p| summed over tokens is sum of sqrt(2 p (1 - p) / (pi n)).
    mean = np.sqrt(2 * expected * (1 - expected) / (np.pi * len(samplings))).sum()
    assert np.abs(drawn - expected).sum() < 1.5 * mean


def test_top_p_draws_from_the_most_probable_tokens_alone(engine: Any) -> None:
    with torch.no_grad():
        logits = engine.model(torch.tensor([PROMPT])).logits[0, -1]
    ordered, order = (logits / 0.2).softmax(-1).sort(descending=True)
    share = float(ordered[:3].sum()) - 1e-6
    samplings = [
        Sampling(max_new_tokens=1, temperature=0.2, top_p=share, seed=i) for i in range(200)
    ]
    drawn = {output.ids[0] for output in engine.generate([PROMPT] * 200, samplings)}
    assert drawn == set(order[:3].tolist())


def test_a_stop_text_ends_the_completion_and_stays(engine: Any) -> None:
    free = engine.generate([PROMPT], [Sampling(max_new_tokens=40, seed=4)])[0]
    spelled = [
        i for i, (a, b) in enumerate(zip(free.ids, free.ids[1:], strict=False)) if max(a, b) < 128
    ]
    at = spelled[1]
    stop = bytes(free.ids[at : at + 2]).decode()
    cut = engine.generate([PROMPT], [Sampling(max_new_tokens=40, seed=4, stop=(stop,))])[0]
    assert cut.finish_reason == "stop"
    assert cut.ids == free.ids[: at + 2]


def test_a_stop_id_ends_the_completion_and_stays(engine: Any) -> None:
    free = engine.generate([PROMPT], [Sampling(max_new_tokens=9, seed=4)])[0]
    sampling = Sampling(max_new_tokens=9, seed=4, stop_ids=(free.ids[3],))
    cut = engine.generate([PROMPT], [sampling])[0]
    assert cut.ids == free.ids[: free.ids.index(free.ids[3]) + 1]
    assert (cut.finish_reason, free.finish_reason) == ("stop", "length")


def test_completions_that_end_early_leave_the_others_alone(engine: Any) -> None:
    samplings = [Sampling(max_new_tokens=n, seed=n) for n in (1, 2, 3, 20)]
    outputs = engine.generate([PROMPT] * 4, samplings)
    alone = engine.generate([PROMPT], samplings[-1:])[0]
    assert [len(output.ids) for output in outputs] == [1, 2, 3, 20]
    assert outputs[-1].ids == alone.ids
    np.testing.assert_allclose(outputs[-1].logprobs, alone.logprobs, atol=1e-4)


def test_small_batches_give_what_one_batch_gives(engine: Any) -> None:
    prompts = [PROMPT[:n] for n in (3, 18, 7, 1)]
    samplings = [Sampling(max_new_tokens=6, seed=n) for n in range(4)]
    spans = [Span(1, len(prompt)) for prompt in prompts]
    small = byte_engine(max_batch_tokens=1)
    assert [o.ids for o in small.generate(prompts, samplings)] == [
        o.ids for o in engine.generate(prompts, samplings)
    ]
    for one, other in zip(
        small.logprobs(prompts, spans), engine.logprobs(prompts, spans), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_a_completion_ends_where_the_models_positions_end() -> None:
    engine = byte_engine(max_tokens=20)
    output = engine.generate([PROMPT], [Sampling(seed=0)])[0]
    assert len(PROMPT) + len(output.ids) == 20
    assert output.finish_reason == "length"


def test_what_is_too_long_is_the_backends_failure() -> None:
    engine, renderer = byte_engine(max_tokens=20), Renderer(ByteTokenizer())
    with pytest.raises(PolicyError, match="expected at most 20 tokens"):
        LanguageModelPolicy(engine, renderer).act([ASKED])
    with pytest.raises(ScorerError, match="expected at most 20 tokens"):
        LanguageModelScorer(engine, renderer).logprobs([ASKED], [Target("x")])
    with pytest.raises(EngineError, match="expected at most 20 tokens"):
        engine.branch_logprobs([PROMPT], [[Branch(18, tuple(b"north"))]])


def test_an_empty_prompt_is_refused(engine: Any) -> None:
    with pytest.raises(EngineError, match="at least one token"):
        engine.generate([()], [Sampling()])


def test_nan_is_an_error_not_a_sample() -> None:
    engine = byte_engine()
    with torch.no_grad():
        engine.model.lm_head.weight.fill_(float("nan"))
    with pytest.raises(EngineError, match="NaN"):
        engine.generate([PROMPT], [Sampling()])
    with pytest.raises(EngineError, match="NaN"):
        engine.logprobs([PROMPT], [Span(3, 5)])


def test_a_model_in_training_is_put_back_and_gets_no_gradients() -> None:
    engine = byte_engine()
    engine.model.train()
    engine.generate([PROMPT], [Sampling(max_new_tokens=2)])
    assert engine.model.training
    assert all(parameter.grad is None for parameter in engine.model.parameters())
    engine.model(torch.tensor([PROMPT]), labels=torch.tensor([PROMPT])).loss.backward()
    assert engine.model.lm_head.weight.grad is not None


def test_the_first_token_cannot_be_scored(engine: Any) -> None:
    with pytest.raises(ValueError, match=r"expected a span within 1..18, got 0..2"):
        engine.logprobs([PROMPT], [Span(0, 2)])


@pytest.mark.parametrize(
    "options",
    [{"temperature": -1.0}, {"top_p": 0.0}, {"max_new_tokens": 0}, {"stop": ("",)}],
    ids=lambda options: next(iter(options)),
)
def test_sampling_out_of_range_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Sampling(**options)


def test_an_unknown_dtype_is_named() -> None:
    with pytest.raises(ValueError, match="got 'float99'"):
        byte_engine(dtype="float99")
