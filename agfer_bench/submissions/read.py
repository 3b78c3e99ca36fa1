"""Records of strangers read from a folder: each is checked on its own, then against the others.

Whatever is wrong with one, in reading or checking it, is the reason why that one is not published;
the others stand.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agfer_bench.errors import UserError, describe
from agfer_bench.records.run import RunRecord
from agfer_bench.records.speed import SpeedRun
from agfer_bench.submissions.audit import contradictions, contradictions_of_speed
from agfer_bench.submissions.bounded_json import look_through, read_json
from agfer_bench.submissions.check_names import fault_of_names
from agfer_bench.submissions.conflicts import without_rivals
from agfer_bench.submissions.find import Found, find_records
from agfer_bench.submissions.limits import Limits, Refused, one_line
from agfer_bench.submissions.model import Reading, Rejected, Submission

_DEFAULT = Limits()


def read_folder(root: Path, limits: Limits = _DEFAULT) -> Reading:
    """Read every record below a folder.

    Args:
        root: The folder; itself it may be a link.
        limits: How much is read at most.

    Raises:
        UserError: There is no such folder.
    """
    if not root.is_dir():
        raise UserError(f"{root} is no folder; name one that holds records")
    return read_all(find_records(root, limits), limits)


def read_paths(paths: Sequence[Path], limits: Limits = _DEFAULT) -> Reading:
    """Read folders, and files that are named themselves, together.

    Places in the result begin with the path that was named.

    Raises:
        UserError: A path does not exist.
    """
    missing = [path for path in paths if not path.exists() and not path.is_symlink()]
    if missing:
        raise UserError(f"{missing[0]} does not exist; name folders that hold records, or records")
    return read_all(chain.from_iterable(_found(path, limits) for path in paths), limits)


def _found(path: Path, limits: Limits) -> Iterator[Found | Rejected]:
    if not path.is_dir():
        yield Found(path=one_line(str(path)), file=path)
        return
    for one in find_records(path, limits):
        yield replace(one, path=one_line(f"{path.as_posix()}/{one.path}"))


def read_all(found: Iterable[Found | Rejected], limits: Limits = _DEFAULT) -> Reading:
    """Read the records that were found, check each, and then all against each other."""
    accepted: list[Submission] = []
    speeds: list[str] = []
    rejected: list[Rejected] = []
    budget = _Budget(limits)
    with _collecting_later():
        for one in found:
            read = one if isinstance(one, Rejected) else _read(one, limits, budget)
            if isinstance(read, Rejected):
                rejected.append(read)
            elif isinstance(read, Submission):
                accepted.append(read)
            else:
                speeds.append(read)
    stand, rivals = without_rivals(accepted)
    return Reading(
        accepted=tuple(sorted(stand, key=lambda one: one.path)),
        rejected=tuple(sorted([*rejected, *rivals], key=lambda one: one.path)),
        speeds=tuple(sorted(speeds)),
    )


class _Budget:
    """How many bytes of all records together may still be read."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left = limits.all_bytes

    def spend(self, size: int) -> None:
        if size > self._limits.file_bytes:
            return  # refused before it is read
        self._left -= size
        if self._left < 0:
            most = f"{self._limits.all_bytes:,}"
            raise Refused(f"not read: all records together are larger than {most} bytes")


def _read(found: Found, limits: Limits, budget: _Budget) -> Submission | Rejected | str:
    """Return a run's record, why there is none, or the path of a speed record."""
    try:
        budget.spend(found.file.lstat().st_size)
        record = read_record(found.file, limits)
        if isinstance(record, RunRecord):
            _refuse_pictures(record, found.file)
    except Exception as error:
        return Rejected(path=found.path, reason=reason_of(error))
    if isinstance(record, SpeedRun):
        return found.path
    return Submission(path=found.path, record=record)


_PICTURES = frozenset(
    {".avif", ".bmp", ".gif", ".heic", ".jfif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif"}
    | {".tiff", ".webp"}
)


def _refuse_pictures(record: RunRecord, file: Path) -> None:
    """Refuse a record with pictures beside it, where they may be of a set that forbids it.

    Raises:
        Refused: There are some, and the terms of a data set do not let them be published.
    """
    sets = [record.data, *([record.test] if record.test else [])]
    closed = [one.name for one in sets if one.pictures_may_be_published is False]
    if not closed:
        return
    beside = sorted(one.name for one in file.parent.iterdir() if one.suffix.lower() in _PICTURES)
    if beside:
        raise Refused(
            f"a picture lies beside it ({beside[0]}), and the terms of {closed[0]} do not let "
            "pictures of it be published: take all pictures out of the folder"
        )


def read_record(file: Path, limits: Limits = _DEFAULT) -> RunRecord | SpeedRun:
    """Read one record, of a run or of a speed comparison.

    Raises:
        Refused: It is beyond a limit, invalid, or contradicts itself.
        OSError: It cannot be read.
    """
    record = record_of(read_json(file, limits), limits)
    contradiction = contradiction_in(record)
    if contradiction is not None:
        raise Refused(contradiction)
    return record


def record_of(content: Any, limits: Limits = _DEFAULT) -> RunRecord | SpeedRun:
    """Make a record of what was read within limits.

    Raises:
        Refused: It is invalid.
    """
    record = _validated(content)
    look_through(record.model_dump(), limits)  # validation reads "12" as a number
    fault = fault_of_names(record, limits)
    if fault is not None:
        raise Refused(fault)
    return record


def contradiction_in(record: RunRecord | SpeedRun) -> str | None:
    """Say in what a record contradicts itself, the first of all; None where it does not."""
    if isinstance(record, SpeedRun):
        lines = contradictions_of_speed(record)
    else:
        lines = contradictions(record)
    if not lines:
        return None
    more = f" (and {len(lines) - 1} more contradictions)" if len(lines) > 1 else ""
    return one_line(lines[0], 200) + more


def _validated(content: Any) -> RunRecord | SpeedRun:
    speed = isinstance(content, dict) and content.get("kind") == "speed"
    try:
        return (SpeedRun if speed else RunRecord).model_validate(content)
    except ValidationError as error:
        raise invalid("record", error) from None


def invalid(what: str, error: ValidationError) -> Refused:
    """Say in one line where a record breaks its layout first."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the file"
    reason = first["msg"].removeprefix("Value error, ")
    return Refused(f"is no valid {what}: {one_line(where, 100)}: {reason}")


def reason_of(error: Exception) -> str:
    """Say in one line why a record was not read; it follows its name."""
    if isinstance(error, Refused):
        return str(error)
    if isinstance(error, OSError):
        return one_line(f"cannot be read: {error.strerror or error}")
    if isinstance(error, MemoryError):
        return "takes more memory than there is"
    return one_line(f"cannot be read: {describe(error)}")


@contextmanager
def _collecting_later() -> Iterator[None]:
    """Look for no garbage while records are read: what is made is kept, and has no cycles."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
