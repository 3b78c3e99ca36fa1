"""Records as files: written as JSON, checked when read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from agfer_bench.errors import UserError
from agfer_bench.records.calibration import CalibrationRecord
from agfer_bench.records.run import JobRecord, RunRecord
from agfer_bench.records.speed import SpeedRun

RecordT = TypeVar("RecordT", RunRecord, SpeedRun, CalibrationRecord)

RECORD = "record.json"
"""Name of a record's file in its folder."""
CALIBRATION = "calibration.json"
"""Name of a calibration's file in its folder."""


def dump(record: RunRecord | JobRecord | SpeedRun | CalibrationRecord) -> str:
    """Write a record as JSON text."""
    return record.model_dump_json(indent=1) + "\n"


def load_run(folder: Path) -> RunRecord:
    """Read a run's record.

    Args:
        folder: The run's folder, or its `record.json`.

    Raises:
        UserError: There is no record, or it is not one that this version can read.
    """
    return _load(folder, RunRecord)


def load_speed(folder: Path) -> SpeedRun:
    """Read the record of a speed comparison; arguments and errors as `load_run`."""
    return _load(folder, SpeedRun)


def load_calibration(folder: Path) -> CalibrationRecord:
    """Read the record of a calibration.

    Args:
        folder: The calibration's folder, or its `calibration.json`.

    Raises:
        UserError: There is none, or it is not one that this version can read.
    """
    return _load(folder, CalibrationRecord, CALIBRATION)


def is_speed(folder: Path) -> bool:
    """Tell whether a folder, or a `record.json`, is of a speed comparison."""
    return _is(folder, "speed", RECORD)


def is_calibration(folder: Path) -> bool:
    """Tell whether a folder, or a `calibration.json`, is of a calibration."""
    return _is(folder, "calibration", CALIBRATION)


def _is(folder: Path, kind: str, name: str) -> bool:
    path = folder / name if folder.is_dir() else folder
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("kind") == kind


def _load(folder: Path, kind: type[RecordT], name: str = RECORD) -> RecordT:
    path = folder / name if folder.is_dir() else folder
    what = "calibration" if kind is CalibrationRecord else "run record"
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; name the folder of a run") from None
    except ValidationError as error:
        if kind is RunRecord and is_speed(path):
            raise UserError(
                f"{path} is of `agfer-bench speed`, without any training; `agfer-bench report` "
                "shows it"
            ) from None
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UserError(f"{path} is no valid {what}: {where}: {first['msg']}") from None
    except ValueError as error:
        raise UserError(f"{path} is no valid {what}: {error}") from None
