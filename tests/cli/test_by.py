"""`agfer-bench compare --by`: what a terminal shows, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agfer_bench.cli.app import app
from agfer_bench.records.files import dump
from agfer_bench.records.run import RunRecord
from tests.comparison.simulated import SUBJECTS, World, gain_in

pytestmark = pytest.mark.usefixtures("frozen_heap")


def _write(folder: Path, *, seeds: int = 4) -> str:
    world = World(3, seeds=seeds)
    content: RunRecord = world.record(
        world.network("base"), world.network("a", gain_in("fear", 0.3)), world.network("b")
    )
    folder.mkdir()
    (folder / "record.json").write_text(dump(content))
    return str(folder)


def _words(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["compare", *arguments])
    assert result.exit_code == 0, result.exception
    return " ".join(result.output.split())


def test_by_class_tells_where_a_block_is_ahead(tmp_path: Path) -> None:
    run = _write(tmp_path / "run")
    words = _words(run, "--by", "class")
    assert "Difference from base by class" in words
    assert "a is ahead of base in fear" in words
    assert "2 blocks against base × classes and all images, 10 differences" in words
    content = json.loads(
        CliRunner().invoke(app, ["compare", run, "--by", "class", "--json"]).stdout
    )
    ahead = [row for row in content["subgroups"] if row["verdict"] == "ahead"]
    assert [(row["first"], row["subgroup"]) for row in ahead] == [("a", "fear")]
    assert ahead[0]["low"] > 0
    assert [row["first"] for row in content["all_images"]] == ["a", "b"]
    one = _words(run, "--by", "class", "--modules", "b")
    assert "1 block against base × classes and all images, 5 differences" in one


def test_by_subject_draws_everybody(tmp_path: Path) -> None:
    run = _write(tmp_path / "run")
    picture = tmp_path / "forest.svg"
    words = _words(run, "--by", "subject", "--diagram", str(picture))
    assert f"of {SUBJECTS} subjects above base" in words
    assert f"… {SUBJECTS - 10} more" in words
    assert picture.stat().st_size > 10_000
    assert "Difference from base by age group" in _words(run, "--by", "age", "--on", "test")


def test_one_training_says_what_it_takes(tmp_path: Path) -> None:
    words = _words(_write(tmp_path / "run", seeds=1), "--by", "class")
    assert "--seeds 3 trains only what is missing" in words
    assert "ahead of base" not in words


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--by", "age"], "--by age: age groups are known of the second data set alone: add"),
        (["--by", "class", "--against", "all"], "leave --against all out"),
        (["--by", "subject", "--over", "folds"], "leave --over folds out"),
        (["--by", "class", "--across"], "leave one of them out"),
        (["--by", "class", "--fail-if", "accuracy < base"], "--by class takes no gate"),
        (["--by", "class", "--diagram", "forest.txt"], "ends in .svg, .png or .pdf"),
    ],
)
def test_what_does_not_go_together_is_said(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    result = CliRunner().invoke(app, ["compare", _write(tmp_path / "run"), *arguments])
    assert result.exit_code == 1
    assert message in str(result.exception)
