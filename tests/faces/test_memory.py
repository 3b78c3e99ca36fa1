"""Preparing more photographs takes no more memory: each is let go once its crop is written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

FEW, MANY = 500, 2000
CROPS = (MANY - FEW) * 224 * 224 * 3
"""Bytes of the crops that one has and the other has not: 226 MB."""


def _peak(number: int, *, hold: bool = False) -> int:
    """Bytes at the peak of a fresh process that prepares so many pictures."""
    script = Path(__file__).with_name("prepare_many.py")
    done = subprocess.run(
        [sys.executable, str(script), str(number), "yes" if hold else "no"],
        stdout=subprocess.PIPE,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    return int(done.stdout)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux counts peaks in /proc")
def test_peak_memory_does_not_grow_with_the_photographs() -> None:
    """Rows of the table stay, at most some kilobytes each; the twin that holds all crops shows."""
    few = _peak(FEW)
    assert _peak(MANY) - few < 0.15 * CROPS
    assert _peak(MANY, hold=True) - few > 0.8 * CROPS
