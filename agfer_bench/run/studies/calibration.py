"""Calibration: blocks that do nothing, trained and compared as any others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from agfer_bench.comparison.contrasts import ROPE
from agfer_bench.comparison.inference import FEWEST_TRAININGS
from agfer_bench.errors import UserError
from agfer_bench.files import replacing_all
from agfer_bench.plugin.catalogue import Catalogue
from agfer_bench.progress import Reporter
from agfer_bench.protocol import fingerprint
from agfer_bench.records.calibration import CalibrationRecord
from agfer_bench.records.files import CALIBRATION, dump
from agfer_bench.records.run import BASE
from agfer_bench.report.calibration import FEWEST_BLOCKS, calibration_of
from agfer_bench.report.calibration_table import to_markdown
from agfer_bench.run.request import BLOCKS
from agfer_bench.run.runner import run
from agfer_bench.run.settings import RunSettings
from agfer_bench.text import visible

_MOST = 1000
TABLE = "table.md"


def modules_of(blocks: int) -> str:
    """Name base and so many blocks that do nothing, each nudged in its own way.

    Raises:
        UserError: They are too few, or more than differ.

    >>> modules_of(2)
    'base,null:k=1,null:k=2'
    """
    if not FEWEST_BLOCKS <= blocks <= _MOST:
        raise UserError(
            f"--blocks {blocks}: give a number from {FEWEST_BLOCKS} to {_MOST}; with few of them "
            f"rates are hardly known ({BLOCKS} is the default)"
        )
    return ",".join([BASE, *(f"null:k={k}" for k in range(1, blocks + 1))])


def calibrate(
    settings: RunSettings, catalogue: Catalogue, reporter: Reporter, rope: float = ROPE
) -> tuple[CalibrationRecord, Path]:
    """Train base and blocks that do nothing, count the verdicts, and write both.

    Args:
        settings: What to run; its modules are those of `modules_of`. Nothing is timed.
        catalogue: What plugins offer.
        reporter: Hears of the progress.
        rope: Half the region of practical equivalence, 0..1.

    Returns:
        The calibration, and the folder that it was written to, beside that of its run.

    Raises:
        UserError: As `run`; or folds are trained once, or nothing can be judged.
    """
    if settings.protocol.seeds < FEWEST_TRAININGS:
        raise UserError(
            f"calibrate takes --seeds {FEWEST_TRAININGS} or more: of networks that are trained "
            "once on each fold nothing is judged"
        )
    record, folder = run(replace(settings, timing="skip"), catalogue, reporter)
    calibration = calibration_of(record, folder.name, rope)
    return calibration, write(calibration, settings.out)


def write(calibration: CalibrationRecord, out: Path) -> Path:
    """Write record and table of a calibration.

    Returns:
        The folder: the same for the same run and region of practical equivalence.

    Raises:
        UserError: The folder cannot be written; what was there still is.
    """
    name = fingerprint([calibration.run, calibration.rope])[:10]
    folder = out / f"calibration-{name}"
    with replacing_all(folder) as place:
        place(CALIBRATION).write_text(dump(calibration), encoding="utf-8")
        place(TABLE).write_text(visible(to_markdown(calibration)), encoding="utf-8")
    return folder
