"""`agfer-bench paper`: the whole study at tiny size, killed and resumed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from agfer_bench.cli.app import main

pytestmark = pytest.mark.slow

TINY = (
    *("--preset", "quick", "--set", "crop=none", "--set", "image_size=32", "--set", "folds=2"),
    *("--set", "epochs=2", "--set", "batch_size=8", "--set", "speed.warmup=1"),
    *("--set", "speed.rounds=2", "--set", "speed.passes=1"),
    *("--set", "speed.repeats=1", "--set", "speed.fresh=false", "--set", "speed.seconds=0"),
)


def _arguments(blobs: Path, others: Path, folder: Path, *more: str) -> list[str]:
    where = ("--out", str(folder / "out"), "--cache", str(folder / "cache"))
    data = ("--data", f"image-folder={blobs}", "--test", f"image-folder={others}")
    return ["paper", "--modules", "se", *data, *where, *TINY, *more]


def _run(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["agfer-bench", *arguments])
    try:
        main()
    except SystemExit as error:
        return int(error.code or 0)
    return 0


def _report(folder: Path) -> Path:
    (report,) = (folder / "out").glob("paper-*")
    return report


def _numbers(report: Path) -> dict[str, pd.DataFrame]:
    """Return all data of a report but the times."""
    frames = {}
    for path in sorted((report / "data").glob("*.csv")):
        times = (
            r"second|minute|latency|^hz$|^difference$" if "efficiency" in path.stem else "second"
        )
        frame = pd.read_csv(path)
        frames[path.stem] = frame.loc[:, ~frame.columns.str.contains(times)]
    return frames


def test_the_study_is_reported_whole(
    blobs: Path, others: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _run(_arguments(blobs, others, tmp_path, "--ablate", "split"), monkeypatch) == 0
    report = _report(tmp_path)
    page = (report / "report.html").read_text()
    for title in ("Table 1", "Table 2", "Table 3", "Table 4", "Figure 5", "Figure 6", "Figure 7"):
        assert title in page, title
    for title in ("Figure 8", "Figure 9", "Ablation of split"):
        assert title in page, title
    assert "trained once on each fold" in (report / "report.md").read_text(), "nothing is judged"
    for path in (report / "figures").glob("*.svg"):
        assert path.with_suffix(".png").is_file()
    assert {path.stem for path in (report / "data").glob("*.csv")} >= {
        *("table-1-training", "table-1-test", "table-1-losses", "figure-6", "figure-7"),
        *("figure-8", "figure-9", "table-2", "table-2-absent-classes", "table-3", "table-4"),
        *("efficiency-sizes", "efficiency-times", "over-fit", "fitting-speed", "learning-curves"),
        "ablation-split",
    }


def test_killed_and_started_again_it_ends_with_the_same_report(
    blobs: Path, others: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert _run(_arguments(blobs, others, whole), monkeypatch) == 0

    code = "from agfer_bench.cli.app import main; main()"
    arguments = _arguments(blobs, others, broken)
    child = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    jobs = broken / "out" / "jobs"
    deadline = time.monotonic() + 300
    wanted = random.randint(1, 5)
    while child.poll() is None and len(list(jobs.glob("[!.]*"))) < wanted:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(random.uniform(0, 0.5))
    child.kill()
    child.communicate()
    done = {path.name: (path / "record.json").read_bytes() for path in jobs.glob("[!.]*")}
    assert done

    assert _run(arguments, monkeypatch) == 0
    for name, content in done.items():
        assert (jobs / name / "record.json").read_bytes() == content, "done again"
    assert len(list(jobs.glob("[!.]*"))) == 2 * 2 * 2, "modules, folds, strides"
    first, second = _report(whole), _report(broken)
    assert _files(first).keys() == _files(second).keys()
    expected, found = _numbers(first), _numbers(second)
    assert expected.keys() == found.keys()
    for name, frame in expected.items():
        pd.testing.assert_frame_equal(frame, found[name], obj=name)

    before = _files(second)
    assert _run(arguments, monkeypatch) == 0
    assert _files(second) == before, "nothing is left to do: every byte stays"


def _files(report: Path) -> dict[str, bytes]:
    return {
        path.relative_to(report).as_posix(): path.read_bytes()
        for path in report.rglob("*")
        if path.is_file()
    }


def test_json_seeds_and_unknown_ablations(
    blobs: Path,
    others: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _run(_arguments(blobs, others, tmp_path, "--ablate", "slpit"), monkeypatch) == 2
    assert "did you mean 'split'" in capsys.readouterr().err
    reduction = ("--ablate", "reduction", "--modules", "base")
    assert _run(_arguments(blobs, others, tmp_path, *reduction), monkeypatch) == 2
    assert "none of the modules has the option 'reduction'" in capsys.readouterr().err
    assert _run(_arguments(blobs, others, tmp_path, "--set", "stride=32"), monkeypatch) == 2
    assert "runs both strides" in capsys.readouterr().err
    assert not (tmp_path / "out" / "jobs").exists(), "refused before any work"
    short = ("--converge", "--cap", "1")
    assert _run(_arguments(blobs, others, tmp_path, *short), monkeypatch) == 2
    assert "--cap 1 is below the 2 epochs of the protocol" in capsys.readouterr().err
    assert _run(_arguments(blobs, others, tmp_path, "--base-epochs", "2"), monkeypatch) == 2
    assert "--base-epochs 2: give more than the 2 epochs" in capsys.readouterr().err
    assert not (tmp_path / "out" / "jobs").exists(), "refused before any work"
    more = ("--json", "--no-examples", "--seeds", "2")
    longer = ("--converge", "--cap", "20", "--base-epochs", "3")
    arguments = _arguments(blobs, others, tmp_path, *more, *longer)
    assert _run(arguments, monkeypatch) == 0
    shown = json.loads(capsys.readouterr().out)
    assert Path(shown["report"]).is_file()
    assert [run["protocol"]["stride"] for run in shown["runs"]] == [16, 32]
    assert not list(Path(shown["report"]).parent.glob("figures/figure-6*"))
    text = (Path(shown["report"]).parent / "report.md").read_text()
    assert "trained once on each fold" not in text
    assert "Every fold was trained with 2 seeds" in text
    assert "Differences of accuracy at stride 32" in text
    assert (Path(shown["report"]).parent / "data" / "verdicts-stride-16.csv").is_file()
    assert (Path(shown["report"]).parent / "figures" / "convergence.png").is_file()
    assert "Verdicts, each block held against base" in text
    assert "Base after 3 epochs" in text
