"""Folds: which images a network is trained on and which it is judged by.

A pure function of labels, subjects, copies and protocol, so that every module sees the same folds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from agfer_bench.errors import UserError
from agfer_bench.passport.copies import joined
from agfer_bench.protocol import Duplicates


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One division of the images."""

    number: int
    """Number of the fold, counted from 0."""
    train: NDArray[np.int64]
    """Indices of the training images, ascending."""
    validation: NDArray[np.int64]
    """Indices of the validation images, ascending; all others are in `train`, but for copies that
    are left out (`duplicates=drop`)."""


def names_sha256(names: Sequence[str], indices: NDArray[np.int64]) -> str:
    """SHA-256 (hex) of the names of some images: tells whether two divisions are the same."""
    return hashlib.sha256("\n".join(names[index] for index in indices).encode()).hexdigest()


def make_folds(
    labels: NDArray[np.int64],
    subjects: Sequence[str | None],
    *,
    split: Literal["image", "subject"],
    folds: int,
    seed: int,
    classes: Sequence[str],
    copies: NDArray[np.int64] | None = None,
    duplicates: Duplicates = "group",
) -> list[Fold]:
    """Divide images into folds with the classes in near equal shares.

    Every image is in the validation set of exactly one fold, but for copies that are dropped. With
    `split="subject"` no subject has images on both sides of a fold; with `"image"` (the paper's,
    section 2.6) frames of one person, even of one sequence, stand on both.

    Args:
        labels: (N,) class of each image.
        subjects: Who is on each image.
        split: What is divided.
        folds: Number of folds K.
        seed: Seed of the division, 0 <= seed < 2**32.
        classes: Names of the classes, for messages.
        copies: (N,) group of each image: images of one group are copies of each other. None where
            there are none, or none were looked for.
        duplicates: Whether copies stand on one side of each fold (`group`), are divided like other
            images (`keep`), or all but the first of a group are left out (`drop`). Without copies
            the folds are the same.

    Raises:
        UserError: There are too few classes, images or subjects, or subjects are not known.
    """
    if copies is not None and duplicates == "drop":
        used = first_copies(copies)
        found = make_folds(
            labels[used],
            [subjects[index] for index in used],
            split=split,
            folds=folds,
            seed=seed,
            classes=classes,
        )
        return [replace(f, train=used[f.train], validation=used[f.validation]) for f in found]
    grouped = copies is not None and duplicates == "group" and len(np.unique(copies)) < len(copies)
    counts = np.bincount(labels, minlength=len(classes))
    if len(classes) < 2:
        raise UserError(
            f"only one class is left ({', '.join(classes) or 'none'}); a comparison needs two"
        )
    small = [f"{name} ({n})" for name, n in zip(classes, counts, strict=True) if n < folds]
    if small:
        raise UserError(
            f"too few images for {folds} folds: {', '.join(small)}; "
            "lower --folds or leave the class out"
        )
    together = copies if grouped else None
    if together is not None and split == "image" and len(np.unique(together)) < folds:
        raise UserError(
            f"{len(labels)} images are copies of only {len(np.unique(together))} pictures, too few "
            f"for {folds} folds; lower --folds, or use --set duplicates=keep"
        )
    if split == "image" and together is None:
        splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
        pairs = splitter.split(np.zeros(len(labels)), labels)
    else:
        groups = together if split == "image" else _groups(subjects, folds, together)
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        pairs = splitter.split(np.zeros(len(labels)), labels, groups)
    result = [
        Fold(number=number, train=np.sort(train), validation=np.sort(validation))
        for number, (train, validation) in enumerate(pairs)
    ]
    for fold in result:
        _check(fold, labels, classes, split)
    return result


def first_copies(copies: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the indices of the first image of each group of copies, ascending."""
    _, first = np.unique(copies, return_index=True)
    return np.sort(first).astype(np.int64)


def inner_folds(
    fold: Fold,
    labels: NDArray[np.int64],
    subjects: Sequence[str | None],
    *,
    split: Literal["image", "subject"],
    folds: int,
    seed: int,
    classes: Sequence[str],
    copies: NDArray[np.int64] | None = None,
    duplicates: Duplicates = "group",
) -> list[Fold]:
    """Divide a fold's training images into folds; its validation images have no part in them.

    For choices that must not see what a fold is judged on (nested cross-validation). Arguments and
    errors as of `make_folds`.
    """
    own = fold.train
    found = make_folds(
        labels[own],
        [subjects[index] for index in own],
        split=split,
        folds=folds,
        seed=seed,
        classes=classes,
        copies=None if copies is None else copies[own],
        duplicates=duplicates,
    )
    return [replace(one, train=own[one.train], validation=own[one.validation]) for one in found]


def _groups(
    subjects: Sequence[str | None], folds: int, copies: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """Number the subjects; those that share copies of a picture have one number."""
    unknown = sum(subject is None for subject in subjects)
    if unknown:
        raise UserError(
            f"subject folds need to know who is on each image, and {unknown} of {len(subjects)} "
            "have no subject: add a `subject` column to metadata.csv, or use --split image"
        )
    names, groups = np.unique(np.asarray(subjects, dtype=str), return_inverse=True)
    if len(names) < folds:
        raise UserError(
            f"{folds} subject folds need at least {folds} subjects, there are {len(names)}; "
            "lower --folds or use --split image"
        )
    if copies is None:
        return groups.astype(np.int64)
    _, first, copy = np.unique(copies, return_index=True, return_inverse=True)
    people = joined(groups[first][copy], groups, len(names))
    if len(np.unique(people)) < folds:
        raise UserError(
            f"{folds} subject folds need at least {folds} subjects, and of {len(names)} so many "
            f"share copies of a picture that only {len(np.unique(people))} groups are left; lower "
            "--folds, or use --set duplicates=keep"
        )
    return people[groups]


def _check(
    fold: Fold,
    labels: NDArray[np.int64],
    classes: Sequence[str],
    split: Literal["image", "subject"],
) -> None:
    present = np.bincount(labels[fold.train], minlength=len(classes)) > 0
    missing = [name for name, there in zip(classes, present, strict=True) if not there]
    if missing and split == "image":
        raise UserError(
            f"in fold {fold.number + 1} no training image shows {', '.join(missing)}: all are "
            "copies of its validation images; lower --folds, or use --set duplicates=keep"
        )
    if missing:
        raise UserError(
            f"in fold {fold.number + 1} no training image shows {', '.join(missing)}: all come "
            "from subjects of its validation set; lower --folds or use --split image"
        )
    if len(fold.validation) == 0:
        raise UserError(f"fold {fold.number + 1} has no validation image; lower --folds")
