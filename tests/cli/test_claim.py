"""`agfer-bench claim`: what it prints, what it refuses, and that it answers at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agfer_bench.claims.read import names
from agfer_bench.cli.app import app, main

HEAVY = {"torch", "torchvision", "timm", "cv2", "pandas", "matplotlib", "statsmodels", "plotly"}


def _ran(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["claim", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def _json(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_ran(*arguments, "--json"))
    return found


def test_without_a_name_the_shipped_claims_are_listed() -> None:
    listed = _ran()
    assert all(name in listed for name in names())
    assert "7 pairs: 7 carry no test" in listed
    assert [one["name"] for one in _json()["claims"]] == list(names())


def test_a_claim_with_its_verdicts() -> None:
    shown = " ".join(_ran("agfer-table-2").split())
    assert "doi:10.3390/app131810179, Table 2, section 3.2" in shown
    assert "Carries no test (6 pairs of overall): ± is an average of standard deviations" in shown
    assert "not after the correction: old: AGFER and SEFER (0.0497)" in shown
    assert "All networks are judged on the same test images" in shown
    assert "This is a reading and not the source's word, and the verdicts rest on it." in shown


@pytest.mark.parametrize("columns", ["80", "250"])
def test_every_number_stands_on_narrow_and_wide_terminals(
    columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("FORCE_COLOR", "1")  # as a terminal of that width
    shown = _ran("agfer-table-4")
    for number in ("−1.07 to +1.99", "0.41", "0.24", "not distinguishable", "2.55"):
        assert number in shown
    assert "…" not in shown


def test_json_holds_what_compare_names_alike() -> None:
    claim = _json("agfer-table-4")
    pair = claim["pairs"][0]
    assert (pair["first"], pair["second"], pair["verdict"]) == (
        "AGFER",
        "SEFER",
        "not distinguishable",
    )
    assert pair["difference"] == pytest.approx(0.0046)
    assert pair["low"] < 0 < pair["high"]
    assert pair["p"] <= pair["p_holm"]
    assert pair["smallest_detectable_alone"] < pair["smallest_detectable"]
    parts = [pair[f"p_{name}"] for name in ("worse", "equivalent", "better")]
    assert sum(parts) == pytest.approx(1)
    assert claim["rows"][0]["mean_percent"] == 89.19
    assert claim["design"]["split"] == "image"
    assert claim["design"]["plus_minus_stated"] is False
    assert claim["design_differs"]
    overall = [one for one in _json("agfer-table-2")["pairs"] if one["group"] == "overall"]
    assert {one["verdict"] for one in overall} == {"carries no test"}
    assert {one["p"] for one in overall} == {None}


def test_the_region_of_practical_equivalence_is_the_users() -> None:
    assert _json("agfer-table-4", "--rope", "3")["pairs"][0]["verdict"] == "equivalent"
    assert _json("agfer-table-4", "--rope", "0")["pairs"][0]["p_equivalent"] == 0


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["nobody"], "'nobody' is neither a file nor a shipped claim; known: agfer-figure-7,"),
        (["agfer-table-4", "--rope", "-1"], "--rope -1: give points from 0 to 100"),
        (["no.toml"], "cannot read claim no.toml: No such file or directory"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str],
    error: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["agfer-bench", "claim", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"error: {error}")
    assert said.err.count("\n") == 1


def test_names_that_look_like_markup_stand_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'title = "[red]A[/red]"\nsource = "s"\nplace = "p"\nsays = "c"\ndata = "d"\nmetric = "m"\n'
        'rows = [{ name = "[bold]A", mean = 90.0, plus_minus = 1.0 }, '
        '{ name = "B", mean = 80.0, plus_minus = 1.0 }]\n'
        '[design]\nplus_minus_is = "sd"\nn = 5\n'
    )
    shown = _ran(str(path))
    assert "[red]A[/red]" in shown
    assert "[bold]A is ahead of B by 10.0 points" in shown


def test_nothing_heavy_is_loaded() -> None:
    """It answers within two seconds: the libraries that take longer are not imported."""
    code = (
        "import sys; from agfer_bench.cli.app import main\n"
        "sys.argv[1:] = ['claim', 'agfer-table-2']\n"
        f"try: main()\nfinally: print('loaded:', sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded: []"
