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


def _record(*right: tuple[str, int, int], epochs: int = 100) -> RunRecord:
    """Two folds each, with so many images of each class recognised."""
    modules = [
        module(
            label,
            [
                fold(n, diagonal(r, r, r, of=40)).model_copy(update={"job": f"{label}{n}"})
                for n, r in enumerate(rights)
            ],
        )
        for label, *rights in right
    ]
    found = record(modules)
    return found.model_copy(
        update={"protocol": found.protocol.model_copy(update={"epochs": epochs})}
    )


def test_a_plain_sentence_for_each_pair(tmp_path: Path) -> None:
    folder = _write(tmp_path / "one", _record(("base", 20, 22), ("se", 24, 24)))
    result = CliRunner().invoke(app, ["compare", str(folder)])
    assert result.exit_code == 0
    # Differences of 10 and 5 points.
    assert "se is ahead of base by 7.5 points, 95 % interval " in result.output
    assert ": not distinguishable" in result.output
    assert "Compared in pairs over 2 folds" in result.output


def test_json_and_gates(tmp_path: Path) -> None:
    folder = _write(tmp_path / "one", _record(("base", 20, 22), ("se", 18, 19)))
    command = ["compare", str(folder), "--json", "--fail-if"]
    failing = CliRunner().invoke(app, [*command, "accuracy < base - 0.02"])
    assert failing.exit_code == 1
    content = json.loads(failing.stdout)
    (pair,) = content["differences"]
    assert pair["difference"] == pytest.approx((0.5 - 0.45 + 0.55 - 0.475) / 2)
    assert content["gates"] == [
        {
            "gate": "accuracy < base - 0.02",
            "module": "se",
            "passed": False,
            "text": "se: accuracy 0.4625, limit 0.505: fails 'accuracy < base - 0.02'",
        }
    ]
    passing = CliRunner().invoke(app, [*command, "accuracy < base - 0.1"])
    assert passing.exit_code == 0


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
    assert [(p["first"], p["second"]) for p in pairs] == [
        ("base", "se"),
        ("base", "cbam"),
        ("se", "cbam"),
    ]
    chosen = CliRunner().invoke(app, [*both, "--modules", "se,cbam"])
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


def test_bold_only_if_it_survives() -> None:
    certain = _record(("base", 20, 22), ("se", 36, 39))
    text = to_markdown(certain)
    assert "| **93.8 ± 5.3** |" in text
    assert "Bold: se is ahead of every other module" in text
    assert to_json(certain)["distinguishably_best"] == "se"
    assert "font-weight: bold" in to_svg(certain)
    doubtful = _record(("base", 20, 30), ("se", 36, 30))
    assert "**" not in to_markdown(doubtful)
    assert to_json(doubtful)["distinguishably_best"] is None
    assert to_rich(doubtful)


def test_records_of_older_versions_are_compared_over_folds() -> None:
    result = CliRunner().invoke(app, ["compare", str(OLDER)])
    assert result.exit_code == 0
    assert "over 3 folds" in result.output
    refused = CliRunner().invoke(app, ["compare", str(OLDER), "--over", "subjects"])
    assert "does not say who was recognised" in str(refused.exception)


def test_the_published_run_is_compared_over_subjects() -> None:
    result = CliRunner().invoke(app, ["compare", str(QUICK)])
    assert result.exit_code == 0
    assert "over 80 subjects (sign-flip permutation)" in result.output


def test_what_two_machines_do_not_share_is_said_beside_their_differences() -> None:
    command = ["compare", str(QUICK), str(OLDER), "--modules"]
    both = CliRunner().invoke(
        app, [*command, "se (quick-synthetic-cpu),se (quick-synthetic-xeon-cpu)"]
    )
    assert both.exit_code == 0
    assert "over 3 folds" in both.output
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
    rights = (("base", 20, 22), ("se", 24, 25)), (("base", 30, 31), ("se", 10, 12))
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
