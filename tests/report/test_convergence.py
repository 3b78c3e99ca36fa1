"""Head start or higher ceiling: from a run's record to tables, sentences and figures."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agfer_bench.cli.converge import converge
from agfer_bench.comparison.contrasts import between_protocols
from agfer_bench.comparison.convergence import NetworkCurves, convergence_of
from agfer_bench.comparison.learning_curves import LearningCurve
from agfer_bench.comparison.outcomes import Entrant
from agfer_bench.errors import UserError
from agfer_bench.records.run import EpochRecord, FoldRecord, RunRecord, SizeRecord
from agfer_bench.report.convergence_table import (
    cost_lines,
    notes_of,
    to_json,
    to_markdown,
    verdict_lines,
)
from agfer_bench.report.notes import DRAWN_NOTICE
from agfer_bench.report.paper.convergence import convergence_section
from agfer_bench.report.paper.document import Table
from agfer_bench.report.paper.write import write_report
from agfer_bench.run.studies.convergence import write
from tests.comparison.simulated_curves import (
    CAP,
    EPOCHS,
    FASTER,
    FOLDS,
    HIGHER,
    LOWER,
    Truth,
    simulate,
)
from tests.report.studies import diagonal, fold, module, record, study, usual

CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")


def recorded(networks: Sequence[NetworkCurves], *, drawn: bool = False) -> RunRecord:
    """Return a run whose trainings have these curves."""
    modules = []
    for one in networks:
        macs = round(one.operations / (3 * 60))
        sets = [
            tuple(_fold(k, curve) for k, curve in enumerate(curves))
            for curves in zip(*one.curves, strict=True)
        ]
        size = SizeRecord(parameters=1000, block_parameters=10, macs=macs, layers=41)
        modules.append(module(one.label, sets[0], repeats=tuple(sets[1:]), size=size))
    whole = record(modules, folds=FOLDS, classes=CLASSES, drawn=drawn)
    protocol = whole.protocol.with_settings(
        {"seeds": len(networks[0].curves[0]), "epochs": networks[0].curves[0][0].epochs,
         "drop_last": False}
    )  # fmt: skip
    return whole.model_copy(update={"protocol": protocol})


def _fold(number: int, curve: LearningCurve) -> FoldRecord:
    times = np.diff(curve.seconds_E, prepend=0.0)
    history = tuple(
        EpochRecord(loss=loss, seconds=seconds, validation_accuracy=accuracy)
        for loss, seconds, accuracy in zip(
            curve.loss_E.tolist(), times.tolist(), curve.accuracy_E.tolist(), strict=True
        )
    )
    made = fold(number, diagonal(8, 8, 8, 8, 8, 8))
    return made.model_copy(update={"history": history})


def _run(*truths: Truth, seed: int = 0, drawn: bool = False, **changes: Any) -> RunRecord:
    random = np.random.default_rng(seed)
    return recorded(simulate(random, *truths, **changes), drawn=drawn)


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    """Keep statsmodels, which collects garbage each time, from looking at the whole process."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def run() -> RunRecord:
    return _run(Truth(time=FASTER.time, macs=1.1), HIGHER, seeds=5)


def test_a_record_gives_the_curves_back(run: RunRecord) -> None:
    found = convergence_of(run, EPOCHS)
    assert (found.cap, found.base.plateau_KS.shape) == (CAP, (FOLDS, 5))
    assert [one.verdict for one in found.blocks] == ["faster", "higher"]
    fold = run.modules[1].folds[2]
    curve = found.networks[1].curves[2][0]
    assert curve.loss_E.tolist() == [epoch.loss for epoch in fold.history]
    assert curve.seconds_E[-1] == pytest.approx(sum(epoch.seconds for epoch in fold.history))
    assert found.networks[1].operations == pytest.approx(1.1e9, rel=1e-6)
    ends = zip(found.base.curves, found.base.plateau_KS, strict=True)
    top = np.mean([[c.converged(int(p)) for c, p in zip(*row, strict=True)] for row in ends])
    assert found.decides == pytest.approx(1 / 6 + 0.75 * (top - 1 / 6))


def test_an_incomplete_last_batch_that_is_dropped_costs_nothing(run: RunRecord) -> None:
    protocol = run.protocol.with_settings({"drop_last": True, "batch_size": 50})
    less = convergence_of(run.model_copy(update={"protocol": protocol}), EPOCHS)
    assert less.base.operations == pytest.approx(5 / 6 * 1e9, rel=1e-6)


