"""What lies in the folder of a report."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from agfer_bench.records.run import RunRecord
from agfer_bench.report.notes import DRAWN_NOTICE
from agfer_bench.report.paper.write import write_report
from tests.report.studies import diagonal, example, fold, module, record, study, usual

EVIL = "<script>alert(1)</script>|$x^$\n"
SHORT = "Drawn faces"


def svg_text(path: Path) -> str:
    return " ".join("".join(one.itertext()) for one in ElementTree.parse(path).iter())


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    runs = usual(drawn=True), usual(drawn=True, stride=32)
    assert write_report(study(*runs, examples=(example(),)), folder) == folder / "report.html"
    return folder


def test_every_file_that_is_named_is_there(drawn: Path) -> None:
    html = (drawn / "report.html").read_text()
    markdown = (drawn / "report.md").read_text()
    named = set(re.findall(r'(?:src|href)="([^"#]+)"', html))
    named |= set(re.findall(r"\]\(([^)]+)\)", markdown))
    assert named == {name for name in contents(drawn) if not name.startswith("report.")}
    for name in ("table-1-training", "table-1-test", "table-1-losses", "table-2", "table-3"):
        assert f"data/{name}.csv" in named
    for name in ("table-4", "efficiency-times", "efficiency-sizes", "cbam-over-agfer", "over-fit"):
        assert f"data/{name}.csv" in named
    for name in ("figure-5", "figure-6", "figure-7", "figure-8-2-agfer", "figure-9-3-cbam"):
        assert {f"figures/{name}.svg", f"figures/{name}.png"} <= named


def test_page_needs_no_network(drawn: Path) -> None:
    html = (drawn / "report.html").read_text()
    assert not re.search(r'(?:src|href)="(?:https?:)?//|@import|url\(', html)


def test_drawn_notice_stands_everywhere(drawn: Path) -> None:
    html = (drawn / "report.html").read_text()
    items = re.split(r'class="item"', html)[1:]
    assert len(items) == html.count("<table") + html.count("<figure ")
    assert all(DRAWN_NOTICE in item for item in items)
    parts = (drawn / "report.md").read_text().split("\n### ")[1:]
    assert len(parts) == len(items)
    assert all(DRAWN_NOTICE in part for part in parts)
    pictures = sorted(drawn.glob("figures/*.svg"))
    assert len(pictures) == 10
    assert all(SHORT in svg_text(path) for path in pictures)
    for path in drawn.glob("data/*.csv"):
        assert pd.read_csv(path)["drawn_faces"].all()


def test_no_notice_on_photographs(tmp_path: Path) -> None:
    write_report(study(usual()), tmp_path)
    assert DRAWN_NOTICE not in (tmp_path / "report.html").read_text()
    assert DRAWN_NOTICE not in (tmp_path / "report.md").read_text()
    assert SHORT not in svg_text(tmp_path / "figures" / "figure-7.svg")


def test_drawn_second_set_is_enough(tmp_path: Path) -> None:
    first = usual()
    assert first.test is not None
    test = first.test.model_copy(update={"drawn": True})
    write_report(study(first.model_copy(update={"test": test})), tmp_path)
    assert SHORT in svg_text(tmp_path / "figures" / "figure-7.svg")


def test_same_study_same_bytes(drawn: Path, tmp_path: Path) -> None:
    runs = usual(drawn=True), usual(drawn=True, stride=32)
    write_report(study(*runs, examples=(example(),)), tmp_path)
    assert contents(tmp_path) == contents(drawn)


def test_labels_are_no_markup(tmp_path: Path) -> None:
    first = usual()
    evil = first.modules[1].model_copy(update={"label": EVIL, "error": EVIL})
    shown = example(EVIL)
    named = replace(shown, data=EVIL, emotion=EVIL)
    changed = first.model_copy(update={"modules": (first.modules[0], evil)})
    write_report(study(changed, examples=(named,)), tmp_path)
    for name in ("report.html", "report.md"):
        text = (tmp_path / name).read_text()
        assert "<script" not in text
        assert "&lt;script" in text
    for path in tmp_path.glob("figures/*.svg"):
        assert b"<script" not in path.read_bytes()
    # The bar, the line break and the formula of the label break neither table nor picture.
    rows = [
        line for line in (tmp_path / "report.md").read_text().splitlines() if "&lt;script" in line
    ]
    begins = ("|", "-", "!", "4", "1", "#", "Mean", "Not judged")
    assert all(line.startswith(begins) for line in rows)
    assert "alert(1)</script>|$x^$" in svg_text(tmp_path / "figures" / "figure-7.svg")


def test_no_second_data_set(tmp_path: Path) -> None:
    write_report(study(usual(with_test=False)), tmp_path)
    html = (tmp_path / "report.html").read_text()
    assert html.count("No second data set was given") == 3
    assert not list(tmp_path.glob("figures/figure-9*"))
    assert not (tmp_path / "data" / "table-2.csv").exists()


def failed(first: RunRecord, folds: int) -> RunRecord:
    last = first.modules[2]
    broken = last.model_copy(
        update={"folds": last.folds[:folds], "size": None, "speed": None, "error": "out of memory"}
    )
    return first.model_copy(update={"modules": (*first.modules[:2], broken)})


@pytest.mark.parametrize("folds", [0, 1])
def test_failed_module(tmp_path: Path, folds: int) -> None:
    write_report(study(failed(usual(), folds)), tmp_path)
    assert "cbam failed: out of memory" in (tmp_path / "report.html").read_text()
    table = pd.read_csv(tmp_path / "data" / "table-2.csv")
    assert table[table["module"] == "cbam"]["mean"].isna().all()
    assert table[table["module"] == "agfer"]["mean"].notna().all()
    assert not list(tmp_path.glob("figures/figure-8-3*"))
    assert "Not trained on all folds: cbam" in (tmp_path / "report.md").read_text()


def test_all_modules_failed(tmp_path: Path) -> None:
    first = usual()
    modules = tuple(m.model_copy(update={"folds": (), "error": "no"}) for m in first.modules)
    write_report(study(first.model_copy(update={"modules": modules})), tmp_path)
    assert not list(tmp_path.glob("figures/figure-8*"))


def test_no_age_groups_no_curves_whole_photographs(tmp_path: Path) -> None:
    first = usual()
    folds = [
        fold(number, diagonal(5, 5, 5), test={"all": diagonal(6, 8, 0)}) for number in range(2)
    ]
    assert first.test is not None
    plain = record([module("base", folds)], test=first.test.model_copy(update={"groups": {}}))
    write_report(study(plain, examples=(example(cropped=False),)), tmp_path)
    table = pd.read_csv(tmp_path / "data" / "table-2.csv")
    assert list(table["age_group"]) == ["all"]
    html = (tmp_path / "report.html").read_text()
    assert "No learning curves were recorded" in html
    assert "Only one stride was run" in html
    assert "crop box" in svg_text(tmp_path / "figures" / "figure-6.svg")


@pytest.mark.slow
def test_many_modules_with_long_labels(tmp_path: Path) -> None:
    first = usual()
    labels = [f"cbam:shared_mlp=true:reduction={number}" for number in range(8)]
    modules = tuple(first.modules[2].model_copy(update={"label": one}) for one in labels)
    write_report(study(first.model_copy(update={"modules": modules})), tmp_path)
    assert len(list(tmp_path.glob("figures/figure-8-*.png"))) == 8
    assert all(one in svg_text(tmp_path / "figures" / "figure-7.svg") for one in labels)
