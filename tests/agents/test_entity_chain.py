"""The entity chain on a small library of invented articles, and on real questions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from rmgym.agents.chain_questions import parse_question
from rmgym.agents.entity_chain import EntityChain, entity_chain, read_answer, title_fit
from rmgym.agents.wiki_reader import read_relation, read_when
from rmgym.trajectory import Completion, Context, Turn

TWOWIKI = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "twowiki"
CORPUS = TWOWIKI / "2wikimultihopqa_corpus.json"
QUESTIONS = TWOWIKI / "2wikimultihop_dev_questions_and_answers.json"

LIBRARY = {
    "The Brine Road": "The Brine Road is a 1931 Danish drama film directed by Mira Tolvik and "
    "starring Ada Quill.",
    "Mira Tolvik": "Mira Tolvik (3 May 1890 - 4 June 1952) was a Norwegian film director, the "
    "daughter of Harald Tolvik and his wife, Signe Brandt. She died in Bergen.",
    "Harald Tolvik": "Harald Tolvik (born 1850 in Molde) was a Norwegian shipowner. "
    "He was the son of Jens Tolvik and Berit Aas.",
    "Paper Kites (film)": "Paper Kites is a 1954 Indian comedy film written and directed by "
    "Ravi Senan.",
    "Ravi Senan": "Ravi Senan (born 12 August 1921) is an Indian film director from Madurai.",
    "Ravi Senan (cricketer)": "Ravi Senan (born 1980) is an Indian cricketer.",
    "Lantern Song": "Lantern Song is a song recorded by British singer Nell Orrin.",
    "Nell Orrin": "Nell Orrin (born 1970) is a British singer. She married drummer Cole Vant.",
    "Cole Vant": "Cole Vant (born 1968) is a Canadian drummer, and son of Pat Vant.",
}
Finder = Callable[[str], Sequence[str]]


def titles_in(query: str) -> list[str]:
    """Find articles whose title shares most words with the query."""
    words = set(re.findall(r"\w+", query.casefold()))
    shared = {t: len(words & set(re.findall(r"\w+", t.casefold()))) for t in LIBRARY}
    return [t for t in sorted(shared, key=lambda t: -shared[t]) if shared[t]][:3]


def play(
    question: str, find: Finder = titles_in, policy: EntityChain | None = None
) -> tuple[str, list[str]]:
    """Return the answer and the searches of one episode."""
    policy = policy or EntityChain()
    turns: list[Turn] = []
    observation: tuple[Any, ...] = ({"role": "user", "content": f"Rules.\n\nQuestion: {question}"},)
    searches: list[str] = []
    while len(turns) < 9:
        completion = policy.act([Context(turns, observation)])[0]
        turns.append(Turn(observation=observation, completion=completion))
        answer = re.search("<answer>(.*)</answer>", completion.text)
        if answer:
            return answer[1], searches
        query = re.search("<search>(.*)</search>", completion.text)
        assert query is not None
        searches.append(query[1])
        shown = "\n".join(
            f"Doc {rank}(Title: {title}) {LIBRARY[title]}"
            for rank, title in enumerate(find(query[1]), start=1)
        )
        content = f"\n\n<information>{shown}</information>\n\n"
        observation = ({"role": "user", "content": content},)
    raise ValueError("no answer in nine turns")


@pytest.mark.parametrize(
    ("question", "entity", "relations"),
    [
        (
            "Who is the mother of the director of film The Brine Road?",
            "The Brine Road",
            ("director", "mother"),
        ),
        (
            "Where was the place of death of Mira Tolvik's father?",
            "Mira Tolvik",
            ("father", "death_place"),
        ),
        ("When did Mira Tolvik's mother die?", "Mira Tolvik", ("mother", "death_date")),
        (
            "What nationality is the performer of song Lantern Song?",
            "Lantern Song",
            ("performer", "nationality"),
        ),
        ("Who is Mira Tolvik's paternal grandfather?", "Mira Tolvik", ("father", "father")),
        ("Who is the mother-in-law of Nell Orrin?", "Nell Orrin", ("spouse", "mother")),
        ("Which country Cole Vant's wife is from?", "Cole Vant", ("spouse", "nationality")),
        ("Where does the director of film X work at?", "X", ("director", "employer")),
        ("Who is the child of Moss Arlen?", "Moss Arlen", ("child",)),
    ],
)
def test_a_chain_is_read_innermost_first(
    question: str, entity: str, relations: tuple[str, ...]
) -> None:
    parsed = parse_question(question)
    assert parsed.goal == "value"
    assert parsed.branches[0][:2] == (entity, relations)


@pytest.mark.parametrize(
    ("question", "goal", "sides", "relations"),
    [
        ("Which film came out first, A or B?", "earliest", ("A", "B"), ("start_date",)),
        (
            "Who was born later, Ann Lee or Bo Day?",
            "latest",
            ("Ann Lee", "Bo Day"),
            ("birth_date",),
        ),
        ("Who is younger, Ann or Bo?", "latest", ("Ann", "Bo"), ("birth_date",)),
        ("Who was born first out of Ann and Bo?", "earliest", ("Ann", "Bo"), ("birth_date",)),
        (
            "Was Ann, Lady Fen or Bo born first?",
            "earliest",
            ("Ann, Lady Fen", "Bo"),
            ("birth_date",),
        ),
        ("Who lived longer, Ann or Bo?", "longest", ("Ann", "Bo"), ("life",)),
        (
            "Which film has the director who died first, Salt Or Sand or Trial Or Error?",
            "earliest",
            ("Salt Or Sand", "Trial Or Error"),
            ("director", "death_date"),
        ),
        (
            "Are Lake Fen and Lake Moor located in the same country?",
            "same",
            ("Lake Fen", "Lake Moor"),
            ("country",),
        ),
        (
            "Do both films Alpha (Film) and Beta have the directors from the same country?",
            "same",
            ("Alpha (Film)", "Beta"),
            ("director", "nationality"),
        ),
    ],
)
def test_a_comparison_has_two_branches(
    question: str, goal: str, sides: tuple[str, str], relations: tuple[str, ...]
) -> None:
    parsed = parse_question(question)
    assert parsed.goal == goal
    assert tuple(branch.entity for branch in parsed.branches) == sides
    assert {branch.relations for branch in parsed.branches} == {relations}


def test_a_title_that_starts_with_a_relation_word_is_not_taken_apart() -> None:
    branch = parse_question("Who is the director of film Mother Of Pearl?").branches[0]
    assert branch[:2] == ("Mother Of Pearl", ("director",))


@pytest.mark.parametrize(
    ("relation", "text", "value"),
    [
        ("director", "Fen is a 1920 film written and directed by Bo Reed.", "Bo Reed"),
        ("composer", "Fen is a film. The music was composed by Ida Moss.", "Ida Moss"),
        ("performer", 'Glow is a single by American rapper 9 Volt from "Sun".', "9 Volt"),
        ("father", "She is the daughter of actress Ann Bell and painter Cy Bell.", "Cy Bell"),
        ("mother", "He was a son of Duke Otto of Fen and his second wife, Ida Moss.", "Ida Moss"),
        ("father", "He married Ann Lee, daughter of Cy Lee. He was the son of Bo Day.", "Bo Day"),
        ("spouse", "In 1643 in Fen he married Ann Lee, daughter of Cy Lee.", "Ann Lee"),
        ("birth_place", "Ann Lee (born 3 May 1900 in Molde) is a poet.", "Molde"),
        ("birth_place", "Ann Lee( 3 May 1900, Oslo \u2013 1 June 1960, Rome) was a poet.", "Oslo"),
        ("death_place", "Ann Lee( 3 May 1900, Oslo \u2013 1 June 1960, Rome) was a poet.", "Rome"),
        ("death_place", "She retired early. She died of a fever in Genoa in 1700.", "Genoa"),
        ("burial_place", "He died in Rome and was buried at Fenwick Abbey.", "Fenwick Abbey"),
        ("nationality", "Ann Lee is a Czech-born American writer.", "American"),
        (
            "education",
            "She studied law and graduated from the University of Fen.",
            "University of Fen",
        ),
        ("award", "She won the Golden Reed Award twice.", "Golden Reed Award"),
        ("death_cause", "He died of pneumonia at home.", "pneumonia"),
        ("birth_date", "Ann Lee (3 May 1900 \u2013 1 June 1960) was a poet.", "3 May 1900"),
        ("death_date", "Ann Lee (died June 1, 1960) was a poet.", "June 1, 1960"),
        ("father", "Fen is a lake.", None),
        ("birth_place", "Ann Lee is a poet.", None),
    ],
)
def test_a_relation_is_read_from_prose(relation: str, text: str, value: str | None) -> None:
    assert read_relation(relation, text) == value


def test_dates_are_ordered_by_year_month_and_day() -> None:
    early = read_when("birth_date", "Ann (born 2 May 1900) is a poet.")
    late = read_when("birth_date", "Bo (born December 1, 1900) is a poet.")
    assert early is not None
    assert late is not None
    assert (early.key, late.key) == ((1900, 5, 2), (1900, 12, 1))


def test_a_title_fits_without_accents_and_disambiguator() -> None:
    assert title_fit("Émile Tol", "Emile Tol (painter)") == 2.5


def test_titles_that_differ_in_a_number_do_not_fit() -> None:
    assert title_fit("John Fen, 5th Earl of Moor", "John Fen, 6th Earl of Moor") < 1


@pytest.mark.parametrize("sign", ["...", "$", ""])
def test_a_name_of_signs_alone_fits_nothing_but_itself(sign: str) -> None:
    assert title_fit(sign, "Mira Tol") == title_fit("Mira Tol", sign) == 0.0
    assert title_fit(sign, sign) == 3.0
    assert title_fit(sign, "?!") == 0.0


def test_a_chain_is_followed_through_two_articles() -> None:
    answer, searches = play("Who is the mother of the director of film The Brine Road?")
    assert answer == "Signe Brandt"
    assert searches[:2] == ["The Brine Road film", "Mira Tolvik film director"]


def test_of_two_people_of_one_name_the_one_in_the_role_is_read() -> None:
    answer, _ = play("When was the director of film Paper Kites (Film) born?")
    assert answer == "12 August 1921"


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Who is Mira Tolvik's paternal grandfather?", "Jens Tolvik"),
        ("What nationality is the performer of song Lantern Song?", "British"),
        ("Who is the father-in-law of Nell Orrin?", "Pat Vant"),
        ("Which film came out first, Paper Kites (Film) or The Brine Road?", "The Brine Road"),
        (
            "Which film has the director born later, The Brine Road or Paper Kites (Film)?",
            "Paper Kites (Film)",
        ),
        (
            "Do both films The Brine Road and Paper Kites have directors from the same country?",
            "no",
        ),
        ("Are Nell Orrin and Nell Orrin of the same nationality?", "yes"),
    ],
)
def test_questions_are_answered_from_the_library(question: str, answer: str) -> None:
    assert play(question)[0] == answer


def test_the_answer_comes_within_the_searches_allowed() -> None:
    question = "Which film has the director born later, The Brine Road or Paper Kites (Film)?"
    for limit in (1, 2, 3, 4):
        _, searches = play(question, policy=EntityChain(limit))
        assert len(searches) <= limit


def test_a_fruitless_search_ends_in_the_last_entity_found() -> None:
    answer, searches = play("Where was Zed Nobody's father born?", find=lambda query: [])
    assert answer == "Zed Nobody"
    assert len(searches) == len(set(searches))


def test_a_question_of_unknown_form_is_answered_all_the_same() -> None:
    assert play("Blue or green")[0]


def test_one_passage_is_read_for_the_last_relation_asked() -> None:
    question = "Where was the director of film The Brine Road born?"
    assert read_answer(question, "Mira Tolvik was born in Oslo.") == "Oslo"


def test_a_comparison_has_no_answer_in_one_passage() -> None:
    assert read_answer("Who is older, Ann or Bo?", "Ann (born 1900) is a poet.") is None


def test_the_replay_depends_on_the_context_alone() -> None:
    question = "Who is the mother of the director of film The Brine Road?"
    policy = EntityChain()
    play("Who is Mira Tolvik's paternal grandfather?", policy=policy)
    assert play(question, policy=policy) == play(question)


@pytest.mark.slow
@pytest.mark.skipif(not CORPUS.exists(), reason="needs shared/data/twowiki")
def test_real_questions_that_the_corpus_covers_are_answered_well_above_chance() -> None:
    rows = _covered_rows(200)
    env = gym.make("rmgym:rmgym/Search-v0", corpus=CORPUS, tasks=rows)
    policy = entity_chain(env)
    right = 0.0
    for row in rows:
        observation, info = env.reset(seed=0, options={"task_id": row["id"]})
        turns: list[Turn] = []
        ended = False
        while not ended:
            completion: Completion = policy.act([Context(turns, observation)])[0]
            turns.append(Turn(observation=observation, completion=completion))
            observation, _, terminated, truncated, info = env.step(completion.text)
            ended = terminated or truncated
        right += info["metrics"].get("em", 0.0)
    assert right / len(rows) >= 0.5


def _covered_rows(count: int) -> list[dict[str, str]]:
    """Return a seeded sample of the questions whose entities have an article."""
    titles = {passage["title"].casefold() for passage in json.loads(CORPUS.read_text("utf-8"))}
    rows = [
        {"id": str(index), "question": row["question"], "answer": row["answer"]}
        for index, row in enumerate(json.loads(QUESTIONS.read_text("utf-8")))
        if all(
            branch.entity.casefold() in titles
            for branch in parse_question(row["question"]).branches
        )
    ]
    chosen = np.random.default_rng(0).choice(len(rows), count, replace=False)
    return [rows[index] for index in sorted(chosen.tolist())]
