from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence

import pytest

from rmgym.agents.engine import (
    Engine,
    EngineError,
    EngineOutput,
    Ids,
    Sampling,
    Span,
    check_sequences,
    stream_seed,
)
from rmgym.agents.language_model import LanguageModelPolicy, LanguageModelScorer
from rmgym.agents.renderer import Renderer
from rmgym.errors import MissingExtraError, PolicyError, ScorerError
from rmgym.messages import message
from rmgym.protocols import Target
from rmgym.testing.bytes_tokenizer import END, VOCABULARY, ByteTokenizer
from rmgym.trajectory import Completion, Context, Trajectory, Turn

ASKED = Context((), (message("user", "Where?"),))
RENDERER = Renderer(ByteTokenizer())


class EchoEngine:
    """Says its seed's last digit and stops; gives every token the same probability."""

    policy_version: int | None = 3

    def __init__(self) -> None:
        self.samplings: list[Sampling] = []
        self.scored: list[Ids] = []

    def generate(self, prompts: Sequence[Ids], samplings: Sequence[Sampling]) -> list[EngineOutput]:
        self.samplings += samplings
        said = [(48 + (each.seed or 0) % 10, END) for each in samplings]
        logprobs = (-math.log(VOCABULARY),) * 2
        return [EngineOutput(ids=ids, logprobs=logprobs, finish_reason="stop") for ids in said]

    def logprobs(self, sequences: Sequence[Ids], spans: Sequence[Span]) -> list[tuple[float, ...]]:
        check_sequences(sequences, spans)
        self.scored += [ids[slice(*span)] for ids, span in zip(sequences, spans, strict=True)]
        return [(-math.log(VOCABULARY),) * (span.end - span.start) for span in spans]


class BrokenEngine(EchoEngine):
    def generate(self, prompts: Sequence[Ids], samplings: Sequence[Sampling]) -> list[EngineOutput]:
        raise EngineError("out of memory")

    def logprobs(self, sequences: Sequence[Ids], spans: Sequence[Span]) -> list[tuple[float, ...]]:
        raise EngineError("out of memory")


def test_a_completion_holds_what_the_engine_was_given_and_sampled() -> None:
    engine: Engine = EchoEngine()
    (completion,) = LanguageModelPolicy(engine, RENDERER).act([ASKED])
    assert completion == Completion(
        text="0",
        prompt_ids=ByteTokenizer().prompt(ASKED),
        completion_ids=(48, END),
        logprobs=(-math.log(VOCABULARY),) * 2,
        finish_reason="stop",
        policy_version=3,
    )


def test_the_renderers_stop_tokens_end_a_completion() -> None:
    engine = EchoEngine()
    LanguageModelPolicy(engine, RENDERER, sampling=Sampling(stop_ids=(10,))).act([ASKED])
    assert engine.samplings[0].stop_ids == (10, END)


def test_seeds_reach_the_engine_mixed_with_the_prompt() -> None:
    engine = EchoEngine()
    other = Context((), (message("user", "Who?"),))
    LanguageModelPolicy(engine, RENDERER).act([ASKED, ASKED, other], seeds=[4, 5, 4])
    prompts = [ByteTokenizer().prompt(context) for context in (ASKED, other)]
    assert [each.seed for each in engine.samplings] == [
        stream_seed(4, prompts[0]),
        stream_seed(5, prompts[0]),
        stream_seed(4, prompts[1]),
    ]
    assert len({each.seed for each in engine.samplings}) == 3


def test_only_the_text_of_a_target_is_scored() -> None:
    engine = EchoEngine()
    (found,) = LanguageModelScorer(engine, RENDERER).logprobs([ASKED], [Target("né", "<answer>")])
    assert found.token_ids == (110, 195, 169)
    assert engine.scored == [(110, 195, 169)]
    assert found.mean == pytest.approx(-math.log(VOCABULARY))


def test_potentials_give_one_score_a_turn() -> None:
    turns = tuple(
        Turn(observation=(message("user", said),), completion=Completion(text=said))
        for said in ("a", "b", "c")
    )
    trajectory = Trajectory(env_id="e", task_id="t", turns=turns)
    scorer = LanguageModelScorer(EchoEngine(), RENDERER)
    (found, none) = scorer.potentials(
        [trajectory, Trajectory(env_id="e", task_id="t", turns=())], [Target("x"), Target("y")]
    )
    assert [each.token_ids for each in found] == [(120,)] * 3
    assert none == []


def test_a_broken_engine_is_a_broken_policy_and_a_broken_scorer() -> None:
    with pytest.raises(PolicyError, match="out of memory"):
        LanguageModelPolicy(BrokenEngine(), RENDERER).act([ASKED])
    with pytest.raises(ScorerError, match="out of memory"):
        LanguageModelScorer(BrokenEngine(), RENDERER).logprobs([ASKED], [Target("x")])


def test_one_target_per_context_is_asked_for() -> None:
    scorer = LanguageModelScorer(EchoEngine(), RENDERER)
    with pytest.raises(ValueError, match="expected one target per context, got 2 for 1"):
        scorer.logprobs([ASKED], [Target("x")] * 2)


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed")
def test_a_missing_library_is_named_with_its_extra() -> None:
    from rmgym.agents.transformers_engine import TransformersEngine

    with pytest.raises(MissingExtraError, match=r"rmgym\[transformers\]"):
        TransformersEngine(None, None)
