"""One record of whoever, opened for a command: with the limits that all records are read with."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from agfer_bench.errors import UserError
from agfer_bench.records.calibration import CalibrationRecord
from agfer_bench.records.files import CALIBRATION, RECORD
from agfer_bench.records.run import RunRecord
from agfer_bench.records.speed import SpeedRun
from agfer_bench.submissions.bounded_json import read_json
from agfer_bench.submissions.limits import Limits
from agfer_bench.submissions.read import contradiction_in, invalid, reason_of, record_of

AnyRecord = RunRecord | SpeedRun | CalibrationRecord


def open_record(folder: Path) -> AnyRecord:
    """Read the record of a run, a speed comparison or a calibration.

    Args:
        folder: Its folder, or the file itself.

    Raises:
        UserError: There is none, it is beyond a limit, or invalid. One that contradicts itself
            is read: `doubt_of` tells it.
    """
    path = folder
    if folder.is_dir():
        path = folder / (CALIBRATION if _holds_calibration(folder) else RECORD)
    try:
        content = read_json(path, Limits())
        if isinstance(content, dict) and content.get("kind") == "calibration":
            return _calibration(content)
        return record_of(content)
    except FileNotFoundError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; name the folder of a run") from None
    except Exception as error:  # whatever a stranger's record does, it is one line
        raise UserError(f"{path} {reason_of(error)}") from None


def doubt_of(folder: Path, record: AnyRecord) -> str | None:
    """Say why a record is not to be trusted; None where it contradicts itself in nothing."""
    found = None if isinstance(record, CalibrationRecord) else contradiction_in(record)
    if found is None:
        return None
    return f"{folder} contradicts itself and would not be published: {found}"


def open_run(folder: Path) -> RunRecord:
    """Read a run's record; arguments and errors as `open_record`."""
    record = open_record(folder)
    if isinstance(record, SpeedRun):
        raise UserError(
            f"{folder} is of `agfer-bench speed`, without any training; `agfer-bench report` shows "
            "it"
        )
    if isinstance(record, CalibrationRecord):
        raise UserError(f"{folder} is of a calibration; `agfer-bench report` shows it")
    return record


def open_speed(folder: Path) -> SpeedRun:
    """Read a speed comparison's record; arguments and errors as `open_record`."""
    record = open_record(folder)
    if not isinstance(record, SpeedRun):
        raise UserError(f"{folder} is of no speed comparison")
    return record


def open_calibration(folder: Path) -> CalibrationRecord:
    """Read a calibration's record; arguments and errors as `open_record`."""
    record = open_record(folder)
    if not isinstance(record, CalibrationRecord):
        raise UserError(f"{folder} is of no calibration")
    return record


def _holds_calibration(folder: Path) -> bool:
    return not (folder / RECORD).exists() and (folder / CALIBRATION).exists()


def _calibration(content: object) -> CalibrationRecord:
    try:
        return CalibrationRecord.model_validate(content)
    except ValidationError as error:
        raise invalid("calibration", error) from None
