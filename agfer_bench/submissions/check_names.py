"""Names in a record that may become names of files, links or columns."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agfer_bench.records.run import RunRecord
from agfer_bench.records.speed import SpeedRun
from agfer_bench.submissions.limits import Limits

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CLIMBS = re.compile(r"(^|[/\\])\.\.($|[/\\])")
_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:[/\\]")


def fault_of_names(record: RunRecord | SpeedRun, limits: Limits) -> str | None:
    """Say which name of a record is not taken, and why; None where all are.

    Free text (notes, errors, problems, sources) may hold anything: it is only ever escaped.
    """
    for where, name in _names(record):
        fault = _fault(name, limits)
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


def _fault(name: str, limits: Limits) -> str | None:
    if not name.strip():
        return "is empty"
    if len(name) > limits.name:
        return f"has more than {limits.name:,} characters"
    if _CONTROL.search(name):
        return "holds control characters"
    if _CLIMBS.search(name):
        return "climbs out of a folder"
    if _ABSOLUTE.match(name):
        return "is a path from the root"
    return None
