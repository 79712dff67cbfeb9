"""A debate as a Gymnasium environment for one learner, and debates among policies alone."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from rmgym.arena import ChatArena
from rmgym.envs.debate.arena import DebateArena
from rmgym.protocols import Policy
from rmgym.single_seat import SingleSeat

DEBATE_ID = "rmgym/Debate-v0"
Player: TypeAlias = str | Policy
"""A policy, or the name of a scripted one in the catalogue."""


def debate_seat(
    *,
    seat: str = "Agent1",
    others: Player | Sequence[Player] | Mapping[str, Player] = "evidence",
    **arguments: Any,
) -> SingleSeat:
    """Return one seat of a `DebateArena`, the others played by policies.

    Args:
        seat: The learner's.
        others: One player for all other seats, one for each in order, or by name.
        **arguments: Those of `DebateArena`.

    Raises:
        ValueError: If a seat has no player.
    """
    arena = DebateArena(**arguments)
    names = [name for name in arena.possible_agents if name != seat]
    return SingleSeat(arena, seat, seat_players(arena, DEBATE_ID, names, others))


def seat_players(
    arena: ChatArena[Any],
    env_id: str,
    names: Sequence[str],
    players: Player | Sequence[Player] | Mapping[str, Player],
) -> dict[str, Policy]:
    """Return the policy of each of the named seats.

    Raises:
        ValueError: If there is not one player a seat.
    """
    if isinstance(players, Mapping):
        by_name = dict(players)
    elif isinstance(players, Sequence) and not isinstance(players, str):
        if len(players) != len(names):
            raise ValueError(f"expected {len(names)} players for {names}, got {len(players)}")
        by_name = dict(zip(names, players, strict=True))
    else:
        by_name = dict.fromkeys(names, players)
    if set(by_name) != set(names):
        raise ValueError(f"expected one player for each of {names}, got {sorted(by_name)}")
    return {name: _policy(by_name[name], env_id, arena) for name in names}


def _policy(player: Player, env_id: str, arena: ChatArena[Any]) -> Policy:
    if not isinstance(player, str):
        return player
    # By name, as reward terms are: environments know agents by the catalogue alone.
    catalogue = importlib.import_module("rmgym.agents.catalog")
    policy: Policy = catalogue.make_policy(env_id, player, arena)
    return policy


def play_arena(
    arena: ChatArena[Any], players: Mapping[str, Policy], seed: int | None = None
) -> dict[str, dict[str, Any]]:
    """Play one episode among policies and return the last info of each seat.

    The records of the seats stay in `arena.records`.
    """
    _, infos = arena.reset(seed=seed)
    last = dict(infos)
    while arena.agents:
        speakers = arena.speakers()
        said = {
            seat: players[seat].act([arena.context(seat)])[0].text
            for seat in arena.agents
            if seat in speakers
        }
        last.update(arena.step(said)[4])
    return last
