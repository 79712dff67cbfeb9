from __future__ import annotations

import math
import os
import subprocess
import sys

import numpy as np
import pytest

from rmgym.messages import Message, message
from rmgym.protocols import Scorer, Target
from rmgym.rewards.information_gain import ANSWER_LEAD, gains, potentials
from rmgym.tools.ngram import END, SYMBOLS, NGramScorer, words_of
from rmgym.trajectory import Completion, Context, Trajectory, Turn

QUESTION = (
    "Use the search tool.\nQuestion: Who is the mother of the director of the film Glass Harbour?"
)
HOP_ONE = "Doc 1(Title: Glass Harbour) Glass Harbour is a 1998 film directed by Tomas Verel.\n"
HOP_TWO = "Doc 1(Title: Tomas Verel) Tomas Verel is a director. He is the son of Irena Kosova.\n"
NOISE = "Doc 1(Title: Lake Mirna) Lake Mirna is a deep lake. Many birds rest there in spring.\n"
ANSWER = "Irena Kosova"
SCORER = NGramScorer()


def conversation(*shown: str, said: str = "<search>q</search>", role: str = "user") -> Context:
    """Return a conversation in which the agent says the same after each but the last text."""
    messages: list[tuple[Message, ...]] = [
        (message("tool" if role == "tool" and i else "user", text),) for i, text in enumerate(shown)
    ]
    turns = [Turn(observation=seen, completion=Completion(text=said)) for seen in messages[:-1]]
    return Context(tuple(turns), messages[-1])


def mean_logprob(context: Context, answer: str = ANSWER) -> float:
    return SCORER.logprobs([context], [Target(answer, ANSWER_LEAD)])[0].mean


@pytest.mark.parametrize("said", ["", "tomas", "tomas verel", "is the son of", "zzz"])
@pytest.mark.parametrize("spelled", [b"", b"t", b"ire", b"zq", b"\xc5"])
def test_the_symbols_probabilities_sum_to_one(said: str, spelled: bytes) -> None:
    context = conversation(QUESTION, HOP_ONE, HOP_TWO + "Łódź \ud800")
    distribution = SCORER.next_symbol(context, Target(said), spelled)
    assert distribution.shape == (SYMBOLS,)
    assert abs(float(distribution.sum()) - 1.0) < 1e-9
    assert float(distribution.min()) >= 0.0


def test_the_symbols_probabilities_sum_to_one_before_anything_is_shown() -> None:
    assert abs(float(SCORER.next_symbol(Context((), ())).sum()) - 1.0) < 1e-9


def test_scores_are_the_conditional_probabilities_of_the_symbols() -> None:
    context = conversation(QUESTION, HOP_ONE, HOP_TWO)
    found = SCORER.logprobs([context], [Target("Verel Łx", "<answer>")])[0]
    expected: list[float] = []
    ids: list[int] = []
    said = ""
    for word in ("verel", "łx"):
        symbols = [*word.encode(), END]
        for i, symbol in enumerate(symbols):
            distribution = SCORER.next_symbol(context, Target(said), bytes(symbols[:i]))
            expected.append(math.log(distribution[symbol]))
        ids += symbols
        said = f"{said} {word}"
    assert found.token_ids == tuple(ids)
    assert found.logprobs == pytest.approx(expected, rel=1e-9)


def test_the_sentence_with_the_answer_raises_its_probability() -> None:
    before = mean_logprob(conversation(QUESTION, HOP_ONE))
    after = mean_logprob(conversation(QUESTION, HOP_ONE, HOP_TWO))
    assert math.exp(after) - math.exp(before) > 0.5


def test_a_repeated_passage_adds_nothing() -> None:
    once = mean_logprob(conversation(QUESTION, HOP_TWO))
    again = mean_logprob(conversation(QUESTION, HOP_TWO, HOP_TWO, HOP_TWO))
    assert again == once


def test_a_repeated_passage_at_another_rank_adds_next_to_nothing() -> None:
    once = mean_logprob(conversation(QUESTION, HOP_TWO))
    again = mean_logprob(conversation(QUESTION, HOP_TWO, HOP_TWO.replace("Doc 1", "Doc 2")))
    assert abs(math.exp(again) - math.exp(once)) < 0.01


def test_an_irrelevant_passage_tells_nothing_about_an_unseen_answer() -> None:
    before = mean_logprob(conversation(QUESTION))
    assert mean_logprob(conversation(QUESTION, NOISE)) == pytest.approx(before, abs=1e-12)


@pytest.mark.parametrize(
    "said",
    [
        f"<think>It is {ANSWER}. The mother of the director is {ANSWER}.</think>",
        f"<search>{ANSWER}</search>" * 20,
        f"Ana Lisova, Vera Banik, {ANSWER}, Nela Hruba",
        f"<information>{HOP_TWO}</information>",
    ],
)
def test_an_agent_that_says_the_answer_gains_nothing(said: str) -> None:
    honest = mean_logprob(conversation(QUESTION, NOISE, NOISE))
    assert mean_logprob(conversation(QUESTION, NOISE, NOISE, said=said)) == honest


