"""Pictures of anything: scikit-learn's digits, and files in the layout of MedMNIST."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from agfer_bench_pictures import fits_npz, read_digits, read_npz
from sklearn.datasets import load_digits

from agfer_bench import Place, UserError
from agfer_bench.plugin.glance import glance

RANDOM = np.random.default_rng(0)
Save = Callable[..., Place]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Write arrays into a file; return its place."""

    def write(**arrays: Any) -> Place:
        np.savez(tmp_path / "set.npz", **arrays)
        return Place(folder=tmp_path / "set.npz", cache=tmp_path / "cache")

    return write


def colours(number: int) -> Any:
    return RANDOM.integers(0, 256, (number, 5, 4, 3), dtype=np.uint8)


def test_digits_are_scikit_learns(tmp_path: Path) -> None:
    place = Place(folder=None, cache=tmp_path)
    table = read_digits(place)
    target = load_digits().target
    assert table.classes == tuple("0123456789")
    assert Counter(int(image.emotion) for image in table.images) == Counter(target.tolist())
    number = 1234
    (path,) = table.root.glob(f"*/{target[number]}/{number:06d}.pgm")
    grey = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert grey is not None
    assert grey.shape == (8, 8)
    assert (grey == np.rint(load_digits().images[number] * 255 / 16)).all()
    before = path.stat().st_mtime_ns
    assert read_digits(place) == table
    assert path.stat().st_mtime_ns == before, "found, not written again"


def test_a_file_of_medmnist(save: Save) -> None:
    train, test = colours(6), RANDOM.integers(0, 256, (3, 4, 4), dtype=np.uint8)
    place = save(
        train_images=train, train_labels=np.array([[0], [2], [10], [0], [2], [10]]),
        test_images=test, test_labels=np.array([2, 0, 10], dtype=np.uint8),
    )  # fmt: skip
    table = read_npz(place)
    assert table.classes == ("0", "2", "10"), "by number"
    names = [table.name(image) for image in table.images]
    assert sorted(names)[:2] == ["test/0/000001.pgm", "test/10/000002.pgm"]
    bgr = cv2.imread(str(table.root / "train/2/000004.ppm"))
    assert bgr is not None
    assert (bgr[:, :, ::-1] == train[4]).all()
    assert [table.name(one) for one in read_npz(place, part="test").images] == [
        "test/0/000001.pgm", "test/10/000002.pgm", "test/2/000000.pgm",
    ]  # fmt: skip
    parts = Counter(image.part for image in table.images)
    assert parts == {"train": 6, "test": 3}, "for the official split"
    with pytest.raises(UserError, match="no picture of part=val: found test, train"):
        read_npz(place, part="val")


def test_a_file_of_arrays_is_known_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "one.npz").write_bytes(b"x")
    for folder, below in ((tmp_path, "one.npz"), (tmp_path / "one.npz", "")):
        fit = fits_npz(glance(folder))
        assert fit is not None
        assert (fit.share, fit.below) == (1, below)
    (tmp_path / "two.npz").write_bytes(b"x")
    fit = fits_npz(glance(tmp_path))
    assert fit is not None
    assert fit.share < 1
    assert "there are 2 such files" in fit.why


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.zeros(3), "b": np.zeros(2)}, "not laid out as MedMNIST.* found a, b"),
        ({"train_images": colours(2)}, "train_images and no train_labels"),
        ({"train_images": np.zeros((2, 4, 4)), "train_labels": np.zeros(2)}, "is float64 of shape"),
        ({"train_images": np.zeros((2, 4, 4, 4), np.uint8)}, "no train_labels"),
        (
            {"train_images": np.zeros((2, 4, 4, 4), np.uint8), "train_labels": [0, 1]},
            r"shape \(2, 4, 4, 4\); expected bytes",
        ),
        (
            {"train_images": colours(2), "train_labels": [[0, 1], [1, 0]]},
            "several labels a picture",
        ),
        ({"train_images": colours(2), "train_labels": [0.5, 1]}, "one whole number for each"),
        ({"train_images": colours(2), "train_labels": [0, 1, 1]}, "3 labels for 2 pictures"),
        ({"train_images": colours(2), "train_labels": [0, -1]}, "holds -1; classes are counted"),
        (
            {"train_images": np.array(["x", {}], object), "train_labels": [0, 1]},
            r"no \.npz of plain arrays",
        ),
    ],
)
def test_another_layout_is_one_line(save: Save, arrays: dict[str, Any], message: str) -> None:
    place = save(**arrays)
    with pytest.raises(UserError, match=message) as caught:
        read_npz(place)
    assert "\n" not in str(caught.value)
    assert not list(place.cache.glob("npz/*")), "nothing is left half written"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04cut", b"nothing"])
def test_what_is_no_npz(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "set.npz"
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"no \.npz of plain arrays; download it again"):
        read_npz(Place(folder=file, cache=tmp_path / "cache"))
    with pytest.raises(UserError, match="no such file"):
        read_npz(Place(folder=tmp_path, cache=tmp_path / "cache"))
    with pytest.raises(UserError, match="needs a file"):
        read_npz(Place(folder=None, cache=tmp_path / "cache"))
