"""Where the gain is, as people see it: tables, notes, forest plots, sections of the paper."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from agfer_bench.comparison.contrasts import Question
from agfer_bench.comparison.subgroups import By, Subgroups, subgroups
from agfer_bench.errors import UserError
from agfer_bench.records.run import RunRecord
from agfer_bench.report.ablation_table import Ablation, Cell, effects_of, to_markdown, to_rich
from agfer_bench.report.forest import forest, write
from agfer_bench.report.paper.document import Plate, Table
from agfer_bench.report.paper.gains import gain_section, guidance_section
from agfer_bench.report.subgroups import cells_of, notes_of, shown, table_of, to_rows
from agfer_bench.run.studies.ablation import AXES
from tests.comparison.simulated import SUBJECTS, World, entrants, gain_in
from tests.report.studies import study

pytestmark = pytest.mark.usefixtures("frozen_heap")


def _run(*, seeds: int = 4, gain: str = "fear") -> RunRecord:
    world = World(3, seeds=seeds)
    return world.record(world.network("base"), world.network("a", gain_in(gain, 0.3)))


def _found(by: By, one: RunRecord | None = None) -> Subgroups:
    on = "test" if by == "age" else "validation"
    return subgroups(entrants(one or _run()), Question(on=on), by)  # type: ignore[arg-type]


def _ablation(*, seeds: int = 4) -> Ablation:
    world = World(4, seeds=seeds)
    runs = []
    for guided in (False, True):
        gain = 0.3 if guided else 0.0
        modules = world.network("base"), world.network("a", gain)
        runs.append((world.record(*modules, guidance=guided), f"run-{guided}"))
    cells = [
        Cell(name=m.label, value=value, module=m, record=one)
        for value, (one, _) in zip(("off", "on"), runs, strict=True)
        for m in one.modules
    ]
    cells.sort(key=lambda cell: cell.name != "base")
    return Ablation(axis=AXES["guidance"], runs=tuple(runs), cells=tuple(cells), notes=())


def test_notes_tell_the_family_the_finding_and_what_it_is_not() -> None:
    notes = " ".join(notes_of(_found("class")))
    assert "1 block against base × classes and all images, 5 differences" in notes
    assert "a is ahead of base in fear: +" in notes
    assert "points more than over all classes, and distinguishable from that" in notes
    assert "need not differ between them" in notes
    nothing = " ".join(notes_of(_found("class", _run(gain="59"))))
    assert "No difference is shown in any class." in nothing


def test_of_many_subjects_a_table_shows_the_ends_and_the_json_all() -> None:
    found = _found("subject")
    (rows,) = shown(found)
    differences = [one.contrast.estimate for one in rows]
    assert differences == sorted(differences, reverse=True)
    every = [one.contrast.estimate for one in found.found]
    assert (max(every), min(every)) == (differences[0], differences[-1])
    assert len(rows) == 10
    assert len(to_rows(found)) == SUBJECTS
    assert table_of(found, 200).row_count == 11, "with one that says how many are left out"
    assert len(table_of(found, 80).columns) < len(table_of(found, 200).columns)
    counted = next(line for line in notes_of(found) if line.startswith("a: "))
    above = sum(value > 0.0005 for value in every)
    assert counted.startswith(f"a: {above} of {SUBJECTS} subjects above base")


@pytest.mark.parametrize("by", ["class", "age", "subject"])
def test_one_training_says_which_option_brings_more(by: By) -> None:
    found = _found(by, _run(seeds=1))
    notes = " ".join(notes_of(found))
    assert "--seeds 3 trains only what is missing" in notes
    assert "ahead of base in" not in notes
    assert {cells_of(one, by)[2] for one in found.found} == {"not judged"}


@pytest.mark.parametrize("by", ["class", "age", "subject"])
def test_a_forest_shows_every_difference(by: By, tmp_path: Path) -> None:
    found = _found(by)
    figure = forest(found, ["a"])
    (axes,) = figure.axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert sorted(labels) == sorted(one.name for one in found.found)
    drawn = {float(line.get_xdata()[0]) for line in axes.lines if len(line.get_xdata()) == 1}  # type: ignore[arg-type,index]
    assert all(
        any(np.isclose(100 * one.contrast.estimate, x) for x in drawn) for one in found.found
    )
    write(found, tmp_path / "forest.svg", drawn_faces=True)
    assert "Drawn" in (tmp_path / "forest.svg").read_text()
    with pytest.raises(UserError, match=r"ends in \.svg, \.png or \.pdf"):
        write(found, tmp_path / "forest.txt", drawn_faces=False)


def test_guidance_ablations_show_the_2_by_2() -> None:
    ablation = _ablation()
    found, told = effects_of(ablation)
    assert found[0].interaction.verdict == "ahead"
    text = to_markdown(ablation)
    assert "| a        | beyond the sum | ahead" in text
    assert all(f"- {line}" in text for line in told)
    assert to_rich(ablation)
    once = _ablation(seeds=1)
    assert effects_of(once) == ((), [])
    assert "Guidance, block or both" not in to_markdown(once)
    other = replace(ablation, axis=AXES["init"])
    assert effects_of(other) == ((), [])


def test_a_block_that_failed_leaves_the_ablation_standing() -> None:
    ablation = _ablation()
    runs = tuple(
        (one.model_copy(update={"modules": one.modules[:1]}), name) for one, name in ablation.runs
    )
    found, told = effects_of(replace(ablation, runs=runs))
    assert found == ()
    assert "no block beside base" in told[0]


def test_the_paper_tells_where_the_gain_is() -> None:
    one = _run()
    section = gain_section(study(one))
    names = [item.name for item in section.items]
    assert names == ["gain-by-class", "gain-by-age", "gain-by-subject", "forest-subject"]
    by_class, plate = section.items[0], section.items[-1]
    assert isinstance(by_class, Table)
    assert isinstance(by_class.data, pd.DataFrame)
    assert by_class.data.query("verdict == 'ahead'")["subgroup"].tolist() == ["fear"]
    assert isinstance(plate, Plate)
    assert plate.pictures[0].draw().axes
    (text,) = gain_section(study(_run(seeds=1))).text
    assert "--seeds 3" in text
    assert one.test is not None
    ageless = one.model_copy(update={"test": one.test.model_copy(update={"groups": {}})})
    assert "no age group is known" in gain_section(study(ageless)).text[0]


def test_the_paper_tells_guidance_from_block() -> None:
    plain = study(_run())
    assert "--ablate guidance --seeds 3" in guidance_section(plain).text[0]
    (table,) = guidance_section(replace(plain, ablations=(_ablation(),))).items
    assert isinstance(table, Table)
    assert [row[1] for row in table.rows] == [
        "guidance alone",
        "block alone",
        "both",
        "beyond the sum",
    ]
    once = replace(study(_run(seeds=1)), ablations=(_ablation(seeds=1),))
    assert "--seeds 3" in guidance_section(once).text[0]
