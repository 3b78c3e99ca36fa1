"""What one fold of a record says that cannot be true; see `audit`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from agfer_bench.protocol import STAGE
from agfer_bench.records.run import BASE, Confusion, FoldRecord, ModuleRecord, RunRecord

_SLACK = 0.02
"""How far the last point of a curve may lie from the accuracy, 0..1: the same weights are judged
twice, and a GPU need not give both times the same."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
"""A subject's number; anything else might be a name."""


def sha256_or_line(value: str, where: str) -> Iterator[str]:
    """Yield a line where a value is no SHA-256."""
    if not _SHA256.fullmatch(value):
        yield f"{where} is not 64 hex digits"


def contradictions_of_fold(
    fold: FoldRecord, module: ModuleRecord, record: RunRecord
) -> Iterator[str]:
    """Yield what a fold says that cannot be true, without naming it."""
    yield from _hashes(fold)
    sizes = (fold.train_confusion, fold.masked_confusion or fold.train_confusion)
    if any(len(matrix) != len(record.data.classes) for matrix in sizes):
        yield "a confusion matrix does not fit the classes"
        return
    yield from _images(fold, record)
    yield from _masked(fold, module, record)
    yield from _recognised(fold, record)
    yield from _gate(fold, module, record)
    yield from _test_recognised(fold, record)
    yield from _test(fold, record)
    yield from _training(fold, module, record)


def _hashes(fold: FoldRecord) -> Iterator[str]:
    names = ("job", "split_sha256", "host_weights_sha256", "batch_order_sha256")
    for name in (*names, "final_weights_sha256"):
        value = getattr(fold, name)
        if value is not None:
            yield from sha256_or_line(value, name)


def _images(fold: FoldRecord, record: RunRecord) -> Iterator[str]:
    """Validation and training images of each class are the images kept."""
    validation, train = _rows(fold.confusion), _rows(fold.train_confusion)
    if sum(validation) != fold.validation_images:
        yield f"confusion counts {sum(validation)} images, not {fold.validation_images}"
    if sum(train) != fold.train_images:
        yield f"train_confusion counts {sum(train)} images, not {fold.train_images}"
    for name, mine, others in zip(record.data.classes, validation, train, strict=True):
        kept = record.data.images_kept.get(name, 0)
        if mine + others != kept:
            yield f"{mine} + {others} images of {name}, and {kept} were kept"


def _masked(fold: FoldRecord, module: ModuleRecord, record: RunRecord) -> Iterator[str]:
    if fold.masked_confusion is None:
        return
    if module.kind == "classifier" or not record.protocol.guidance:
        yield "masked_confusion, and there is no mask"
    elif _rows(fold.masked_confusion) != _rows(fold.confusion):
        yield "masked_confusion counts other images than confusion"


def _recognised(fold: FoldRecord, record: RunRecord) -> Iterator[str]:
    if fold.recognised is not None:
        yield from _counts("recognised", fold.recognised, fold.confusion, record.data.subjects)


def _gate(fold: FoldRecord, module: ModuleRecord, record: RunRecord) -> Iterator[str]:
    """Placebos judge the images that the network judged."""
    if fold.gate is None:
        return
    if module.kind == "classifier" or module.label == BASE or module.control is not None:
        yield "gates, and it has none that are asked about"
    # How many slots another place has, or all stages, the host alone can tell.
    stages = record.protocol.slots if record.protocol.place == STAGE else ()
    if fold.gate.start and stages and len(fold.gate.start) != len(stages):
        yield f"gate.start tells {len(fold.gate.start)} slots, not {len(stages)}"
    for name in ("frozen", "shuffled"):
        placebo = getattr(fold.gate, name)
        if placebo is None:
            continue
        if len(placebo.confusion) != len(fold.confusion) or _rows(placebo.confusion) != _rows(
            fold.confusion
        ):
            yield f"gate.{name} counts other images than confusion"
        elif (placebo.recognised is None) != (fold.recognised is None) or set(
            placebo.recognised or ()
        ) != set(fold.recognised or ()):
            yield f"gate.{name} tells of other subjects than recognised"
        elif placebo.recognised is not None:
            yield from _counts(
                f"gate.{name}", placebo.recognised, placebo.confusion, record.data.subjects
            )


def _counts(
    name: str, recognised: Mapping[str, Sequence[int]], confusion: Confusion, subjects: int | None
) -> Iterator[str]:
    for number in recognised:
        if not _NUMBER.fullmatch(number) or int(number) >= (subjects or 0):
            yield f"{name}: {number} is no subject's number"
            return
    if any(min(counts, default=0) < 0 for counts in recognised.values()):
        yield f"{name}: a negative number of images"
    if any(len(counts) != len(confusion) for counts in recognised.values()):
        yield f"{name} does not fit the classes"
        return
    right = tuple(map(sum, zip(*recognised.values(), strict=True)))
    if right != tuple(row[place] for place, row in enumerate(confusion)):
        matrix = "test_confusions" if name == "test_recognised" else "confusion"
        yield f"{name} does not add up to the diagonal of {matrix}"


def _test_recognised(fold: FoldRecord, record: RunRecord) -> Iterator[str]:
    if fold.test_recognised is None:
        return
    confusions = fold.test_confusions or {}
    if record.test is None or set(fold.test_recognised) != set(confusions):
        yield "test_recognised has other age groups than test_confusions"
        return
    for group, counts in fold.test_recognised.items():
        yield from _counts("test_recognised", counts, confusions[group], record.test.subjects)


def _test(fold: FoldRecord, record: RunRecord) -> Iterator[str]:
    if record.test is None or not fold.test_confusions:
        return
    rows = [_rows(matrix) for matrix in fold.test_confusions.values()]
    kept = [record.test.images_kept.get(name, 0) for name in record.data.classes]
    if list(map(sum, zip(*rows, strict=True))) != kept:
        yield "test_confusions do not add up to the images kept of the second set"
    for group, images in record.test.groups.items():
        if sum(_rows(fold.test_confusions[group])) != images:
            yield f"test_confusions of {group} do not count {images} images"


def _training(fold: FoldRecord, module: ModuleRecord, record: RunRecord) -> Iterator[str]:
    epochs = record.protocol.epochs if module.kind == "attention" else 0
    if len(fold.history) != epochs:
        yield f"history has {len(fold.history)} epochs, not {epochs}"
    times = [epoch.seconds for epoch in fold.history]
    if min(*times, fold.preparation_seconds, fold.fit_seconds or 0.0, 0.0) < 0:
        yield "a negative time"
    curve = [epoch.validation_accuracy for epoch in fold.history]
    if any(point is not None and not 0 <= point <= 1 for point in curve):
        yield "a point of the learning curve is not within 0..1"
    if curve and curve[-1] is not None and abs(curve[-1] - fold.accuracy) > _SLACK:
        yield "the learning curve does not end in the accuracy of confusion"
    weights = fold.class_weights
    if (weights is not None) != record.protocol.class_weights:
        yield "class_weights are not as the protocol has them"
    elif weights is not None and (len(weights) != len(fold.confusion) or min(weights) < 0):
        yield "class_weights do not fit the classes"
    if (fold.peak_memory_bytes or 0) < 0:
        yield "a negative memory"
    if fold.micro_batch is not None and fold.micro_batch < 1:
        yield "a micro batch of no images"


def _rows(confusion: Confusion) -> Sequence[int]:
    """Images of each class."""
    return tuple(map(sum, confusion))
