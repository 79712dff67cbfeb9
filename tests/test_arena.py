from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from gymnasium import spaces
from gymnasium.error import ResetNeeded

from rmgym.errors import MissingExtraError
from rmgym.testing.negotiation import Negotiation, Turns

MODES = ("alternating", "simultaneous")


def started(**arguments: Any) -> Negotiation:
    """Begin an episode in which the cost is 44 and the value 72."""
    arena = Negotiation(**arguments)
    arena.reset(seed=0)
    assert (arena.episode.cost, arena.episode.value) == (44, 72)
    return arena


def test_seats_see_their_own_limit_alone() -> None:
    observations, infos = Negotiation().reset(seed=0)
    assert "44" in observations["seller"][0]["content"]
    assert "44" not in observations["buyer"][0]["content"]
    assert infos["buyer"]["task"] == {"seat": "buyer", "limit": 72}


def test_info_says_who_may_speak() -> None:
    arena = Negotiation()
    _, infos = arena.reset(seed=0)
    assert [infos[seat]["may_speak"] for seat in arena.agents] == [True, False]
    *_, infos = arena.step({"seller": ""})
    assert [infos[seat]["may_speak"] for seat in arena.agents] == [False, True]


def test_seat_that_may_not_speak_is_not_heard() -> None:
    arena = started()
    arena.step({"seller": "<offer>60</offer>", "buyer": "<quit/>"})
    assert arena.agents == ["seller", "buyer"]
    assert arena.records["buyer"].turns == []


def test_accepted_offer_pays_both_sides() -> None:
    arena = started()
    arena.step({"seller": "<offer>60</offer>"})
    _, rewards, terminated, truncated, infos = arena.step({"buyer": "<accept/>"})
    assert rewards == {"seller": 0.16, "buyer": 0.12}
    assert terminated == {"seller": True, "buyer": True}
    assert truncated == {"seller": False, "buyer": False}
    assert {info["stop_reason"] for info in infos.values()} == {"deal"}
    assert arena.agents == []


def test_crossing_offers_in_turn_make_a_deal_at_the_earlier_one() -> None:
    arena = started()
    arena.step({"seller": "<offer>50</offer>"})
    assert arena.step({"buyer": "<offer>70</offer>"})[1] == {"seller": 0.06, "buyer": 0.22}


def test_crossing_offers_at_once_make_a_deal_in_the_middle() -> None:
    arena = started(turns="simultaneous")
    rewards = arena.step({"seller": "<offer>50</offer>", "buyer": "<offer>71</offer>"})[1]
    assert rewards == {"seller": 0.16, "buyer": 0.12}


def test_no_seat_sees_what_the_other_says_in_the_same_step() -> None:
    arena = started(turns="simultaneous")
    observations, *_ = arena.step({"seller": "<offer>90</offer>", "buyer": "<accept/>"})
    assert [said["content"] for said in observations["buyer"]] == [
        "There is no price to accept yet.",
        "The seller offers 90.",
    ]


def test_bad_deal_costs() -> None:
    arena = started()
    arena.step({"seller": "<offer>0</offer>"})
    assert arena.step({"buyer": "<accept/>"})[1] == {"seller": -0.44, "buyer": 0.72}


def test_quitting_earns_nothing() -> None:
    assert started().step({"seller": "<quit/>"})[1] == {"seller": 0.0, "buyer": 0.0}


def test_last_round_ends_the_episode() -> None:
    arena = started(rounds=1)
    arena.step({"seller": ""})
    _, rewards, terminated, truncated, infos = arena.step({"buyer": ""})
    assert rewards == {"seller": 0.0, "buyer": 0.0}
    assert all(terminated.values())
    assert not any(truncated.values())
    assert infos["seller"]["stop_reason"] == "rounds"


def test_malformed_turn_is_explained_to_its_speaker_alone() -> None:
    arena = started()
    observations, *_, infos = arena.step({"seller": "<offer>lots</offer>"})
    assert infos["seller"]["event"] == {"kind": "invalid"}
    assert "could not be read" in observations["seller"][-1]["content"]
    assert observations["buyer"][-1]["content"] == "The seller names no price."


def test_waiting_seat_keeps_its_count_of_turns() -> None:
    arena = started()
    arena.step({"seller": "<offer>90</offer>"})
    *_, infos = arena.step({"buyer": "<offer>10</offer>"})
    assert infos["seller"]["metrics"]["turns"] == 1.0


