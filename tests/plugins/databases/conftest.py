"""Hand-made trees: readers open no image, so one byte is an image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agfer_bench import Place


@pytest.fixture
def grow(tmp_path: Path) -> Callable[..., Path]:
    """Write files of one byte into the test's own folder `data`; return that folder."""

    def write(*names: str, data: bytes = b"x") -> Path:
        for name in names:
            path = tmp_path / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return tmp_path / "data"

    return write


@pytest.fixture
def place(tmp_path: Path) -> Callable[[Path | None], Place]:
    """Return the place of a folder, with a cache beside it."""
    return lambda folder: Place(folder=folder, cache=tmp_path / "cache")
