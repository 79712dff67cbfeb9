"""Judges: who grades an answer, and the guard that stands before them.

`get(name)` returns what is registered, `make(name, ...)` a ready judge. Three protocols: judges of
transcripts by a rubric (`rmgym.protocols.Judge`), of pairs and of slates
(`rmgym.judges.protocols`).

| name | protocol | decides by |
|---|---|---|
| exact | rubric | declared strings, patterns, numbers |
| scripted | rubric | the same, and shared words: the default, a stand-in |
| policy | rubric | any policy, strictly read; votes |
| reference | rubric | any policy with a good answer before its eyes |
| nuggets | rubric | any policy, batches of statements in order (Search-Gen-V) |
| carr | rubric | entities, citations, support, connection to the answer (CaRR) |
| tools | rubric | any policy that may call tools first (Themis, OpenRM) |
| panel | rubric | several judges, with an agreement filter (SCIR) |
| graded_pair | pair | another judge's grades |
| policy_pair | pair | any policy, in both orders |
| agreeing_pair | pair | two pairwise judges where they agree (SCIR) |
| principle | slate | any policy, by a principle in plain language (RewardAnything) |
| consistent | slate | a judge, weighed by its agreement with an earlier one (CREAM) |
| density | slate | log-probabilities of a strong and a weak model (CDR) |

The guard against master keys stands in all of them: see `rmgym.judges.guarded`.
"""

from __future__ import annotations

from typing import Any

from rmgym.registry import Registry

_JUDGES = Registry(
    "judge",
    {
        "agreeing_pair": "rmgym.judges.panel:AgreeingPairJudge",
        "carr": "rmgym.judges.carr:CitationRubricJudge",
        "consistent": "rmgym.judges.panel:ConsistentListJudge",
        "density": "rmgym.judges.density:DensityRatioJudge",
        "exact": "rmgym.judges.rules:ExactJudge",
        "graded_pair": "rmgym.judges.scripted:GradedPairJudge",
        "nuggets": "rmgym.judges.nuggets:NuggetJudge",
        "panel": "rmgym.judges.panel:PanelJudge",
        "policy": "rmgym.judges.policy_judge:PolicyJudge",
        "policy_pair": "rmgym.judges.pairwise:PolicyPairJudge",
        "principle": "rmgym.judges.principle:PrincipleJudge",
        "reference": "rmgym.judges.reference:ReferenceJudge",
        "scripted": "rmgym.judges.scripted:ScriptedJudge",
        "tools": "rmgym.judges.tool_judge:ToolJudge",
    },
)

names = _JUDGES.names
get = _JUDGES.get
register = _JUDGES.register


def make(name: str, *arguments: Any, **options: Any) -> Any:
    """Return the judge registered under `name`, built with the arguments.

    Raises:
        KeyError: If no judge has that name.
        TypeError: If what is registered needs other arguments.
    """
    return get(name)(*arguments, **options)


__all__ = ["get", "make", "names", "register"]