def test_tool_messages_are_read_like_user_messages() -> None:
    as_user = mean_logprob(conversation(QUESTION, HOP_TWO))
    assert mean_logprob(conversation(QUESTION, HOP_TWO, role="tool")) == as_user


def test_the_passage_about_the_question_outweighs_the_same_words_elsewhere() -> None:
    question = "Where was Karel Dunsky born?"
    near = "Karel Dunsky was born in Olmova.\nThe river flows past many towns."
    far = "Karel Dunsky was born somewhere.\nThe river flows past Olmova."
    assert mean_logprob(conversation(question, near), "Olmova") > mean_logprob(
        conversation(question, far), "Olmova"
    )


def test_the_gold_passage_of_a_two_hop_question_gains_most() -> None:
    texts = [QUESTION, NOISE, HOP_ONE, HOP_TWO, HOP_TWO, NOISE]
    turns = tuple(
        Turn(observation=(message("user", text),), completion=Completion(text="<search>q</search>"))
        for text in texts
    )
    trajectory = Trajectory(env_id="Test-v0", task_id="t", turns=turns)
    found = gains(potentials(trajectory, SCORER, references=[ANSWER]))
    assert found is not None
    assert int(np.argmax(found)) == 2
    assert found[2] > 0.5
    assert found[3:] == [0.0, 0.0]


def test_the_order_of_the_words_counts() -> None:
    context = conversation(QUESTION, HOP_TWO)
    assert mean_logprob(context, "Irena Kosova") > mean_logprob(context, "Kosova Irena")


def test_the_lead_is_conditioned_on_up_to_its_last_border() -> None:
    context = conversation(QUESTION, HOP_TWO)
    plain, led, cut = SCORER.logprobs(
        [context] * 3,
        [Target("Irena"), Target("Irena", "He is the son of"), Target("Irena", "son of <answer>")],
    )
    assert led.mean > plain.mean
    assert cut == plain


def test_a_batch_is_scored_in_order_and_without_memory() -> None:
    contexts = [conversation(QUESTION), conversation(QUESTION, HOP_TWO), conversation(QUESTION)]
    targets = [Target(ANSWER), Target(ANSWER), Target(ANSWER)]
    first, second, third = SCORER.logprobs(contexts, targets)
    assert first == third != second
    assert SCORER.logprobs(contexts[1:2], targets[:1]) == [second]


def test_case_and_punctuation_do_not_matter() -> None:
    context = conversation(QUESTION, HOP_TWO)
    assert mean_logprob(context, "IRENA, Kosova!") == mean_logprob(context, ANSWER)


@pytest.mark.parametrize("answer", ["\ud800", "x\udfffy", "?!", "日本", "w" * 5000])
def test_any_text_gets_finite_scores(answer: str) -> None:
    shown = conversation(QUESTION, f"It is {answer} they say.", NOISE)
    for context in (shown, conversation(QUESTION), Context((), ())):
        found = SCORER.logprobs([context], [Target(answer)])[0]
        assert found.logprobs
        assert all(math.isfinite(each) and each <= 1e-12 for each in found.logprobs)
        assert len(found.token_ids) == len(found.logprobs)


def test_a_lone_surrogate_in_a_passage_is_found() -> None:
    assert mean_logprob(conversation(QUESTION, "a x\udfffy b"), "x\udfffy") > mean_logprob(
        conversation(QUESTION, "a b"), "x\udfffy"
    )


def test_characters_without_blanks_between_words_are_words() -> None:
    assert words_of("法国首都巴黎 Paris") == ["法", "国", "首", "都", "巴", "黎", "paris"]
    assert mean_logprob(conversation("法国的首都?", "法国首都巴黎"), "巴黎") > mean_logprob(
        conversation("法国的首都?", "法国首都"), "巴黎"
    )


def test_a_blank_answer_has_no_tokens() -> None:
    assert math.isnan(SCORER.logprobs([conversation(QUESTION)], [Target("  ")])[0].mean)


def test_contexts_and_targets_must_pair() -> None:
    with pytest.raises(ValueError, match="one target per context"):
        SCORER.logprobs([conversation(QUESTION)], [])


def test_it_is_a_scorer() -> None:
    assert isinstance(SCORER, Scorer)


def test_scores_do_not_depend_on_the_hash_seed() -> None:
    program = (
        "from rmgym.tools.ngram import NGramScorer\n"
        "from rmgym.trajectory import Context\n"
        "from rmgym.protocols import Target\n"
        f"shown = ({{'role': 'user', 'content': {QUESTION + HOP_ONE + HOP_TWO + NOISE!r}}},)\n"
        f"print(NGramScorer().logprobs([Context((), shown)], [Target({ANSWER!r})]))\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1
