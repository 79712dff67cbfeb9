"""The belief in an answer at every turn of an episode: one pass, beside one pass a prefix.

    python tests/benchmarks/bench_one_pass.py
    python tests/benchmarks/bench_one_pass.py --device cuda --shape qwen3-0.6b --dtype bfloat16

The model's weights are random: they change no time. An episode is turns of 256 tokens; the answer
of 16 tokens follows each turn, with a lead of 0 tokens. Columns, all of them in one run:

one pass    TransformersEngine.branch_logprobs, every token read once
all logits  each prefix by itself, logits for all of its tokens: `model(ids).logits`
apart       each prefix by itself, logits for the answer alone
together    all prefixes in one call of TransformersEngine.logprobs, which pads and batches them
memory      what a call adds at its peak: resident (CPU, sampled) or allocated (CUDA)

Last line: the ratios at 8 turns.
"""

from __future__ import annotations

import argparse
import ctypes
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import machine

from rmgym.agents.engine import Branch, Ids, Span
from rmgym.agents.tiny_models import tiny_model
from rmgym.agents.transformers_engine import TransformersEngine
from rmgym.testing.bytes_tokenizer import ByteTokenizer

TURN_TOKENS, ANSWER_TOKENS = 256, 16
TURNS = (1, 2, 4, 8, 16, 32)
SHAPES: dict[str, dict[str, Any]] = {
    "small": {
        "vocabulary": 4096,
        "hidden": 256,
        "layers": 4,
        "heads": 4,
        "key_value_heads": 2,
        "head_size": 64,
        "intermediate": 768,
    },
    "qwen3-0.6b": {
        "vocabulary": 151_936,
        "hidden": 1024,
        "layers": 28,
        "heads": 16,
        "key_value_heads": 8,
        "head_size": 128,
        "intermediate": 3072,
        "tied": True,
    },
}
Scores = list[tuple[float, ...]]


class Bench:
    """One engine, one episode at a time, and the ways to score it."""

    def __init__(self, engine: TransformersEngine, turns: int) -> None:
        rng = np.random.default_rng(turns)
        vocabulary = engine.model.config.vocab_size
        self.engine = engine
        self.trunk: Ids = tuple(rng.integers(vocabulary, size=turns * TURN_TOKENS).tolist())
        self.answer: Ids = tuple(rng.integers(vocabulary, size=ANSWER_TOKENS).tolist())
        self.ends = [TURN_TOKENS * (turn + 1) for turn in range(turns)]

    def one_pass(self) -> Scores:
        """Return the answer's log-probabilities after each turn."""
        branches = [Branch(end, self.answer) for end in self.ends]
        return self.engine.branch_logprobs([self.trunk], [branches])[0]

    def apart(self) -> Scores:
        """Return the same, each prefix by itself."""
        return [
            self.engine.logprobs([self._sequence(end)], [self._span(end)])[0] for end in self.ends
        ]

    def together(self) -> Scores:
        """Return the same, all prefixes in one call, batched as the engine sees fit."""
        sequences = [self._sequence(end) for end in self.ends]
        return self.engine.logprobs(sequences, [self._span(end) for end in self.ends])

    def all_logits(self) -> Scores:
        """Return the same, each prefix by itself with all of its logits."""
        found: Scores = []
        model = self.engine.model
        for end in self.ends:
            ids = torch.tensor([self._sequence(end)], device=model.device)
            with torch.no_grad():
                logprobs = model(ids, use_cache=False).logits[0].float().log_softmax(-1)
            picked = logprobs[end - 1 : -1].gather(-1, ids[0, end:, None])[:, 0]
            found.append(tuple(picked.tolist()))
        return found

    def _sequence(self, end: int) -> Ids:
        return self.trunk[:end] + self.answer

    def _span(self, end: int) -> Span:
        return Span(end, end + ANSWER_TOKENS)


