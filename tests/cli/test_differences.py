"""`agfer-bench compare`, gates, and what tables make bold."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agfer_bench.cli.app import app
from agfer_bench.records.files import dump
from agfer_bench.records.run import RunRecord
from agfer_bench.report.table import to_json, to_markdown, to_rich, to_svg
from tests.report.studies import diagonal, fold, module, record

PUBLISHED = Path(__file__).resolve().parents[2] / "results" / "published"
QUICK = PUBLISHED / "quick-synthetic-cpu"
OLDER = PUBLISHED / "quick-synthetic-xeon-cpu"


def _write(folder: Path, content: RunRecord) -> Path:
    folder.mkdir()
    (folder / "record.json").write_text(dump(content))
    return folder


def _record(*right: tuple[str, int, int], epochs: int = 100, seeds: int = 2) -> RunRecord:
    """Two folds each, with so many images of each class recognised; one more in each training."""
    modules = []
    for label, *rights in right:
        sets = [
            tuple(
                fold(n, diagonal(r + seed * len(label) // 2, r, r, of=40)).model_copy(
                    update={"job": f"{label}{n}-{seed}"}
                )
                for n, r in enumerate(rights)
            )
            for seed in range(seeds)
        ]
        modules.append(module(label, sets[0], repeats=tuple(sets[1:])))
    found = record(modules)
    changes = {"epochs": epochs, "seeds": seeds}
    return found.model_copy(update={"protocol": found.protocol.model_copy(update=changes)})


def _words(text: str) -> str:
    return " ".join(text.split())


def test_a_plain_sentence_for_each_pair(tmp_path: Path) -> None:
    folder = _write(tmp_path / "one", _record(("base", 20, 22), ("se", 24, 24)))
    result = CliRunner().invoke(app, ["compare", str(folder)])
    assert result.exit_code == 0
    # Differences of 10 and 5 points.
    assert (
        "base are not distinguishable over new samples of such images and new trainings: a "
        "difference of 7.1 points in favour of se, 95 % interval "
    ) in _words(result.output)
    assert "Judged over 2 trainings of each of 2 folds (folds share" in _words(result.output)
    assert "Where the uncertainty comes from" in result.output
    assert "With twice the trainings" in result.output


def test_one_training_of_each_fold_says_nothing_of_blocks(tmp_path: Path) -> None:
    folder = _write(tmp_path / "one", _record(("base", 20, 22), ("se", 36, 39), seeds=1))
    result = CliRunner().invoke(app, ["compare", str(folder)])
    assert result.exit_code == 0
    words = _words(result.output)
    assert "Not judged: se was trained once on each fold." in words
    assert "--seeds 3 trains only what is missing" in words
    assert "ahead" not in words
    assert "interval 9" not in words
    gate = CliRunner().invoke(app, ["compare", str(folder), "--fail-if", "accuracy < base - 0.02"])
    assert "cannot be judged: se was trained once on each fold" in str(gate.exception)


def test_json_and_gates(tmp_path: Path) -> None:
    folder = _write(tmp_path / "one", _record(("base", 30, 31), ("se", 18, 18)))
    command = ["compare", str(folder), "--json"]
    failing = CliRunner().invoke(app, [*command, "--fail-if", "accuracy < base - 0.02"])
    assert failing.exit_code == 1
    content = json.loads(failing.stdout)
    (pair,) = content["differences"]
    assert pair["difference"] == pytest.approx(-0.3125, abs=0.005)
    assert (pair["verdict"], pair["unit"], pair["trainings_per_fold"]) == ("behind", "folds", [2])
    assert pair["p_worse"] > 0.95
    assert pair["high"] < -0.02
    (gate,) = content["gates"]
    assert (gate["module"], gate["passed"]) == ("se", False)
    assert gate["text"].startswith("se: accuracy less base's -0.")
    passing = CliRunner().invoke(app, [*command, "--fail-if", "accuracy > base"])
    assert passing.exit_code == 0
    wanted = CliRunner().invoke(app, [*command, "--fail-unless", "accuracy > base - 0.02"])
    assert wanted.exit_code == 1


def test_a_block_without_effect_fails_no_gate_by_chance(tmp_path: Path) -> None:
    """Two points below base, as happens by chance: the interval does not lie below."""
    folder = _write(tmp_path / "one", _record(("base", 20, 24), ("se", 20, 22)))
    result = CliRunner().invoke(
        app, ["compare", str(folder), "--fail-if", "accuracy < base - 0.02"]
    )
    assert result.exit_code == 0
    assert "passes --fail-if" in _words(result.output)


def test_all_with_all_and_what_is_practically_equal(tmp_path: Path) -> None:
    folder = _write(tmp_path / "one", _record(("base", 20, 22), ("se", 20, 22), ("cbam", 30, 33)))
    command = ["compare", str(folder), "--json"]
    pairs = json.loads(CliRunner().invoke(app, command).stdout)["differences"]
    assert [(p["first"], p["second"]) for p in pairs] == [("se", "base"), ("cbam", "base")]
    every = json.loads(
        CliRunner().invoke(app, [*command, "--against", "all", "--rope", "90"]).stdout
    )
    assert len(every["differences"]) == 3
    assert {p["verdict"] for p in every["differences"]} == {"equivalent"}


@pytest.mark.parametrize("points", ["-1", "100", "nan"])
def test_a_region_that_is_none_is_refused(points: str, tmp_path: Path) -> None:
    folder = _write(tmp_path / "one", _record(("base", 20, 22), ("se", 24, 24)))
    result = CliRunner().invoke(app, ["compare", str(folder), "--rope", points])
    assert "give points from 0 to 100" in str(result.exception)


def test_a_second_data_set_that_is_not_there(tmp_path: Path) -> None:
    folder = _write(tmp_path / "one", _record(("base", 20, 22), ("se", 24, 24)))
    result = CliRunner().invoke(app, ["compare", str(folder), "--on", "test"])
    assert "--on test: these runs have no second data set" in str(result.exception)


def test_records_with_more_and_with_fewer_trainings_compare(tmp_path: Path) -> None:
    one = _write(tmp_path / "one", _record(("base", 20, 22)))
    two = _write(tmp_path / "two", _record(("se", 30, 33), seeds=3))
    result = CliRunner().invoke(app, ["compare", str(one), str(two), "--json"])
    (pair,) = json.loads(result.stdout)["differences"]
    assert pair["trainings_per_fold"] == [3, 2]


def test_runs_that_do_not_compare_are_refused(tmp_path: Path) -> None:
    one = _write(tmp_path / "one", _record(("base", 20, 22), ("se", 18, 19)))
    two = _write(tmp_path / "two", _record(("base", 20, 22), ("cbam", 18, 19), epochs=7))
    result = CliRunner().invoke(app, ["compare", str(one), str(two)])
    assert str(result.exception) == (
        "one and two do not compare: their protocols differ (epochs: 100 and 7)"
    )


def test_rows_of_two_runs_and_a_choice(tmp_path: Path) -> None:
    one = _write(tmp_path / "one", _record(("base", 20, 22), ("se", 18, 19)))
    two = _write(tmp_path / "two", _record(("base", 20, 22), ("cbam", 18, 17)))
    both = ["compare", str(one), str(two), "--json"]
    pairs = json.loads(CliRunner().invoke(app, both).stdout)["differences"]
    assert [(p["first"], p["second"]) for p in pairs] == [("se", "base"), ("cbam", "base")]
    chosen = CliRunner().invoke(app, [*both, "--modules", "se,cbam", "--against", "all"])
    assert len(json.loads(chosen.stdout)["differences"]) == 1
    wrong = CliRunner().invoke(app, [*both, "--modules", "sa"])
    assert "no row 'sa' in these runs; did you mean 'se'?" in str(wrong.exception)


def test_times_of_two_devices_are_no_gate(tmp_path: Path) -> None:
    first = _record(("base", 20, 22), ("se", 18, 19))
    other = _record(("base", 20, 22), ("cbam", 18, 19))
    there = other.environment.model_copy(update={"device_name": "another processor"})
    one = _write(tmp_path / "one", first)
    two = _write(tmp_path / "two", other.model_copy(update={"environment": there}))
    command = ["compare", str(one), str(two), "--fail-if"]
    result = CliRunner().invoke(app, [*command, "latency > 1.1 * base"])
    assert "times do not compare: they were timed on a processor and on" in str(result.exception)
    assert CliRunner().invoke(app, [*command, "accuracy < 0.1"]).exit_code == 0


def test_bold_only_what_is_ahead_of_base() -> None:
    certain = _record(("base", 20, 22), ("se", 36, 38), seeds=3)
    text = to_markdown(certain)
    assert "| **93.3 ± 3.5** |" in text
    assert "Bold: the accuracies that are ahead of base's" in text
    assert to_json(certain)["ahead_of_base"] == ["se"]
    assert "font-weight: bold" in to_svg(certain)
    for doubtful in (
        _record(("base", 20, 30), ("se", 36, 30)),
        _record(("base", 20, 22), ("se", 36, 39), seeds=1),
    ):
        assert "**" not in to_markdown(doubtful)
        assert to_json(doubtful)["ahead_of_base"] == []
        assert to_rich(doubtful)


def test_records_of_older_versions_are_not_judged() -> None:
    result = CliRunner().invoke(app, ["compare", str(OLDER)])
    assert result.exit_code == 0
    assert "trained once on each fold" in _words(result.output)
    assert "ahead" not in result.output
    refused = CliRunner().invoke(app, ["compare", str(OLDER), "--over", "subjects"])
    assert "does not say who was recognised" in str(refused.exception)


def test_what_two_machines_do_not_share_is_said_beside_their_differences() -> None:
    command = ["compare", str(QUICK), str(OLDER), "--against", "all", "--modules"]
    both = CliRunner().invoke(
        app, [*command, "se (quick-synthetic-cpu),se (quick-synthetic-xeon-cpu)"]
    )
    assert both.exit_code == 0
    words = " ".join(both.output.split())
    assert "Trained by different versions of the harness's code: a difference may come" in words


def test_comparing_loads_no_torch() -> None:
    code = """
