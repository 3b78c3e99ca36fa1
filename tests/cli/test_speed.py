"""`agfer-bench speed`: from the command line to the tables, strangers' faults contained."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agfer_bench.cli.app import main
from agfer_bench.report.speed_table import to_markdown, to_rich
from agfer_bench.submissions.open import open_speed

TINY = (
    *("--image-size", "32", "--threads", "1", "--largest-batch", "2"),
    *("--set", "speed.warmup=1", "--set", "speed.rounds=2", "--set", "speed.passes=1"),
    *("--set", "speed.seconds=0"),
)
SHARED = ("--set", "speed.fresh=false", "--repeats", "2")

BLOCK = """
import os, sys
import torch
from torch import nn
from agfer_bench import AttentionSpec, hookimpl

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
    def forward(self, x):
        if "agfer_bench.run.timing.child" in " ".join(sys.orig_argv):
            {fault}
        return x * self.scale

def build(slot):
    return Block()

@hookimpl
def attention_modules():
    return [AttentionSpec(name="{name}", build=build, source="", summary="")]
"""


def _run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    before = sys.argv
    sys.argv = ["agfer-bench", *map(str, arguments)]
    try:
        main()
        code = 0
    except SystemExit as error:
        code = int(error.code or 0)
    finally:
        sys.argv = before
    return code, *capsys.readouterr()


@pytest.mark.slow
def test_the_whole_way(blobs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ("--out", tmp_path / "out", "--cache", tmp_path / "cache")
    frames = ("--data", f"image-folder={blobs}", "--set", "crop=none")
    code, out, err = _run(capsys, "speed", "--modules", "se", *where, *frames, *TINY, *SHARED)
    assert code == 0, err
    for title in ("Single stream", "Offline", "What the block adds", "Camera to label"):
        assert title in out
    (folder,) = (tmp_path / "out").glob("speed-quick-*")
    record = open_speed(folder)
    assert [row.label for row in record.rows] == ["base", "se"]
    assert (len(record.conditions), {one.process for one in record.conditions}) == (2, {"shared"})
    for row in record.rows:
        assert row.speed is not None
        assert set(row.speed.modes) == {"eager-fp32", "tuned"}
        for mode in row.speed.modes.values():
            assert len(mode.stream) == 2
            assert [point.batch_size for point in mode.offline] == [1, 2]
            assert [len(point.images_per_second) for point in mode.offline] == [2, 2]
            assert mode.peak_memory_bytes is not None
    assert record.camera is not None
    assert record.camera.frames == 20
    assert set(record.camera.modules["se"]) == {"eager-fp32", "tuned"}
    assert record.peak is not None
    assert (folder / "table.md").read_text() == to_markdown(record)
    assert "se,eager-fp32" in (folder / "table.csv").read_text()
    code, again, _ = _run(capsys, "report", folder)
    assert code == 0
    assert again.splitlines() == out.splitlines()[-len(again.splitlines()) - 1 : -1]
    code, text, _ = _run(capsys, "report", folder, "--json")
    rows = json.loads(text)["rows"]
    added = next(r for r in rows if (r["module"], r["mode"]) == ("se", "eager-fp32"))
    base = next(r for r in rows if (r["module"], r["mode"]) == ("base", "eager-fp32"))
    assert added["marginal_parameters"] == added["parameters"] - base["parameters"] > 0
    assert base["marginal_ms"] is None
    assert base["latency_ratio_to_base"] == 1
    assert added["times_30_hz"] == pytest.approx(added["hz"] / 30)
    for width in (60, 100, 145):
        assert to_rich(record, width) is not None


@pytest.mark.slow
def test_without_camera(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--modules", "base", "--no-camera", "--out", tmp_path, "--classes", "5", "--json")
    code, out, err = _run(capsys, "speed", *options, *TINY, *SHARED)
    assert code == 0, err
    content = json.loads(out)
    assert "5 classes" in content["title"]
    assert {row["mode"] for row in content["rows"]} == {"eager-fp32", "tuned"}
    assert all(row["camera_total_ms"] is None for row in content["rows"])
    assert len(open_speed(Path(content["folder"])).rows) == 1


def test_what_the_user_can_mend(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = _run(capsys, "speed", "--modules", "agfr", "--no-camera", "--out", tmp_path)
    assert code == 2
    assert "did you mean 'agfer'" in err
    (tmp_path / "file").touch()
    code, _, err = _run(capsys, "speed", "--no-camera", "--out", tmp_path / "file")
    assert code == 2
    assert "name a folder" in err


def _install(site: Path, name: str, fault: str) -> None:
    (site / f"{name}.py").write_text(BLOCK.format(name=name, fault=fault))
    info = site / f"{name}-0.7.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-plugin\nVersion: 0.7\n")
    (info / "entry_points.txt").write_text(f"[agfer_bench]\nblock = {name}\n")


@pytest.mark.slow
def test_strangers_that_crash_and_raise_in_a_fresh_process(tmp_path: Path) -> None:
    """In processes of their own: one kills its process, one raises, one prints; `se` stands."""
    site = tmp_path / "site"
    site.mkdir()
    _install(site, "killer", "os._exit(9)")
    _install(site, "raiser", "raise RuntimeError('no kernel')")
    _install(site, "talker", 'print(\'{"what": "nonsense"}\')')
    code = "import sys; from agfer_bench.cli.app import main; sys.argv[0] = 'agfer-bench'; main()"
    path = os.pathsep.join([str(site), *filter(None, sys.path)])
    done = subprocess.run(
        [
            *(sys.executable, "-c", code, "speed", "--modules", "killer,raiser,talker,se"),
            *("--no-camera", "--repeats", "1", "--out", str(tmp_path / "out"), "--json", *TINY),
        ],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 1, done.stderr
    content = json.loads(done.stdout)
    rows = {row["module"]: row for row in content["rows"] if row["mode"] == "eager-fp32"}
    assert rows["killer"]["error"] == "timing: killer-plugin: the process ended with code 9"
    assert "raiser-plugin: RuntimeError: no kernel" in rows["raiser"]["error"]
    for name in ("base", "talker", "se"):
        assert rows[name]["error"] == ""
        assert rows[name]["hz"] > 0
    record = open_speed(Path(content["folder"]))
    assert [one.process for one in record.conditions] == ["own"]
    assert "no kernel" in (Path(content["folder"]) / "errors.log").read_text()
