"""Serve a setting over OpenEnv, and play it from another process.

    python examples/serve_with_openenv.py
    uvicorn --app-dir examples serve_with_openenv:app     # for real use

Needs `pip install 'rmgym[openenv]'`. Run by itself, the file serves on loopback and plays one
episode through the client, which is an ordinary environment. Last line: what the server paid.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request

import rmgym  # noqa: F401  # registers the environments
from rmgym.integrations.openenv import OpenEnvClient, server_app

ENV_ID = "rmgym/Search-v0"


def __getattr__(name: str) -> object:
    if name == "app":
        return server_app(ENV_ID)
    raise AttributeError(name)


def main() -> None:
    """Serve and play."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    folder = os.path.dirname(os.path.abspath(__file__))
    command = [
        "-m",
        "uvicorn",
        "--app-dir",
        folder,
        "serve_with_openenv:app",
        "--log-level",
        "error",
    ]
    server = subprocess.Popen([sys.executable, *command, "--port", address.split(":")[1]])
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://{address}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        env = OpenEnvClient(f"http://{address}")
        observation, _ = env.reset(seed=0)
        print(observation[-1]["content"][-200:])
        for action in ("<search>the lake</search>", "<answer>nobody knows</answer>"):
            _, reward, terminated, _, info = env.step(action)
        print(f"paid {reward:.2f}, terminated {terminated}, {info['stop_reason']}")
        env.close()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
