"""Helpers that the tests of the drawn databases share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from agfer_bench_databases.faces import read_faces
from agfer_bench_databases.oulu_casia import read_oulu_casia

from agfer_bench import FaceTable, Place

READERS: dict[str, Callable[..., FaceTable]] = {
    "oulu-casia": read_oulu_casia,
    "faces": read_faces,
}


def _read(name: str, folder: Path, **options: object) -> FaceTable:
    """Read with the reader of a layout, as the harness does for a plugin."""
    return READERS[name](Place(folder=folder, cache=folder), **options)


@pytest.fixture(scope="session")
def place() -> Callable[..., Place]:
    """Return what makes a place without a folder, whose reads go to the real readers."""

    def make(cache: Path, workers: int = 1, **fields: object) -> Place:
        return Place(folder=None, cache=cache, workers=workers, read=_read, **fields)  # type: ignore[arg-type]

    return make


def _tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="session")
def tree() -> Callable[[Path], dict[str, bytes]]:
    """Return what reads all files below a folder."""
    return _tree
