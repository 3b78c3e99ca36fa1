"""Where records live: written whole or not at all, checked when read back."""

from __future__ import annotations

import json
import re
import shutil
import uuid
from pathlib import Path
from typing import TypeVar

import pandas as pd
from pydantic import ValidationError

from agfer_bench.errors import UserError
from agfer_bench.files import writing
from agfer_bench.protocol import fingerprint
from agfer_bench.records import JobRecord, RunRecord
from agfer_bench.run.address import measure_sha256
from agfer_bench.speed_run import SpeedRun

RecordT = TypeVar("RecordT", RunRecord, SpeedRun)

RECORD = "record.json"
PREDICTIONS = "predictions.parquet"


class Store:
    """An output folder: jobs by address under `jobs/`, and a folder for each run.

    Args:
        out: The folder; made when something is first written.
    """

    def __init__(self, out: Path) -> None:
        self.out = out

    def probe(self) -> None:
        """Find out at once whether the folder can be written, not after hours of training.

        Raises:
            UserError: It cannot.
        """
        with writing(self.out):
            new = not self.out.exists()
            self.out.mkdir(parents=True, exist_ok=True)
            probe = self.out / f".probe-{uuid.uuid4().hex}"
            probe.touch()
            probe.unlink()
            if new:
                self.out.rmdir()

    def load_job(self, key: str) -> tuple[JobRecord, pd.DataFrame] | None:
        """Return a finished job, or None where there is none or it is damaged."""
        folder = self._job(key)
        try:
            text = (folder / RECORD).read_text(encoding="utf-8")
            record = JobRecord.model_validate_json(text)
            predictions = pd.read_parquet(folder / PREDICTIONS)
        except (OSError, ValueError):
            return None
        if fingerprint(record.address) != key or record.fold.job != key:
            return None
        return record, predictions

    def save_job(self, record: JobRecord, predictions: pd.DataFrame) -> None:
        """Keep a finished job.

        Raises:
            UserError: The folder cannot be written.
        """
        folder = self._job(record.fold.job)
        with writing(folder):
            temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
            try:
                temporary.mkdir(parents=True)
                predictions.to_parquet(temporary / PREDICTIONS, index=False)
                (temporary / RECORD).write_text(dump(record), encoding="utf-8")
                shutil.rmtree(folder, ignore_errors=True)
                try:
                    temporary.rename(folder)
                except OSError:
                    if self.load_job(record.fold.job) is None:  # else another process was faster
                        raise
            finally:
                shutil.rmtree(temporary, ignore_errors=True)

    def run_folder(self, record: RunRecord, execution: str, micro_batch: int | None) -> Path:
        """Return the folder of a run: the same for the same comparison, trained the same way."""
        content = {
            "protocol": record.protocol.model_dump(mode="json"),
            "data": record.data.fingerprint,
            "pixels": record.data.pixels_sha256,
            "test": [record.test.fingerprint, record.test.pixels_sha256] if record.test else None,
            "modules": [
                [module.label, module.distribution, module.version, module.package_sha256]
                for module in record.modules
            ],
            "device": record.environment.device_name,
            "threads": record.environment.threads,
            "execution": [execution, micro_batch],
            # Times that are kept must be those of this way of measuring.
            "measure": measure_sha256(),
        }
        name = f"{record.protocol.preset}-{record.data.name}-{fingerprint(content)[:10]}"
        return self.out / re.sub(r"[^\w.-]", "_", name)

    def find_run(self, folder: Path) -> RunRecord | None:
        """Return the record of a finished run, or None where there is none that can be read."""
        try:
            record = load_run(folder) if folder.is_dir() else None
            if record is not None and any(module.folds for module in record.modules):
                pd.read_parquet(folder / PREDICTIONS)
        except (UserError, OSError, ValueError):
            return None
        return record

    def _job(self, key: str) -> Path:
        return self.out / "jobs" / key


def dump(record: RunRecord | JobRecord | SpeedRun) -> str:
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


def is_speed(folder: Path) -> bool:
    """Tell whether a folder, or a `record.json`, is of a speed comparison."""
    path = folder / RECORD if folder.is_dir() else folder
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("kind") == "speed"


def _load(folder: Path, kind: type[RecordT]) -> RecordT:
    path = folder / RECORD if folder.is_dir() else folder
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; name the folder of a run") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UserError(f"{path} is no valid run record: {where}: {first['msg']}") from None
    except ValueError as error:
        raise UserError(f"{path} is no valid run record: {error}") from None
