"""What a valid record says that cannot be true.

Validation sees that a record has the right shape; this sees that its parts agree with each other:
that every fold is there, that counts add up, that modules were given the same folds. It is no proof
of honesty, but whoever makes up or damages a record must now do so consistently.
"""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence

from agfer_bench.errors import UserError
from agfer_bench.grammar import read_item, split, stands_for
from agfer_bench.protocol import OFFICIAL
from agfer_bench.records.run import DataRecord, FoldRecord, ModuleRecord, RunRecord
from agfer_bench.records.speed import SpeedRow, SpeedRun
from agfer_bench.submissions.audit_fold import contradictions_of_fold, sha256_or_line

_AHEAD = datetime.timedelta(days=1)
"""How far a record's end may lie in the future: clocks differ."""

_LEAST = 1e-6
"""Least milliseconds of a pass, and images a second, that anything takes."""

_PREFIXED = re.compile(r"sha256:[0-9a-f]{64}")
_UNKNOWN = "unknown"
"""Stands for the hash of a package whose sources cannot be read."""


def contradictions(record: RunRecord, now: datetime.datetime | None = None) -> list[str]:
    """Return what a record says that cannot be true, one line each; none for an honest one.

    Texts of the record stand in the lines as they are.

    Args:
        record: A valid record.
        now: The present, with its offset; default: the clock's.
    """
    return [
        *_settings(record),
        *_time(record.finished, now or datetime.datetime.now(datetime.UTC)),
        *_first_set(record.data),
        *(_second_set(record.test, record.data) if record.test else ()),
        *_labels(record),
        *(line for module in record.modules for line in _module(module, record)),
        *_pairing(record),
    ]


def contradictions_of_speed(record: SpeedRun, now: datetime.datetime | None = None) -> list[str]:
    """Return the same of a speed comparison; arguments as `contradictions`."""
    labels = Counter(row.label for row in record.rows)
    return [
        *_time(record.finished, now or datetime.datetime.now(datetime.UTC)),
        *(f"{label}: the label stands there {n} times" for label, n in labels.items() if n > 1),
        *(f"{row.label}: {line}" for row in record.rows for line in _cost(row)),
    ]


def _settings(record: RunRecord) -> Iterator[str]:
    if record.protocol_fingerprint != record.protocol.fingerprint:
        yield "protocol_fingerprint is not that of the settings"
    if record.environment.threads < 1:
        yield "environment: threads are less than 1"
    harness = record.environment.harness_sha256
    if harness is not None:
        yield from sha256_or_line(harness, "environment: harness_sha256")


def _time(text: str, now: datetime.datetime) -> Iterator[str]:
    try:
        finished = datetime.datetime.fromisoformat(text)
    except ValueError:
        yield "finished is no time (ISO 8601)"
        return
    if finished.utcoffset() != datetime.timedelta(0):
        yield "finished is no time in UTC"
    elif finished > now + _AHEAD:
        yield "finished lies in the future"


def _data(data: DataRecord, where: str) -> Iterator[str]:
    for name in ("fingerprint", "pixels_sha256"):
        if not _PREFIXED.fullmatch(getattr(data, name)):
            yield f"{where}: {name} is not sha256: and 64 hex digits"
    if len(set(data.classes)) != len(data.classes):
        yield f"{where}: a class stands there twice"
    counts = [data.images_read, data.images_kept, data.excluded, data.groups]
    if any(number < 0 for one in counts for number in one.values()):
        yield f"{where}: negative numbers of images"
    if any(kept > data.images_read.get(name, 0) for name, kept in data.images_kept.items()):
        yield f"{where}: more images kept than read"
    read, kept, excluded = (sum(one.values()) for one in counts[:3])
    if read - kept != excluded:
        yield f"{where}: {read} images read less {excluded} excluded are not {kept} kept"
    if {name for name, number in data.images_kept.items() if number} != set(data.classes):
        yield f"{where}: the classes are not those of the images kept"


