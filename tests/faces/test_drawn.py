"""Drawn faces are told by their marker, whatever reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agfer_bench import DRAWN_MARKER, FaceImage, FaceTable
from agfer_bench.faces.drawn import is_drawn


def table(root: Path, *names: str) -> FaceTable:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    images = tuple(FaceImage(path=root / name, emotion="anger") for name in names)
    return FaceTable(root=root, images=images)


def test_photographs_are_not_drawn(tmp_path: Path) -> None:
    assert not is_drawn(table(tmp_path / "set", "P001/Anger/000.jpeg"))
    assert not is_drawn(table(tmp_path / "set"))


def test_a_marker_beside_the_photographs_set_does_not_count(tmp_path: Path) -> None:
    photographs = table(tmp_path / "photographs", "a/1.jpg")
    table(tmp_path / "drawn", "a/1.jpg")
    (tmp_path / "drawn" / DRAWN_MARKER).touch()
    assert not is_drawn(photographs)


@pytest.mark.parametrize("marked", [".", "set", "set/P001", "set/P001/Anger"])
def test_a_marker_counts_above_the_images(tmp_path: Path, marked: str) -> None:
    found = table(tmp_path / "set", "P001/Anger/000.jpeg", "P002/Anger/000.jpeg")
    (tmp_path / marked / DRAWN_MARKER).write_text("drawn\n")
    assert is_drawn(found)


def test_a_link_to_drawn_faces_shows_drawn_faces(tmp_path: Path) -> None:
    table(tmp_path / "drawn" / "deep", "a/1.jpg")
    (tmp_path / "drawn" / DRAWN_MARKER).touch()
    (tmp_path / "link").symlink_to(tmp_path / "drawn" / "deep")
    assert is_drawn(table(tmp_path / "link", "a/1.jpg"))


def test_a_relative_folder_has_parents_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / DRAWN_MARKER).touch()
    (tmp_path / "set").mkdir()
    monkeypatch.chdir(tmp_path / "set")
    assert is_drawn(table(Path(), "a/1.jpg"))
