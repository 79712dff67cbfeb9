"""The search environment."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from rmgym.composition import RewardSpec
from rmgym.conversation import Opening, Reply
from rmgym.env import ChatEnv
from rmgym.envs.search import prompts
from rmgym.envs.search.tasks import SearchTask, load_tasks, world_tasks
from rmgym.envs.search.world import World, extract_answer, make_world
from rmgym.errors import ParseError
from rmgym.messages import Role
from rmgym.parsing import ActionFormat
from rmgym.protocols import Call, Hit, Passage, Retriever, Tool
from rmgym.rewards.answers import exact_match, sub_exact_match, token_f1
from rmgym.tools import retrieval

SEARCH_TOOLS = {"tags": "search", "tool_call": "web_search"}
DEFAULT_REWARDS: tuple[RewardSpec, ...] = ("em", ("format", 0.1))
ANSWER_METRICS = ("success", "em", "f1", "subem", "aware_tp", "aware_fp", "aware_fn")
"""Given at every end; 0 without an answer."""
Reader = Callable[[str, str], str | None]


@dataclass(slots=True)
class SearchEpisode:
    """What changes while one question is worked on."""

    task: int
    searches: int = 0
    turns: int = 0
    seen: set[str] = field(default_factory=set)
    found_gold: set[str] = field(default_factory=set)
    answer_seen: bool = False
    answer: str | None = None


class SearchEnv(ChatEnv[SearchEpisode]):
    """Answer questions by searching a collection of passages.

    ## Description
    The agent gets a question and may search a collection of passages before it answers, as in
    Search-R1 (arXiv 2503.09516). By default the collection is an invented encyclopaedia made from a
    seed: nothing in it is true of the real world, so nothing can be known beforehand, and every
    fact is known as a triple. Questions need one article, two in a chain, a comparison, or a set,
    list or table of items. A share of the questions (`known_fraction`) comes with the facts told,
    so that it can be measured whether an agent searches only when it must (F1_aware). A corpus and
    questions of your own can be given by path, as rows, or as Hugging Face datasets.

    ## Observation Space
    `chat_space()`: a tuple of the new messages. The first holds the rules and the question (role
    "user"). A search is answered by Search-R1's block, under role "user" with tags and role "tool"
    with tool calls:

        <information>Doc 1(Title: T) text
        Doc 2(Title: T) text</information>

    All of it was written by the environment: its tokens carry loss mask 0.

    ## Action Space
    `UnicodeText`: the agent's whole turn. The first complete action counts, what follows is
    ignored. With `action_format="tags"` (Search-R1):

        <think>Who directed it?</think><search>The Salt Road director</search>
        <think>Found.</think><answer>Mira Tol</answer>

    With `action_format="tool_call"` (IGPO, arXiv 2510.14967):

        <tool_call>{"name": "web_search", "arguments": {"query": "The Salt Road"}}</tool_call>
        <answer>Mira Tol</answer>

    A turn without a complete action is answered by what was expected, and is spent.

    ## Rewards
    | term | range | weight | granted |
    |---|---|---|---|
    | em | 0 or 1: the answer equals a reference after normalisation | 1.0 | outcome |
    | format | -1 for a turn that cannot be read, else 0 | 0.1 | turn |

    Others by name: `f1`, `subem`, `igpo_f1`, `gisa`, `format_em`, `information_gain`, or any
    `RewardTerm`. Metrics: `searches`, `gold_recall` (share of the gold passages shown so far,
    where they are known), and at
    the end `success` (exact match), `em`, `f1`, `subem`, `aware_tp`, `aware_fp`, `aware_fn`.

    ## Starting State
    A question drawn uniformly with the environment's random stream, or the one that
    `options={"task_id": ...}` names.

    ## Episode End
    1. Termination: the agent answers (`stop_reason` "answer").
    2. Truncation: after `max_searches` turns, and one more in which a search finds nothing if
       `final_answer_turn` (`stop_reason` "max_turns").

    ## Arguments
    | parameter | type | default | meaning |
    |---|---|---|---|
    | world_seed | int | 0 | seed of the invented encyclopaedia |
    | passages | int | 2000 | its articles |
    | questions | int | 500 | its questions |
    | kinds | list of str | None | keep only these kinds of question |
    | corpus | path or rows | None | passages of your own, in place of the invented ones |
    | tasks | path or rows | None | questions of your own; goes with `corpus` or `retriever` |
    | retriever | Retriever, str | "bm25" | or "lucene", "dense", or a `/retrieve` server's URL |
    | topk | int | 3 | passages per search |
    | max_searches | int | 4 | turns before the last one |
    | final_answer_turn | bool | True | one more turn, in which only an answer counts |
    | known_fraction | float | 0.4 | share of one- and two-hop questions whose facts are told |
    | action_format | str | "tags" | or "tool_call" |
    | rewards | list | em, 0.1 format | reward terms: names, terms, or (either, weight) |
    | max_information_characters | int | None | cut of what a search shows |

    >>> import gymnasium as gym
    >>> env = gym.make("rmgym/Search-v0", passages=200, questions=20)
    >>> observation, info = env.reset(seed=1)
    >>> observation[0]["role"]
    'user'

    ## Version History
    * v0: first version.

    ## References
    Search-R1 (Jin et al. 2025, arXiv 2503.09516); IGPO (2025, arXiv 2510.14967); AdaSearch for the
    decision to search.
    """

    def __init__(
        self,
        *,
        world_seed: int = 0,
        passages: int = 2000,
        questions: int = 500,
        kinds: Sequence[str] | None = None,
        corpus: str | os.PathLike[str] | Iterable[Mapping[str, Any]] | None = None,
        tasks: str | os.PathLike[str] | Iterable[Mapping[str, Any]] | None = None,
        retriever: Retriever | str = "bm25",
        topk: int = 3,
        max_searches: int = 4,
        final_answer_turn: bool = True,
        known_fraction: float = 0.4,
        action_format: ActionFormat = "tags",
        rewards: Sequence[RewardSpec] = DEFAULT_REWARDS,
        max_information_characters: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        if topk < 1 or max_searches < 1:
            raise ValueError(f"expected topk and max_searches >= 1, got {topk}, {max_searches}")
        search = _search_tool(action_format)
        super().__init__(
            tools=(search, ANSWER_TOOL),
            rewards=rewards,
            max_turns=max_searches + int(final_answer_turn),
            action_format=action_format,
            answer_tags=("answer",),
            render_mode=render_mode,
        )
        self.topk = topk
        self.max_searches = max_searches
        self.max_information_characters = max_information_characters
        self.world: World | None = None
        self.reader: Reader | None = None
        if tasks is None:
            if corpus is not None:
                raise ValueError("expected tasks together with corpus, got a corpus alone")
            self.world = make_shared_world(world_seed, passages, questions)
            self.reader = extract_answer
            self.tasks = world_tasks(
                self.world, known_fraction=known_fraction, mask_seed=0, kinds=kinds
            )
        else:
            self.tasks = load_tasks(tasks)
        self._task_index = {task.id: i for i, task in enumerate(self.tasks)}
        self._by_question = {task.question: task for task in self.tasks}
        if self.world is not None:
            self.retriever = _world_retriever(self.world, retriever)
        else:
            passages_given = [] if corpus is None else retrieval.load_corpus(corpus)
            self.retriever = make_retriever(retriever, passages_given)

    @property
    def task(self) -> SearchTask:
        """The question being worked on."""
        return self.tasks[self.episode.task]

    def gold_task(self, question: str) -> SearchTask | None:
        """Return the task of a question's text: for oracles, hidden from other policies."""
        return self._by_question.get(question)

    def begin_episode(self, options: Mapping[str, Any]) -> Opening:
        """Draw or look up a question and ask it."""
        self.episode = SearchEpisode(self._choose(options))
        task = self.task
        rules = prompts.TAG_RULES if self.action_format == "tags" else prompts.TOOL_RULES
        text = prompts.opening_text(task, rules, self.max_searches)
        return Opening(
            task_id=task.id,
            messages=({"role": "user", "content": text},),
            task=task.hidden_facts(),
            metrics=self._metrics(),
        )

    def _choose(self, options: Mapping[str, Any]) -> int:
        drawn = int(self.np_random.integers(len(self.tasks)))
        if "task_id" not in options:
            return drawn
        try:
            return self._task_index[options["task_id"]]
        except KeyError:
            raise ValueError(
                f"expected the id of one of {len(self.tasks)} tasks, got {options['task_id']!r}"
            ) from None

    def respond(self, call: Call) -> Reply:
        """Search, or end the episode with an answer."""
        if call.name == "answer":
            return self._end(call.text)
        return self._search(call.text)

    def explain(self, error: ParseError) -> Reply:
        """Say what was expected; the turn is spent."""
        self.episode.turns += 1
        shown = self.tool_list[0].name
        form = f"<{shown}>your query</{shown}>"
        if self.action_format == "tool_call":
            form = f'<tool_call>{{"name": "{shown}", "arguments": {{"query": "..."}}}}</tool_call>'
        text = prompts.INVALID.format(error=error, search=form) + self._last_turn_note()
        return Reply(
            messages=({"role": "user", "content": text},),
            event={"kind": "invalid"},
            metrics=self._metrics(),
        )

    def _search(self, query: str) -> Reply:
        late = self.episode.turns >= self.max_searches
        hits = [] if late else self.retriever.search([query], self.topk)[0]
        episode = self.episode
        episode.turns += 1
        episode.searches += not late
        ids = [hit.passage.id for hit in hits]
        gold = [i for i in ids if i in self.task.gold_passages and i not in episode.found_gold]
        repeated = sum(i in episode.seen for i in ids)
        episode.seen.update(ids)
        episode.found_gold.update(gold)
        newly_visible = not episode.answer_seen and _states_answer(hits, self.task.references)
        episode.answer_seen |= newly_visible
        text = prompts.information_text(hits, self.max_information_characters)
        role: Role = "tool" if self.action_format == "tool_call" else "user"
        return Reply(
            messages=({"role": role, "content": text + self._last_turn_note()},),
            event={
                "kind": "late_search" if late else "search",
                "query": query,
                "doc_ids": ids,
                "scores": [hit.score for hit in hits],
                "new_gold": gold,
                "repeated": repeated,
                "answer_newly_visible": newly_visible,
            },
            metrics=self._metrics(),
        )

    def _last_turn_note(self) -> str:
        is_last = self.episode.turns == self.max_searches < self.max_turns
        return prompts.LAST_TURN if is_last else ""

    def _end(self, answer: str) -> Reply:
        self.episode.turns += 1
        self.episode.answer = answer
        references, searched = self.task.references, self.episode.searches > 0
        right = any(exact_match(answer, reference) for reference in references)
        scores = {
            "success": float(right),
            "em": float(right),
            "f1": max(token_f1(answer, reference) for reference in references),
            "subem": float(any(sub_exact_match(answer, reference) for reference in references)),
            "aware_tp": float(right and not searched),
            "aware_fp": float(not right and not searched),
            "aware_fn": float(searched and self.task.known),
        }
        return Reply(
            stop_reason="answer",
            event={"kind": "answer", "answer": answer},
            metrics={**self._metrics(), **scores},
        )

    def _metrics(self) -> dict[str, float]:
        metrics = {
            "searches": float(self.episode.searches),
            "answer_seen": float(self.episode.answer_seen),
        }
        if self.episode.turns >= self.max_turns and self.episode.answer is None:
            missed = float(self.task.known and self.episode.searches > 0)
            metrics |= {**dict.fromkeys(ANSWER_METRICS, 0.0), "aware_fn": missed}
        if self.task.gold_passages:
            metrics["gold_recall"] = len(self.episode.found_gold) / len(self.task.gold_passages)
        return metrics

    def state_key(self) -> str:
        """Name the state by the question, the passages seen, and the turns spent."""
        episode = self.episode
        parts = [self.task.id, *sorted(episode.seen), str(episode.turns), str(episode.answer)]
        data = "\n".join(parts).encode("utf-8", "surrogatepass")
        return blake2b(data, digest_size=8).hexdigest()