def _first_set(data: DataRecord) -> Iterator[str]:
    yield from _data(data, "data")
    kept = sum(data.images_kept.values())
    if data.subjects is not None and not 1 <= data.subjects <= kept:
        yield f"data: {data.subjects} subjects on {kept} images"


def _second_set(test: DataRecord, training: DataRecord) -> Iterator[str]:
    yield from _data(test, "test")
    foreign = set(test.classes) - set(training.classes)
    if foreign:
        yield f"test: {min(foreign)} is no class of training"
    if test.groups and sum(test.groups.values()) != sum(test.images_kept.values()):
        yield "test: the age groups do not add up to the images kept"
    if test.fingerprint == training.fingerprint:
        yield "test: the images are those of training"


def _labels(record: RunRecord) -> Iterator[str]:
    if not record.modules:
        yield "there is no module"
    for label, times in Counter(module.label for module in record.modules).items():
        if times > 1:
            yield f"{label}: the label stands there {times} times"
    yield from (line for module in record.modules for line in _named(module))
    same: dict[Hashable, str] = {}
    for module in record.modules:
        options = tuple(sorted((name, repr(value)) for name, value in module.options.items()))
        first = same.setdefault((module.kind, module.name, options), module.label)
        if first != module.label:
            yield f"{module.label}: name and options are those of {first}"
    jobs = Counter(fold.job for module in record.modules for fold in module.trainings)
    for job, times in jobs.items():
        if times > 1:
            yield f"job {job} stands there {times} times"


def _named(module: ModuleRecord) -> Iterator[str]:
    """The label is the name, and options as they are."""
    try:
        # A stranger's name may hold anything; options begin where it ends.
        rest = module.label.removeprefix(module.name)
        parts = split(rest, ":")[1:]
        shown = [part.partition("=") for part in parts]
        fits = module.label.startswith(module.name) and rest[:1] in ("", ":")
        fits &= all(_shows(text, module.options.get(option, ...)) for option, _, text in shown)
    except UserError:
        fits = False
    if not fits or len({option for option, *_ in shown}) < len(shown):
        yield f"{module.label}: the label is not made of the name and the options"


def _shows(text: str, value: object) -> bool:
    """Tell whether a label writes an option's value so; values of slots are kept as written."""
    return text == value or stands_for(read_item(text), value)


def _module(module: ModuleRecord, record: RunRecord) -> Iterator[str]:
    if module.package_sha256 != _UNKNOWN:
        yield from sha256_or_line(module.package_sha256, f"{module.label}: package_sha256")
    if module.kind == "classifier" and (module.size or module.speed):
        yield f"{module.label}: a classifier of its own has neither size nor speed"
    yield from _folds(module, record.protocol.folds, record.protocol.seeds)
    for seed, folds in enumerate(module.seeds):
        for fold in folds:
            where = f"{module.label}: {_place(fold.fold, seed, record)}"
            yield from (f"{where}: {line}" for line in contradictions_of_fold(fold, module, record))
    yield from (f"{module.label}: {line}" for line in _over_folds(module, record))
    yield from (f"{module.label}: {line}" for line in _subjects(module, record))
    yield from (f"{module.label}: {line}" for line in _cost(module))


def _folds(module: ModuleRecord, folds: int, seeds: int) -> Iterator[str]:
    """Every fold with every seed, once; a row with an error may lack some."""
    if len(module.seeds) > seeds or (len(module.seeds) < seeds and module.error is None):
        yield f"{module.label}: {len(module.seeds)} seeds, not {seeds}"
    for seed, trained in enumerate(module.seeds):
        of_seed = f" of seed {seed}" if seeds > 1 else ""
        times = Counter(fold.fold for fold in trained)
        for number in sorted(times):
            if not 0 <= number < folds:
                yield f"{module.label}: fold {number}{of_seed} is none of 0 to {folds - 1}"
            elif times[number] > 1:
                yield f"{module.label}: fold {number}{of_seed} stands there {times[number]} times"
        if module.error is None:
            lacking = next((number for number in range(folds) if number not in times), None)
            if lacking is not None:
                yield f"{module.label}: fold {lacking}{of_seed} is missing"
        if len({fold.split_sha256 for fold in trained}) < len(times):
            yield f"{module.label}: two folds have the same validation images"


