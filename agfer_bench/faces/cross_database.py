"""The cross-database test: a second data set that has no part in training.

Arabian et al. (2023), doi:10.3390/app131810179, sections 2.4 and 3.2: networks trained on
OULU-CASIA are tested on all of FACES, an age group at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agfer_bench.errors import UserError
from agfer_bench.faces.copies import copies_across
from agfer_bench.faces.crop_cache import CropSet
from agfer_bench.faces.data import DataSource, FaceData, excluded_of, load_data
from agfer_bench.faces.official import TRAIN
from agfer_bench.progress import Reporter
from agfer_bench.protocol import OFFICIAL, Protocol
from agfer_bench.records.run import ALL_AGES, UNKNOWN_AGE, DataRecord
from agfer_bench.text import some

IN_TEST = "in --test"
"""Reason of exclusion of an image that is tested on."""

_OTHER = 0.5
"""Sets whose shares of colour photographs differ by so much are of different kinds."""

_AGE_GROUPS = ("young", "middle", "old")


@dataclass(frozen=True, kw_only=True)
class TestSet:
    """A second data set, numbered by the classes of the first: networks are tested on it."""

    __test__ = False  # no test case, whatever pytest makes of its name

    pixels_NHWC: NDArray[np.uint8]
    """(N, H, W, 3) crops."""
    labels_N: NDArray[np.int64]
    """(N,) class by the numbers of training; -1 for one that training does not know."""
    indices: NDArray[np.int64]
    """The images to test on: all whose class training knows."""
    groups: tuple[str, ...]
    """(N,) age group; `all` where the set knows none."""
    names: tuple[str, ...]
    """(N,) names of the images."""
    subjects: tuple[str | None, ...]
    """(N,) who is shown."""
    record: DataRecord
    """What a run keeps of the data."""


def load_test_set(
    source: DataSource, protocol: Protocol, training: FaceData, reporter: Reporter
) -> tuple[FaceData, TestSet]:
    """Read and crop the data set of the cross-database test, and map its classes.

    Images of a class that training does not know are left out, and counted in the notes. Images
    that are tested on and also stand in the training data, byte by byte, are left out of training:
    the test stays whole, so that its numbers stand beside others' on the same images.

    Returns:
        The training data without the images that are tested on, and the test set.

    Raises:
        UserError: As `load_data`; or no class is shared, or all training data are tested on.
    """
    data = load_data(source, protocol, reporter, to_test=True)
    known = {name: number for number, name in enumerate(training.record.classes)}
    names = data.crops.table["emotion"].tolist()
    labels = np.asarray([known.get(name, -1) for name in names], dtype=np.int64)
    labels[data.left_out] = -1
    indices = np.flatnonzero(labels >= 0)
    if len(indices) == 0:
        raise UserError(
            f"--test {data.record.name} shows {', '.join(data.record.classes)}, and --data "
            f"{training.record.name} none of these"
        )
    groups = _groups(data.crops)
    found = Counter(groups[index] for index in indices)
    gone = set(data.left_out.tolist())
    foreign = Counter(
        name for number, name in enumerate(names) if name not in known and number not in gone
    )
    near = copies_across(training.crops, data.crops, reporter.progress)
    twins = len(set(near.second.tolist()) & set(indices.tolist()))
    classes = tuple(name for name in data.record.classes if name in known)
    absent = [name for name in training.record.classes if name not in classes]
    record = data.record.model_copy(
        update={
            "classes": classes,
            "images_read": {name: data.record.images_read[name] for name in classes},
            "images_kept": {name: data.record.images_kept[name] for name in classes},
            "excluded": excluded_of(data.crops, classes, data.left_out),
            "copies": data.record.copies
            and data.record.copies.model_copy(update={"shared": twins}),
            "groups": {name: found[name] for name in _order(found) if name != ALL_AGES},
            "notes": (
                *data.record.notes,
                *_same_people(training, data),
                *_same_pictures(twins),
                *_other_colours(training.crops, data.crops, protocol),
                *(
                    f"{count} images of {name} are not tested: training does not know the class."
                    for name, count in foreign.items()
                ),
                *(f"No image shows {name}: predictions of it count as wrong." for name in absent),
            ),
        }
    )
    training = _without(training, data, indices, protocol)
    test = TestSet(
        pixels_NHWC=data.crops.pixels,
        labels_N=labels,
        indices=indices,
        groups=groups,
        names=data.names,
        subjects=data.subjects,
        record=record,
    )
    return training, test


def _without(
    training: FaceData, data: FaceData, tested: NDArray[np.int64], protocol: Protocol
) -> FaceData:
    """Leave out of the training data what is tested on; count and name it.

    The judged part of an official split trains nothing, and stays whole.
    """
    hashes = data.crops.table["sha256"]
    names = {hashes.iloc[index]: data.names[index] for index in reversed(tested)}
    own = training.crops.table["sha256"]
    shared = [
        index
        for index in np.setdiff1d(np.arange(len(own)), training.left_out)
        if own.iloc[index] in names
        and (protocol.split != OFFICIAL or training.parts[index] == TRAIN)
    ]
    if not shared:
        return training
    record = training.record
    if len(shared) == sum(record.images_kept.values()):
        raise UserError(
            f"all {len(shared)} images of --data {record.name} are also in --test "
            f"{data.record.name}: a network cannot be tested on what it was trained on; name "
            "another set"
        )
    pairs = [f"{training.names[index]} (there {names[own.iloc[index]]})" for index in shared]
    gone = Counter(record.classes[training.labels[index]] for index in shared)
    left_out = np.union1d(training.left_out, shared).astype(np.int64)
    people = {name for name in np.delete(np.array(training.subjects), left_out) if name is not None}
    return replace(
        training,
        left_out=left_out,
        record=record.model_copy(
            update={
                "images_kept": {
                    name: number - gone[name] for name, number in record.images_kept.items()
                },
                "subjects": len(people) or None,
                "excluded": dict(sorted({**record.excluded, IN_TEST: len(shared)}.items())),
                "notes": (
                    *record.notes,
                    f"{len(shared)} images are also in --test, byte by byte, and are left out of "
                    f"--data: {some(pairs)}.",
                ),
            }
        ),
    )


def _same_people(training: FaceData, data: FaceData) -> list[str]:
    """Warn where both sets are of one kind and name the same subjects."""
    both = {s for s in data.subjects if s is not None} & set(training.subjects)
    if training.record.name != data.record.name or not both:
        return []
    return [
        f"{len(both)} subjects are named in --data as well: if they are the same people, this is "
        "no test on others."
    ]


def _same_pictures(twins: int) -> list[str]:
    """Warn of pictures that training has seen, in other files."""
    if not twins:
        return []
    return [
        f"{twins} images are nearly the same picture as one of --data, in another file: they are "
        "tested, and may be recognised by heart. `agfer-bench data passport` names them."
    ]


def _other_colours(training: CropSet, tested: CropSet, protocol: Protocol) -> list[str]:
    """Warn where one set is grey and the other is not, as far as networks can see it."""
    shares = [float(crops.table["colour"].mean()) for crops in (training, tested)]
    if protocol.colour == "grey" or abs(shares[0] - shares[1]) < _OTHER:
        return []
    return [
        f"{shares[1]:.0%} of these images are in colour, and {shares[0]:.0%} of --data's: networks "
        "may fail for that alone; `--set colour=grey` takes colour out of both."
    ]


def _groups(crops: CropSet) -> tuple[str, ...]:
    groups = [group if isinstance(group, str) else None for group in crops.table["age_group"]]
    if not any(groups):
        return (ALL_AGES,) * len(groups)
    # A set may not call a group what stands for all of them.
    return tuple(UNKNOWN_AGE if group in (None, ALL_AGES) else group for group in groups)


def _order(groups: Iterable[str]) -> list[str]:
    """Sort age groups: by age, then what else there is by name."""
    known = {name: place for place, name in enumerate(_AGE_GROUPS)}
    return sorted(groups, key=lambda name: (known.get(name, len(known)), name))
