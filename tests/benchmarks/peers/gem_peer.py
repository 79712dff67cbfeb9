"""GEM's echo and search environments: `gem_peer.py RETRIEVER_URL SECONDS`."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import gem
from gem.core import Env
from gem.tools.search_tool import SearchTool
from gem.tools.tool_env_wrapper import ToolEnvWrapper
from measure import rate


class Echo(Env):
    """Turns without content."""

    def __init__(self, **settings):
        self.turn = 0

    def reset(self, seed=None):
        self.turn = 0
        return "x" * 200, {}

    def step(self, action):
        self.turn += 1
        return "x" * 200, 0.0, False, False, {}


def steps(vector, action, number):
    for _ in range(number):
        vector.step([action] * 16)
    return 16 * number


def main() -> None:
    url, seconds = sys.argv[1], float(sys.argv[2])
    gem.register("bench:Echo", Echo)
    figures = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for asynchronous in (False, True):
            echo = gem.make_vec(["bench:Echo"] * 16, async_mode=asynchronous)
            echo.reset()
            name = "threads" if asynchronous else "sync"
            figures[f"16 echo {name}, steps/s"] = rate(
                lambda v=echo: steps(v, "hello world", 20), seconds=seconds
            )
        wrap = partial(ToolEnvWrapper, tools=[SearchTool(search_url=url)], max_tool_uses=None)
        search = gem.make_vec(["bench:Echo"] * 16, async_mode=True, wrappers=[wrap])
        search.reset()
        figures["16 searches at 20 ms, threads, turns/s"] = rate(
            lambda: steps(search, "<search>who wrote it</search>", 3), seconds=seconds
        )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
