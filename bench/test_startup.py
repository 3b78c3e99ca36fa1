"""How long a person waits for the first line: `--help`, and `modules` made anew and kept.

Each round is a process of its own. Run with `pytest bench/test_startup.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROUNDS = 7


def _command(*arguments: str, cache: Path) -> None:
    code = "from agfer_bench.cli.app import main; main()"
    environment = os.environ | {"AGFER_BENCH_CACHE": str(cache)}
    subprocess.run(
        [sys.executable, "-c", code, *arguments],
        check=True,
        env=environment,
        stdout=subprocess.DEVNULL,
    )


def test_help(benchmark: Any, tmp_path: Path) -> None:
    benchmark.pedantic(_command, ("--help",), {"cache": tmp_path}, rounds=ROUNDS, warmup_rounds=1)


@pytest.mark.parametrize("what", ["modules", "data list"])
def test_made_anew(benchmark: Any, tmp_path: Path, what: str) -> None:
    caches = (tmp_path / str(number) for number in range(ROUNDS + 1))

    def setup() -> tuple[tuple[str, ...], dict[str, Path]]:
        return tuple(what.split()), {"cache": next(caches)}

    benchmark.pedantic(_command, setup=setup, rounds=ROUNDS, warmup_rounds=1)


@pytest.mark.parametrize("what", ["modules", "modules cbam", "data list"])
def test_from_the_kept_listing(benchmark: Any, tmp_path: Path, what: str) -> None:
    _command(*what.split(), cache=tmp_path)
    assert list(tmp_path.glob("listings/*")), "a file that changed just now: run it again"
    benchmark.pedantic(
        _command, tuple(what.split()), {"cache": tmp_path}, rounds=ROUNDS, warmup_rounds=1
    )
