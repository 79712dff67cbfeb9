"""How a debate goes on: speeches, remarks, votes, the end."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from rmgym.arena import ChatArena
from rmgym.composition import RewardSpec
from rmgym.conversation import Facts, Reply
from rmgym.envs.debate import prompts
from rmgym.envs.debate.decision import (
    Outcome,
    Stance,
    conceded_to,
    decide,
    voted_out,
)
from rmgym.envs.debate.ending import SPENT, final_replies
from rmgym.envs.debate.form import form_kindness, form_text, read_form
from rmgym.envs.debate.grammar import (
    AGREE,
    ANSWER,
    DEBATE_TOOLS,
    FORM,
    FORM_TOOL,
    MAX_SPEECH,
    VOTE,
    DebateGrammar,
    one_line,
)
from rmgym.envs.debate.judges import (
    ENOUGH,
    BiasedJudge,
    DebateJudge,
    Remark,
    RoundView,
    make_judge,
)
from rmgym.envs.debate.measures import seat_metrics
from rmgym.envs.debate.memory import remember
from rmgym.envs.debate.rules import DebateRules
from rmgym.envs.debate.state import Debate
from rmgym.envs.debate.tasks import DebateTask, is_right
from rmgym.errors import ParseError
from rmgym.messages import Message, message
from rmgym.parsing import ActionFormat
from rmgym.protocols import Call
from rmgym.rewards.debate_behaviour import BehaviourScorer, LexiconScorer
from rmgym.rewards.debate_topic import Similarity, TfidfSimilarity
from rmgym.trajectory import Context


class DebateEngine(ChatArena[Debate]):
    """The rules in motion; `DebateArena` asks the questions and is the manual.

    Args:
        rules: The dials.
        tasks: The questions.
        rewards: The reward terms of every seat.
        scorer: Rates behaviour; the lexicon by default.
        similarity: Measures topic shift; TF-IDF by default.
        action_format: "tags" or "tool_call".
        render_mode: "ansi" or None.

    Raises:
        ValueError: If there is no question.
    """

    def __init__(
        self,
        rules: DebateRules,
        tasks: Sequence[DebateTask],
        rewards: Sequence[RewardSpec],
        *,
        scorer: BehaviourScorer | None = None,
        similarity: Similarity | None = None,
        action_format: ActionFormat = "tags",
        render_mode: str | None = None,
    ) -> None:
        if not tasks:
            raise ValueError("expected at least one question to debate, got none")
        tools = (*DEBATE_TOOLS, FORM_TOOL) if rules.post_hoc else DEBATE_TOOLS
        super().__init__(
            seats=rules.seats,
            tools=tools,
            rewards=rewards,
            max_steps=rules.most_steps + 1,  # the debate ends itself, by its own rules
            action_format=action_format,
            max_action_characters=MAX_SPEECH,
            render_mode=render_mode,
        )
        self.grammar = DebateGrammar(tools, action_format)
        self.rules = rules
        self.judge = make_judge(rules.judge)
        self.scorer = scorer or LexiconScorer()
        self.similarity = similarity or TfidfSimilarity()
        self.tasks = list(tasks)

    @property
    def task(self) -> DebateTask:
        """What is being debated."""
        return self.tasks[self.episode.task]

    def context(self, seat: str) -> Context:
        """Return what the policy of a seat may see now, within its memory."""
        return remember(super().context(seat), self.rules.memory)

    def speakers(self) -> Collection[str]:
        """Return who may speak, vote or fill in the form now."""
        debate = self.episode
        if debate.phase == "form":
            return debate.seats
        if debate.phase == "speak" and self.rules.order == "sequential":
            return (debate.alive[debate.speaker],)
        return debate.alive

    @property
    def favoured(self) -> str | None:
        """The seat that a biased judge praises in this debate."""
        if not isinstance(self.judge, BiasedJudge):
            return None
        return self.judge.favours or self.possible_agents[self.episode.code % self.rules.agents]

    def respond(self, calls: Mapping[str, Call | ParseError]) -> dict[str, Reply]:
        """Move the debate on by one step."""
        if self.episode.phase == "form":
            return self._closing(calls)
        if self.episode.phase == "vote":
            return self._vote(calls)
        return self._speak(calls)

    def _speak(self, calls: Mapping[str, Call | ParseError]) -> dict[str, Reply]:
        debate, held = self.episode, dict(self.episode.stances)
        events: dict[str, dict[str, Any]] = {}
        notes: dict[str, list[Message]] = {seat: [] for seat in debate.seats}
        for seat, call in calls.items():
            events[seat], problem = self._act(seat, call, held)
            if problem is not None:
                notes[seat].append(message("user", f"That action does not count: {problem}."))
        if self.rules.order == "sequential":
            (speaker,) = calls
            self._tell_at_once(speaker, notes)
            debate.speaker += 1
            if debate.speaker < len(debate.alive) and not self._is_spent():
                return self._replies(notes, events)
        else:
            self._tell_all(notes)
        return self._end_round(notes, events)

    def _act(
        self, seat: str, call: Call | ParseError, held: Mapping[str, Stance]
    ) -> tuple[dict[str, Any], ParseError | None]:
        """Enter what a seat did; return its event, and why its action does not count if so."""
        debate, task = self.episode, self.task
        text = "" if isinstance(call, ParseError) else str(call.arguments.get("text", ""))
        debate.round.speeches[seat] = text
        debate.characters += len(text)
        before, problem = self._rightness(seat), None
        kind = "invalid" if isinstance(call, ParseError) else call.name
        try:
            stance = self._stance(seat, call, held)
        except ParseError as error:
            stance, problem, kind = None, error, "invalid"
        if stance is not None:
            debate.take(seat, stance, before, is_right(stance.answer, task.references))
            if not stance.own:
                debate.round.gave_in.append(seat)
        event: dict[str, Any] = {"kind": kind, "round": len(debate.rounds)}
        if kind == ANSWER and stance is not None:
            event["answer"] = stance.answer
        if task.has_answer:
            event |= {"right_before": before, "right_after": self._rightness(seat)}
        return event, problem

    def _stance(
        self, seat: str, call: Call | ParseError, held: Mapping[str, Stance]
    ) -> Stance | None:
        if isinstance(call, ParseError):
            raise call
        if call.name == AGREE:
            visible = self.episode.seen_by(seat, self.rules.visibility)
            return self.episode.agreed_stance(seat, call.arguments.get("with"), held, visible)
        if call.name in (VOTE, FORM):
            raise ParseError("expected a speech, an answer or an agreement at this point")
        if call.name != ANSWER:
            return None
        place = self.episode.speaker  # stays 0 where all speak at once
        stance = Stance(str(call.arguments["answer"]), len(self.episode.rounds), True, place)
        if not stance.key:
            raise ParseError("expected an answer with letters or digits")
        return stance

    def _rightness(self, seat: str) -> bool | None:
        stance = self.episode.stances.get(seat)
        if stance is None or not self.task.has_answer:
            return None
        return is_right(stance.answer, self.task.references)

    def _block(self, seat: str) -> str:
        debate = self.episode
        stance, gave_in = debate.stances.get(seat), seat in debate.round.gave_in
        return prompts.speech_block(seat, debate.round.speeches.get(seat, ""), stance, gave_in)

    def _tell_at_once(self, speaker: str, notes: Mapping[str, list[Message]]) -> None:
        debate = self.episode
        block = self._block(speaker)
        for seat in debate.alive:
            if speaker in debate.seen_by(seat, self.rules.visibility):
                notes[seat].append(message("user", block))

    def _tell_all(self, notes: Mapping[str, list[Message]]) -> None:
        debate = self.episode
        blocks = {seat: self._block(seat) for seat in debate.alive}
        for seat in debate.alive:
            heard = debate.seen_by(seat, self.rules.visibility)
            if heard:
                text = "\n".join(blocks[other] for other in heard)
                notes[seat].append(message("user", f"Round {debate.round.number}:\n{text}"))

    def _is_spent(self) -> bool:
        limit = self.rules.max_characters
        return limit is not None and self.episode.characters >= limit

    def _end_round(
        self, notes: Mapping[str, list[Message]], events: dict[str, dict[str, Any]]
    ) -> dict[str, Reply]:
        """Let the judge speak; then end, call the vote or open the next round."""
        debate = self.episode
        record = debate.round
        record.holds = {s: h.answer for s, h in debate.stances.items() if s in debate.alive}
        if self.judge is not None:
            remark = self._remark(self.judge)
            record.judge, record.scores = remark.text, dict(remark.scores)
            for seat in debate.alive:
                notes[seat].append(message("user", prompts.judge_block(remark.text)))
        for seat, event in events.items():
            if seat in record.scores:
                event["judge_score"] = record.scores[seat] / 10.0
            share = debate.agreement_of(seat)
            if share is not None:
                event["agreement"] = share
        for seat, score in record.scores.items():
            debate.merit[seat] = debate.merit.get(seat, 0.0) + score
        if self._is_spent():
            return self._finish(SPENT, notes, events)
        conceded = conceded_to(debate.stances, debate.alive, record.number)
        if conceded is not None:
            debate.outcome = Outcome(debate.stances[conceded].answer, conceded)
            return self._finish("conceded", notes, events)
        if record.scores and min(record.scores.values()) >= ENOUGH:
            return self._finish("judge_content", notes, events)
        if self.rules.judge == "peer":
            debate.phase = "vote"
            text = f"Vote for the worst proposal: one of {', '.join(debate.alive)}."
            self._tell_everyone_in(notes, text)
            return self._replies(notes, events)
        return self._next_round(notes, events)

    def _remark(self, judge: DebateJudge) -> Remark:
        debate = self.episode
        rng = np.random.default_rng([debate.code, debate.round.number])
        view = RoundView(
            topic=self.task.question,
            number=debate.round.number,
            speeches=debate.round.speeches,
            seats=tuple(debate.alive),
            debate=debate.code,
            rng=rng,
        )
        return judge.comment(view)

    def _tell_everyone_in(self, notes: Mapping[str, list[Message]], text: str) -> None:
        for seat in self.episode.alive:
            standing = prompts.standing_text(self.episode.stances.get(seat))
            notes[seat].append(message("user", f"{standing} {text}"))

    def _next_round(
        self, notes: Mapping[str, list[Message]], events: Mapping[str, dict[str, Any]]
    ) -> dict[str, Reply]:
        debate = self.episode
        if len(debate.rounds) == self.rules.rounds:
            return self._finish("rounds", notes, events)
        debate.begin_round()
        self._tell_everyone_in(notes, f"Round {debate.round.number} begins.")
        return self._replies(notes, events)

    def _vote(self, calls: Mapping[str, Call | ParseError]) -> dict[str, Reply]:
        debate, votes = self.episode, self.episode.round.votes
        events: dict[str, dict[str, Any]] = {}
        notes: dict[str, list[Message]] = {seat: [] for seat in debate.seats}
        for seat, call in calls.items():
            chosen = None
            if isinstance(call, Call) and call.name == VOTE:
                chosen = str(call.arguments["agent"])
            if chosen in debate.alive and chosen != seat:
                votes[seat] = chosen
            else:
                notes[seat].append(message("user", "No vote: expected the name of another agent."))
            events[seat] = {"kind": VOTE if seat in votes else "invalid"}
        return self._count(notes, events)

    def _count(
        self, notes: Mapping[str, list[Message]], events: Mapping[str, dict[str, Any]]
    ) -> dict[str, Reply]:
        """Count the votes, let the seat go that has most, and go on with the rest."""
        debate = self.episode
        record = debate.round
        votes = record.votes
        for seat in debate.alive:
            against = sum(vote == seat for vote in votes.values())
            debate.merit[seat] = debate.merit.get(seat, 0.0) - against
            if votes:
                events[seat]["votes_against"] = against / len(votes)
        record.out = voted_out(votes, debate.alive, self.np_random)
        text = f"{record.out} is out by the vote." if record.out else "Nobody is voted out."
        for seat in debate.alive:
            notes[seat].append(message("user", text))
        debate.alive = [seat for seat in debate.alive if seat != record.out]
        if len(debate.alive) == 1:
            return self._finish("last_alive", notes, events)
        return self._next_round(notes, events)

    def _finish(
        self,
        reason: str,
        notes: Mapping[str, list[Message]],
        events: Mapping[str, dict[str, Any]],
    ) -> dict[str, Reply]:
        """Decide, announce, and end or hand out the form."""
        debate, rules = self.episode, self.rules
        debate.reason = reason
        if debate.outcome is None:
            debate.outcome = decide(
                rules.decision, debate.stances, debate.alive, debate.merit, self.np_random
            )
        winner, answer = debate.outcome.winner, debate.outcome.answer
        taken = one_line(answer) if answer is not None else "none"
        for seat in debate.seats:
            text = f"The debate is over. Answer taken: {taken}. Winner: {winner or 'nobody'}."
            notes[seat].append(message("user", text))
        if rules.post_hoc and reason != SPENT:
            debate.phase = "form"
            for seat in debate.seats:
                notes[seat].append(message("user", form_text(seat == winner)))
            return self._replies(notes, events)
        return self._final(notes, events)

    def _closing(self, calls: Mapping[str, Call | ParseError]) -> dict[str, Reply]:
        """Read the forms and end."""
        debate = self.episode
        events: dict[str, dict[str, Any]] = {}
        for seat, call in calls.items():
            form = None
            if isinstance(call, Call) and call.name == FORM:
                form = read_form(str(call.arguments["choices"]))
            events[seat] = {"kind": "invalid"}
            if form is not None:
                won = debate.outcome is not None and debate.outcome.winner == seat
                kind = form_kindness(form, won)
                events[seat] = {"kind": FORM, "form": tuple(form), "kindness": kind}
        return self._final({seat: [] for seat in debate.seats}, events)

    def _final(
        self, notes: Mapping[str, list[Message]], events: Mapping[str, dict[str, Any]]
    ) -> dict[str, Reply]:
        watched = {
            seat: seat_metrics(
                self.episode, self.task, seat, self.scorer, self.similarity, self.favoured
            )
            for seat in self.episode.seats
        }
        return final_replies(self.episode, self.task, notes, events, watched)

    def _replies(
        self, notes: Mapping[str, list[Message]], events: Mapping[str, dict[str, Any]]
    ) -> dict[str, Reply]:
        return {
            seat: Reply(messages=tuple(notes[seat]), event=Facts(events.get(seat, {})))
            for seat in self.episode.seats
        }
