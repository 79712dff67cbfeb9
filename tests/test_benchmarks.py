"""The measurements run; what they measure decides nothing here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent / "benchmarks"


@pytest.mark.slow
def test_environments_are_measured() -> None:
    command = [sys.executable, str(BENCHMARKS / "bench_environments.py"), "--seconds", "0.05"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "16 conversations, mode=process" in done.stdout
    assert "20 ms retriever" in done.stdout