def timed(work: Callable[[], Scores], arguments: argparse.Namespace) -> tuple[Scores, float]:
    """Return what the work gives and the seconds of its fastest call.

    On CPU they are seconds of the processor, which other programs do not lengthen.
    """
    clock = time.process_time if arguments.device == "cpu" else time.perf_counter
    found: list[float] = []
    for _ in range(arguments.repeats):
        start = clock()
        scores = work()
        found.append(clock() - start)
    return scores, min(found)


def added_memory(work: Callable[[], Scores], device: str) -> float:
    """Return the peak memory that the work adds, in MiB."""
    if device != "cpu":
        allocated = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        work()
        return float(torch.cuda.max_memory_allocated() - allocated) / 2**20
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    before, peak, done = _resident(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            peak[0] = max(peak[0], _resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return max(peak[0] - before, 0.0)


def _resident() -> float:
    """Return the resident memory of this process in MiB (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("expected VmRSS in /proc/self/status, got none; run this on Linux")


def largest_difference(one: Scores, other: Scores) -> float:
    """Return the largest absolute difference of two scorings."""
    return float(np.abs(np.array(one) - np.array(other)).max())


def make_engine(arguments: argparse.Namespace) -> TransformersEngine:
    """Return an engine on a random model of the asked shape."""
    longest = max(arguments.turns) * TURN_TOKENS + ANSWER_TOKENS
    model = tiny_model(
        "qwen3",
        max_tokens=longest,
        attn_implementation=arguments.attention,
        **SHAPES[arguments.shape],
    )
    return TransformersEngine(
        model, ByteTokenizer(), device=arguments.device, dtype=arguments.dtype
    )


def row(engine: TransformersEngine, turns: int, arguments: argparse.Namespace) -> dict[str, float]:
    """Measure one length of episode."""
    bench = Bench(engine, turns)
    scores, one = timed(bench.one_pass, arguments)
    found = {"turns": float(turns), "one pass": one}
    difference = 0.0
    ways = {"all logits": bench.all_logits, "apart": bench.apart, "together": bench.together}
    for name, work in ways.items():
        other, seconds = timed(work, arguments)
        found[name] = seconds
        difference = max(difference, largest_difference(scores, other))
    found["difference"] = difference
    found["memory"] = added_memory(bench.one_pass, arguments.device)
    found["memory together"] = added_memory(bench.together, arguments.device)
    return found


def show(found: dict[str, float]) -> None:
    """Print one line of the table."""
    ways = ("all logits", "apart", "together")
    cells = [f"{found['turns']:.0f}", f"{1e3 * found['one pass']:.1f} ms"]
    cells += [f"{1e3 * found[w]:.1f} ms ({found[w] / found['one pass']:.1f}x)" for w in ways]
    cells += [f"{found['memory']:.0f} MiB", f"{found['memory together']:.0f} MiB"]
    print("| " + " | ".join([*cells, f"{found['difference']:.1e}"]) + " |", flush=True)


def main() -> None:
    """Print the table and the ratios at 8 turns."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--shape", default="small", choices=sorted(SHAPES))
    parser.add_argument("--attention", default="sdpa", choices=["sdpa", "eager"])
    parser.add_argument("--turns", type=int, nargs="+", default=list(TURNS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    engine = make_engine(arguments)
    millions = sum(p.numel() for p in engine.model.parameters()) / 1e6
    where = torch.cuda.get_device_name() if arguments.device != "cpu" else machine()
    print(f"{where}; {arguments.shape}, {millions:.1f} M parameters, {arguments.dtype}, ", end="")
    print(f"{arguments.attention}; turns of {TURN_TOKENS} tokens, answer of {ANSWER_TOKENS}")
    print("| turns | one pass | all logits | apart | together | memory | together | difference |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    at_eight = ""
    for turns in arguments.turns:
        found = row(engine, turns, arguments)
        show(found)
        if turns == 8:
            ratios = [found[w] / found["one pass"] for w in ("all logits", "apart", "together")]
            at_eight = ", ".join(f"{ratio:.1f}x" for ratio in ratios)
    print(f"at 8 turns, against all logits, apart, together: {at_eight or 'not measured'}")


if __name__ == "__main__":
    main()
