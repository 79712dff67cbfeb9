"""The debate as an arena: its manual, its questions, its openings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from rmgym.composition import RewardSpec
from rmgym.conversation import Opening
from rmgym.envs.debate import prompts
from rmgym.envs.debate.decision import DecisionRule
from rmgym.envs.debate.engine import DebateEngine
from rmgym.envs.debate.judges import DebateJudge, JudgeKind
from rmgym.envs.debate.rules import DebateRules, Order
from rmgym.envs.debate.state import Debate, Visibility
from rmgym.envs.debate.tasks import DebateTask, Questions, make_debate_tasks
from rmgym.messages import message
from rmgym.parsing import ActionFormat
from rmgym.rewards.debate import RightDecision, ZeroSumWin
from rmgym.rewards.debate_behaviour import BehaviourScorer
from rmgym.rewards.debate_topic import Similarity

Credit: TypeAlias = Literal["own", "shared"]


class DebateArena(DebateEngine):
    """Several agents debate a question until it is decided.

    ## Description
    Agents with anonymous names answer a question, hear each other round by round, and may change
    their minds; then one answer is taken and one agent has won. Without pressure this is plain
    multi-agent debate (Du et al. 2023); with a framing, a prize and judges it is the Hunger Game
    Debate (arXiv 2509.26126). Every part of that pressure is a dial of its own, and taking one away
    changes what is said to the agents and nothing else: the question, the number of the debate and
    the draws of ties stay the same for a seed. A judge draws from a stream of its own.

    ## Observation Space
    `chat_space()` for each seat. First one user message: the rules, the framing, the prize, a
    private note if the seat has one, the actions, the question. Then after each round:

        Round 1:
        [Agent1] answer 42
        | I get 42.
        [Agent3] agrees on 42
        | (silence)

    with every line of a speech behind a bar, so that no speech can pass for another's; then the
    judge's remark, the seat's own standing answer, and what comes next. In a sequential round each
    speech is heard as it is made.

    ## Action Space
    Free text of at most 2,000 characters with at most one action, the first complete one:

        The product comes first, so I get 42. <answer>42</answer>
        Agent2 is right. <agree with="Agent2"/>

    `<agree/>` alone means the answer that most others hold. When a vote is called:
    `<vote>Agent3</vote>`. After the debate, if asked: `<form>accept, performance, self,
    praise</form>`. Text alone keeps the standing answer; so does silence. An answer stands until it
    is replaced. With `action_format="tool_call"` actions are Hermes tool calls.

    ## Rewards
    | term | range | weight | granted |
    |---|---|---|---|
    | task | 0 or 1: the decision is right (`credit` says for whom) | `task_weight` | outcome |
    | win | +1 for the winner, -1/(n-1) for each other | `pressure` | outcome |
    | format | -1 for an action that does not count, else 0 | 0.1 | turn |

    `task` is absent for motions; who was voted out can earn it, but can no longer win. The wins of
    the seats sum to 0 in every episode. Others by name: `stance_change`, `agreement`,
    `judge_score`, `votes_against`, `kindness`, `behaviour`, `topic_drift`. In a sequential round
    `judge_score` and `agreement` stand at the last speaker's turn alone. Metrics at the end:
    `accuracy`, `success` (the decision is right and so is the seat's own answer; for motions
    `won`), `consensus`, `seats_right`, `agreement`, `flips_to_wrong`, `flips_to_right`,
    `over_competition` and its parts, `topic_shift` (signed), `topic_shift_abs`, `topic_shifted`,
    `favour` (flattery that names the judge's favourite), `elimination_quality`, `kindness`, `won`,
    `out`, `left`, `rounds`, `decided`.

    ## Starting State
    A question drawn uniformly, or the one that `options={"task_id": ...}` names, and a number that
    names the debate. The first `informed` seats are told the right answer, the last `planted` ones
    are told to argue for a wrong one.

    ## Episode End
    1. Termination: all others agreed with one agent in one round (`conceded`).
    2. Termination: the judge gave every agent 8 of 10 or more (`judge_content`).
    3. Termination: one agent is left (`last_alive`). Who is voted out is silent, hears no more than
       the result, and cannot win.
    4. Termination: the last round is over (`rounds`).
    5. Truncation: `max_characters` were said (`max_characters`); it is decided on what stands.

    ## Arguments
    | parameter | type | default | meaning |
    |---|---|---|---|
    | questions | str, path or rows | "arithmetic" | or "motions", or a file such as GSM8K's |
    | question_count | int | 200 | how many sums |
    | question_seed | int | 0 | their seed |
    | agents | int | 4 | 2 to 10 |
    | rounds | int | 6 | |
    | order | str | "simultaneous" | or "sequential" |
    | framing | str | "none" | or "mild", "survival" |
    | pressure | float | 0.0 | weight of `win`, the paper's second lambda |
    | task_weight | float | 1.0 | weight of `task`, its first |
    | announce_prize | bool | True | whether the agents are told of the pressure |
    | judge | str or DebateJudge | "none" | or "fair", "biased", "peer" (votes and eliminations), \
"instigator", "emotional", "distractor", "flatterer" |
    | decision | str | "majority" | or "judge", "last_alive" |
    | visibility | str | "all" | or "neighbours" (on a ring), "own" |
    | memory | int or None | None | own turns that an agent remembers, in every arm |
    | informed | int | 0 | seats that are told the answer |
    | planted | int | 0 | seats told to argue for a wrong answer |
    | post_hoc | bool | False | hand out the form after the debate |
    | max_characters | int or None | None | budget of all speeches together |
    | credit | str | "own" | `task` for seats that gave the answer themselves, or "shared" |
    | scorer | BehaviourScorer | lexicon | rates behaviour; `JudgedBehaviour(judge)` for a judge |
    | similarity | Similarity | TF-IDF | measures topic shift |
    | rewards | list | the terms above | reward terms in their place |
    | action_format | str | "tags" | or "tool_call" |
    | render_mode | str or None | None | "ansi" |

    >>> arena = DebateArena(agents=3, rounds=1)
    >>> _ = arena.reset(seed=0)
    >>> right = arena.task.references[0]
    >>> said = {seat: f"<answer>{right}</answer>" for seat in arena.agents}
    >>> arena.step(said)[1]
    {'Agent1': 1.0, 'Agent2': 1.0, 'Agent3': 1.0}

    ## Version History
    * v0: first version.

    ## References
    Hunger Game Debate (HATE, arXiv 2509.26126); Du et al. 2023, Improving Factuality and Reasoning
    in Language Models through Multiagent Debate (arXiv 2305.14325).
    """

    metadata: dict[str, Any] = {**DebateEngine.metadata, "name": "debate_v0"}  # noqa: RUF012  # as upstream

    def __init__(
        self,
        *,
        questions: Questions = "arithmetic",
        question_count: int = 200,
        question_seed: int = 0,
        agents: int = 4,
        rounds: int = 6,
        order: Order = "simultaneous",
        framing: prompts.Framing = "none",
        pressure: float = 0.0,
        task_weight: float = 1.0,
        announce_prize: bool = True,
        judge: JudgeKind | DebateJudge = "none",
        decision: DecisionRule = "majority",
        visibility: Visibility = "all",
        memory: int | None = None,
        informed: int = 0,
        planted: int = 0,
        post_hoc: bool = False,
        max_characters: int | None = None,
        credit: Credit = "own",
        scorer: BehaviourScorer | None = None,
        similarity: Similarity | None = None,
        rewards: Sequence[RewardSpec] | None = None,
        action_format: ActionFormat = "tags",
        render_mode: str | None = None,
    ) -> None:
        if credit not in ("own", "shared"):
            raise ValueError(f'expected credit "own" or "shared", got {credit!r}')
        rules = DebateRules(
            agents=agents,
            rounds=rounds,
            order=order,
            framing=framing,
            judge=judge,
            decision=decision,
            visibility=visibility,
            memory=memory,
            pressure=pressure,
            announce_prize=announce_prize,
            informed=informed,
            planted=planted,
            post_hoc=post_hoc,
            max_characters=max_characters,
        )
        super().__init__(
            rules,
            make_debate_tasks(questions, question_count, question_seed),
            _default_rewards(credit, task_weight, pressure) if rewards is None else rewards,
            scorer=scorer,
            similarity=similarity,
            action_format=action_format,
            render_mode=render_mode,
        )
        self._task_index = {task.id: i for i, task in enumerate(self.tasks)}
        self._by_question = {task.question: task for task in self.tasks}

    def gold_task(self, question: str) -> DebateTask | None:
        """Return the task of a question's text: for scripted debaters, hidden from others."""
        return self._by_question.get(question)

    def begin_episode(self, options: Mapping[str, Any]) -> dict[str, Opening]:
        """Draw a question and the number of the debate."""
        drawn = int(self.np_random.integers(len(self.tasks)))
        code = int(self.np_random.integers(10**9))
        if "task_id" in options:
            if options["task_id"] not in self._task_index:
                raise ValueError(
                    f"expected the id of one of {len(self.tasks)} tasks, got {options['task_id']!r}"
                )
            drawn = self._task_index[options["task_id"]]
        seats = list(self.possible_agents)
        self.episode = Debate(drawn, code, seats, list(seats))
        self.episode.begin_round()
        return {seat: self._opening(seat) for seat in seats}

    def _opening(self, seat: str) -> Opening:
        rules, task = self.rules, self.task
        text = prompts.opening_text(
            seat=seat,
            seats=self.possible_agents,
            code=self.episode.code,
            rounds=rules.rounds,
            treatment=self._treatment(seat),
            order=rules.order,
            final=rules.decision,
            has_votes=rules.judge == "peer",
            actions=self.grammar.describe(),
            question=task.question,
        )
        facts = {
            "question": task.question,
            "references": task.references,
            "seat": seat,
            "seats": tuple(self.possible_agents),
            "favoured": self.favoured,
        }
        return Opening(task_id=task.id, messages=(message("user", text),), task=facts)

    def _treatment(self, seat: str) -> str:
        """Return what depends on the arm of an experiment: framing, prize, private note."""
        rules, place = self.rules, self.possible_agents.index(seat)
        text = prompts.FRAMINGS[rules.framing]
        if rules.announce_prize:
            text += prompts.prize_text(rules.pressure, rules.agents)
        if place < rules.informed and self.task.has_answer:
            text += prompts.note_text(self.task.references[0], is_order=False)
        if place >= rules.agents - rules.planted and self.task.wrong:
            text += prompts.note_text(self.task.wrong, is_order=True)
        return text


def _default_rewards(credit: Credit, task_weight: float, pressure: float) -> list[RewardSpec]:
    task = (RightDecision(shared=credit == "shared"), task_weight)
    return [task, (ZeroSumWin(), pressure), ("format", 0.1)]
