"""Whether the blocks help: each compared with base over new people and new trainings."""

from __future__ import annotations

import pandas as pd

from agfer_bench.report import controls
from agfer_bench.report.paper.document import Section, Table
from agfer_bench.report.paper.study import Study
from agfer_bench.report.table import difference_cells, difference_columns
from agfer_bench.report.verdicts import entrants_of, judge, notes_on, to_rows


def verdict_section(study: Study) -> Section:
    """Return a verdict on each block at each stride, or what is missing for one."""
    tables, said = [], []
    for run in study.runs:
        stride = run.record.protocol.stride
        judged = judge(entrants_of(run.record))
        notes = tuple(notes_on(judged))
        if judged.contrasts:
            tables.append(
                Table(
                    name=f"verdicts-stride-{stride}",
                    title=f"Differences of accuracy at stride {stride}",
                    columns=tuple(difference_columns(judged.contrasts)),
                    rows=tuple(tuple(difference_cells(one)) for one in judged.contrasts),
                    labels=3,
                    notes=notes,
                    data=pd.DataFrame(to_rows(judged)),
                )
            )
        else:
            said += [f"Stride {stride}: {note}" for note in notes]
    return Section(title="Do the blocks help?", text=tuple(said), items=tuple(tables))


def control_section(study: Study) -> Section:
    """Return what each block's gates are worth at each stride: other gates in their place."""
    tables = []
    for run in study.runs:
        found = controls.is_it_attention(entrants_of(run.record))
        if not found:
            continue
        stride, kinds = run.record.protocol.stride, controls.columns(found)
        tables.append(
            Table(
                name=f"controls-stride-{stride}",
                title=f"{controls.TITLE}, at stride {stride}",
                columns=tuple(controls.headings(found)),
                rows=tuple(tuple(controls.cells(one, kinds)) for one in found),
                notes=tuple(controls.notes(found)),
                data=pd.json_normalize(controls.to_rows(found)),
            )
        )
    text = () if tables else ("These records do not tell what gates are worth: train anew.",)
    return Section(title="Is it attention?", text=text, items=tuple(tables))
