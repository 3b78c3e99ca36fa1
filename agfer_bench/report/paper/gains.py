"""Where the blocks' gain is: classes, age groups, people; and guidance, block or both."""

from __future__ import annotations

from functools import partial

import pandas as pd

from agfer_bench.comparison.contrasts import Question
from agfer_bench.comparison.inference import FEWEST_TRAININGS
from agfer_bench.comparison.subgroups import By, Subgroups, subgroups
from agfer_bench.errors import UserError
from agfer_bench.report import factorial
from agfer_bench.report.ablation_table import effects_of
from agfer_bench.report.forest import caption, forest
from agfer_bench.report.paper.document import Picture, Plate, Section, Table, slug
from agfer_bench.report.paper.study import Study
from agfer_bench.report.subgroups import (
    KINDS,
    cells_of,
    columns_of,
    notes_of,
    shown,
    to_rows,
)
from agfer_bench.report.verdicts import entrants_of

_ONCE = (
    "Not judged: every fold was trained once, and another training of the same network can move "
    "its accuracy by more than a block does. `agfer-bench paper --seeds 3` trains what it takes."
)


def gain_section(study: Study) -> Section:
    """Return each block's difference from base by class, age group and subject."""
    title = "Where is the gain?"
    if study.main.protocol.seeds < FEWEST_TRAININGS:
        return Section(title=title, text=(_ONCE,))
    items: list[Table | Plate] = []
    said = []
    asked: list[tuple[By, Question]] = [("class", Question())]
    if study.main.test is not None:
        asked.append(("age", Question(on="test")))
    asked.append(("subject", Question()))
    for by, question in asked:
        try:
            found = subgroups(entrants_of(study.main), question, by)
        except UserError as error:  # say no age is known: the rest stands
            said.append(f"By {KINDS[by][0]}: {str(error).removeprefix(f'--by {by}: ')}.")
            continue
        items.append(_table(found))
        if by == "subject":
            items.append(_plate(found))
    return Section(title=title, text=tuple(said), items=tuple(items))


def _table(found: Subgroups) -> Table:
    kind, several = KINDS[found.by]
    ends = " (largest and smallest)" if found.by == "subject" else ""
    return Table(
        name=f"gain-by-{found.by}",
        title=f"Difference from base by {kind}{ends}",
        columns=tuple(columns_of(found)),
        rows=tuple(tuple(cells_of(one, found.by)) for rows in shown(found) for one in rows),
        labels=3,
        notes=(*notes_of(found), *([f"The data hold all {several}."] if ends else [])),
        data=pd.DataFrame(to_rows(found)),
    )


def _plate(found: Subgroups) -> Plate:
    kind, _ = KINDS[found.by]
    blocks = [one.first for one in found.whole]
    return Plate(
        name=f"forest-{found.by}",
        title=f"Difference from base of each {kind}",
        caption=caption(found),
        pictures=tuple(
            Picture(
                name=f"forest-{found.by}-{number}-{slug(block)}",
                alt=f"Forest plot: {block} less base for each {kind}",
                draw=partial(forest, found, [block]),
            )
            for number, block in enumerate(blocks)
        ),
        data=None,
    )


def guidance_section(study: Study) -> Section:
    """Return what guidance, each block, and both add; or which option brings it."""
    title = "Guidance, block or both?"
    guidance = [one for one in study.ablations if one.axis.name == "guidance"]
    if not guidance:
        return Section(
            title=title,
            text=(
                "Not compared: `agfer-bench paper --ablate guidance --seeds 3` trains every module "
                "without and with guidance, and says what guidance, each block, and both add.",
            ),
        )
    if study.main.protocol.seeds < FEWEST_TRAININGS:
        return Section(title=title, text=(_ONCE,))
    found, told = effects_of(guidance[0])
    if not found:
        return Section(title=title, text=tuple(told))
    table = Table(
        name="guidance-or-block",
        title=f"{factorial.TITLE}, at stride {study.main.protocol.stride}",
        columns=factorial.COLUMNS,
        rows=tuple(map(tuple, factorial.cells_of(found))),
        labels=3,
        notes=tuple(told),
        data=pd.DataFrame(factorial.rows_of(found)),
    )
    return Section(title=title, items=(table,))
