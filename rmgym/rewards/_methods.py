"""The table of methods: where each is, what it needs, and how far its formula can be trusted.

`METHODS` maps a registered name to what `rmgym.rewards.get` returns: a reward term where the method
is one (cards with grant "turn" or "outcome"), else the function that computes it (grant "token" or
"group").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

MethodGrant: TypeAlias = Literal["turn", "outcome", "token", "group", "parts"]
"""Where the number lands; "parts": that of the parts. A hindsight term says "turn (at the end)" in
its docstring: its total is granted at the end, its turns' shares by `per_turn`."""
Confidence: TypeAlias = Literal["source", "paper", "secondary", "reconstructed", "ours"]
"""Read in the authors' code; in the paper; in third-party notes; our rendering of an abstract; a
definition of our own."""

METHODS: dict[str, str] = {
    "adasearch": "rmgym.rewards.adasearch:SearchDecision",
    "aligndistil": "rmgym.rewards.aligndistil:adaptive_teacher",
    "answer_visible": "rmgym.rewards.answer_visible:AnswerVisible",
    "bleuberi": "rmgym.rewards.bleu:BleuReward",
    "carr": "rmgym.rewards.carr:CitationRubric",
    "cdr": "rmgym.rewards.cdr:DensityRatio",
    "clip": "rmgym.rewards.shaping:ClippedProcess",
    "clip_range": "rmgym.rewards.combinators:Clip",
    "coreact": "rmgym.rewards.coreact:RubricGenerator",
    "cream": "rmgym.rewards.cream:kendall_consistency",
    "curriculum": "rmgym.rewards.combinators:Curriculum",
    "delta": "rmgym.rewards.shaping:DeltaProcess",
    "endogenous": "rmgym.rewards.endogenous:EndogenousReward",
    "event_score": "rmgym.rewards.facts:EventScore",
    "execution_margin": "rmgym.rewards.experimental.execution_margin:ExecutionMargin",
    "gate": "rmgym.rewards.combinators:Gate",
    "gold_passage": "rmgym.rewards.gold_passage:GoldPassageFound",
    "judged": "rmgym.rewards.judged:JudgedReward",
    "keyword_explanation": "rmgym.rewards.experimental.keyword_explanation:KeywordExplanation",
    "keyword_recall": "rmgym.rewards.penalties:KeywordRecall",
    "length_penalty": "rmgym.rewards.penalties:LengthPenalty",
    "lexicographic": "rmgym.rewards.combinators:Lexicographic",
    "llm_specific_utility": "rmgym.rewards.retrieval_utility:PassageUtility",
    "medix_r1": "rmgym.rewards.medix:CompositeAnswer",
    "memsifter": "rmgym.rewards.memsifter:MarginalUtility",
    "normalise_columns": "rmgym.rewards.combinators:normalise_columns",
    "nugget_rollup": "rmgym.rewards.experimental.nugget_rollup:NuggetCoverage",
    "page_and_items": "rmgym.rewards.experimental.page_and_items:PageAndItems",
    "passed_tests": "rmgym.rewards.passed_tests:PassedTestsGain",
    "ppr": "rmgym.rewards.ppr:PrincipleProcess",
    "product": "rmgym.rewards.combinators:Product",
    "query_quality": "rmgym.rewards.smartsearch:QueryQuality",
    "qvalue": "rmgym.rewards.qvalue:implicit_q",
    "r3rag": "rmgym.rewards.r3rag:ScaledRelevance",
    "record_support": "rmgym.rewards.record_support:RecordSupport",
    "reference_judge": "rmgym.rewards.reference_judge:swap_score",
    "rewardanything": "rmgym.rewards.rewardanything:ListwiseJudge",
    "sar": "rmgym.rewards.sar:SelfAligned",
    "sata_bench": "rmgym.rewards.sata:SelectAll",
    "scir": "rmgym.rewards.scir:agreeing_pairs",
    "search_gen_v": "rmgym.rewards.search_gen_v:NuggetVerifier",
    "search_needed": "rmgym.rewards.search_needed:NeedlessSearch",
    "smartsearch": "rmgym.rewards.smartsearch:SmartSearchOutcome",
    "statement_truth": "rmgym.rewards.experimental.statement_truth:StatementTruth",
    "themis": "rmgym.rewards.themis:themis_loss",
    "tiered_quality": "rmgym.rewards.experimental.tiered_quality:TieredQuality",
    "tool_call_errors": "rmgym.rewards.experimental.tool_call_errors:ToolCallErrors",
    "toolrl": "rmgym.rewards.toolrl:ToolCallMatch",
    "treg": "rmgym.rewards.treg:ContrastivePrompts",
    "truthrl": "rmgym.rewards.truthrl:Truthfulness",
    "vas": "rmgym.rewards.vas:value_augmented_logits",
    "verdict_and_tool": "rmgym.rewards.experimental.verdict_and_tool:VerdictAndTool",
    "weighted_sum": "rmgym.rewards.combinators:WeightedSum",
}
"""`module:attribute` by registered name."""


class MethodCard(NamedTuple):
    """One row of the table of methods."""

    name: str
    """The registered name."""
    paper: str
    """The method's row in the field's tables; "stand-in for" where the formula is not public."""
    grant: MethodGrant
    needs: str
    equation: str
    source: str
    confidence: Confidence


def cards() -> Sequence[MethodCard]:
    """Return the rows of all methods of `METHODS`, in its order."""
    from rmgym.rewards._method_cards import CARDS

    return CARDS
