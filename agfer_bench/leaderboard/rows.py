"""Modules of a page to rows: every number that the table shows."""

from __future__ import annotations

import datetime
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agfer_bench.comparison.comparable import why_not_timed
from agfer_bench.comparison.contrasts import Contrast
from agfer_bench.comparison.entrants import unique
from agfer_bench.leaderboard.comparing import Standing
from agfer_bench.leaderboard.model import PageEntry
from agfer_bench.leaderboard.replicates import all_of
from agfer_bench.leaderboard.sanitize import LABEL, clean, shorten
from agfer_bench.leaderboard.site_data import Difference, SiteRow, Times
from agfer_bench.protocol import Protocol
from agfer_bench.records.run import FoldRecord, ModuleRecord, RunRecord
from agfer_bench.report.summary import mean_and_sd, over_folds

_MARKS = 5
"""Marks of a block that a row tells."""


@dataclass(frozen=True, kw_only=True)
class Devices:
    """The devices of a page. Times compare within each."""

    names: tuple[str, ...]
    """Their names, that of most modules first."""
    of_record: Mapping[str, int]
    """The number of each record's device, by the record's path."""


def row_of(
    entry: PageEntry,
    standing: Standing,
    *,
    name: str,
    devices: Devices,
    files: Mapping[str, str],
) -> SiteRow:
    """Return the row of a module.

    Args:
        entry: The module and its records.
        standing: What may be said of it.
        name: Its name on the page.
        devices: Those of the page.
        files: The files of records below the site, by the records' paths.
    """
    newest = entry.module
    module = None if standing.entrant is None else all_of(standing.entrant)
    protocol = entry.submission.record.protocol
    accuracy, deviation = _mean_and_sd(module, lambda fold: fold.accuracy, protocol)
    cross, cross_deviation = _mean_and_sd(module, lambda fold: fold.test_accuracy, protocol)
    train, _ = _mean_and_sd(module, lambda fold: fold.train_accuracy, protocol)
    against = standing.against_base
    size = newest.size
    return SiteRow(
        name=name,
        label=clean(entry.label),
        kind=newest.kind,
        complete=module is not None,
        judged=standing.judged,
        why_not=None if standing.judged else clean(standing.why_not),
        accuracy=accuracy,
        accuracy_sd=deviation,
        interval=_interval(standing),
        against_base=None if against is None else difference_of(against),
        rank=standing.rank,
        tier=standing.tier,
        cross=cross,
        cross_sd=cross_deviation,
        gap=rounded(train - accuracy) if train is not None and accuracy is not None else None,
        times=_times(entry, devices, files),
        parameters=size.parameters if size else None,
        block_parameters=size.block_parameters if size else None,
        macs=size.macs if size else None,
        trainings=0 if module is None else len(module.seeds),
        distribution=clean(newest.distribution),
        version=clean(newest.version),
        source=clean(newest.source),
        date=day(entry.submission.record),
        record=files[entry.submission.path],
        others=tuple(files[one.path] for one in entry.again),
        marks=tuple(clean(f"{newest.label} {mark}") for mark in newest.marks[:_MARKS]),
        error=clean(newest.error) if newest.error else None,
    )


def devices_of(entries: Sequence[PageEntry]) -> Devices:
    """Number the devices of a page so that times compare within each."""
    firsts: list[RunRecord] = []
    found: dict[str, int] = {}
    timed: list[set[str]] = []
    for entry in entries:
        for one in entry.results:
            path, record = one.submission.path, one.record
            if path not in found:
                same = (n for n, first in enumerate(firsts) if why_not_timed(first, record) is None)
                found[path] = next(same, len(firsts))
                if found[path] == len(firsts):
                    firsts.append(record)
                    timed.append(set())
            if one.module.speed is not None:
                timed[found[path]].add(entry.label)
    names = [device_name(record) for record in firsts]
    order = sorted(range(len(firsts)), key=lambda n: (-len(timed[n]), names[n]))
    place = {number: at for at, number in enumerate(order)}
    return Devices(
        names=tuple(unique([names[number] for number in order])),
        of_record={path: place[number] for path, number in found.items()},
    )


def device_name(record: RunRecord) -> str:
    """Name the device of a record, with its threads where they count."""
    where = record.environment
    threads = f", {where.threads} threads" if where.device == "cpu" else ""
    return f"{shorten(where.device_name, LABEL)}{threads}"


def difference_of(one: Contrast) -> Difference:
    """Return a pair as plain values; a number that is not finite is none."""
    chances = one.chances
    return Difference(
        first=one.first,
        second=one.second,
        verdict=one.verdict,
        difference=rounded(one.estimate),
        interval=_finite(one.interval),
        p=_rounded(one.difference.p if one.difference else None),
        p_holm=_rounded(one.adjusted),
        pairs=one.pairs,
        p_worse=_rounded(chances.worse if chances else None),
        p_equivalent=_rounded(chances.equivalent if chances else None),
        p_better=_rounded(chances.better if chances else None),
        rope=one.rope,
        sentence=one.sentence,
    )


def day(record: RunRecord) -> str:
    """Return the day on which a run ended."""
    return datetime.datetime.fromisoformat(record.finished).date().isoformat()


def rounded(value: float) -> float:
    """Return a number with six places: what is beyond changes with libraries."""
    return round(value, 6)


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else rounded(value)


def _finite(interval: tuple[float, float] | None) -> tuple[float, float] | None:
    if interval is None or not all(map(math.isfinite, interval)):
        return None
    return rounded(interval[0]), rounded(interval[1])


def _interval(standing: Standing) -> tuple[float, float] | None:
    """Return the interval of an accuracy, which ends at 0 and at 1."""
    found = _finite(standing.accuracy.interval()) if standing.accuracy else None
    return None if found is None else (max(0.0, found[0]), min(1.0, found[1]))


def _mean_and_sd(
    module: ModuleRecord | None,
    read: Callable[[FoldRecord], float | None],
    protocol: Protocol,
) -> tuple[float | None, float | None]:
    """Return mean and sample standard deviation over folds, trainings averaged first.

    Of an official split they are over trainings.
    """
    found = mean_and_sd("it", over_folds(module, read, protocol))
    return _rounded(found["it_mean"]), _rounded(found["it_sd"])


def _times(entry: PageEntry, devices: Devices, files: Mapping[str, str]) -> tuple[Times, ...]:
    """Return the times on each device: those of the first record from there that has any."""
    found: dict[int, Times] = {}
    for one in entry.results:
        device, speed = devices.of_record[one.submission.path], one.module.speed
        seconds = [fold.training_seconds for fold in one.module.trainings]
        if device not in found and (speed is not None or seconds):
            found[device] = Times(
                device=device,
                latency_ms=_rounded(speed.median_ms if speed else None),
                hz=_rounded(speed.hz if speed else None),
                train_seconds=_rounded(statistics.mean(seconds)) if seconds else None,
                record=files[one.submission.path],
            )
    return tuple(found[device] for device in sorted(found))
