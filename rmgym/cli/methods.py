"""The table of every reward and estimator, as Markdown: `python -m rmgym.cli.methods`."""

from __future__ import annotations

import sys

from rmgym import advantages, rewards

_INTRODUCTION = """\
# Methods

Every method by the name under which `rmgym.rewards.get` and `rmgym.advantages.get` return it.

*Grant* says where the number lands: at each turn, at the end (outcome), on tokens, on a group, or,
for parts that are composed of others, where those land. *Confidence* says how the formula is known:
read in the authors' code (source), in their paper (paper), in notes of others (secondary), our
rendering of an abstract (reconstructed; these live under `rmgym.rewards.experimental` or
`rmgym.advantages.experimental` and bear names of ours), or a definition of our own (ours).

This page is what `python -m rmgym.cli.methods` prints.
"""

_ANSWER_METHODS = """\
| em | Search-R1, SQuAD | outcome | task references; event answer | equal after normalisation | \
search_r1/qa_em.py | source |
| f1 | SQuAD | outcome | task references; event answer | multiset token F1 | SQuAD 1.1 | paper |
| subem | Search-R1 | outcome | task references; event answer | a reference stands in the answer | \
search_r1/qa_em.py | source |
| igpo_f1 | IGPO | outcome | task references; the agent's turns | word-set F1; -2 for a format \
failure | info_gain.py | source |
| gisa | GISA | outcome | task gold_table, answer_type | item EM, set F1, list and table means | \
run_evaluation.py | source |
| format_em | Search-R1 | outcome | task references; the whole episode | EM shaped by the format | \
qa_em_format.py | source |
| format | - | turn | event kind | -1 for a turn that cannot be read | - | ours |
| information_gain | IGPO, A2TGPO | turn | task references; a scorer | Phi_t - Phi_{t-1} | \
generation.py | source |
"""


_ANSWER_NAMES = {line.split("|")[1].strip() for line in _ANSWER_METHODS.strip().splitlines()}


def methods_page() -> str:
    """Return the page."""
    lines = [_INTRODUCTION, "## Rewards", ""]
    lines += [
        "| name | paper | grant | needs | equation | source | confidence |",
        "|---|---|---|---|---|---|---|",
        _ANSWER_METHODS.strip(),
    ]
    lines += [_row(tuple(card)) for card in rewards.cards()]
    listed = {card.name for card in rewards.cards()} | _ANSWER_NAMES
    lines += [_plain_row(name) for name in rewards.names() if name not in listed]
    lines += ["", "## Estimators", ""]
    lines += [
        "| name | needs | equation | source | confidence | where it is biased |",
        "|---|---|---|---|---|---|",
    ]
    for name in advantages.names():
        sheet = advantages.get(name)
        shown = name if name == sheet.name else f"{name} (= {sheet.name})"
        needs = ", ".join(sheet.needs) or "rewards"
        cells = (shown, needs, sheet.equation, sheet.source, sheet.confidence, sheet.bias_note)
        lines.append(_row(cells))
    return "\n".join(lines) + "\n"


def _plain_row(name: str) -> str:
    """Return the row of a term of one setting, whose docstring says the rest."""
    target = rewards.get(name)
    target = getattr(target, "func", target)
    summary = (target.__doc__ or "").strip().splitlines()[0]
    return _row((name, "-", "see its docstring", f"`{target.__module__}`", summary, "-", "ours"))


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") or "-" for cell in cells) + " |"


if __name__ == "__main__":
    sys.stdout.write(methods_page())
