"""Masked accuracies beside the others, and what is said of them and of simple baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from agfer_bench.records.files import load_run
from agfer_bench.records.run import FoldRecord, ModuleRecord, RunRecord
from agfer_bench.report.notes import notes
from agfer_bench.report.table import to_markdown, to_rich

PUBLISHED = Path(__file__).resolve().parents[2] / "results" / "published" / "quick-synthetic-cpu"
IMAGES = 20


def _right(share: float, classes: int) -> tuple[tuple[int, ...], ...]:
    """Return counts of which a share is recognised, the same of each class."""
    right = round(share * IMAGES)
    return tuple(
        tuple(right if true == said else (IMAGES - right) * (said == (true + 1) % classes)
              for said in range(classes))
        for true in range(classes)
    )  # fmt: skip


def _row(
    like: ModuleRecord, label: str, accuracy: float, masked: float | None, **more: Any
) -> ModuleRecord:
    classes = len(like.folds[0].confusion)
    folds = tuple(
        fold.model_copy(
            update={
                "confusion": _right(accuracy, classes),
                "masked_confusion": None if masked is None else _right(masked, classes),
                "fit_seconds": 1.0,
            }
        )
        for fold in like.folds
    )
    return like.model_copy(update={"label": label, "name": label, "folds": folds, **more})


@pytest.fixture
def published() -> RunRecord:
    return load_run(PUBLISHED)


def _with(record: RunRecord, *rows: ModuleRecord, **settings: Any) -> RunRecord:
    protocol = record.protocol.with_settings(settings)
    return record.model_copy(update={"modules": rows, "protocol": protocol})


def _about(record: RunRecord, word: str) -> list[str]:
    return [line for line in notes(record) if word in line]


def test_a_mask_that_moves_accuracies_is_warned_of(published: RunRecord) -> None:
    like = published.modules[0]
    rows = [_row(like, "base", 0.5, 0.65), _row(like, "se", 0.5, 0.5), _row(like, "up", 0.8, 0.75)]
    (line,) = _about(_with(published, *rows), "The mask moves")
    assert "base 50.0 % without and 65.0 % with it; up 80.0 % without and 75.0 % with it." in line
    assert "; se" not in line
    assert "guidance_share=0.5" in line
    assert _about(_with(published, rows[1]), "The mask moves") == []
    unmasked = _row(like, "base", 0.5, None)
    assert _about(_with(published, unmasked, guidance=False), "ask") == []


def test_masked_accuracies_stand_in_the_table_where_there_is_a_mask(published: RunRecord) -> None:
    like = published.modules[0]
    masked = _with(published, _row(like, "base", 0.5, 0.65))
    lines = to_markdown(masked).splitlines()
    header = next(line for line in lines if line.startswith("| Module"))
    row = next(line for line in lines if line.startswith("| base"))
    cells = [cell.strip() for cell in row.split("|")]
    assert cells[[cell.strip() for cell in header.split("|")].index("Masked %")] == "65.0"
    without = _with(published, _row(like, "base", 0.5, None), guidance=False)
    assert "Masked %" not in to_markdown(without)
    for width, record, shown in ((200, masked, 1), (80, masked, 1), (200, without, 0)):
        console = Console(width=width)
        with console.capture() as captured:
            console.print(to_rich(record, width))
        tables = captured.get().split("Measured on drawn")[0]
        assert tables.count("Masked %") == shown, width


@pytest.mark.parametrize("name", ["linear", "hog-svm"])
def test_networks_that_are_not_above_a_simple_classifier_are_named(
    published: RunRecord, name: str
) -> None:
    like = published.modules[0]
    simple = _row(like, name, 0.7, None, kind="classifier", size=None, speed=None)
    rows = [_row(like, "base", 0.6, 0.6), _row(like, "se", 0.7, 0.7), _row(like, "up", 0.75, 0.75)]
    (line,) = _about(_with(published, *rows, simple), "Not above")
    assert line.startswith(f"Not above {name} (70.0 %), which has no network: base, se. ")
    assert _about(_with(published, rows[2], simple), "Not above") == []
    strangers = simple.model_copy(update={"name": "mine"})
    assert _about(_with(published, rows[0], strangers), "Not above") == []


def test_a_row_that_lacks_a_fold_is_not_judged(published: RunRecord) -> None:
    like = published.modules[0]
    simple = _row(like, "linear", 0.7, None, kind="classifier", size=None, speed=None)
    broken = _row(like, "base", 0.6, 0.9)
    folds: tuple[FoldRecord, ...] = broken.folds[:-1]
    record = _with(published, broken.model_copy(update={"folds": folds, "error": "x"}), simple)
    assert _about(record, "Not above") + _about(record, "The mask moves") == []


def test_a_network_that_is_not_counted_has_a_dash_and_a_sentence(published: RunRecord) -> None:
    base, agfer, *_ = published.modules
    assert base.size is not None
    assert base.size.macs
    for operators, names in (
        (("aten::_fft_r2c",), "aten::_fft_r2c has"),
        (("a::b", "a::c", "a::d"), "a::b, a::c and a::d have"),
    ):
        size = base.size.model_copy(update={"macs": None, "uncounted": operators})
        record = _with(published, base, agfer.model_copy(update={"size": size}))
        told = f"Operations of agfer are not counted: {names} no count."
        assert _about(record, "not counted") == [told]
        header, *rows = [
            line.split("|") for line in to_markdown(record).splitlines() if "|" in line
        ]
        place = [cell.strip() for cell in header].index("MACs")
        cells = {row[1].strip(): row[place].strip() for row in reversed(rows) if len(row) > place}
        assert cells["agfer"] == "–"
        assert cells["base"] != "–"
        assert RunRecord.model_validate_json(record.model_dump_json()) == record
