"""The layers in pyproject.toml hold, and a faulty import is found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Copy the harness's code and the contract."""
    shutil.copytree(
        ROOT / "agfer_bench", tmp_path / "agfer_bench", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; from importlinter.cli import lint_imports_command as lint; sys.exit(lint())"
    return subprocess.run(
        [sys.executable, "-c", code, "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_contract_is_kept(copied: Path) -> None:
    done = lint(copied)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 kept, 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("records/base.py", "import agfer_bench.cli.app"),
        ("faces/mask.py", "import agfer_bench.network.host"),
        ("run/store/locks.py", "import agfer_bench.run.runner"),
    ],
)
def test_a_faulty_import_is_found(copied: Path, file: str, line: str) -> None:
    path = copied / "agfer_bench" / file
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    done = lint(copied)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "broken" in done.stdout
    assert line.removeprefix("import ") in done.stdout
