from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LINKS = ("rmgym/agents", "rmgym/envs")


@pytest.mark.parametrize("link", LINKS)
def test_folder_is_reached_through_a_link(link: str) -> None:
    path = ROOT / link
    assert path.is_symlink(), f"{link} is no link; git config core.symlinks true, then check it out"
    assert path.readlink() == Path("..") / path.name


def test_git_stores_the_links_as_links() -> None:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("no git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "--stage", *LINKS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    modes = {line.split("\t")[1]: line.split()[0] for line in listed.stdout.splitlines()}
    assert modes == dict.fromkeys(LINKS, "120000")


@pytest.mark.slow
def test_wheel_holds_one_package(tmp_path: Path) -> None:
    pytest.importorskip("setuptools")
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    skipped = shutil.ignore_patterns("__pycache__")
    for name in ("rmgym", "envs", "agents"):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=skipped)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*command, "--quiet", "--wheel-dir", str(tmp_path), str(source)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    top_level = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert top_level == {"rmgym"}
    assert {"rmgym/envs/__init__.py", "rmgym/agents/__init__.py", "rmgym/py.typed"} <= set(names)