ANSWER_TOOL = Tool(
    name="answer",
    description="give the final answer, in few words",
    parameters={"answer": {"type": "string"}},
    required=("answer",),
    text_argument="answer",
)


def _states_answer(hits: Sequence[Hit], references: Sequence[str]) -> bool:
    texts = [hit.passage.contents.casefold() for hit in hits]
    return any(reference.casefold() in text for reference in references for text in texts)


def _search_tool(action_format: ActionFormat) -> Tool:
    return Tool(
        name=SEARCH_TOOLS.get(action_format, "search"),
        description="look something up in the collection of passages",
        parameters={"query": {"type": "string", "description": "what to look for"}},
        required=("query",),
        text_argument="query",
    )


@lru_cache(maxsize=4)
def make_shared_world(seed: int, passages: int, questions: int) -> World:
    """Return the world of these figures; environments of one process share it."""
    return make_world(seed=seed, passages=passages, questions=questions)


_WORLD_INDEXES: dict[tuple[int, int, str], Retriever] = {}


def _world_retriever(world: World, which: Retriever | str) -> Retriever:
    """Return a retriever over the world; embedded ones are shared in this process."""
    if not isinstance(which, str) or "://" in which:
        return make_retriever(which, world.passages)
    key = (world.seed, len(world.passages), which)
    if key not in _WORLD_INDEXES:
        _WORLD_INDEXES[key] = make_retriever(which, world.passages)
    return _WORLD_INDEXES[key]


def make_retriever(which: Retriever | str, passages: Sequence[Passage]) -> Retriever:
    """Return the retriever that `SearchEnv(retriever=...)` asks for.

    Raises:
        ValueError: If the name is unknown, or an embedded retriever has no passages.
    """
    if not isinstance(which, str):
        return which
    if which.startswith(("http://", "https://")):
        return retrieval.HttpRetriever(which)
    if which not in ("bm25", "dense", "lucene"):
        raise ValueError(
            f'expected retriever "bm25", "dense", "lucene", a URL or a Retriever, got {which!r}'
        )
    if not passages:
        raise ValueError(f"expected a corpus for the retriever {which!r}, got none")
    if which == "bm25":
        return retrieval.Bm25Retriever(passages)
    if which == "dense":
        return retrieval.DenseRetriever(passages)
    folder = tempfile.mkdtemp(prefix="rmgym-lucene-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return retrieval.LuceneRetriever.build(passages, folder)


__all__ = ["DEFAULT_REWARDS", "SearchEnv", "SearchEpisode", "make_retriever", "make_shared_world"]
