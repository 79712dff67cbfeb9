from collections.abc import Sequence
from functools import partial

import numpy as np
import pytest

from rmgym.protocols import Hit, Passage
from rmgym.tools.retrieval import (
    Bm25Retriever,
    NoisyRetriever,
    contradict,
    drop_gold,
    duplicate_paraphrased,
    inject_instruction,
    inject_passage,
    shuffle_order,
    truncate_snippets,
)
from rmgym.tools.retrieval.noise import INSTRUCTIONS, Noise, reword

TEXT = "Ada Lovelace wrote the first program. She was born in London in 1815."
PASSAGES = [Passage(id=f"d{i}", title=f"T{i}", text=f"{TEXT} Copy {i}.") for i in range(4)]
HITS = [Hit(passage=p, score=4.0 - i, rank=i + 1) for i, p in enumerate(PASSAGES)]
RIVAL = Passage(id="rival", title="R", text="London was it not.")
NOISES: list[Noise] = [
    partial(drop_gold, gold_ids={"d1"}, probability=0.5),
    partial(inject_passage, passage=RIVAL),
    shuffle_order,
    partial(truncate_snippets, characters=10),
    duplicate_paraphrased,
    inject_instruction,
]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.passage.id for hit in hits]


@pytest.mark.parametrize("noise", NOISES)
def test_every_noise_is_a_pure_function_of_hits_and_generator(noise: Noise) -> None:
    before = list(HITS)
    first, second = noise(HITS, rng(3)), noise(HITS, rng(3))
    assert first == second
    assert before == HITS
    assert [hit.rank for hit in first] == list(range(1, len(first) + 1))


@pytest.mark.parametrize("noise", NOISES)
def test_every_noise_takes_no_hits(noise: Noise) -> None:
    assert len(noise([], rng())) <= 1


@pytest.mark.parametrize(
    ("probability", "left"), [(0.0, ["d0", "d1", "d2", "d3"]), (1.0, ["d0", "d3"])]
)
def test_drop_gold_drops_gold_alone(probability: float, left: list[str]) -> None:
    assert ids(drop_gold(HITS, rng(), gold_ids=["d1", "d2"], probability=probability)) == left


def test_drop_gold_drops_at_its_rate() -> None:
    generator = rng(1)
    kept = sum(
        len(drop_gold(HITS, generator, gold_ids=["d1"], probability=0.3)) == 4 for _ in range(2000)
    )
    assert 0.66 < kept / 2000 < 0.74


def test_drop_gold_refuses_a_probability_above_one() -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        drop_gold(HITS, rng(), gold_ids=[], probability=1.5)


def test_inject_passage_keeps_scores_in_order() -> None:
    places = set()
    for seed in range(40):
        hits = inject_passage(HITS, rng(seed), passage=RIVAL)
        places.add(ids(hits).index("rival"))
        scores = [hit.score for hit in hits]
        assert scores == sorted(scores, reverse=True)
    assert places == {0, 1, 2, 3, 4}


def test_contradict_names_the_rival_under_its_own_id() -> None:
    copy = contradict(PASSAGES[0], answer="London", rival="Paris")
    assert "Paris in 1815" in copy.text
    assert "London" not in copy.text
    assert copy.id == "d0#contradiction"


@pytest.mark.parametrize(("answer", "rival"), [("Rome", "Paris"), ("", "x"), ("London", "London")])
def test_contradict_refuses_what_would_not_contradict(answer: str, rival: str) -> None:
    with pytest.raises(ValueError, match="expected an answer"):
        contradict(PASSAGES[0], answer=answer, rival=rival)


def test_shuffle_order_keeps_the_passages() -> None:
    shuffled = shuffle_order(HITS, rng(5))
    assert sorted(ids(shuffled)) == ids(HITS)
    assert len({tuple(ids(shuffle_order(HITS, rng(seed)))) for seed in range(30)}) > 5


def test_truncate_snippets_cuts_a_window() -> None:
    for hit, old in zip(truncate_snippets(HITS, rng(), characters=12), HITS, strict=True):
        assert len(hit.passage.text) == 12
        assert hit.passage.text in old.passage.text
    assert truncate_snippets(HITS, rng(), characters=9999) == HITS


def test_duplicate_paraphrased_keeps_names_and_figures() -> None:
    hits = duplicate_paraphrased(HITS, rng(2))
    place = next(i for i, hit in enumerate(hits) if hit.passage.id.endswith("#paraphrase"))
    copy, original = hits[place].passage, hits[place - 1].passage
    assert copy.id == f"{original.id}#paraphrase"
    assert copy.text != original.text
    assert all(word in copy.text for word in ("Ada Lovelace", "London", "1815"))


def test_duplicate_paraphrased_takes_another_paraphraser() -> None:
    def shout(text: str, generator: np.random.Generator) -> str:
        return text.upper()

    hits = duplicate_paraphrased(HITS[:1], rng(), paraphrase=shout)
    assert hits[1].passage.text == PASSAGES[0].text.upper()


def test_reword_takes_an_empty_text() -> None:
    assert reword("", rng()).endswith(", ")


def test_inject_instruction_tells_one_hit() -> None:
    told = [
        hit for hit in inject_instruction(HITS, rng(4)) if hit.passage.text.endswith(INSTRUCTIONS)
    ]
    assert len(told) == 1


@pytest.fixture
def noisy() -> NoisyRetriever:
    noises: list[Noise] = [
        shuffle_order,
        partial(inject_passage, passage=RIVAL),
        inject_instruction,
    ]
    return NoisyRetriever(Bm25Retriever(PASSAGES), noises, seed=7)


def test_a_noisy_retriever_does_not_mind_the_order_of_queries(noisy: NoisyRetriever) -> None:
    queries = ["first program", "London \ud800", "Ada", ""]
    forward = noisy.search(queries, 3)
    assert noisy.search(queries[::-1], 3) == forward[::-1]
    assert [noisy.search([query], 3)[0] for query in queries] == forward


def test_a_noisy_retriever_returns_at_most_k(noisy: NoisyRetriever) -> None:
    assert [len(hits) for hits in noisy.search(["Ada", "London"], 2)] == [2, 2]


def test_the_seed_of_a_noisy_retriever_matters() -> None:
    def orders(seed: int) -> list[list[str]]:
        retriever = NoisyRetriever(Bm25Retriever(PASSAGES), [shuffle_order], seed=seed)
        return [ids(hits) for hits in retriever.search(["Ada", "London", "program", "first"], 4)]

    assert orders(1) == orders(1)
    assert orders(1) != orders(2)
