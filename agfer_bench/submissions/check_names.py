"""Names in a record that may become names of files, links or columns."""

from __future__ import annotations

from collections.abc import Iterator

from agfer_bench.bounds import fault_of_name
from agfer_bench.records.run import RunRecord
from agfer_bench.records.speed import SpeedRun
from agfer_bench.submissions.limits import Limits


def fault_of_names(record: RunRecord | SpeedRun, limits: Limits) -> str | None:
    """Say which name of a record is not taken, and why; None where all are.

    Free text (notes, errors, problems, sources) may hold anything: it is only ever escaped.
    """
    for where, name in _names(record):
        fault = fault_of_name(name, limits.name)
        if fault is not None:
            return f"{where} {name[:60]!r} {fault}"
    return None


def _names(record: RunRecord | SpeedRun) -> Iterator[tuple[str, str]]:
    yield "preset", record.protocol.preset
    rows = record.modules if isinstance(record, RunRecord) else record.rows
    for row in rows:
        yield "label", row.label
        yield "name", row.name
        yield "distribution", row.distribution
        yield "version", row.version
    if isinstance(record, SpeedRun):
        return
    for data in (record.data, record.test):
        if data is not None:
            yield "name of the data set", data.name
            yield from (("class", name) for name in data.classes)
            yield from (("age group", name) for name in data.groups)