def test_accuracies_of_the_user_move_no_verdict(run: RunRecord) -> None:
    usual, asked = convergence_of(run, EPOCHS), convergence_of(run, EPOCHS, (0.7, 0.4))
    assert asked.accuracies == (0.4, 0.7)
    assert asked.decides == usual.decides
    assert verdict_lines(asked) == verdict_lines(usual)
    costs = asked.networks[1].cost(0.7)
    first = asked.networks[1].curves[0][0]
    epochs = first.epochs_to(0.7)
    assert epochs is not None
    assert costs.epochs_KS[0, 0] == epochs
    assert costs.seconds_KS[0, 0] == pytest.approx(first.seconds_at(epochs))
    assert first.at(epochs) == pytest.approx(0.7)


@pytest.mark.parametrize("accuracy", [0.1, 1 / 6, 1.0, 1.2])
def test_accuracies_that_are_none(run: RunRecord, accuracy: float) -> None:
    with pytest.raises(UserError, match=r"--to .*: give accuracies in per cent above chance, 16.7"):
        convergence_of(run, EPOCHS, (accuracy,))


def test_what_is_never_reached_is_censored_and_told(run: RunRecord) -> None:
    found = convergence_of(run, EPOCHS, (0.9,))
    cost = found.base.cost(0.9)
    assert cost.never > 0
    assert (cost.epochs_KS[~cost.reached_KS] == CAP).all()
    of = cost.reached_KS.size
    assert f"{of - cost.never} of {of}" in cost_lines(found)[1]
    assert cost_lines(found)[1][2].startswith("≥ ")
    (note,) = [line for line in notes_of(found) if "was not reached" in line]
    assert f"90.0 % was not reached by epoch {CAP} in trainings: {cost.never} of base" in note


def test_no_plateau_by_the_cap_is_not_judged() -> None:
    found = convergence_of(_run(Truth(time=60), cap=40), EPOCHS)
    (block,) = found.blocks
    assert block.verdict == "not judged"
    assert "reached no plateau by epoch 40: train longer, with --cap 80" in block.why_not
    assert block.at_epochs is not None, "equal epochs need no plateau"
    assert "not by 40" in to_markdown(found)


def test_one_training_a_fold_is_not_judged() -> None:
    found = convergence_of(_run(HIGHER, seeds=1), EPOCHS)
    assert found.blocks[0].verdict == "not judged"
    assert "base was trained once on each fold" in found.blocks[0].why_not
    assert found.blocks[0].at_epochs is None
    assert found.accuracies == ()
    assert "with --seeds 3 trains only what is missing" in " ".join(notes_of(found))
    assert "not judged" in to_markdown(found)


def test_a_training_that_knows_a_single_class_is_not_judged(run: RunRecord) -> None:
    block = run.modules[1]
    stuck = block.folds[1].model_copy(update={"confusion": ((10, *(0,) * 5),) * 6})
    folds = (block.folds[0], stuck, block.folds[2])
    modules = (run.modules[0], block.model_copy(update={"folds": folds}), run.modules[2])
    found = convergence_of(run.model_copy(update={"modules": modules}), EPOCHS)
    assert [one.verdict for one in found.blocks] == ["not judged", "higher"]
    assert "block1 predicts a single class in fold 2" in found.blocks[0].why_not


def test_rows_that_failed_are_named_and_the_others_stand(run: RunRecord) -> None:
    dead = run.modules[1].model_copy(update={"folds": (), "repeats": (), "error": "no memory"})
    found = convergence_of(
        run.model_copy(update={"modules": (run.modules[0], dead, run.modules[2])}), EPOCHS
    )
    assert found.failed == ("block1: no memory",)
    assert [one.label for one in found.blocks] == ["block2"]
    assert "Not compared: block1: no memory." in notes_of(found)
    with pytest.raises(UserError, match="block1: no memory"):
        convergence_of(run.model_copy(update={"modules": (run.modules[0], dead)}), EPOCHS)


def test_a_run_that_did_not_judge_every_epoch_is_refused(run: RunRecord) -> None:
    base = run.modules[0]
    gone = base.folds[0].history[0].model_copy(update={"validation_accuracy": None})
    fold = base.folds[0].model_copy(update={"history": (gone, *base.folds[0].history[1:])})
    folds = (fold, *base.folds[1:])
    modules = (base.model_copy(update={"folds": folds}), *run.modules[1:])
    with pytest.raises(UserError, match="base: not all epochs of all trainings were judged"):
        convergence_of(run.model_copy(update={"modules": modules}), EPOCHS)


