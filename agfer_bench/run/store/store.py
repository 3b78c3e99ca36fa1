"""Where records live: written whole or not at all, checked when read back."""

from __future__ import annotations

import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import pandas as pd

from agfer_bench.errors import UserError
from agfer_bench.files import draft_of, settle, sweep, writing
from agfer_bench.protocol import fingerprint
from agfer_bench.records.files import RECORD, dump, load_run
from agfer_bench.records.run import JobRecord, RunRecord
from agfer_bench.run.store.address import measure_sha256

PREDICTIONS = "predictions.parquet"
WEIGHTS = "weights.safetensors"


class Store:
    """An output folder: jobs by address under `jobs/`, and a folder for each run.

    What belongs to jobs under way lies under `checkpoints/`, and may be removed while none is.

    Args:
        out: The folder; made when something is first written.
    """

    def __init__(self, out: Path) -> None:
        self.out = out

    @property
    def checkpoints(self) -> Path:
        """Folder of jobs under way."""
        return self.out.absolute() / "checkpoints"

    @property
    def locks(self) -> Path:
        """Folder of locks."""
        return self.out.absolute() / "locks"

    def probe(self) -> None:
        """Find out at once whether the folder can be written, not after hours of training.

        Raises:
            UserError: It cannot.
        """
        with writing(self.out):
            # Where it is not there yet it is not made: a run may still end in an error.
            there = self.out.absolute()
            while not there.exists():
                there = there.parent
            with tempfile.TemporaryFile(dir=there) as file:  # gone whatever kills the process
                file.write(b"probe")

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

    def save_job(
        self, record: JobRecord, predictions: pd.DataFrame, weights: Path | None = None
    ) -> None:
        """Keep a finished job, and remove what belonged to it while it was under way.

        Args:
            record: The numbers.
            predictions: A row for each image that was judged.
            weights: A file of its weights, which becomes part of it; None, or no file, for none.

        Raises:
            UserError: The folder cannot be written.
        """
        folder = self._job(record.fold.job)
        with writing(folder):
            temporary = draft_of(folder)
            kept = temporary / WEIGHTS
            try:
                temporary.mkdir(parents=True)
                predictions.to_parquet(temporary / PREDICTIONS, index=False)
                (temporary / RECORD).write_text(dump(record), encoding="utf-8")
                if weights is not None and weights.is_file():
                    weights.replace(kept)
                for file in temporary.iterdir():
                    settle(file)
                shutil.rmtree(folder, ignore_errors=True)
                try:
                    temporary.rename(folder)
                except OSError:
                    if self.load_job(record.fold.job) is None:  # else another process was faster
                        raise
            finally:
                if weights is not None and kept.is_file():  # for a second try
                    kept.replace(weights)
                shutil.rmtree(temporary, ignore_errors=True)
        self.forget_progress(record.fold.job)

    def checkpoint(self, key: str) -> Path:
        """Return where a job under way keeps its checkpoint."""
        return self.checkpoints / f"{key}.pt"

    def draft_weights(self, key: str) -> Path:
        """Return where a job leaves its weights before it is kept."""
        return self.checkpoints / f"{key}.safetensors"

    def weights(self, key: str) -> Path | None:
        """Return the file of a finished job's weights, or None where they were not kept."""
        path = self._job(key) / WEIGHTS
        return path if path.is_file() else None

    def has_progress(self, key: str) -> bool:
        """Tell whether a job left something while it was under way."""
        return self.checkpoint(key).exists() or self.draft_weights(key).exists()

    def forget_progress(self, key: str) -> None:
        """Remove what a job left that is not under way any more."""
        with suppress(OSError):
            for path in (self.checkpoint(key), self.draft_weights(key)):
                path.unlink(missing_ok=True)

    def sweep_job(self, key: str) -> None:
        """Remove what killed processes left half-written of a job that nobody else works on."""
        sweep(self.out / "jobs", key)
        for path in (self.checkpoint(key), self.draft_weights(key)):
            sweep(path.parent, path.name)

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
            "threads": [record.environment.threads, record.environment.training_threads],
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