def _over_folds(module: ModuleRecord, record: RunRecord) -> Iterator[str]:
    """Every image is in the validation set of one fold; an official split judges one part."""
    if record.protocol.split == OFFICIAL:
        return
    kept = [record.data.images_kept.get(name, 0) for name in record.data.classes]
    for folds in module.seeds:
        judged = [sum(map(sum, rows)) for rows in zip(*(f.confusion for f in folds), strict=True)]
        if len({fold.fold for fold in folds}) == record.protocol.folds and judged != kept:
            yield "the validation images of all folds are not the images kept"


def _subjects(module: ModuleRecord, record: RunRecord) -> Iterator[str]:
    """Who was recognised: every subject, and with subject folds in one fold only."""
    for folds in module.seeds:
        known = [fold.recognised for fold in folds if fold.recognised is not None]
        if not known:
            continue
        if record.data.subjects is None:
            yield "subjects were recognised, and none is known"
            return
        numbers = Counter(number for one in known for number in one)
        if record.protocol.split == "subject" and max(numbers.values(), default=0) > 1:
            yield "a subject stands in two folds"
        # An official split judges the people of one part; `recognised` tells of no others.
        everybody = record.protocol.split != OFFICIAL and len(known) == record.protocol.folds
        if everybody and len(numbers) != record.data.subjects:
            yield f"{len(numbers)} subjects were judged, not {record.data.subjects}"


def _cost(module: ModuleRecord | SpeedRow) -> Iterator[str]:
    size = module.size
    if size is not None:
        if min(size.parameters, size.block_parameters, size.macs or 0, size.layers or 0) < 0:
            yield "a negative size"
        if size.block_parameters > size.parameters:
            yield "more parameters in the blocks than in the whole network"
    modes = module.speed.modes.values() if module.speed else ()
    rounds = [times for mode in modes for one in mode.stream for times in one.rounds_ms]
    rates = [point.images_per_second for mode in modes for point in mode.offline]
    if any(value < _LEAST for values in (*rounds, *rates) for value in values):
        yield "a time or a rate that is 0 or next to it"


def _pairing(record: RunRecord) -> Iterator[str]:
    """All modules of a fold were judged on the same images, and of a seed trained alike."""
    first: dict[tuple[str, int, int], object] = {}
    for module in record.modules:
        for seed, folds in enumerate(module.seeds):
            for fold in folds:
                for name, value in _shared(fold):
                    # The division does not depend on the seed of the training.
                    of = -1 if name in _OF_THE_FOLD else seed
                    if value is None or first.setdefault((name, fold.fold, of), value) == value:
                        continue
                    place = _place(fold.fold, seed, record)
                    yield f"{module.label}: {place}: {name} differs from other modules'"


_OF_THE_FOLD = ("split_sha256", "the images of the fold", "the subjects of the fold")


def _shared(fold: FoldRecord) -> Sequence[tuple[str, object]]:
    subjects = None if fold.recognised is None else frozenset(fold.recognised)
    return (
        ("host_weights_sha256", fold.host_weights_sha256),
        ("batch_order_sha256", fold.batch_order_sha256),
        ("split_sha256", fold.split_sha256),
        ("the images of the fold", tuple(map(sum, fold.confusion))),
        ("the subjects of the fold", subjects),
    )


def _place(fold: int, seed: int, record: RunRecord) -> str:
    return f"fold {fold} of seed {seed}" if record.protocol.seeds > 1 else f"fold {fold}"
