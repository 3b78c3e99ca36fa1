"""`agfer-bench results`: validation and the published schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from agfer_bench.cli.app import app, main
from agfer_bench.records.calibration import CalibrationRecord
from agfer_bench.records.files import dump
from agfer_bench.records.json_schema import schema_of
from agfer_bench.records.run import RunRecord
from agfer_bench.records.speed import SpeedRun
from agfer_bench.submissions.open import open_record
from tests.leaderboard.generated import make_records

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT / "results" / "published"
SCHEMAS: dict[str, type[RunRecord] | type[SpeedRun] | type[CalibrationRecord]] = {
    "run-record.json": RunRecord,
    "speed-record.json": SpeedRun,
    "calibration-record.json": CalibrationRecord,
}
"""Written by `agfer-bench results schema > docs/schema/run-record.json`, with `--speed` and with
`--calibration`."""


def _run(*words: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["results", *map(str, words)])
    return result.exit_code, result.stdout


def test_published_records_are_valid() -> None:
    code, printed = _run("validate", PUBLISHED)
    lines = printed.splitlines()
    assert code == 0
    assert len(lines) == 21
    assert all(line.endswith("record.json: ok") for line in lines[:-1])
    assert lines[-1] == "20 accepted, 2 of them of speed alone, 0 rejected"


def test_a_rejected_record_is_named(tmp_path: Path) -> None:
    good, bad = make_records(tmp_path, runs=2, modules=2, hostile=False)
    content = json.loads(bad.read_text())
    content["modules"][0]["label"] = "\u001b[2J[red]:smile:[/red]"
    content["modules"][0]["folds"].pop()
    bad.write_text(json.dumps(content))
    code, printed = _run("validate", good, tmp_path)
    assert code == 1
    assert "\x1b" not in printed
    assert printed.splitlines() == [
        f"{good}: ok",
        f"{good}: ok",
        rf"{bad}: rejected: label '\x1b[2J[red]:smile:[/red]' holds control characters",
        "2 accepted, 1 rejected",
    ]
    code, printed = _run("validate", bad, "--json")
    assert code == 1
    (rejected,) = json.loads(printed)["rejected"]
    assert rejected["path"] == str(bad)
    assert json.loads(printed)["accepted"] == []


def test_markup_in_paths_is_no_markup(tmp_path: Path) -> None:
    (path,) = make_records(tmp_path / "[bold]:bug:<b>", runs=1, modules=2, hostile=False)
    code, printed = _run("validate", tmp_path)
    assert code == 0
    assert printed.splitlines()[0] == f"{path}: ok"


def test_the_default_is_the_folder_of_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_records(tmp_path / "results", runs=1, modules=2, hostile=False)
    code, printed = _run("validate")
    assert (code, printed) == (0, "results/run-0000/record.json: ok\n1 accepted, 0 rejected\n")


@pytest.mark.parametrize("named", [".", "none"])
def test_nothing_found_is_an_error_of_usage(
    named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["agfer-bench", "results", "validate", str(tmp_path / named)])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "name" in error


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_published_schema_is_that_of_the_code(name: str) -> None:
    published = json.loads((ROOT / "docs" / "schema" / name).read_text())
    generated = SCHEMAS[name].model_json_schema(mode="validation")
    assert _without_meanings(published) == _without_meanings(
        {"$schema": "https://json-schema.org/draft/2020-12/schema", **generated}
    )
    assert published == schema_of(SCHEMAS[name])
    code, printed = _run("schema", *([] if name.startswith("run") else [f"--{name.split('-')[0]}"]))
    assert (code, json.loads(printed)) == (0, published)
    jsonschema.Draft202012Validator.check_schema(published)
    properties = [published, *published["$defs"].values()]
    assert all(
        field["description"] for model in properties for field in model["properties"].values()
    )


def _without_meanings(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: _without_meanings(value)
            for key, value in schema.items()
            if key != "description" or not isinstance(value, str)
        }
    return [_without_meanings(one) for one in schema] if isinstance(schema, list) else schema


def _validator(name: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((ROOT / "docs" / "schema" / name).read_text())
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize(
    "path", sorted(PUBLISHED.rglob("record.json")), ids=lambda path: path.parent.name
)
def test_the_schema_takes_published_records(path: Path) -> None:
    record = open_record(path)
    speed = isinstance(record, SpeedRun)
    validator = _validator("speed-record.json" if speed else "run-record.json")
    validator.validate(json.loads(dump(record)))
    other = _validator("run-record.json" if speed else "speed-record.json")
    assert not other.is_valid(json.loads(dump(record)))


def test_the_schema_takes_made_up_records_and_no_junk(tmp_path: Path) -> None:
    validator = _validator("run-record.json")
    path = make_records(tmp_path, runs=3)[2]
    content = json.loads(path.read_text())
    validator.validate(content)
    junks: tuple[Any, ...] = (
        [],
        {},
        content | {"schema_version": 3},
        content | {"more": 1},
        content | {"modules": [{}]},
        content | {"finished": 7},
        content | {"protocol": content["protocol"] | {"folds": 0}},
    )
    for junk in junks:
        assert not validator.is_valid(junk)


def test_a_folder_without_records_makes_an_empty_site_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    words = ["leaderboard", str(tmp_path / "results"), "--out", str(tmp_path / "site")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0
    assert "no record of a run lies below" in result.stderr
    assert "There is no record to show yet." in (tmp_path / "site" / "index.html").read_text()


def test_one_schema_at_a_time() -> None:
    code, printed = _run("schema", "--speed", "--calibration")
    assert (code, printed) == (1, "")
