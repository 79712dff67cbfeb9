"""Cases of turn rewards: process scores, searches, tool calls."""

from __future__ import annotations

from typing import Any

from rmgym.rewards import adasearch, shaping, smartsearch
from rmgym.rewards.experimental.tool_call_errors import tool_call_errors
from rmgym.rewards.ppr import renorm
from rmgym.rewards.qvalue import implicit_q, pick
from rmgym.rewards.r3rag import Status, step_rewards
from rmgym.rewards.retrieval_utility import passage_utility
from rmgym.rewards.toolrl import call_correctness
from rmgym.testing.cases.registry import Inputs, adapter

_STATUS: dict[str, Status] = {
    "correct": "correct",
    "wrong": "wrong",
    "format_failure": "format_failure",
}


@adapter("PPR", "ReNorm*")
def ppr(inputs: Inputs) -> dict[str, Any]:
    """Return normalised process rewards."""
    return {"rewards": renorm(inputs["process"], inputs["outcome"])}


@adapter("Clip")
def clip(inputs: Inputs) -> dict[str, Any]:
    """Return clipped process rewards."""
    return {"rewards": shaping.clip_process(inputs["process"], inputs["eta"])}


@adapter("Delta")
def delta(inputs: Inputs) -> dict[str, Any]:
    """Return differences of process rewards and their returns."""
    rewards = shaping.delta_process(inputs["process"])
    return {"rewards": rewards, "returns_to_go": shaping.returns_to_go(rewards)}


@adapter("R3-RAG", "step relevance scaled by outcome")
def r3rag(inputs: Inputs) -> dict[str, Any]:
    """Return the step rewards; a status that is neither right nor wrong means no answer."""
    status = _STATUS.get(inputs["status"], "no_answer")
    return {"rewards": step_rewards(inputs["step_relevance"], status)}


@adapter("R3-RAG", "format still wrong*")
def r3rag_format(inputs: Inputs) -> dict[str, Any]:
    """Return the reward of the step that ends the episode by its format."""
    rewards = step_rewards(inputs["step_relevance"], _STATUS[inputs["status"]])
    return {"last_step_reward": rewards[-1], "stop": inputs["status"] == "format_failure"}


@adapter("SmartSearch", "query quality*")
def smartsearch_labels(inputs: Inputs) -> dict[str, Any]:
    """Return the labels of queries."""
    overlaps = inputs["overlap_with_earlier_docs"]
    return {"labels": smartsearch.query_labels(overlaps, inputs["useful"], inputs["K"])}


@adapter("SmartSearch", "composite reward")
def smartsearch_composite(inputs: Inputs) -> dict[str, Any]:
    """Return the composite without and with the format part."""
    value = smartsearch.composite(
        inputs["outcome"],
        inputs["labels"],
        gamma=inputs["gamma"],
        phi_min=inputs["phi_min"],
        phi_max=inputs["phi_max"],
    )
    return {"composite": value, "reward": value + inputs["lambda"] * inputs["format"]}


@adapter("LLM-specific utility")
def utility(inputs: Inputs) -> dict[str, Any]:
    """Return the utility of passages, and our signed form."""
    found = passage_utility(inputs["closed_book_correct"], inputs["with_passage_correct"])
    return {"utility": found[0], "signed_gain": found[1]}


@adapter("AdaSearch", "F1 of the search decision")
def search_decision(inputs: Inputs) -> dict[str, Any]:
    """Return F1 (positive = search) and the reward of each decision."""
    pairs = inputs["decision_vs_needed"]
    rewards = [adasearch.decision_reward(*pair) for pair in pairs]
    return {"f1": adasearch.decision_f1(pairs), "decision_reward": rewards}


@adapter("ToolRL", "default graded correctness*")
def toolrl(inputs: Inputs) -> dict[str, Any]:
    """Return the correctness of calls, and with a right format."""
    value = call_correctness(inputs["predicted"], inputs["gold"])
    return {"correctness": value, "total_with_format_1": value + 1.0}


@adapter("TTPA")
def ttpa(inputs: Inputs) -> dict[str, Any]:
    """Return our stand-in's score of a tool call."""
    return {"score": tool_call_errors(inputs["predicted"], inputs["gold"])}


@adapter("Step-level Q-value")
def qvalue(inputs: Inputs) -> dict[str, Any]:
    """Return implicit values and the action picked."""
    q = implicit_q(inputs["logp"], inputs["ref_logp"], inputs["beta"])
    return {"q": q, "choice": pick(q)}