import sys
from agfer_bench.cli.app import main
try:
    main()
finally:
    print("torch" in sys.modules)
"""
    command = [sys.executable, "-c", code, "compare", str(QUICK)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_runs_whose_folders_have_one_name_stay_apart(tmp_path: Path) -> None:
    rights = (("base", 20, 22), ("se", 24, 25)), (("base", 30, 31), ("se", 10, 10))
    folders = []
    for name, one in zip("ab", rights, strict=True):
        (tmp_path / name).mkdir()
        content = _record(*one)
        modules = tuple(
            module.model_copy(
                update={
                    "folds": tuple(
                        f.model_copy(update={"job": f"{name}{f.job}"}) for f in module.folds
                    )
                }
            )
            for module in content.modules
        )
        folders.append(
            _write(tmp_path / name / "run", content.model_copy(update={"modules": modules}))
        )
    for order in (folders, folders[::-1]):
        files = [str(folder / "record.json") for folder in order]
        gate = ["--fail-if", "accuracy < 0.4"]
        result = CliRunner().invoke(app, ["compare", *files, "--json", *gate])
        content = json.loads(result.stdout)
        labels = {one["first"] for one in content["differences"]} | {
            one["second"] for one in content["differences"]
        }
        assert labels == {"base (a/run)", "se (a/run)", "base (b/run)", "se (b/run)"}
        assert result.exit_code == 1
        assert [one["module"] for one in content["gates"] if not one["passed"]] == ["se (b/run)"]


def test_what_is_no_comparison_is_said(tmp_path: Path) -> None:
    folder = _write(tmp_path / "one", _record(("base", 20, 22), ("se", 24, 25)))
    result = CliRunner().invoke(app, ["compare", str(folder), "--modules", ","])
    assert "--modules names no row" in str(result.exception)
    result = CliRunner().invoke(app, ["compare", str(PUBLISHED / "speed-quick-cpu")])
    assert "is of `agfer-bench speed`, without any training" in str(result.exception)
