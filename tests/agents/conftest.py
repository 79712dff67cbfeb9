"""Makes `tests.agents.stub_openai` importable, here and in the processes that tests start."""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[2])
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)
