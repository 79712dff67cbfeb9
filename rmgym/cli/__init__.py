"""The command line: `rmgym demo`, `list`, `play`, `rollout`, `eval`, `view`, `audit`, `credit`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; one sentence instead of a traceback where an extra is missing."""
    try:
        from rmgym.cli.app import app
    except ImportError as error:
        if error.name is None or error.name.split(".")[0] not in ("typer", "rich", "jinja2"):
            raise
        sys.exit(f"The command line needs an optional package: pip install 'rmgym[cli]' ({error})")
    app()
