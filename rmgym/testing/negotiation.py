"""A price negotiation between two seats: the smallest arena that is more than an echo."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from rmgym.arena import ChatArena
from rmgym.composition import RewardSpec
from rmgym.conversation import Opening, Reply
from rmgym.errors import ParseError
from rmgym.messages import message
from rmgym.parsing import ActionFormat
from rmgym.protocols import Call, Grant, Policy, Tool
from rmgym.single_seat import SingleSeat
from rmgym.testing.negotiators import Conceder, Stubborn
from rmgym.trajectory import Context

Turns: TypeAlias = Literal["alternating", "simultaneous"]

SEATS = ("seller", "buyer")
HIGHEST = 100
COSTS = (10, 50)
VALUES = (40, 90)

TOOLS = (
    Tool(
        name="offer",
        description=f"Name a whole price, 0 to {HIGHEST}.",
        parameters={"price": {"type": "integer", "minimum": 0, "maximum": HIGHEST}},
        required=("price",),
        text_argument="price",
    ),
    Tool(name="accept", description="Take the other side's last price."),
    Tool(name="quit", description="Walk away without a deal."),
)


@dataclass(frozen=True, slots=True)
class Bargain:
    """What lies on the table."""

    cost: int
    value: int
    offers: Mapping[str, int] = field(default_factory=dict)
    """The last price of each seat."""
    step: int = 0


class Surplus:
    """A seat's gain from the deal as a share of the highest price; 0 without a deal.

    The seller's is (price - cost) / 100, the buyer's (value - price) / 100: a bad deal is negative.
    """

    name = "surplus"
    grant: Grant = "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Score the last turn of each context."""
        return [self._score(context) for context in contexts]

    def _score(self, context: Context) -> float:
        price = context.last.info["event"].get("price")
        if price is None:
            return 0.0
        gain: float = (price - context.task["limit"]) / HIGHEST
        return gain if context.task["seat"] == "seller" else -gain


