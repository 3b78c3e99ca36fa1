"""Blocks held against their controls, on the published default run and on records put together."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agfer_bench.cli.app import app
from agfer_bench.comparison.contrasts import Question, contrasts, of_pairs
from agfer_bench.comparison.controls import placebo, worths
from agfer_bench.comparison.outcomes import Entrant
from agfer_bench.records.files import load_run
from agfer_bench.records.run import RunRecord, control_of
from agfer_bench.report.controls import is_it_attention, notes, sentence
from agfer_bench.report.verdicts import entrants_of

PUBLISHED = Path(__file__).resolve().parents[2] / "results" / "published" / "quick-cpu"


@pytest.fixture(scope="module")
def record() -> RunRecord:
    return load_run(PUBLISHED)


@pytest.fixture(scope="module")
def entrants(record: RunRecord) -> dict[str, Entrant]:
    return {one.label: one for one in entrants_of(record)}


def test_each_question_is_a_family_of_its_own(entrants: dict[str, Entrant]) -> None:
    found = {one.label: one for one in worths(list(entrants.values()), Question())}
    assert list(found) == ["agfer", "se", "cbam", "null"]
    for label in ("agfer", "se", "cbam"):
        assert list(found[label].over) == ["base", "frozen", "shuffled"]
        assert {one.pairs for one in found[label].over.values()} == {3}
    assert found["null"].over["base"].pairs == 1
    # Those over base are those of the table of differences, which leaves the control out.
    told = {one.first: one.sentence for one in contrasts(list(entrants.values()), Question())}
    assert told == {label: found[label].over["base"].sentence for label in ("agfer", "se", "cbam")}


def test_what_frozen_gates_are_compared_with(entrants: dict[str, Entrant]) -> None:
    one = entrants["agfer"]
    frozen = placebo(one, "frozen")
    assert frozen is not None
    (contrast,) = of_pairs([(one, frozen)], Question())
    assert contrast.difference is not None
    expected = sum(
        fold.accuracy - other.accuracy
        for folds, others in zip(one.trainings, frozen.trainings, strict=True)
        for fold, other in zip(folds, others, strict=True)
    )
    assert contrast.estimate == pytest.approx(expected / 9)
    # Put together from several records, a network still pairs with itself.
    pooled = replace(one, replicates=one.trainings)
    again = placebo(pooled, "frozen")
    assert again is not None
    (paired,) = of_pairs([(pooled, again)], Question())
    assert paired.difference is not None
    assert paired.difference.trainings == (3,)
    assert paired.difference.error == pytest.approx(contrast.difference.error)


def test_a_training_that_does_not_tell_leaves_the_block_out(entrants: dict[str, Entrant]) -> None:
    one = entrants["se"]
    first = one.module.folds[0].model_copy(update={"gate": None})
    module = one.module.model_copy(update={"folds": (first, *one.module.folds[1:])})
    older = replace(one, module=module)
    (found,) = worths([older], Question())
    assert found.over == {}
    assert "some of its trainings are of older records" in sentence(found)


def test_a_network_that_collapses_with_frozen_gates_is_judged(
    entrants: dict[str, Entrant],
) -> None:
    """That it then gives all images one class is what was asked."""
    one = entrants["se"]

    def collapsed(fold: object) -> object:
        copy = fold.model_copy(deep=True)  # type: ignore[attr-defined]
        rows = [[sum(row), *[0] * (len(row) - 1)] for row in copy.confusion]
        people = {
            who: (counts[0], *[0] * (len(counts) - 1)) for who, counts in copy.recognised.items()
        }
        frozen = copy.gate.frozen.model_copy(update={"confusion": rows, "recognised": people})
        return copy.model_copy(update={"gate": copy.gate.model_copy(update={"frozen": frozen})})

    sets = [tuple(collapsed(fold) for fold in folds) for folds in one.module.seeds]
    module = one.module.model_copy(update={"folds": sets[0], "repeats": tuple(sets[1:])})
    (found,) = worths([replace(one, module=module)], Question())
    assert found.over["frozen"].verdict == "ahead"
    assert found.over["frozen"].estimate > 0.5


def test_words(entrants: dict[str, Entrant]) -> None:
    found = is_it_attention(list(entrants.values()))
    said = notes(found)
    assert any(line.startswith("agfer: ") and "over base; that its gate" in line for line in said)
    assert any(line.startswith("null: ") and "though it does nothing" in line for line in said)
    assert is_it_attention([entrants["base"], entrants["linear"]]) == []


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("null", {"k": 1, "control": "none"}, "null"),
        ("null", {"k": 1, "residual": True}, None),
        ("se", {"control": "blind"}, "blind"),
        ("se", {}, None),
    ],
)
def test_what_is_a_control(name: str, options: dict[str, object], expected: str | None) -> None:
    assert control_of(name, options) == expected


def test_on_the_leaderboard(tmp_path: Path) -> None:
    folder = tmp_path / "records" / "one"
    folder.mkdir(parents=True)
    (folder / "record.json").write_bytes((PUBLISHED / "record.json").read_bytes())
    out = tmp_path / "site"
    done = CliRunner().invoke(app, ["leaderboard", str(folder.parent), "--out", str(out)])
    assert done.exit_code == 0, done.output
    (page,) = json.loads((out / "leaderboard.json").read_text())["pages"]
    assert any(line.startswith("cbam: ") for line in page["controls"])
    rows = {row["name"]: row for row in page["rows"]}
    assert rows["null"]["why_not"] == "a control, which other blocks are held against"
    assert rows["null"]["rank"] is None
    assert rows["agfer"]["against_base"]["pairs"] == 3
    (html,) = (out / "pages").glob("*.html")
    assert "Is it attention?" in html.read_text()
    assert "add a record, or make one anew" not in html.read_text(), "no training is missing"
