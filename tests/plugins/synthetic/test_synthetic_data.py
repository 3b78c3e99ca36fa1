"""The drawn data sets: drawn once, whole or not at all, read by their layouts' readers; errors."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import agfer_bench_synthetic
import cv2
import pytest
from agfer_bench_synthetic import (
    databases,
    draw_faces,
    draw_oulu_casia,
    drawing,
    read_portraits,
    read_sequences,
)
from agfer_bench_synthetic.layouts import Faces, OuluCasia

from agfer_bench import DRAWN_MARKER, FaceTable, Place, UserError

Places = Callable[..., Place]


def contents(table: FaceTable) -> dict[str, bytes]:
    return {table.name(image): image.path.read_bytes() for image in table.images}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, place: Places) -> FaceTable:
    return read_sequences(place(tmp_path_factory.mktemp("small")), subjects=1)


def test_the_hook_offers_two_drawn_data_sets() -> None:
    specs = agfer_bench_synthetic.face_datasets()
    assert [(spec.name, spec.layout) for spec in specs] == [
        ("synthetic", "oulu-casia"),
        ("synthetic-faces", "faces"),
    ]
    assert all(spec.drawn and spec.draw and not spec.needs_folder for spec in specs)


def test_sequences_are_read_by_the_reader_of_their_layout(small: FaceTable) -> None:
    counts = Counter(image.emotion for image in small.images)
    assert counts == dict.fromkeys(
        ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"), 1
    )
    assert small.notes == ("subjects: 1; of 1 to 80 these are missing: 2-80",)
    picture = cv2.imread(str(small.images[0].path))
    assert picture is not None
    assert picture.shape == (240, 320, 3)


def test_the_neutral_frames_that_are_drawn_are_read_as_neutral(
    place: Places, tmp_path: Path
) -> None:
    table = read_sequences(
        place(tmp_path), subjects=1, frames=3, neutral_frames=2, neutral_sequences=0
    )
    assert Counter(image.emotion == "neutral" for image in table.images) == {True: 12, False: 6}


def test_portraits_are_read_by_the_reader_of_their_layout(place: Places, tmp_path: Path) -> None:
    table = read_portraits(place(tmp_path, 2), persons=3, width=56, height=70)
    assert len(table.images) == 36
    assert {image.age_group for image in table.images} == {"young", "middle", "old"}
    assert table.notes == ()


def test_what_is_drawn_is_not_drawn_again(
    place: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = read_portraits(place(tmp_path), persons=1, width=40, height=50)

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("drawn again")

    monkeypatch.setattr(databases, "draw_all", refuse)
    assert read_portraits(place(tmp_path), persons=1, width=40, height=50) == drawn


def test_another_renderer_draws_again(
    place: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read_portraits(place(tmp_path), persons=1, width=40, height=50)
    monkeypatch.setattr(databases, "renderer_version", lambda: "another")
    assert read_portraits(place(tmp_path), persons=1, width=40, height=50).root != first.root


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_is_told(place: Places, tmp_path: Path, workers: int) -> None:
    heard: list[tuple[str, int, int]] = []
    told = place(tmp_path, workers, progress=lambda *what: heard.append(what))
    read_sequences(told, subjects=1, frames=1)
    assert heard == [("drawing oulu-casia", done, 6) for done in range(7)]


def test_a_missing_file_is_drawn_again(place: Places, small: FaceTable, tmp_path: Path) -> None:
    table = read_sequences(place(tmp_path), subjects=1)
    table.images[3].path.unlink()
    assert contents(read_sequences(place(tmp_path), subjects=1)) == contents(small)


def test_a_half_written_set_is_never_used(
    place: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: FaceTable
) -> None:
    def stop(order: object, root: Path, *_: object) -> NoReturn:
        (root / "OriginalImg").mkdir()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(databases, "draw_all", stop)
        with pytest.raises(KeyboardInterrupt):
            read_sequences(place(tmp_path), subjects=1)
    assert list((tmp_path / "synthetic").iterdir()) == []
    assert contents(read_sequences(place(tmp_path), subjects=1)) == contents(small)


def test_a_full_disk_is_one_line_and_leaves_nothing(
    place: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, data: bytes) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match="no space left to draw faces under") as caught:
        read_sequences(place(tmp_path), subjects=1)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "synthetic").iterdir()) == []
    with pytest.raises(UserError, match="no space left to draw faces under"):
        draw_oulu_casia(replace(place(tmp_path), folder=tmp_path / "set"), subjects=1)


def test_a_worker_that_cannot_write_says_so(tmp_path: Path) -> None:
    orders = (
        OuluCasia(subjects=2, frames=1, neutral_frames=0, width=64, height=48, seed=0),
        Faces(persons=2, width=40, height=50, seed=0),
    )
    for order in orders:
        with pytest.raises(FileNotFoundError):
            list(drawing._draw_apart(order, tmp_path / "missing", 2))


def test_a_cache_that_is_a_file_is_a_users_error(place: Places, tmp_path: Path) -> None:
    (tmp_path / "synthetic").write_text("in the way")
    with pytest.raises(UserError, match="cannot write the drawn faces"):
        read_sequences(place(tmp_path), subjects=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subjects": 0}, "subjects=0 must be from 1 to 999"),
        ({"subjects": 1000}, "subjects=1000 must be from 1 to 999"),
        ({"frames": -1}, "frames=-1 must be from 0 to 999"),
        ({"neutral_frames": -1}, "neutral_frames=-1 must be from 0"),
        ({"seed": -1}, "seed=-1 must be from 0"),
        ({"width": 8}, "width=8 must be from 32"),
        ({"width": 100, "height": 800}, "100x800 pixels are too narrow"),
    ],
)
def test_bad_options(options: dict[str, int], message: str, place: Places, tmp_path: Path) -> None:
    target = replace(place(tmp_path), folder=tmp_path / "set")
    with pytest.raises(UserError, match=message):
        draw_oulu_casia(target, **options)
    assert not (tmp_path / "set").exists()


def test_bad_options_of_portraits(place: Places, tmp_path: Path) -> None:
    for options in ({"persons": 0}, {"persons": 1000}, {"height": 9000}, {"seed": -1}):
        with pytest.raises(UserError, match="must be from"):
            draw_faces(replace(place(tmp_path), folder=tmp_path / "set"), **options)
        with pytest.raises(UserError, match="must be from"):
            read_portraits(place(tmp_path), **options)


def test_a_folder_is_refused_by_reading_and_wanted_by_drawing(
    place: Places, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="takes no folder"):
        read_sequences(replace(place(tmp_path), folder=tmp_path))
    with pytest.raises(UserError, match="name the folder"):
        draw_oulu_casia(place(tmp_path))


def test_a_folder_that_holds_something_is_not_drawn_into(place: Places, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="is not empty"):
        draw_faces(replace(place(tmp_path), folder=tmp_path / "set"), persons=1)
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["mine.txt"]


def test_a_set_is_marked_as_drawn(place: Places, small: FaceTable, tmp_path: Path) -> None:
    draw_faces(replace(place(tmp_path), folder=tmp_path / "set"), persons=1, width=40, height=50)
    for folder in (tmp_path / "set", small.root.parents[2]):
        assert "no photographs" in (folder / DRAWN_MARKER).read_text()
