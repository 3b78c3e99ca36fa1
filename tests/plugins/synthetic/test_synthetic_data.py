"""The drawn data set: the same to the byte, whole or not at all, and its errors."""

from __future__ import annotations

import errno
from collections import Counter
from pathlib import Path
from typing import NoReturn

import agfer_bench_synthetic
import cv2
import pytest
from agfer_bench_synthetic import databases, drawing, read
from agfer_bench_synthetic.casting import rising

from agfer_bench import FaceTable, Place, UserError


def place(cache: Path, workers: int = 1) -> Place:
    return Place(folder=None, cache=cache, workers=workers)


def contents(table: FaceTable) -> dict[str, bytes]:
    return {table.name(image): image.path.read_bytes() for image in table.images}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> FaceTable:
    return read(place(tmp_path_factory.mktemp("small")), subjects=2, frames=2)


def test_the_hook_offers_a_drawn_data_set() -> None:
    (spec,) = agfer_bench_synthetic.face_datasets()
    assert (spec.name, spec.drawn, spec.needs_folder) == ("synthetic", True, False)


def test_every_emotion_has_as_many_images(small: FaceTable) -> None:
    counts = Counter(image.emotion for image in small.images)
    assert len(counts) == 7
    assert set(counts.values()) == {4}


def test_the_table_names_subject_sequence_and_frame(small: FaceTable) -> None:
    names = [small.name(image) for image in small.images]
    assert names == sorted(names)
    first = small.images[0]
    assert small.name(first) == "anger/s001_000.jpg"
    assert (first.subject, first.sequence, first.frame) == ("s001", "s001-anger", 0)
    picture = cv2.imread(str(first.path))
    assert picture is not None
    assert picture.shape == (240, 320, 3)


def test_the_same_bytes_again_and_with_more_workers(small: FaceTable, tmp_path: Path) -> None:
    again = read(place(tmp_path / "one"), subjects=2, frames=2)
    apart = read(place(tmp_path / "two", workers=2), subjects=2, frames=2)
    assert contents(small) == contents(again) == contents(apart)


def test_another_seed_draws_others(small: FaceTable, tmp_path: Path) -> None:
    other = read(place(tmp_path), subjects=2, frames=2, seed=1)
    same = contents(other).items() & contents(small).items()
    assert not same


def test_more_subjects_leave_the_first_ones_as_they_are(small: FaceTable, tmp_path: Path) -> None:
    more = read(place(tmp_path), subjects=3, frames=2)
    assert contents(small).items() <= contents(more).items()


def test_what_is_drawn_is_not_drawn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = read(place(tmp_path), subjects=2, frames=1)

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("drawn again")

    monkeypatch.setattr(databases, "draw_all", refuse)
    assert read(place(tmp_path), subjects=2, frames=1) == drawn


def test_another_renderer_draws_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read(place(tmp_path), subjects=2, frames=1)
    monkeypatch.setattr(databases, "renderer_version", lambda: "another")
    assert read(place(tmp_path), subjects=2, frames=1).root != first.root


def test_progress_is_told(tmp_path: Path) -> None:
    heard: list[tuple[str, int, int]] = []
    told = Place(folder=None, cache=tmp_path, workers=2, progress=lambda *what: heard.append(what))
    read(told, subjects=2, frames=1)
    assert heard == [("drawing faces", done, 14) for done in range(15)]


def test_a_missing_file_is_drawn_again(small: FaceTable, tmp_path: Path) -> None:
    table = read(place(tmp_path), subjects=2, frames=2)
    table.images[3].path.unlink()
    assert contents(read(place(tmp_path), subjects=2, frames=2)) == contents(small)


def test_a_half_written_set_is_never_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: FaceTable
) -> None:
    def stop(order: object, root: Path, *_: object) -> NoReturn:
        (root / "anger").mkdir()
        (root / "anger" / "s001_000.jpg").write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(databases, "draw_all", stop)
        with pytest.raises(KeyboardInterrupt):
            read(place(tmp_path), subjects=2, frames=2)
    assert list((tmp_path / "synthetic").iterdir()) == []
    assert contents(read(place(tmp_path), subjects=2, frames=2)) == contents(small)


def test_a_full_disk_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, data: bytes) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match="no space left to draw faces under") as caught:
        read(place(tmp_path), subjects=2, frames=1)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "synthetic").iterdir()) == []


def test_a_worker_that_cannot_write_says_so(tmp_path: Path) -> None:
    order = drawing.Order(subjects=2, frames=1, seed=0)
    steps = drawing._draw_apart(order, tmp_path / "missing", 2)
    with pytest.raises(FileNotFoundError):
        list(steps)


def test_a_cache_that_is_a_file_is_a_users_error(tmp_path: Path) -> None:
    (tmp_path / "synthetic").write_text("in the way")
    with pytest.raises(UserError, match="cannot write the drawn faces"):
        read(place(tmp_path), subjects=2, frames=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subjects": 1}, "subjects=1 must be from 2 to 999"),
        ({"subjects": 1000}, "subjects=1000 must be from 2 to 999"),
        ({"frames": 0}, "frames=0 must be from 1 to 999"),
        ({"seed": -1}, "seed=-1 must be 0 or more"),
    ],
)
def test_bad_options(options: dict[str, int], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        read(place(tmp_path), **options)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="takes no folder"):
        read(Place(folder=tmp_path, cache=tmp_path))


def test_intensities_rise_to_the_apex() -> None:
    assert rising(1) == [1.0]
    rise = rising(4)
    assert rise == sorted(rise)
    assert (rise[0], rise[-1]) == (0.65, 1.0)