class Negotiation(ChatArena[Bargain]):
    """Two seats agree on a price, or do not.

    ## Description
    The seller knows its cost, the buyer its value. They speak in turn, the seller first, or both at
    once. Of what a seat says the other hears the price alone: the words around it are its own
    thoughts.

    ## Observation Space
    `chat_space()` for each seat: first the rules and its own limit; then one user message each time
    it hears the other.

    ## Action Space
    Text with one call: `<offer>42</offer>`, `<accept/>` or `<quit/>`, e.g.
    `I can do better than that. <offer>42</offer>`; an empty turn passes.

    ## Rewards
    | term | granted | range | weight | meaning |
    |---|---|---|---|---|
    | `surplus` | outcome | -1 to 1 | 1 | gain over the own limit / 100; 0 without a deal |

    ## Starting State
    The cost is uniform on 10 to 50, the value on 40 to 90; there may be nothing to gain.

    ## Episode End
    1. Termination: a price was accepted, or the offers meet (`deal`). Offers that cross in turn
       make a deal at the earlier one, offers that cross at once at the middle, rounded down.
    2. Termination: a seat quit (`quit`).
    3. Termination: the last round is over (`rounds`).

    ## Arguments
    | parameter | type | default | meaning |
    |---|---|---|---|
    | `rounds` | int | 4 | how often each seat speaks |
    | `turns` | str | "alternating" | "alternating" or "simultaneous" |
    | `rewards` | sequence | the term above | the reward terms of each seat |
    | `action_format` | str | "tags" | "tags" or "tool_call" |
    | `render_mode` | str or None | None | "ansi" |

    >>> arena = Negotiation(rounds=1)
    >>> _ = arena.reset(seed=0)
    >>> arena.episode.cost, arena.episode.value
    (44, 72)
    >>> _ = arena.step({"seller": "<offer>60</offer>"})
    >>> arena.step({"buyer": "<accept/>"})[1]
    {'seller': 0.16, 'buyer': 0.12}

    ## Version History
    - v0: the first version.

    ## References
    None: it stands for nothing.
    """

    metadata: dict[str, Any] = {**ChatArena.metadata, "name": "negotiation_v0"}  # noqa: RUF012  # as upstream

    def __init__(
        self,
        *,
        rounds: int = 4,
        turns: Turns = "alternating",
        rewards: Sequence[RewardSpec] = (Surplus(),),
        action_format: ActionFormat = "tags",
        render_mode: str | None = None,
    ) -> None:
        if rounds < 1:
            raise ValueError(f"expected at least 1 round, got {rounds}")
        if turns not in ("alternating", "simultaneous"):
            raise ValueError(f'expected turns "alternating" or "simultaneous", got {turns!r}')
        self.rounds = rounds
        self.turns = turns
        self.length = rounds if turns == "simultaneous" else 2 * rounds
        super().__init__(
            seats=SEATS,
            tools=TOOLS,
            rewards=rewards,
            max_steps=self.length,
            action_format=action_format,
            render_mode=render_mode,
        )

    def speakers(self) -> Collection[str]:
        """Return the seat whose turn it is, or both."""
        if self.turns == "simultaneous":
            return self.agents
        return (SEATS[self.episode.step % 2],)

    def begin_episode(self, options: Mapping[str, Any]) -> dict[str, Opening]:
        """Draw cost and value."""
        low, high = COSTS
        cost = int(self.np_random.integers(low, high + 1))
        low, high = VALUES
        value = int(self.np_random.integers(low, high + 1))
        self.episode = Bargain(cost, value)
        task_id = f"negotiation-{cost}-{value}"
        return {
            "seller": self._opening(task_id, "seller", f"It cost you {cost}.", cost),
            "buyer": self._opening(task_id, "buyer", f"To you it is worth {value}.", value),
        }

    def _opening(self, task_id: str, seat: str, limit_text: str, limit: int) -> Opening:
        order = "Both speak at once" if self.turns == "simultaneous" else "The seller speaks first"
        text = (
            f"You are the {seat} of a lamp. {limit_text} {order}, {self.rounds} times each. "
            f"Without a deal nobody gains.\n{self.grammar.describe()}"
        )
        return Opening(
            task_id=task_id,
            messages=(message("user", text),),
            task={"seat": seat, "limit": limit},
            metrics={"deal": 0.0},
        )

    def respond(self, calls: Mapping[str, Call | ParseError]) -> dict[str, Reply]:
        """Move the bargain on by one step."""
        before = self.episode
        named = {
            seat: int(call.arguments["price"])
            for seat, call in calls.items()
            if isinstance(call, Call) and call.name == "offer"
        }
        self.episode = replace(before, offers={**before.offers, **named}, step=before.step + 1)
        names = {seat: call.name for seat, call in calls.items() if isinstance(call, Call)}
        if "quit" in names.values():
            return self._end("quit", "Nobody gains: a side walked away.", {})
        price = self._price(before.offers, named, names)
        if price is not None:
            return self._end("deal", f"The deal is made at {price}.", {"price": price})
        if self.episode.step == self.length:
            return self._end("rounds", "Nobody gains: the last round is over.", {})
        return {seat: self._answer(seat, calls) for seat in SEATS}

    def _price(
        self, before: Mapping[str, int], named: Mapping[str, int], names: Mapping[str, str]
    ) -> int | None:
        """Return the price of the deal that this step made, if it made one."""
        taken = [
            before[other]
            for seat, other in zip(SEATS, reversed(SEATS), strict=True)
            if names.get(seat) == "accept" and other in before
        ]
        if taken:
            return sum(taken) // len(taken)
        asked, bid = self.episode.offers.get("seller"), self.episode.offers.get("buyer")
        if not named or asked is None or bid is None or asked > bid:
            return None
        if len(named) == 2:
            return (asked + bid) // 2
        return bid if "seller" in named else asked

    def _end(self, reason: str, text: str, facts: Mapping[str, Any]) -> dict[str, Reply]:
        reply = Reply(
            messages=(message("user", text),),
            stop_reason=reason,
            event={"kind": reason, **facts},
            metrics={"deal": float(reason == "deal")},
        )
        return dict.fromkeys(SEATS, reply)

    def _answer(self, seat: str, calls: Mapping[str, Call | ParseError]) -> Reply:
        other = "buyer" if seat == "seller" else "seller"
        heard = (message("user", _heard(other, calls[other])),) if other in calls else ()
        call = calls.get(seat)
        if call is None:
            return Reply(messages=heard)
        if isinstance(call, ParseError):
            own = self.explain(call)
            return own._replace(messages=(*own.messages, *heard), metrics={"deal": 0.0})
        if call.name == "accept":  # with a price on the table this were a deal
            heard = (message("user", "There is no price to accept yet."), *heard)
        return Reply(messages=heard, event={"kind": call.name}, metrics={"deal": 0.0})


def _heard(seat: str, call: Call | ParseError) -> str:
    if isinstance(call, Call) and call.name == "offer":
        return f"The {seat} offers {call.arguments['price']}."
    return f"The {seat} names no price."


def negotiation_seat(
    *,
    seat: Literal["seller", "buyer"] = "buyer",
    opponent: Literal["conceder", "stubborn"] | Policy = "conceder",
    rounds: int = 4,
    turns: Turns = "alternating",
    rewards: Sequence[RewardSpec] = (Surplus(),),
    action_format: ActionFormat = "tags",
    render_mode: str | None = None,
) -> SingleSeat:
    """Return one seat of a `Negotiation` against a scripted opponent.

    Args:
        seat: Which one.
        opponent: "conceder", "stubborn", or any policy.
        rounds: How often each seat speaks.
        turns: "alternating" or "simultaneous".
        rewards: The reward terms.
        action_format: "tags" or "tool_call".
        render_mode: "ansi" or None.
    """
    arena = Negotiation(
        rounds=rounds,
        turns=turns,
        rewards=rewards,
        action_format=action_format,
        render_mode=render_mode,
    )
    if isinstance(opponent, str):
        policy = Conceder if opponent == "conceder" else Stubborn
        opponent = policy(rounds=rounds, action_format=action_format)
    other = "buyer" if seat == "seller" else "seller"
    return SingleSeat(arena, seat, {other: opponent})