def test_each_seat_has_a_record_of_its_own() -> None:
    arena = started()
    arena.step({"seller": "<offer>90</offer>"})
    arena.step({"buyer": "<offer>10</offer>"})
    said = {seat: [t.completion.text for t in r.turns] for seat, r in arena.records.items()}
    assert said == {"seller": ["<offer>90</offer>"], "buyer": ["<offer>10</offer>"]}


def test_action_of_an_unknown_seat_is_an_error() -> None:
    with pytest.raises(ValueError, match="sellr"):
        started().step({"sellr": "<quit/>"})


def test_action_that_is_no_text_is_an_error_of_the_caller() -> None:
    with pytest.raises(TypeError, match="got int"):
        started().step({"seller": 5})  # type: ignore[dict-item]  # the point


def test_step_without_a_running_episode_is_an_error() -> None:
    with pytest.raises(ResetNeeded):
        Negotiation().step({})
    arena = started()
    arena.step({"seller": "<quit/>"})
    with pytest.raises(ResetNeeded):
        arena.step({})


def test_doubled_seats_are_an_error() -> None:
    class Twins(Negotiation):
        def __init__(self) -> None:
            super(Negotiation, self).__init__(seats=("a", "a"), tools=(), rewards=(), max_steps=1)

    with pytest.raises(ValueError, match="distinct names of seats"):
        Twins()


def test_ansi_renders_every_seat() -> None:
    arena = started(render_mode="ansi")
    text = arena.render() or ""
    assert "== seller ==" in text
    assert "== buyer ==" in text


def test_arena_has_no_array_form() -> None:
    with pytest.raises(AttributeError, match="get_state"):
        started().state()


def test_arenas_work_without_pettingzoo() -> None:
    program = (
        "import sys; sys.modules['pettingzoo'] = None\n"
        "from rmgym.testing.negotiation import negotiation_seat\n"
        "env = negotiation_seat(); env.reset(seed=0); print(env.step('<accept/>')[2])\n"
        "from rmgym.integrations.pettingzoo import to_aec\n"
        "to_aec(env.arena)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "True\n"
    assert "MissingExtraError" in done.stderr
    assert "pip install 'rmgym[arena]'" in done.stderr
    assert issubclass(MissingExtraError, ImportError)


def in_dicts(arena: Negotiation) -> Any:
    """Return the arena with each observation in a dictionary.

    PettingZoo's `api_test` reads `dtype` of any other observation, which text has not.
    """
    from pettingzoo.utils.wrappers import BaseParallelWrapper

    class InDicts(BaseParallelWrapper):
        def __init__(self) -> None:
            super().__init__(arena)
            seats = arena.possible_agents
            self.spaces = {s: spaces.Dict({"said": arena.observation_space(s)}) for s in seats}

        def observation_space(self, agent: str) -> spaces.Dict:
            return self.spaces[agent]

        def reset(self, seed: int | None = None, options: Any = None) -> tuple[Any, Any]:
            observations, infos = arena.reset(seed=seed, options=options)
            return self.packed(observations), infos

        def step(self, actions: Mapping[str, str]) -> tuple[Any, ...]:
            observations, *rest = arena.step(actions)
            return (self.packed(observations), *rest)

        def packed(self, observations: Mapping[str, Any]) -> dict[str, Any]:
            return {seat: {"said": said} for seat, said in observations.items()}

    return InDicts()


def maker(turns: Turns) -> Callable[[], Negotiation]:
    return lambda: Negotiation(turns=turns)


@pytest.mark.parametrize("turns", MODES)
def test_arena_passes_pettingzoos_parallel_test(turns: Turns) -> None:
    testing = pytest.importorskip("pettingzoo.test")
    testing.parallel_api_test(maker(turns)(), num_cycles=50)
    testing.parallel_seed_test(maker(turns), num_cycles=50)


@pytest.mark.filterwarnings("ignore:(Action|Observation) space for each agent probably")
@pytest.mark.filterwarnings("ignore:We recommend agents to be named")
@pytest.mark.filterwarnings("ignore:Observation is not a NumPy array")
@pytest.mark.parametrize("turns", MODES)
def test_arena_passes_pettingzoos_aec_test(turns: Turns) -> None:
    testing = pytest.importorskip("pettingzoo.test")
    from rmgym.integrations.pettingzoo import to_aec

    testing.api_test(to_aec(in_dicts(maker(turns)())), num_cycles=50)
    testing.seed_test(lambda: to_aec(maker(turns)()), num_cycles=50)
