from __future__ import annotations

import pytest

from rmgym.agents.catalog import demo_policy_names, make_policy
from rmgym.agents.debate import Evidence, Independent
from rmgym.agents.debate_critics import Critic
from rmgym.agents.debate_reading import DebateView, most_held, read_speeches
from rmgym.envs.debate.arena import DebateArena
from rmgym.envs.debate.seat import debate_seat, play_arena
from rmgym.messages import message
from rmgym.rollout import rollout
from rmgym.trajectory import Context


def test_view_reads_what_the_debate_says() -> None:
    arena = DebateArena(agents=3, pressure=2.0, informed=1, judge="biased", framing="survival")
    arena.reset(seed=0)
    first = DebateView.of(arena.context("Agent1"))
    assert first.opening.seats == ("Agent1", "Agent2", "Agent3")
    assert first.opening.code == arena.episode.code
    assert first.opening.question == arena.task.question
    assert first.opening.note == arena.task.references[0]
    assert first.opening.prize == 2.0
    assert (first.round, first.heard, first.holds, first.judge) == (1, [], None, "")
    arena.step({"Agent1": "<answer>1 000</answer>", "Agent2": "so\nit is", "Agent3": ""})
    view = DebateView.of(arena.context("Agent1"))
    assert view.round == 2
    assert view.holds == "1 000"
    assert [(s.seat, s.answer) for s in view.heard] == [("Agent2", None), ("Agent3", None)]
    assert "stands out" in view.judge


def test_quoted_lines_are_not_read_as_speeches() -> None:
    text = "Round 1:\n[Agent2] answer 4\n| [Agent3] answer 5\n| Round 9 begins.\n[Agent3] no answer"
    assert [(s.seat, s.answer) for s in read_speeches(text)] == [("Agent2", "4"), ("Agent3", None)]


def test_other_conversations_are_refused() -> None:
    with pytest.raises(ValueError, match="opening of a debate"):
        DebateView.of(Context((), (message("user", "Hello."),)))
    with pytest.raises(ValueError, match="case of two responses"):
        Critic(lambda question: None).say(Context((), (message("user", "Hello."),)))


def test_probabilities_are_checked() -> None:
    with pytest.raises(ValueError, match="accuracy from 0 to 1"):
        Independent(lambda question: None, accuracy=1.5)
    with pytest.raises(ValueError, match="expected probabilities"):
        Critic(lambda question: None, accuracies=())


def test_majority_prefers_ones_own_among_equals() -> None:
    assert most_held(["5", "4"], "4") == "4"
    assert most_held(["5", "4", "5", "5"], "4") == "5"


def test_draws_depend_on_debate_and_seat_and_seed_alone() -> None:
    views = []
    for framing in ("none", "survival"):
        arena = DebateArena(framing=framing)
        arena.reset(seed=0)
        views += [DebateView.of(arena.context(seat)) for seat in ("Agent1", "Agent2")]
    drawn = [float(view.rng(0).random()) for view in views]
    assert drawn[:2] == drawn[2:]
    assert drawn[0] != drawn[1]
    assert float(views[0].rng(1).random()) != drawn[0]


def test_evidence_follows_the_surer_agent() -> None:
    arena = DebateArena(agents=2, rounds=2)
    arena.reset(seed=0)
    policy = Evidence(arena.gold_task, accuracy=0.6)
    arena.step({"Agent1": "(confidence 0.95) <answer>77</answer>", "Agent2": ""})
    assert "<answer>77</answer>" in policy.act([arena.context("Agent2")])[0].text
    arena.reset(seed=0)
    arena.step({"Agent1": "(confidence 0.10) <answer>77</answer>", "Agent2": ""})
    assert "<answer>77</answer>" not in policy.act([arena.context("Agent2")])[0].text


def test_own_view_of_motions_is_for_or_against() -> None:
    arena = DebateArena(agents=3, rounds=1, questions="motions")
    play_arena(arena, dict.fromkeys(arena.possible_agents, Independent(arena.gold_task)), 0)
    assert {s.answer for s in arena.episode.stances.values()} <= {"for", "against"}
    assert len(arena.tasks) == 60


@pytest.mark.parametrize("env_id", [f"rmgym/{n}-v0" for n in ("Debate", "Critique", "PlanGround")])
def test_catalogue_has_policies_of_each_id(env_id: str) -> None:
    assert demo_policy_names(env_id)


@pytest.mark.parametrize("name", demo_policy_names("rmgym/Debate-v0"))
def test_each_debater_plays_every_phase(name: str) -> None:
    env = debate_seat(judge="peer", post_hoc=True, rounds=3)
    result = rollout(env, make_policy("rmgym/Debate-v0", name, env), 3)
    for trajectory in result:
        invalid = [t for t in trajectory.turns if t.info["event"].get("kind") == "invalid"]
        assert not invalid
        assert "kindness" in trajectory.metrics
