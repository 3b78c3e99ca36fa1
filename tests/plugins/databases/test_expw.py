"""The ExpW reader: faces cut by hand-made boxes from one photograph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from agfer_bench_databases.expw import read_expw

from agfer_bench import Place, UserError

PlaceOf = Callable[[Path | None], Place]


@pytest.fixture
def expw(tmp_path: Path) -> Path:
    folder = tmp_path / "ExpW"
    (folder / "image" / "origin").mkdir(parents=True)
    (folder / "label").mkdir()
    scene = np.zeros((120, 200, 3), np.uint8)
    scene[20:60, 30:70] = 90  # a face of 40 x 40
    scene[40:104, 120:184] = 200  # one of 64 x 64, near the right and the lower edge
    assert cv2.imwrite(str(folder / "image" / "origin" / "two of us.png"), scene)
    (folder / "image" / "origin" / "broken.jpg").write_bytes(b"no image")
    lines = [
        "two of us.png 0 20 30 70 60 60.5 3",
        "two of us.png 1 40 120 184 104 20.25 6",
        "two of us.png 1 40 120 184 104 20.25 6",
        "two of us.png 2 0 0 8 8 50.0 1",
        "two of us.png 3 a b c d 50.0 1",
        "broken.jpg 0 1 1 40 40 50.0 0",
        "gone.jpg 0 1 1 40 40 50.0 0",
        "../out.jpg 0 1 1 40 40 50.0 0",
        "",
    ]
    (folder / "label" / "label.lst").write_text("\n".join(lines))
    return folder


def test_each_box_is_a_face(expw: Path, place: PlaceOf) -> None:
    table = read_expw(place(expw))
    told = [(table.name(image), image.emotion) for image in table.images]
    assert told == [("two of us.png_0.png", "happiness"), ("two of us.png_1.png", "neutral")]
    one, other = (cv2.imread(str(image.path)) for image in table.images)
    assert one is not None
    assert other is not None
    # A margin of a quarter on every side, as far as there is a photograph.
    assert one.shape == (60, 60, 3)
    assert (one[10:50, 10:50] == 90).all()
    assert not one[:10].any()
    assert other.shape == (96, 96, 3), "120 - (40 - 16) rows, 200 - (120 - 16) columns"
    assert (other[16:80, 16:80] == 200).all()
    assert table.notes == (
        "lines of the list that name a face again, left out: 1, first 3",
        "lines of the list that do not fit, left out: 2, first 5",
        "photographs that the list names and that are missing: 1, first gone.jpg",
        "each face is cut out by its box, with a margin of 25% of its sides: 2 faces",
        "faces of less than 16 pixels in the photograph, left out: 1, first two of us.png, face 2",
        "faces in photographs that cannot be read, left out: 1, first broken.jpg, face 0",
    )


def test_faces_are_cut_once(expw: Path, place: PlaceOf) -> None:
    first = read_expw(place(expw))
    stamps = [image.path.stat().st_mtime_ns for image in first.images]
    again = read_expw(place(expw))
    assert again == first
    assert [image.path.stat().st_mtime_ns for image in again.images] == stamps
    first.images[0].path.unlink()
    assert read_expw(place(expw)) == first, "what is gone is cut anew"


def test_a_box_may_be_too_unsure(expw: Path, place: PlaceOf) -> None:
    table = read_expw(place(expw), confidence=30)
    assert [image.emotion for image in table.images] == ["happiness"]
    assert "1 faces of a confidence below 30, left out" in table.notes


def test_errors_are_one_line(expw: Path, place: PlaceOf, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is not laid out as ExpW: expected label\.lst"):
        read_expw(place(tmp_path / "ExpW" / "image"))
    for path in (expw / "image" / "origin").iterdir():
        path.unlink()
    with pytest.raises(UserError, match=r"names and that are missing: 3, first two of us\.png"):
        read_expw(place(expw))
