"""Measuring helpers: rates of work in one run, with the machine named, so that ratios hold."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def rate(work: Callable[[], int], *, seconds: float = 1.5, repeats: int = 3) -> float:
    """Return the median number of units a second; `work` does a batch and returns its units."""
    work()
    rates = []
    for _ in range(repeats):
        done, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds / repeats:
            done += work()
        rates.append(done / (time.perf_counter() - start))
    return statistics.median(rates)


def machine() -> str:
    """Return what ran it."""
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}"


class StubRetriever:
    """A process that answers `/retrieve` after a fixed latency, on its own port."""

    def __init__(self, latency_ms: float) -> None:
        command = [sys.executable, str(HERE / "stub_retriever.py"), str(latency_ms)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        stdout = self._process.stdout
        if stdout is None:
            raise RuntimeError("expected the stub's standard output, got none")
        self.port = int(stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}/retrieve"

    def __enter__(self) -> StubRetriever:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()


def run_peer(python: str, script: str, *arguments: str, seconds: float) -> dict[str, Any]:
    """Run a peer's script under its own interpreter; it prints one JSON object last."""
    command = [python, str(HERE / "peers" / script), *arguments, str(seconds)]
    environment = {**os.environ, "PATH": f"{Path(python).parent}:{os.environ['PATH']}"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        return {"error": done.stderr.strip().splitlines()[-1:] or [f"exit {done.returncode}"]}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def print_table(rows: list[tuple[str, float, str]]) -> None:
    """Print name, figure and note of each row."""
    for name, figure, note in rows:
        print(f"{name:<58s} {figure:>14,.1f}  {note}")
