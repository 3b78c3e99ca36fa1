"""Entries to rows: every number that the table shows."""

from __future__ import annotations

import datetime
import math
import statistics
from collections.abc import Callable, Mapping, Sequence

from agfer_bench.comparison.comparable import why_not_timed
from agfer_bench.comparison.entrants import unique
from agfer_bench.leaderboard.interval import interval_of
from agfer_bench.leaderboard.model import PageEntry
from agfer_bench.leaderboard.sanitize import LABEL, clean, shorten
from agfer_bench.leaderboard.site_data import SiteRow
from agfer_bench.records.run import FoldRecord, RunRecord
from agfer_bench.report.summary import mean_and_sd, over_folds


def row_of(
    entry: PageEntry,
    *,
    name: str,
    best: bool,
    compared: bool,
    device: int,
    files: Mapping[str, str],
) -> SiteRow:
    """Return the row of an entry.

    Args:
        entry: Module and record.
        name: Its module's name on the page.
        best: Whether it survives the page's comparisons.
        compared: Whether it takes part in them.
        device: Number of its device on the page.
        files: The files of records below the site, by the records' paths.
    """
    module, record = entry.module, entry.submission.record
    complete = module.complete(record.protocol)
    interval = interval_of(module) if complete else None
    accuracy, deviation = _mean_and_sd(entry, lambda fold: fold.accuracy)
    cross, cross_deviation = _mean_and_sd(entry, lambda fold: fold.test_accuracy)
    train, _ = _mean_and_sd(entry, lambda fold: fold.train_accuracy)
    size, speed = module.size, module.speed
    return SiteRow(
        name=name,
        label=clean(entry.label),
        kind=module.kind,
        best=best,
        compared=compared,
        complete=complete,
        accuracy=accuracy,
        accuracy_sd=deviation,
        interval=(rounded(interval.low), rounded(interval.high)) if interval else None,
        interval_over=f"{interval.units} {interval.over}" if interval else None,
        cross=cross,
        cross_sd=cross_deviation,
        gap=rounded(train - accuracy) if train is not None and accuracy is not None else None,
        device=device,
        latency_ms=_rounded(speed.median_ms if speed else None),
        hz=_rounded(speed.hz if speed else None),
        train_seconds=_train_seconds(entry),
        parameters=size.parameters if size else None,
        block_parameters=size.block_parameters if size else None,
        macs=size.macs if size else None,
        seeds=len(module.seeds),
        distribution=clean(module.distribution),
        version=clean(module.version),
        source=clean(module.source),
        date=day(record),
        record=files[entry.submission.path],
        others=tuple(files[one.path] for one in entry.again),
        error=clean(module.error) if module.error else None,
    )


def devices_of(entries: Sequence[PageEntry]) -> tuple[list[int], tuple[str, ...]]:
    """Number the devices of a page so that times compare within each.

    Returns:
        The number of each entry's device, and the names of all.
    """
    firsts: list[RunRecord] = []
    by_record: dict[str, int] = {}
    for entry in entries:
        record, path = entry.submission.record, entry.submission.path
        if path in by_record:
            continue
        same = (n for n, one in enumerate(firsts) if why_not_timed(one, record) is None)
        number = next(same, len(firsts))
        if number == len(firsts):
            firsts.append(record)
        by_record[path] = number
    names = unique([device_name(record) for record in firsts])
    return [by_record[entry.submission.path] for entry in entries], tuple(names)


def device_name(record: RunRecord) -> str:
    """Name the device of a record, with its threads where they count."""
    where = record.environment
    threads = f", {where.threads} threads" if where.device == "cpu" else ""
    return f"{shorten(where.device_name, LABEL)}{threads}"


def day(record: RunRecord) -> str:
    """Return the day on which a run ended."""
    return datetime.datetime.fromisoformat(record.finished).date().isoformat()


def rounded(value: float) -> float:
    """Return a number with six places: what is beyond changes with libraries."""
    return round(value, 6)


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else rounded(value)


def _mean_and_sd(
    entry: PageEntry, read: Callable[[FoldRecord], float | None]
) -> tuple[float | None, float | None]:
    """Return mean and sample standard deviation over folds, seeds averaged first."""
    if not entry.module.complete(entry.submission.record.protocol):
        return None, None
    found = mean_and_sd("it", over_folds(entry.module, read))
    return _rounded(found["it_mean"]), _rounded(found["it_sd"])


def _train_seconds(entry: PageEntry) -> float | None:
    seconds = [fold.training_seconds for fold in entry.module.trainings]
    return _rounded(statistics.mean(seconds)) if seconds else None
