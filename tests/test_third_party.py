"""Distributions that strangers install: listed, run, and contained when they misbehave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.run.support import install

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]

BLOCK = """
import torch
from torch import nn
from agfer_bench import AttentionSpec, hookimpl

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
    def forward(self, x):
        {forward}

def build(slot, *, depth: int = 1):
    {build}

@hookimpl
def attention_modules():
    return [AttentionSpec(name="{name}", build=build, source="arXiv:1", summary="A block")]
"""


def command(
    path: str, *arguments: object, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    code = "import sys; from agfer_bench.cli.app import main; sys.argv[0] = 'agfer-bench'; main()"
    environment = os.environ | {"PYTHONPATH": path, "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=cwd,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = tmp_path_factory.mktemp("site")
    good = {"forward": "return x * self.scale", "build": "return Block()"}
    install(site, "my-block", BLOCK.format(name="mine", **good))
    install(site, "bad-import", "raise RuntimeError('wrong platform')")
    bad_build = good | {"build": "raise RuntimeError('no licence')"}
    install(site, "bad-build", BLOCK.format(name="badbuild", **bad_build))
    refuses = good | {"build": "raise UserError('reduction must be at least 1')"}
    source = "from agfer_bench import UserError" + BLOCK.format(name="refuses", **refuses)
    install(site, "refuses", source)
    bad_forward = good | {"forward": "raise RuntimeError('no kernel')"}
    install(site, "bad-forward", BLOCK.format(name="badforward", **bad_forward))
    return site


def test_modules_lists_them_and_names_the_broken_one(site: Path) -> None:
    done = command(str(site), "modules", "--json")
    assert done.returncode == 0, done.stderr
    listed = {one["name"]: one for one in json.loads(done.stdout)["modules"]}
    assert (listed["mine"]["distribution"], listed["mine"]["version"]) == ("my-block", "0.7")
    assert listed["mine"]["parameters"] == 3
    assert listed["mine"]["options"][0]["name"] == "depth"
    assert "no licence" in listed["badbuild"]["error"]
    assert listed["refuses"]["error"] == "refuses: refuses: reduction must be at least 1"
    assert "bad-import" in done.stderr
    assert "wrong platform" in done.stderr
    assert "Traceback" not in done.stderr
    assert {"base", "agfer", "se", "cbam"} <= set(listed)


def test_run_names_what_fails_and_keeps_the_rest(site: Path, blobs: Path, tmp_path: Path) -> None:
    settings = [
        "crop=none",
        "image_size=32",
        "folds=2",
        "epochs=1",
        "seeds=1",
        "batch_size=8",
        "speed.rounds=2",
        "speed.repeats=1",
    ]
    done = command(
        str(site),
        *("run", "--modules", "mine:depth=2,badbuild,badforward,se", "--controls", "none"),
        *("--data", f"image-folder={blobs}", "--out", tmp_path / "out"),
        *("--cache", tmp_path / "cache", "--json"),
        *(part for setting in settings for part in ("--set", setting)),
    )
    assert done.returncode == 1, done.stderr
    rows = {row["module"]: row for row in json.loads(done.stdout)["rows"]}
    assert list(rows) == ["base", "mine:depth=2", "badbuild", "badforward", "se"]
    for name in ("base", "mine:depth=2", "se"):
        assert rows[name]["error"] == ""
        assert rows[name]["accuracy_mean"] is not None
        assert rows[name]["hz"] > 0
    assert "bad-build" in rows["badbuild"]["error"]
    assert "no licence" in rows["badbuild"]["error"]
    assert "bad-forward" in rows["badforward"]["error"]
    assert "no kernel" in rows["badforward"]["error"]
    assert "bad-import" in done.stderr


def test_the_wheel_holds_all_that_a_run_needs(tmp_path: Path) -> None:
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"),
            *("--wheel-dir", str(tmp_path), str(ROOT)),
        ],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    unpacked = tmp_path / "site"
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
        file.extractall(unpacked)
    tops = {name.split("/")[0] for name in names}
    assert not tops & {"bench", "plugins", "tests", "results", "docs"}
    assert "agfer_bench/py.typed" in names
    for package in (
        "agfer_bench",
        "plugins/agfer_bench_databases",
        "plugins/agfer_bench_synthetic",
    ):
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                inside = path.relative_to(ROOT).as_posix().removeprefix("plugins/")
                assert inside in names, "code, presets, templates, published numbers"
    done = command(str(unpacked), "modules", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    listed = {one["name"] for one in json.loads(done.stdout)["modules"]}
    assert {"base", "agfer", "se", "cbam"} <= listed
    where = subprocess.run(
        [sys.executable, "-c", "import agfer_bench_se as a, agfer_bench as b;"
         "print(a.__file__, b.__file__)"],
        capture_output=True, text=True, check=True, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(unpacked)},
    ).stdout  # fmt: skip
    assert where.count(str(unpacked)) == 2, "the wheel itself must have been looked at"
