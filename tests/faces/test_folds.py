"""Folds: every image is judged once, no subject is on both sides, bad data are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agfer_bench.errors import UserError
from agfer_bench.faces.folds import Fold, make_folds


def _labels(images: int, classes: int) -> np.ndarray:
    return np.arange(images) % classes


def _folds(labels: np.ndarray, subjects: list[str | None], split: str, folds: int) -> list[Fold]:
    names = [f"class{number}" for number in range(int(labels.max()) + 1)]
    return make_folds(
        labels,
        subjects,
        split=split,  # type: ignore[arg-type]
        folds=folds,
        seed=0,
        classes=names,
    )


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    subjects=st.integers(6, 20),
    folds=st.integers(2, 5),
    split=st.sampled_from(["image", "subject"]),
)
def test_every_image_is_judged_once_and_no_subject_stands_on_both_sides(
    seed: int, subjects: int, folds: int, split: str
) -> None:
    labels = _labels(subjects * 6, 3)
    owners: list[str | None] = [f"s{index // 6}" for index in range(len(labels))]
    result = make_folds(
        labels,
        owners,
        split=split,  # type: ignore[arg-type]
        folds=folds,
        seed=seed,
        classes=["a", "b", "c"],
    )
    judged = np.concatenate([fold.validation for fold in result])
    assert sorted(judged) == list(range(len(labels)))
    for fold in result:
        both = np.concatenate([fold.train, fold.validation])
        assert sorted(both) == list(range(len(labels)))
        if split == "subject":
            train = {owners[index] for index in fold.train}
            assert not train & {owners[index] for index in fold.validation}


def test_image_folds_keep_the_shares_of_classes() -> None:
    labels = np.array([0] * 50 + [1] * 10)
    for fold in _folds(labels, [None] * 60, "image", 5):
        assert np.bincount(labels[fold.validation]).tolist() == [10, 2]


def test_seed_decides() -> None:
    labels = _labels(60, 3)
    runs = [
        make_folds(labels, [None] * 60, split="image", folds=3, seed=s, classes=["a", "b", "c"])
        for s in (1, 1, 2)
    ]
    assert all((a.validation == b.validation).all() for a, b in zip(runs[0], runs[1], strict=True))
    assert any((a.validation != b.validation).any() for a, b in zip(runs[0], runs[2], strict=True))


@pytest.mark.parametrize(
    ("labels", "subjects", "split", "folds", "message"),
    [
        (_labels(9, 1), [None] * 9, "image", 3, "only one class"),
        (np.array([0] * 9 + [1] * 2), [None] * 11, "image", 3, r"class1 \(2\)"),
        (_labels(12, 2), [None] * 12, "subject", 3, "--split image"),
        (_labels(12, 2), ["a"] * 6 + ["b"] * 6, "subject", 3, "at least 3 subjects"),
        (np.array([0] * 9 + [1] * 3), [*"abc"] * 3 + ["d"] * 3, "subject", 3, "shows class1"),
    ],
)
def test_what_cannot_be_divided_is_refused(
    labels: np.ndarray, subjects: list[str | None], split: str, folds: int, message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        _folds(labels, subjects, split, folds)
    assert "\n" not in str(caught.value)


def test_without_copies_folds_are_what_they_were() -> None:
    labels = _labels(60, 3)
    owners = [f"s{index // 6}" for index in range(60)]
    for split in ("image", "subject"):
        plain = _folds(labels, [*owners], split, 3)
        for duplicates in ("group", "keep", "drop"):
            again = make_folds(
                labels,
                owners,
                split=split,
                folds=3,
                seed=0,
                classes=["class0", "class1", "class2"],
                copies=np.arange(60),
                duplicates=duplicates,
            )
            for one, other in zip(plain, again, strict=True):
                assert one.validation.tolist() == other.validation.tolist()
                assert one.train.tolist() == other.train.tolist()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), split=st.sampled_from(["image", "subject"]))
def test_copies_stand_on_one_side(seed: int, split: str) -> None:
    labels = _labels(90, 3)
    owners = [f"s{index // 6}" for index in range(90)]
    copies = np.arange(90)
    copies[[7, 40, 80]] = 7  # of three subjects, who then belong together
    copies[45] = 44
    result = make_folds(
        labels,
        owners,
        split=split,  # type: ignore[arg-type]
        folds=3,
        seed=seed,
        classes=["a", "b", "c"],
        copies=copies,
    )
    assert sorted(np.concatenate([fold.validation for fold in result])) == list(range(90))
    for fold in result:
        assert not set(copies[fold.train]) & set(copies[fold.validation])
        if split == "subject":
            people = [{owners[i] for i in part} for part in (fold.train, fold.validation)]
            assert not people[0] & people[1]


def test_dropped_copies_stand_on_no_side_and_in_no_inner_fold() -> None:
    labels = _labels(60, 3)
    copies = np.arange(60) // 2 * 2
    labels = labels[copies]
    result = make_folds(
        labels,
        [None] * 60,
        split="image",
        folds=2,
        seed=0,
        classes=["a", "b", "c"],
        copies=copies,
        duplicates="drop",
    )
    assert sorted(np.concatenate([fold.validation for fold in result])) == list(range(0, 60, 2))
    for fold in result:
        assert sorted([*fold.train, *fold.validation]) == list(range(0, 60, 2))


def test_subjects_that_all_share_pictures_are_refused() -> None:
    labels, copies = _labels(12, 2), np.zeros(12, dtype=np.int64)
    with pytest.raises(UserError, match=r"only 1 groups are left.*duplicates=keep"):
        make_folds(
            labels,
            [*"abcdef"] * 2,
            split="subject",
            folds=2,
            seed=0,
            classes=["x", "y"],
            copies=copies,
        )
    with pytest.raises(UserError, match="copies of only 1 pictures"):
        make_folds(
            labels, [None] * 12, split="image", folds=2, seed=0, classes=["x", "y"], copies=copies
        )
    copies[6:] = np.arange(6, 12)
    copies[1::2] = 1  # all of one class
    with pytest.raises(UserError, match="copies of its validation images"):
        make_folds(
            labels, [None] * 12, split="image", folds=2, seed=0, classes=["x", "y"], copies=copies
        )
