"""The guard before every judge: strings that fool judges earn nothing and are never sent.

Zhao et al., "One Token to Fool LLM-as-a-Judge": ten answers without content get full credit from
general judges in up to two thirds of cases. An answer is turned away if it has no letter and no
digit, or if nothing is left of it once such openers are taken out.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

MASTER_KEYS = (
    " ",
    ".",
    ",",
    ":",
    "Thought process:",
    "Let's solve this problem step by step.",
    "Solution",
    "解",
    "かいせつ",
    "Respuesta",
)
"""The ten strings of the paper."""


def rejection(answer: str | None) -> str | None:
    """Return why an answer must not reach a judge, or None if it may.

    Case, width, surrounding punctuation and invisible characters do not matter; repeated and
    joined keys are turned away like single ones. Letters of any script count as letters.

    >>> rejection("  Solution: "), rejection("..."), rejection("東京")
    ('the answer is a master key', 'the answer has no letters or digits', None)
    """
    plain = _plain(answer or "")
    if not any(map(str.isalnum, plain)):
        return "the answer has no letters or digits"
    for key in _KEY_TEXTS:
        plain = plain.replace(key, " ")
    return None if any(map(str.isalnum, plain)) else "the answer is a master key"


def guarded(answer: str | None, judge: Callable[[str], float], rejected: float = 0.0) -> float:
    """Return the judge's score of an answer, or `rejected` without asking it.

    >>> guarded("Solution", lambda answer: 1.0), guarded("Ulm", lambda answer: 1.0)
    (0.0, 1.0)
    """
    if answer is None or rejection(answer):
        return rejected
    return judge(answer)


def _plain(text: str) -> str:
    """Return text in one form: compatibility characters, no case, no invisible characters."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    return "".join(c for c in folded if unicodedata.category(c) not in ("Cf", "Cc") or c.isspace())


def _core(key: str) -> str:
    plain = _plain(key)
    inside = [i for i, character in enumerate(plain) if character.isalnum()]
    return plain[inside[0] : inside[-1] + 1] if inside else ""


_KEY_TEXTS = tuple(sorted(filter(None, map(_core, MASTER_KEYS)), key=len, reverse=True))
