"""What of a finished run still holds: inference times, and whether anything changed at all."""

from __future__ import annotations

from collections.abc import Sequence

from agfer_bench.records import RunRecord
from agfer_bench.run.row import Row


def keep_costs(rows: Sequence[Row], before: RunRecord) -> None:
    """Fill in size and speed of the rows whose folds are those of a finished run."""
    known = {module.label: module for module in before.modules}
    for row in rows:
        module = known.get(row.chosen.label)
        if module is not None and row.error is None and module.seeds == row.record().seeds:
            row.size, row.speed = module.size, module.speed


def same_run(before: RunRecord, now: RunRecord) -> bool:
    """Tell whether a run says what is there already, whenever and by which revision it was made."""
    kept = {"finished": before.finished, "environment": before.environment}
    return before == now.model_copy(update=kept)
