from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from rmgym.envs.search.world import (
    Question,
    Triple,
    World,
    extract_answer,
    extract_facts,
    extract_relation,
    make_world,
    question_counts,
)
from rmgym.envs.search.world_names import TONGUES, Dice, Namer
from rmgym.envs.search.world_write import Template, surface

_DIGEST = """
import hashlib
from rmgym.envs.search.world import make_world
world = make_world(seed=3, passages=300, questions=80)
facts = sorted((key, value) for key, value in world.facts_of.items())
print(hashlib.sha256(repr((world.passages, world.questions, facts)).encode()).hexdigest())
"""


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


def _of_kind(world: World, kind: str) -> list[Question]:
    return [question for question in world.questions if question.kind == kind]


def _people(world: World) -> list[str]:
    triples = [triple for facts in world.facts_of.values() for triple in facts]
    return [triple.subject for triple in triples if triple.relation == "occupation"]


def _digest(hash_seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", _DIGEST]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_same_seed_gives_same_bytes_whatever_the_hash_seed() -> None:
    digests = {_digest("1"), _digest("2")}
    assert len(digests) == 1
    assert len(digests.pop().strip()) == 64


def test_different_seeds_give_different_worlds() -> None:
    one, two = (make_world(seed, 100, 10) for seed in (0, 1))
    assert {passage.title for passage in one.passages}.isdisjoint(
        passage.title for passage in two.passages
    )


def test_number_of_questions_does_not_change_the_passages() -> None:
    assert make_world(0, 150, 0).passages == make_world(0, 150, 40).passages


def test_sizes_are_exact(world: World) -> None:
    assert len(world.passages) == 2000
    assert Counter(question.kind for question in world.questions) == question_counts(500)
    assert question_counts(500)["one_hop"] == 200
    assert question_counts(500)["two_hop"] == 200
    assert question_counts(500)["comparison"] == 60


@pytest.mark.parametrize("questions", [0, 1, 7, 123])
def test_question_counts_add_up(questions: int) -> None:
    assert sum(question_counts(questions).values()) == questions


@pytest.mark.parametrize("seed", range(5))
def test_the_smallest_world_has_room_for_fifty_questions(seed: int) -> None:
    small = make_world(seed, 100, 50)
    assert (len(small.passages), len(small.questions)) == (100, 50)


@pytest.mark.parametrize(("passages", "questions"), [(99, 10), (100, -1)])
def test_impossible_sizes_are_refused(passages: int, questions: int) -> None:
    with pytest.raises(ValueError, match=f"got passages={passages}, questions={questions}"):
        make_world(0, passages, questions)


def test_too_many_questions_are_refused_with_a_cure() -> None:
    with pytest.raises(ValueError, match="ask for more passages or fewer questions"):
        make_world(0, 100, 20_000)


def test_titles_ids_and_question_texts_are_unique(world: World) -> None:
    for values in (
        [passage.title for passage in world.passages],
        [passage.id for passage in world.passages],
        [question.id for question in world.questions],
        [question.text for question in world.questions],
    ):
        assert len(set(values)) == len(values)


def test_look_ups_find_their_own_things(world: World) -> None:
    passage, question = world.passages[17], world.questions[23]
    assert world.passage(passage.id) is passage
    assert world.passage_by_title(passage.title) is passage
    assert world.question(question.id) is question
    assert world.question_by_text(f" {question.text}\n") is question


def test_unknown_things_are_not_found(world: World) -> None:
    assert world.question_by_text("Who wrote nothing?") is None
    assert world.passage_by_title("Nowhere at all") is None
    with pytest.raises(KeyError):
        world.passage("p999999")


def test_articles_have_60_to_110_words_in_3_to_6_sentences(world: World) -> None:
    for passage in world.passages:
        assert 60 <= len(passage.text.split()) <= 110
        assert 3 <= len(re.findall(r"\.(?: |$)", passage.text)) <= 6


def test_average_article_is_well_inside_the_range(world: World) -> None:
    lengths = [len(passage.text.split()) for passage in world.passages]
    assert 70 <= sum(lengths) / len(lengths) <= 100


@pytest.mark.parametrize(
    "slip",
    [
        r"[{}_|]",
        r"  ",
        r"\.\.",
        r" [,.;]",
        r"\b[Aa] (?!once|use|one|uni)[aeiou]",
        r"\b[Aa]n (?![Hh]our)[^aeiouAEIOU]",
        r"\b(\w+) \1\b",
        r"\b[Tt]he [Tt]he\b",
        r"\n",
    ],
)
def test_prose_is_free_of_slips(world: World, slip: str) -> None:
    texts = [passage.text for passage in world.passages]
    texts += [question.text for question in world.questions]
    assert [text for text in texts if re.search(slip, text)] == []


def test_vocabulary_is_varied(world: World) -> None:
    common = [word for p in world.passages for word in re.findall(r"\b[a-z']+\b", p.text)]
    assert len(set(common)) > 1500
    openings = Counter(" ".join(passage.text.split()[-6:]) for passage in world.passages)
    assert openings.most_common(1)[0][1] < 80


def test_most_people_share_a_surname_or_a_first_name(world: World) -> None:
    people = _people(world)
    surnames = Counter(name.split()[-1] for name in people)
    first_names = Counter(name.split()[0] for name in people)
    assert sum(surnames[name.split()[-1]] > 1 for name in people) / len(people) >= 0.3
    assert sum(first_names[name.split()[0]] > 1 for name in people) / len(people) >= 0.3


def test_works_of_one_name_are_told_apart_in_their_titles(world: World) -> None:
    labelled = [p.title for p in world.passages if p.title.endswith(")")]
    names = Counter(title.partition(" (")[0] for title in labelled)
    assert len(labelled) > 100
    assert min(names.values()) > 1


def test_some_towns_bear_the_names_of_people(world: World) -> None:
    eponyms = [t for facts in world.facts_of.values() for t in facts if t.relation == "eponym"]
    assert len(eponyms) > 10
    for town, _, person in eponyms:
        assert town.split()[-1] == person.split()[-1]


def test_lives_and_works_are_in_order(world: World) -> None:
    years = {
        (t.subject, t.relation): int(t.object)
        for facts in world.facts_of.values()
        for t in facts
        if t.relation.endswith("year")
    }
    for facts in world.facts_of.values():
        for subject, relation, item in facts:
            if relation == "creator":
                assert years[item, "birth_year"] + 22 < years[subject, "year"]
                assert years[subject, "year"] < years[item, "death_year"]
            if relation == "teacher":
                assert years[item, "birth_year"] + 18 <= years[subject, "birth_year"]


def test_every_fact_reads_back_from_its_article(world: World) -> None:
    for passage in world.passages:
        stated: dict[str, list[str]] = {}
        for triple in world.facts_of[passage.id]:
            if triple.subject == passage.title:
                name = surface(triple.object).removeprefix("the ")
                stated.setdefault(triple.relation, []).append(name)
        read = {relation: list(items) for relation, items in extract_facts(passage.text).items()}
        assert read == stated, passage.text


def test_gold_answers_stand_in_their_gold_passages(world: World) -> None:
    for question in world.questions:
        gold = " ".join(world.passage(gold).text for gold in question.gold_passages)
        for row in question.rows[1:]:
            for cell in row:
                assert cell in gold, question
        if question.kind in ("one_hop", "two_hop"):
            assert question.answers[0] in world.passage(question.gold_passages[-1]).text


def test_no_answer_stands_in_its_question(world: World) -> None:
    for question in world.questions:
        for answer in (*question.answers, *(cell for row in question.rows[1:] for cell in row)):
            assert answer.lower() not in question.text.lower()


def test_answers_are_unique(world: World) -> None:
    objects: dict[tuple[str, str], set[str]] = {}
    for triple in (triple for facts in world.facts_of.values() for triple in facts):
        objects.setdefault(triple[:2], set()).add(triple.object)
    for question in world.questions:
        if question.kind in ("one_hop", "two_hop", "comparison"):
            assert [objects[t[:2]] for t in question.triples] == [
                {t.object} for t in question.triples
            ]


def test_a_fact_asked_for_is_stated_in_its_gold_passage_only(world: World) -> None:
    places: dict[Triple, list[str]] = {}
    for passage_id, facts in world.facts_of.items():
        for triple in facts:
            places.setdefault(triple, []).append(passage_id)
    for question in _of_kind(world, "one_hop") + _of_kind(world, "two_hop"):
        assert [places[t] for t in question.triples] == [[g] for g in question.gold_passages]


def test_two_hop_questions_hide_their_bridge(world: World) -> None:
    for question in _of_kind(world, "two_hop"):
        first, second = question.triples
        assert first.object == second.subject
        assert first.object.lower() not in question.text.lower()
        assert second.subject.removeprefix("The ") in question.sub_queries[1]


def test_two_hop_answers_do_not_stand_in_the_first_passage(world: World) -> None:
    for question in _of_kind(world, "two_hop"):
        first = world.passage(question.gold_passages[0])
        assert len(set(question.gold_passages)) == 2
        assert not any(answer in first.contents for answer in question.answers)


def test_comparisons_need_both_passages(world: World) -> None:
    for question in _of_kind(world, "comparison"):
        one, two, answer = question.triples
        assert one.relation == two.relation != answer.relation
        assert one.object != two.object
        loser = two.subject if answer.subject == one.subject else one.subject
        passage = world.passage_by_title(loser)
        assert passage is not None
        assert question.answers[0] not in passage.text


@pytest.mark.parametrize(
    ("low", "high"), [("older", "younger"), ("earlier", "later"), ("smaller", "larger")]
)
def test_comparisons_ask_about_the_right_one(world: World, low: str, high: str) -> None:
    for question in _of_kind(world, "comparison"):
        word = re.search(rf"\bthe ({low}|{high}) of\b", question.text)
        if word:
            values = {t.subject: int(re.sub(r"\D", "", t.object)) for t in question.triples[:2]}
            pick = min if word[1] == low else max
            assert question.triples[2].subject == pick(values, key=lambda title: values[title])


def test_collections_have_a_header_and_three_rows(world: World) -> None:
    for kind in ("set", "list", "table"):
        for question in _of_kind(world, kind):
            assert question.answer_type == kind
            assert len(question.rows) == 4
            assert {len(row) for row in question.rows} == {2 if kind == "table" else 1}


def test_works_are_listed_in_order_of_date(world: World) -> None:
    bibliographies = [q for q in _of_kind(world, "list") if len(q.gold_passages) == 4]
    for question in bibliographies + _of_kind(world, "table"):
        years = [t.object for t in question.triples if t.relation == "year"]
        titles = [t.subject.partition(" (")[0] for t in question.triples if t.relation == "year"]
        assert years == sorted(years)
        assert titles == [row[0] for row in question.rows[1:]]


def test_each_gold_passage_has_its_query(world: World) -> None:
    for question in world.questions:
        assert len(question.sub_queries) == len(question.gold_passages) <= 4


def test_answers_are_extracted_from_the_gold_passage(world: World) -> None:
    for question in _of_kind(world, "one_hop"):
        gold = world.passage(question.gold_passages[0])
        assert extract_answer(question.text, gold.text) == question.answers[0]
        assert extract_answer(question.text, gold.contents) == question.answers[0]


def test_nothing_is_extracted_from_other_passages(world: World) -> None:
    for question, passage in zip(_of_kind(world, "one_hop"), world.passages, strict=False):
        if passage.id not in question.gold_passages:
            assert extract_answer(question.text, passage.text) is None


def test_two_hop_questions_are_not_answered_from_one_passage(world: World) -> None:
    for question in _of_kind(world, "two_hop"):
        for gold in question.gold_passages:
            assert extract_answer(question.text, world.passage(gold).text) is None


def test_every_hop_of_every_chain_is_extracted(world: World) -> None:
    for question in world.questions:
        for triple in question.triples:
            passage = world.passage_by_title(triple.subject)
            assert passage is not None
            found = extract_relation(triple.relation, passage.contents, triple.subject)
            assert found is not None
            assert surface(triple.object).removeprefix("the ") in found


def test_extraction_reads_the_text_it_is_given() -> None:
    text = (
        "Ana Keld, who lived from 1902 to 1971, was a botanist remembered for patience. "
        "Her teacher was Bru Sond, who became a second parent."
    )
    assert extract_relation("teacher", text, "Ana Keld") == "Bru Sond"
    assert extract_answer("Who taught Ana Keld?", text) == "Bru Sond"
    assert extract_answer("When was Ana Keld born?", f"Ana Keld\n{text}") == "1902"
    assert extract_answer("Who taught Bru Sond?", text) is None
    assert extract_relation("born_in", text, "Ana Keld") is None
    assert extract_facts("A sentence of another making.") == {}


def test_a_label_in_the_subject_must_fit_the_passage() -> None:
    text = "The Salt Road is a late 1954 film by Ana Keld. The film dates from long ago."
    assert extract_relation("creator", text, "The Salt Road (film)") == "Ana Keld"
    assert extract_relation("creator", text, "The Salt Road (1954 film)") == "Ana Keld"
    assert extract_relation("creator", text, "The Salt Road (novel)") is None
    assert extract_answer("Who directed the film The Salt Road?", text) == "Ana Keld"


def test_names_do_not_run_out() -> None:
    namer = Namer(Dice(np.random.default_rng(0)))
    names = [namer.fresh(TONGUES[4], ("ish",)) for _ in range(20_000)]
    assert len(set(names)) == 20_000
    assert max(map(len, names)) < 20


def test_a_template_knows_what_it_states() -> None:
    template = Template.parse("{S} was {a_occupation} born in {born_in}, {x_parents}.")
    assert template.relations == ("occupation", "born_in")


def test_the_default_world_has_not_changed() -> None:
    """Another digest means another world: give the environment a new version."""
    small = make_world(0, 100, 20)
    digest = hashlib.sha256(repr((small.passages, small.questions)).encode()).hexdigest()
    assert digest == "00602e0236f792356daf2fd39d3fdca7e937f2c4ae90d3e2b6aa808e055694e4"


@pytest.fixture(scope="module")
def rank_of(world: World) -> Callable[[Sequence[str], Sequence[str]], list[int]]:
    """The rank of a gold passage for each query, 4 when it is not among the first three."""
    bm25s = pytest.importorskip("bm25s")
    stemmer = pytest.importorskip("Stemmer").Stemmer("porter")

    def tokens(texts: Sequence[str]) -> Any:
        return bm25s.tokenize(list(texts), stopwords="en", stemmer=stemmer, show_progress=False)

    index = bm25s.BM25(method="lucene", k1=0.9, b=0.4)
    index.index(tokens([passage.contents for passage in world.passages]), show_progress=False)

    def ranks(queries: Sequence[str], golds: Sequence[str]) -> list[int]:
        hits, _ = index.retrieve(tokens(queries), k=3, show_progress=False)
        found = [[world.passages[number].id for number in row] for row in hits]
        return [(*row, gold).index(gold) + 1 for row, gold in zip(found, golds, strict=True)]

    return ranks


def test_search_with_the_gold_queries_finds_the_gold_passages(
    world: World, rank_of: Callable[[Sequence[str], Sequence[str]], list[int]]
) -> None:
    queries = [query for question in world.questions for query in question.sub_queries]
    golds = [gold for question in world.questions for gold in question.gold_passages]
    ranks = rank_of(queries, golds)
    assert sum(rank == 1 for rank in ranks) / len(ranks) >= 0.95
    assert max(ranks) <= 3


def test_search_with_the_question_finds_one_hop_but_not_the_second_hop(
    world: World, rank_of: Callable[[Sequence[str], Sequence[str]], list[int]]
) -> None:
    one_hop, two_hop = _of_kind(world, "one_hop"), _of_kind(world, "two_hop")
    first = rank_of([q.text for q in one_hop], [q.gold_passages[0] for q in one_hop])
    second = rank_of([q.text for q in two_hop], [q.gold_passages[1] for q in two_hop])
    assert sum(rank <= 3 for rank in first) / len(first) >= 0.9
    assert sum(rank <= 3 for rank in second) / len(second) < 0.1
