"""A page in words: what is compared on it, and from which records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from agfer_bench.leaderboard.model import PageEntry
from agfer_bench.leaderboard.reproduce import recipe
from agfer_bench.leaderboard.rows import day, device_name
from agfer_bench.leaderboard.sanitize import clean
from agfer_bench.leaderboard.site_data import RecordSource
from agfer_bench.protocol import OFFICIAL, PRESETS, Protocol
from agfer_bench.records.run import DataRecord, RunRecord
from agfer_bench.submissions.model import Submission

MOST_OTHERS = 50
"""Records beside those that rows name of which a page tells how they are made again."""
_VERSIONS = 20
"""Packages of a record that are named."""
_PROBLEMS = 5
"""Problems of a record that are told."""
_NOTES = 6
"""Notes of a data set that are told."""


def told_places(protocol: Protocol) -> str:
    """Say where in the host blocks stand."""
    where = _PLACES[protocol.place]
    if not protocol.slots:
        return f"{where} every stage"
    stages = ", ".join(map(str, protocol.slots))
    return f"{where} stage{'s' if len(protocol.slots) > 1 else ''} {stages}"


_PLACES = {
    "stage": "blocks after",
    "branch": "a block at the end of each residual branch of",
    "pre": "a block before each residual branch of",
    "post": "a block behind each residual addition of",
    "identity": "a block on the way past each residual branch of",
    "conv": "a block after each convolution, before its ReLU, of",
    "relu": "a block after each ReLU of",
}


def title_of(record: RunRecord) -> str:
    """Name a page: preset, folds, data."""
    protocol = record.protocol
    data = record.data.name + (f", tested on {record.test.name}" if record.test else "")
    host = "" if protocol.host == "vgg16" else f" · {protocol.host}"
    folds = f"{protocol.folds} {protocol.split} folds"
    if protocol.split == OFFICIAL:
        folds = "official split"
    return clean(
        f"{preset_of(protocol)}{host} · {folds} · {clean(data, 120)}",
        200,
    )


def preset_of(protocol: Protocol) -> str:
    """Return the preset that the settings started from; a name that is none of ours is not told."""
    return protocol.preset if protocol.preset in PRESETS else "custom"


def changes_of(protocol: Protocol) -> str:
    """Tell the settings that differ from the preset; empty where none does.

    Not the number of trainings: records of a page differ in it.
    """
    if protocol.preset not in PRESETS:
        return "no preset of ours: see every setting"
    return clean(protocol.told_changes({"seeds"}))


def facts_of(record: RunRecord) -> tuple[tuple[str, str], ...]:
    """Say what the rows of a page share."""
    protocol = record.protocol
    chance = 100 / len(record.data.classes)
    changes = changes_of(protocol)
    facts = [
        ("Preset", preset_of(protocol) + (f": {changes}" if changes else "")),
        ("Host", f"{protocol.host}, {told_places(protocol)}"),
        ("Training", _training(record)),
        ("Data", _data(record.data)),
        ("Classes", ", ".join(clean(name, 40) for name in record.data.classes)),
        ("Folds", _folds(record)),
        ("Chance", f"{chance:.1f} %, an even guess among {len(record.data.classes)} classes"),
    ]
    if record.test is not None:
        facts.append(("Cross-database", _data(record.test)))
    for data in (record.data, *([record.test] if record.test else [])):
        if data.licence:
            facts.append((f"Terms of {clean(data.name, 40)}", _terms(data)))
        facts += [(f"Note on {clean(data.name, 40)}", note) for note in data.notes[:_NOTES]]
    told = [(clean(name, 80), clean(value)) for name, value in facts]
    return tuple(dict.fromkeys(told))


def _terms(data: DataRecord) -> str:
    closed = data.pictures_may_be_published is False
    return data.licence + ("; pictures of it may not be published" if closed else "")


def _training(record: RunRecord) -> str:
    protocol = record.protocol
    weights = "" if protocol.pretrained == "none" else ", from pretrained weights"
    return (
        f"{protocol.epochs} epochs, batches of {protocol.batch_size}, {protocol.optimiser} at "
        f"{protocol.learning_rate:g}, {protocol.precision}{weights}; "
        f"guidance {'on' if protocol.guidance else 'off'}"
    )


def _data(data: DataRecord) -> str:
    subjects = f" of {data.subjects} subjects" if data.subjects else ""
    drawn = ", drawn faces" if data.drawn else ""
    kept, read = sum(data.images_kept.values()), sum(data.images_read.values())
    return (
        f"{clean(data.name, 80)}: {kept:,} of {read:,} images{subjects}, "
        f"{len(data.classes)} classes{drawn}"
    )


def _folds(record: RunRecord) -> str:
    if record.protocol.split == OFFICIAL:
        return "one division, the data set's own; the same for all rows"
    what = {"subject": "whole subjects", "image": "single images"}[record.protocol.split]
    seed = record.protocol.seed
    return f"{record.protocol.folds}, dividing {what}; the same for all rows; seed {seed}"


def sources_of(entries: Sequence[PageEntry], files: Mapping[str, str]) -> tuple[RecordSource, ...]:
    """Return the records of a page: those that rows name, then others, the newest of each first."""
    named = {entry.submission.path: entry.submission for entry in entries}
    others = {one.path: one for entry in entries for one in entry.again if one.path not in named}
    found = [*_newest(named.values()), *_newest(others.values())[:MOST_OTHERS]]
    return tuple(_source(one, files[one.path]) for one in found)


def _newest(found: Iterable[Submission]) -> list[Submission]:
    return sorted(found, key=lambda one: (one.record.finished, one.path), reverse=True)


def _source(submission: Submission, file: str) -> RecordSource:
    record, path = submission.record, submission.path
    made = recipe(record)
    problems = [f"{one}" for one in record.problems[:_PROBLEMS]]
    return RecordSource(
        file=file,
        path=clean(path),
        date=day(record),
        device=device_name(record),
        command=made.command,
        notes=tuple(clean(note) for note in (*made.notes, *problems)),
        versions=_versions(record),
    )


def _versions(record: RunRecord) -> tuple[tuple[str, str], ...]:
    where = record.environment
    versions = [("Python", where.python), *sorted(where.packages.items())[:_VERSIONS]]
    if where.revision:
        versions.append(("revision", where.revision + (", changed" if where.dirty else "")))
    if where.harness_sha256:
        versions.append(("harness", where.harness_sha256[:12]))
    return tuple((clean(name, 60), clean(version, 60)) for name, version in versions)
