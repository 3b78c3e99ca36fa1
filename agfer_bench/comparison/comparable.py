"""What two records must share before their rows stand in one ranking, and why they do not.

Accuracies compare on one ground: the same settings, the same images in the same folds, the same
second data set. Times compare only on one device besides, timed the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agfer_bench.errors import UserError
from agfer_bench.protocol import fingerprint
from agfer_bench.records.run import DataRecord, FoldRecord, RunRecord


@dataclass(frozen=True, kw_only=True)
class Ground:
    """All that two records share whose accuracies compare. Equal grounds compare as equal."""

    protocol: str
    """SHA-256 of every setting that moves a trained network's numbers, but for `seeds`: records
    with more trainings of each fold and with fewer compare."""
    data: str
    """SHA-256 of images, labels and crop settings."""
    pixels: str
    """SHA-256 of the crops' pixels."""
    test: tuple[str, str] | None
    """The same two of the second data set; None where there was none."""
    splits: tuple[str, ...]
    """Hashes of the names of the folds' validation images, in the order of the folds."""

    @property
    def key(self) -> str:
        """SHA-256 (hex) of the ground, for names of files and pages."""
        return fingerprint([self.protocol, self.data, self.pixels, self.test, self.splits])


def ground_of(record: RunRecord) -> Ground:
    """Return the ground that a record's accuracies stand on."""
    splits: dict[int, str] = {}
    for module in record.modules:
        for fold in module.folds:
            splits.setdefault(fold.fold, fold.split_sha256)
    return Ground(
        protocol=record.protocol.ground,
        data=record.data.fingerprint,
        pixels=record.data.pixels_sha256,
        test=(record.test.fingerprint, record.test.pixels_sha256) if record.test else None,
        splits=tuple(splits[number] for number in sorted(splits)),
    )


def why_not_ranked(first: RunRecord, second: RunRecord) -> str | None:
    """Say why accuracies of two records do not stand in one ranking; None where they do."""
    settings = _settings(first, second)
    if settings:
        return f"their protocols differ ({settings})"
    reason = _of_data(first.data, second.data, "their images")
    if reason is not None:
        return reason
    if (first.test is None) != (second.test is None):
        return "only one of them has a cross-database test"
    if first.test is not None and second.test is not None:
        reason = _of_data(first.test, second.test, "the images of their cross-database tests")
    if reason is None and ground_of(first) != ground_of(second):
        reason = "their folds hold different images"
    return reason


def why_not_timed(first: RunRecord, second: RunRecord) -> str | None:
    """Say why times of two records do not stand in one ranking; None where they do."""
    one, other = first.environment, second.environment
    if one.device_name != other.device_name:
        return f"they were timed on {one.device_name} and on {other.device_name}"
    if one.threads != other.threads and one.device == "cpu":
        return f"they were timed with {one.threads} and with {other.threads} threads"
    if first.protocol.speed != second.protocol.speed:
        return "they were timed by different settings"
    return None


def caveats(records: Sequence[RunRecord]) -> list[str]:
    """Say what records of one ground do not share that may move accuracies by itself.

    Returns:
        A sentence for each; none where all were made alike.
    """
    found = []
    if len({record.environment.harness_sha256 for record in records}) > 1:
        found.append("Trained by different versions of the harness's code")
    torches = {record.environment.packages.get("torch", "unknown") for record in records}
    if len(torches) > 1:
        found.append(f"Trained with different versions of torch ({', '.join(sorted(torches))})")
    if _differ(records, lambda fold: fold.host_weights_sha256):
        found.append("The networks did not all start from the same host weights")
    if _differ(records, lambda fold: fold.batch_order_sha256):
        found.append("The networks did not all see the same batches in the same order")
    return [f"{one}: a difference may come of that alone." for one in found]


def _differ(records: Sequence[RunRecord], read: Callable[[FoldRecord], str | None]) -> bool:
    """Tell whether networks of one fold and seed have different values."""
    first: dict[tuple[int, int], str] = {}
    return any(
        (value := read(fold)) is not None and first.setdefault((fold.fold, seed), value) != value
        for record in records
        for module in record.modules
        for seed, folds in enumerate(module.seeds)
        for fold in folds
    )


def check_ranked(records: Sequence[tuple[str, RunRecord]]) -> None:
    """Refuse to rank records that do not share a ground.

    Args:
        records: Names and records.

    Raises:
        UserError: Two of them do not compare; the message says which, and why.
    """
    for name, record in records[1:]:
        first, reference = records[0]
        reason = why_not_ranked(reference, record)
        if reason is not None:
            raise UserError(f"{first} and {name} do not compare: {reason}")


def _settings(first: RunRecord, second: RunRecord) -> str:
    """Tell settings that differ, with both values; none where the fingerprints agree."""
    if first.protocol.ground == second.protocol.ground:
        return ""
    one, other = first.protocol.model_dump(), second.protocol.model_dump()
    names = [
        name
        for name in one
        if one[name] != other[name] and name not in ("preset", "speed", "seeds")
    ]
    return ", ".join(f"{name}: {one[name]} and {other[name]}" for name in names)


def _of_data(first: DataRecord, second: DataRecord, what: str) -> str | None:
    if first.fingerprint != second.fingerprint:
        if first.name != second.name:
            return f"{what} are those of {first.name} and of {second.name}"
        return f"{what} differ, though both are called {first.name}"
    if first.pixels_sha256 != second.pixels_sha256:
        return f"{what} were decoded or cropped to different pixels (other image libraries)"
    return None
