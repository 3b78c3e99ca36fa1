"""The official split: the parts into which a data set's authors divided it.

Trained on the training part, judged on the test part, or where there is none, on the validation
part. One division, so that numbers stand beside published ones of the same split.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from agfer_bench.errors import UserError
from agfer_bench.faces.crop_cache import CropSet
from agfer_bench.faces.folds import Fold
from agfer_bench.plugin.specs import FaceTable

TRAIN = "train"
_JUDGED = ("test", "validation")
"""Parts to judge on, the first that a set has."""

IN_BOTH = "in both parts"
"""Reason of exclusion of a training image that the judged part has as well."""


def divide(table: FaceTable, name: str) -> FaceTable:
    """Leave in a table what its official split trains and judges on, and note what it leaves out.

    Args:
        table: The data set.
        name: Its name, for messages.

    Raises:
        UserError: The data set has no parts, or lacks one that a split needs.
    """
    counts = Counter(image.part for image in table.images)
    judged = next((part for part in _JUDGED if counts[part]), None)
    if not counts[TRAIN] or judged is None:
        raise UserError(_why_none(name, counts))
    notes = [
        f"{number} images of the {part} part take no part in the official split."
        if part is not None
        else f"{number} images that belong to no part are left out of the official split."
        for part, number in sorted(counts.items(), key=lambda item: str(item[0]))
        if part not in (TRAIN, judged)
    ]
    kept = tuple(image for image in table.images if image.part in (TRAIN, judged))
    split = f"Official split: trained on the train part, judged on the {judged} part."
    if judged != "test":
        split += " The set has no test part with labels here."
    notes.insert(0, split)
    return replace(table, images=kept, notes=(*table.notes, *notes))


def _why_none(name: str, counts: Counter[str | None]) -> str:
    known = sorted(part for part in counts if part is not None)
    if not known:
        return (
            f"--split official: {name} has no training and test part of its own here; "
            "use --split image, or --split subject where subjects are known"
        )
    return (
        f"--split official: {name} has a {' and a '.join(known)} part here, and it takes a train "
        "part and one to judge on; leave out the option that keeps a single part, name the folder "
        "that holds all, or use --split image"
    )


def in_both(
    crops: CropSet, parts: Sequence[str | None], copies: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """Find the training images that stand in the judged part as well.

    Args:
        crops: N crops.
        parts: (N,) the part of each.
        copies: (N,) group of each, equal for copies of one picture; None where equal bytes count
            alone.

    Returns:
        Their indices, ascending.
    """
    pictures = crops.table["sha256"].tolist() if copies is None else copies.tolist()
    judged = {picture for picture, part in zip(pictures, parts, strict=True) if part != TRAIN}
    found = [
        number
        for number, (picture, part) in enumerate(zip(pictures, parts, strict=True))
        if part == TRAIN and picture in judged
    ]
    return np.asarray(found, dtype=np.int64)


def official_fold(
    labels: NDArray[np.int64],
    parts: Sequence[str | None],
    left_out: NDArray[np.int64],
    classes: Sequence[str],
) -> Fold:
    """Return the one division of an official split.

    Args:
        labels: (N,) class of each image.
        parts: (N,) part of each image.
        left_out: Images that are not trained on (`in_both`).
        classes: Names of the classes, for messages.

    Raises:
        UserError: A class has no training image, or nothing is left to train or to judge on.
    """
    training = np.asarray([part == TRAIN for part in parts], dtype=np.bool_)
    validation = np.flatnonzero(~training)
    training[left_out] = False
    train = np.flatnonzero(training)
    if len(classes) < 2:
        raise UserError(
            f"only one class is left ({', '.join(classes) or 'none'}); a comparison needs two"
        )
    if not len(train) or not len(validation):
        what = "train" if not len(train) else "test or validation"
        raise UserError(f"--split official: no image of the {what} part is left")
    present = np.bincount(labels[train], minlength=len(classes)) > 0
    missing = [name for name, there in zip(classes, present, strict=True) if not there]
    if missing:
        raise UserError(
            f"--split official: no image of the train part shows {', '.join(missing)}; take the "
            "emotion out of the other part, or use --split image"
        )
    return Fold(number=0, train=train, validation=validation)