def test_what_is_against_a_block_is_told() -> None:
    found = convergence_of(_run(LOWER, seeds=5), EPOCHS)
    assert (found.blocks[0].verdict, found.blocks[0].against) == ("neither", ("lower",))
    assert verdict_lines(found)[1][1] == "neither, but lower"


def test_sentences_tell_what_tables_show(run: RunRecord) -> None:
    found = convergence_of(run, EPOCHS)
    first, second = (line for line in notes_of(found) if line.startswith("block"))
    assert first.startswith("block1: faster. It takes 0.")
    assert second.startswith("block2: higher.")
    text = to_markdown(found)
    for cell in verdict_lines(found)[1]:
        assert cell in text
    assert "adjusted for 4 questions (Holm)" in text
    assert "--folds" not in text, "more folds would be other folds"
    assert "“Neither” is not “equal”" in text


def test_title_notes_json_and_help_say_what_verdicts_are_over(run: RunRecord) -> None:
    found = convergence_of(run, EPOCHS)
    over = "over new trainings on these folds of these people, not over new people"
    content = to_json(found)
    assert content["population"] == over
    assert over in content["title"]
    assert over in " ".join(notes_of(found))
    assert over in " ".join((converge.__doc__ or "").split())


def test_the_paper_has_it_as_a_section(run: RunRecord, tmp_path: Path) -> None:
    usual_run = usual()
    base = usual_run.modules[0]
    long_protocol = usual_run.protocol.with_settings({"epochs": 450})
    long = usual_run.model_copy(update={"modules": (base,), "protocol": long_protocol})
    nothing = convergence_section(study(usual_run))
    assert "paper --converge" in nothing.text[0]
    asked = replace(study(usual_run), convergence=convergence_of(run, EPOCHS), long_base=long)
    page = write_report(asked, tmp_path).read_text("utf-8")
    assert "Head start or higher ceiling" in page
    assert "Verdicts, each block held against base over new trainings" in page
    assert "over new trainings on these folds of these people, not over new people" in page
    assert "figures/convergence.svg" in page
    assert "19.76 % after 100 epochs" in page
    text = (tmp_path / "report.md").read_text("utf-8")
    assert "### Base after 450 epochs" in text
    assert "| base | 450 | 60.00 ± 14.14 |" in text
    assert "| agfer | 100 | 85.00 ± 7.07 | – |" in text, "folds were trained once"
    refused = replace(study(usual_run), no_convergence="Convergence was not judged: no block")
    assert convergence_section(refused).text == ("Convergence was not judged: no block",)


def test_base_that_has_time_is_held_against_the_others() -> None:
    """Over people, as two protocols are compared."""
    from tests.report.test_calibration import draw_run

    short, drawn = draw_run(2, spread=0.02), draw_run(2, spread=0.02, seed=1)
    protocol = drawn.protocol.with_settings({"epochs": 450})
    long = drawn.model_copy(update={"modules": drawn.modules[:1], "protocol": protocol})
    (table,) = convergence_section(replace(study(short), long_base=long)).items
    assert isinstance(table, Table)
    first = between_protocols(
        Entrant(label="base", module=long.modules[0], record=long),
        Entrant(label="null:k=1", module=short.modules[1], record=short),
    )
    assert first is not None
    low, high = first.interval() or (0, 0)
    row = table.data.iloc[2]
    assert (row["module"], row["epochs"]) == ("null:k=1", 100)
    assert row["long_base_less_it"] == pytest.approx(100 * first.estimate)
    assert (row["low"], row["high"]) == (pytest.approx(100 * low), pytest.approx(100 * high))
    assert "[" in table.rows[2][3]


def test_files(run: RunRecord, tmp_path: Path) -> None:
    drawn = run.model_copy(update={"data": run.data.model_copy(update={"drawn": True})})
    found = convergence_of(drawn, EPOCHS)
    folder = write(found, "run-1", tmp_path)
    assert write(found, "run-1", tmp_path) == folder
    assert DRAWN_NOTICE in (folder / "table.md").read_text("utf-8")
    content = json.loads((folder / "convergence.json").read_text("utf-8"))
    assert content == json.loads(json.dumps({"run": "run-1", **to_json(found)}))
    assert [one["verdict"] for one in content["blocks"]] == ["faster", "higher"]
    assert (folder / "figures" / "convergence.png").stat().st_size > 10_000
    curve = (folder / "figures" / "convergence.svg").read_text("utf-8")
    assert "Drawn faces: tells nothing about people." in curve
    lines = (folder / "trainings.csv").read_text("utf-8").splitlines()
    assert len(lines) == 1 + 3 * FOLDS * 5
