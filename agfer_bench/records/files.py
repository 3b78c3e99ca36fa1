"""Records as files: written as JSON, checked when read back."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from agfer_bench.errors import UserError
from agfer_bench.records.calibration import CalibrationRecord
from agfer_bench.records.run import JobRecord, RunRecord
from agfer_bench.records.speed import SpeedRun

RECORD = "record.json"
"""Name of a record's file in its folder."""
CALIBRATION = "calibration.json"
"""Name of a calibration's file in its folder."""


def dump(record: RunRecord | JobRecord | SpeedRun | CalibrationRecord) -> str:
    """Write a record as JSON text."""
    return record.model_dump_json(indent=1) + "\n"


def load_run(folder: Path) -> RunRecord:
    """Read a run's record that this program wrote itself; `submissions.open` reads anybody's.

    Args:
        folder: The run's folder, or its `record.json`.

    Raises:
        UserError: There is no record, or it is not one that this version can read.
    """
    path = folder / RECORD if folder.is_dir() else folder
    try:
        return RunRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; name the folder of a run") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UserError(f"{path} is no valid run record: {where}: {first['msg']}") from None
    except ValueError as error:
        raise UserError(f"{path} is no valid run record: {error}") from None
