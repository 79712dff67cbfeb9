"""What a judge reads in a transcript: the question, and what the agent answered."""

from __future__ import annotations

import re

from rmgym.judges.guard import rejection
from rmgym.judges.protocols import Transcript
from rmgym.messages import Message, message
from rmgym.parsing import first_tag

_WRAPPING = re.compile(
    r"""</?[A-Za-z_][\w-]*(?:\s+[\w-]+="[^"]*")*\s*/?>|\\(?:boxed|text|mathrm|textbf)\b"""
)
"""What may stand around an answer and is none itself: tags, and commands of TeX."""
_END_OF_THOUGHT = "</think>"


def question_of(transcript: Transcript) -> str:
    """Return the first message of the user; empty if there is none."""
    return next((said["content"] for said in transcript if said["role"] == "user"), "")


def last_said(transcript: Transcript) -> str | None:
    """Return the agent's last message, or None if it said nothing."""
    said = [m["content"] for m in transcript if m["role"] == "assistant"]
    return said[-1] if said else None


def final_answer(transcript: Transcript) -> str:
    """Return what the agent answered.

    The content of the first `<answer>` block of its last message, as the turn parser takes it;
    without one, what follows the thought; empty if it said nothing.

    >>> final_answer([message("assistant", "<think>hm</think><answer> Ulm </answer>")])
    'Ulm'
    """
    said = last_said(transcript) or ""
    block = first_tag(said, ("answer",))
    return block[1] if block else said.rpartition(_END_OF_THOUGHT)[2].strip()


def rejection_of(transcript: Transcript) -> str | None:
    """Return why a transcript must not reach a judge, or None if it may.

    The final answer is held against the master keys, without tags around or in it.

    >>> rejection_of([message("assistant", "<think>Let me see.</think><answer>:</answer>")])
    'the answer has no letters or digits'
    """
    if last_said(transcript) is None:
        return "the agent said nothing"
    return rejection(_WRAPPING.sub(" ", final_answer(transcript)))


def rejection_of_answer(answer: str) -> str | None:
    """Return why an answer must not reach a judge, or None if it may; see `rejection_of`."""
    return rejection_of([message("assistant", answer)])


def answering(question: str, answer: str) -> tuple[Message, ...]:
    """Return a transcript of one question and its answer."""
    return message("user", question), message("assistant", answer)
