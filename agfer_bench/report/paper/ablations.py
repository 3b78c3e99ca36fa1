"""What the paper does not tell apart: one setting changed, all else shared."""

from __future__ import annotations

from agfer_bench.report.ablation_table import Ablation, frame_of, notes_of, text_cells
from agfer_bench.report.notes import DRAWN_NOTICE
from agfer_bench.report.paper.document import Section, Table
from agfer_bench.report.paper.study import Study

_NOT_RUN = (
    "Leakage between frames of one person (split), guidance, initial weights and the reduction "
    "were not compared: `agfer-bench paper --ablate split,guidance,init,reduction` does."
)


def ablation_section(study: Study) -> Section:
    """The further comparisons that the user asked for."""
    return Section(
        title="What the paper does not tell apart",
        text=study.refused or (() if study.ablations else (_NOT_RUN,)),
        items=tuple(_table(ablation) for ablation in study.ablations),
    )


def _table(ablation: Ablation) -> Table:
    columns, lines = text_cells(ablation)
    # Each table carries the notice of drawn faces already.
    notes = [note for note in notes_of(ablation) if note != DRAWN_NOTICE]
    return Table(
        name=f"ablation-{ablation.axis.name}",
        title=f"Ablation of {ablation.axis.name}",
        columns=tuple(columns),
        rows=tuple(map(tuple, lines)),
        labels=2,
        notes=tuple(notes),
        data=frame_of(ablation),
    )
