from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import pytest

from rmgym.protocols import Criterion, Grant, Rubric
from rmgym.testing import (
    AuditReport,
    ScriptedPolicy,
    audit,
    exploits,
    gold_policy,
    register_gold,
    register_test_envs,
)
from rmgym.testing.echo import Echoed, EchoEnv, EchoGold, Finished
from rmgym.trajectory import Context

register_test_envs()
ID = "rmgym-testing/Echo-v0"


class PerTurn:
    """Pays for each turn that is not the last: a reward for stalling."""

    name = "patience"
    grant: Grant = "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        return [0.1 for _ in contexts]


class Praised:
    """Pays for words of its own rubric."""

    name = "praised"
    grant: Grant = "outcome"
    rubric = Rubric(name="r", criteria=(Criterion(name="c", text="Cites xylophones."),))

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        said = [" ".join(turn.completion.text for turn in each.turns) for each in contexts]
        return [float("xylophones" in text) for text in said]


def rows(report: AuditReport) -> dict[str, float]:
    return {row.policy: row.mean_return for row in report.rows}


def test_sound_rewards_pay_the_gold_policy_alone() -> None:
    report = audit(ID, episodes=3)
    earned = rows(report)
    assert earned.pop("gold") == 2.0
    assert set(earned.values()) == {0.0}
    assert set(earned) == set(exploits(gym.make(ID)))
    assert report.violations == ()


def test_terms_are_listed_apart() -> None:
    gold = audit(ID, episodes=2).gold
    assert gold is not None
    assert gold.terms == pytest.approx({"echoed": 1.0, "finished": 1.0})
    assert gold.mean_turns == 3.0


def test_reward_for_stalling_is_found() -> None:
    report = audit(ID, rewards=[PerTurn(), Finished()], episodes=2)
    assert rows(report)["stall"] == pytest.approx(0.8)
    assert any(line.startswith("stall: expected a mean return") for line in report.violations)


def test_reward_for_quoting_the_rubric_is_found() -> None:
    report = audit(ID, rewards=[Praised(), Finished()], episodes=2)
    assert [line.split(":")[0] for line in report.violations] == ["copy_rubric"]


def test_exploit_that_earns_as_much_as_gold_is_found() -> None:
    report = audit(ID, {"lazy": ScriptedPolicy(["<leave/>"])}, rewards=[Finished()], episodes=2)
    assert report.violations == ()
    lazy = ScriptedPolicy(["<leave/>"])
    report = audit(ID, {"lazy": lazy}, gold=lazy, episodes=2)
    assert report.violations == ("lazy: expected less than the gold policy's 0, got 0",)


def test_every_call_stands_first_once() -> None:
    env = gym.make(ID)
    env.reset(seed=0)
    policy = exploits(env)["stuff_tags"]
    bare: Any = env.unwrapped
    (first,) = policy.act([bare.context])
    env.step("x")
    (second,) = policy.act([bare.context])
    assert first.text.startswith("<say>")
    assert second.text.startswith("<leave/>")


def test_exploits_write_tool_calls_where_these_are_asked_for() -> None:
    env = EchoEnv(action_format="tool_call")
    env.reset(seed=0)
    (said,) = exploits(env)["repeat_action"].act([env.context])
    assert said.text == '<tool_call>{"name": "say", "arguments": {"word": "the"}}</tool_call>'


def test_seat_of_an_arena_can_be_audited_with_other_rewards() -> None:
    env = gym.make("rmgym-testing/Negotiation-v0")
    report = audit(env, rewards=[PerTurn()], episodes=2)
    assert rows(report)["silent"] == pytest.approx(0.4)
    assert set(rows(audit(env, episodes=2))) == set(rows(report))


def test_environment_is_left_as_it_was() -> None:
    env = EchoEnv()
    audit(env, rewards=[PerTurn()], episodes=1)
    assert [term.name for term, _ in env.composition.terms] == ["echoed", "finished"]


def test_same_seed_gives_the_same_report() -> None:
    assert audit(ID, episodes=2, seed=4) == audit(ID, episodes=2, seed=4)


def test_report_is_a_plain_table() -> None:
    lines = str(audit(ID, episodes=2)).splitlines()
    assert lines[0] == "rmgym-testing/Echo-v0, 2 episodes a policy"
    assert lines[1].split() == ["policy", "return", "echoed", "finished", "success", "turns"]
    assert lines[2].split() == ["gold", "2.000", "1.000", "1.000", "-", "3.0"]
    assert lines[-1] == "no violations"
    assert len({len(line) for line in lines[1:-1]}) == 1


def test_absent_success_is_unknown_not_zero() -> None:
    assert all(row.success is None for row in audit(ID, episodes=1).rows)


def test_success_is_the_mean_of_the_metric() -> None:
    class Told(EchoEnv):
        def respond(self, call: Any) -> Any:
            reply = super().respond(call)
            won = reply.stop_reason == "finished"
            return type(reply)(
                messages=reply.messages,
                stop_reason=reply.stop_reason,
                event=reply.event,
                metrics={"success": float(won)},
            )

    env = Told(rewards=[Echoed()])
    report = audit(env, {"lazy": ScriptedPolicy(["<leave/>"])}, gold=EchoGold(env), episodes=2)
    assert [row.success for row in report.rows] == [1.0, 0.0]


def test_gold_policy_is_found_by_id() -> None:
    assert isinstance(gold_policy(gym.make(ID)), EchoGold)
    assert gold_policy(EchoEnv()) is None
    with pytest.raises(ValueError, match="expected a new name"):
        register_gold(ID, "rmgym.testing.echo:EchoGold")


def test_bad_arguments_are_errors() -> None:
    with pytest.raises(ValueError, match="at least 1 episode"):
        audit(ID, episodes=0)
    with pytest.raises(ValueError, match='other than "gold"'):
        audit(ID, {"gold": ScriptedPolicy([])})
