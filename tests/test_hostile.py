"""Hostile plugins, installed all at once beside ours, through the commands that people type.

Each is named with its deed, and costs the others nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import torch

from agfer_bench.plugin.time_limit import VARIABLE
from agfer_bench.records.files import load_run
from agfer_bench.records.run import RunRecord
from tests.run.support import HEAD, Runs, install, own, without_times

pytestmark = pytest.mark.slow

SECONDS = 3600
"""How long the sleepers sleep. A command is given a tenth of it."""

BLOCK = """
import os, random, time
import numpy, torch
from torch import nn
from agfer_bench import AttentionSpec, hookimpl

{at_import}

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        {in_forward}
        return x * self.scale

def build(slot):
    {in_build}
    return Block()

@hookimpl
def attention_modules():
    {in_hook}
    return [AttentionSpec(name="{name}", build=build, source="arXiv:1", summary="Evil")]
"""

PRINTS = "print('HELLO'); os.write(1, b'HELLO')"
DTYPE = "torch.set_default_dtype(torch.float64)"
PATCH = "torch.nn.functional.relu = lambda x, inplace=False: x * 0"


@dataclass(frozen=True, kw_only=True)
class Hostile:
    """A distribution, and what must be said of it."""

    deed: dict[str, str]
    note: str = ""
    """On standard error, of the plugin."""
    error: str | None = ""
    """In its row; None where it has no row since it is not on offer."""


HOSTILE = {
    "raises": Hostile(
        deed={"at_import": "raise RuntimeError('boo')"}, note="RuntimeError: boo", error=None
    ),
    "sleeps": Hostile(
        deed={"at_import": f"time.sleep({SECONDS})"}, note="not done after 3 s", error=None
    ),
    "sleeps-in-hook": Hostile(
        deed={"in_hook": f"time.sleep({SECONDS})"}, note="not done after 3 s", error=None
    ),
    "prints": Hostile(
        deed=dict.fromkeys(("at_import", "in_forward", "in_build", "in_hook"), PRINTS)
    ),
    "seeds": Hostile(
        deed={"at_import": "torch.manual_seed(1); numpy.random.seed(1); random.seed(1)"},
        note="re-seeded torch's random numbers, re-seeded NumPy's random numbers and re-seeded "
        "Python's random numbers while it was loaded",
    ),
    "seeds-in-build": Hostile(
        deed={"in_build": "torch.manual_seed(1)"}, error="build re-seeded torch's random numbers"
    ),
    "seeds-in-training": Hostile(
        deed={"in_forward": "torch.manual_seed(1) if self.training else None"},
        error="torch's random numbers were re-seeded with 1",
    ),
    "dtype": Hostile(
        deed={"at_import": DTYPE}, note="changed torch's default dtype to float64 while it was lo"
    ),
    "dtype-in-forward": Hostile(
        deed={"in_forward": DTYPE}, error="forward changed torch's default dtype to float64"
    ),
    "dtype-in-training": Hostile(
        deed={"in_forward": f"{DTYPE} if self.training else None"},
        error="it changed torch's default dtype to float64 while it was trained",
    ),
    "patches": Hostile(
        deed={"at_import": PATCH}, note="replaced torch.nn.functional.relu while it was loaded"
    ),
    "patches-in-forward": Hostile(
        deed={"in_forward": PATCH}, error="forward replaced torch.nn.functional.relu"
    ),
    "no-module": Hostile(deed={"in_build": "return 3"}, error="build returned int"),
    "se": Hostile(deed={}, note="the name 'se' is taken by agfer-bench", error=None),
}
ROWS = [name for name, hostile in HOSTILE.items() if hostile.error is not None]

SETTINGS = {
    "crop": "none",
    "image_size": "32",
    "folds": "2",
    "epochs": "1",
    "seeds": "1",
    "batch_size": "8",
    "speed.rounds": "2",
    "speed.repeats": "1",
    "speed.passes": "1",
    "speed.seconds": "0",
}


def _command(site: Path, *arguments: object, first: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command while the sleepers would sleep on."""
    code = f"from agfer_bench.cli.app import main\n{first}\nmain()"
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    more = {"PYTHONPATH": path, "COLUMNS": "300", "OMP_NUM_THREADS": "1", VARIABLE: "3"}
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | more,
        timeout=SECONDS / 10,
        check=False,
    )


def _run(site: Path, modules: str, blobs: Path, folder: Path, *more: str) -> Any:
    return _command(
        site,
        *("run", "--modules", modules, "--data", f"image-folder={blobs}"),
        *("--out", folder / "out", "--cache", folder / "cache"),
        *(part for name, value in SETTINGS.items() for part in ("--set", f"{name}={value}")),
        *more,
    )


def _record(folder: Path) -> RunRecord:
    (path,) = (folder / "out").glob("quick-*")
    return load_run(path)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = tmp_path_factory.mktemp("site")
    for name, hostile in HOSTILE.items():
        places = dict.fromkeys(("at_import", "in_forward", "in_build", "in_hook"), "pass")
        called = "se" if name == "se" else f"e-{name}"
        install(site, f"evil-{name}", BLOCK.format(name=called, **(places | hostile.deed)))
    return site


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the commands did."""

    run: subprocess.CompletedProcess[str]
    record: RunRecord
    listing: subprocess.CompletedProcess[str]
    table: subprocess.CompletedProcess[str]
    alone: RunRecord
    """Of a run without strangers."""


@pytest.fixture(scope="module")
def seen(site: Path, blobs: Path, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    beside, alone = tmp_path_factory.mktemp("beside"), tmp_path_factory.mktemp("alone")
    modules = ",".join([*(f"e-{name}" for name in ROWS), "se"])
    run = _run(site, modules, blobs, beside, "--json")
    record = _record(beside)
    listing = _command(site, "modules", "--json")
    table = _run(site, "e-prints,se", blobs, alone)
    return Seen(run=run, record=record, listing=listing, table=table, alone=_record(alone))


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_named_with_its_deed(seen: Seen, name: str) -> None:
    hostile = HOSTILE[name]
    said = f"plugin evil-{name}: "
    for command in (seen.run, seen.listing):
        notes = [line for line in command.stderr.splitlines() if said in line]
        assert len(notes) == bool(hostile.note)
        assert all(hostile.note in line for line in notes)
    assert any(problem.startswith(said) for problem in seen.record.problems) == bool(hostile.note)
    rows = {row["module"]: row for row in json.loads(seen.run.stdout)["rows"]}
    listed = {one["name"] for one in json.loads(seen.listing.stdout)["modules"]}
    assert (f"e-{name}" in rows) == (f"e-{name}" in listed) == (hostile.error is not None)
    if hostile.error is not None:
        error = rows[f"e-{name}"]["error"]
        assert hostile.error in error
        assert bool(error) == bool(hostile.error)
        assert (f"evil-{name}: " in error) == bool(error)
        assert (rows[f"e-{name}"]["hz"] is None) == bool(error)


def test_the_commands_end_as_ever(seen: Seen) -> None:
    assert seen.run.returncode == 1, "some rows failed"
    assert seen.listing.returncode == 0
    assert seen.table.returncode == 0
    for command in (seen.run, seen.listing, seen.table):
        assert "HELLO" in command.stderr
        assert "HELLO" not in command.stdout
        assert "Traceback" not in command.stderr
    assert seen.table.stdout.lstrip().startswith("Preset quick")


def test_the_others_numbers_are_those_without_strangers(seen: Seen) -> None:
    def ours(record: RunRecord) -> list[Any]:
        modules = without_times(record)["modules"]
        return [one for one in modules if one["name"] in ("base", "se", "e-prints")]

    assert ours(seen.record) == ours(seen.alone)
    rows = {row["module"]: row for row in json.loads(seen.run.stdout)["rows"]}
    for name in ("base", "se"):
        assert rows[name]["error"] == ""
        assert rows[name]["accuracy_mean"] is not None
        assert rows[name]["hz"] > 0


def test_unguarded_output_is_no_json(tmp_path: Path) -> None:
    """The twin: the guard of standard output is taken away."""
    places = dict.fromkeys(("at_import", "in_forward", "in_build", "in_hook"), PRINTS)
    install(tmp_path, "evil-prints", BLOCK.format(name="e-prints", **places))
    first = "from agfer_bench.cli import listing\nlisting.set_apart = lambda: None"
    done = _command(tmp_path, "modules", "--json", first=first)
    assert "HELLO" in done.stdout
    with pytest.raises(json.JSONDecodeError):
        json.loads(done.stdout)


@pytest.mark.parametrize("guarded", [True, False])
def test_a_deed_in_training_costs_its_own_row(
    blobs: Path,
    tmp_path: Path,
    plugin: Callable[[str, str], EntryPoint],
    monkeypatch: pytest.MonkeyPatch,
    guarded: bool,
) -> None:
    @contextmanager
    def nothing(**_: object) -> Any:
        yield []

    if not guarded:
        monkeypatch.setattr("agfer_bench.run.jobs.guarded.contained", nothing)
    forward = f"if self.training: {DTYPE}\n        return x * self.scale"
    source = HEAD.format(forward=forward, build="return Block()", name="evil")
    runs = Runs(blobs, tmp_path)
    try:
        record, _ = runs("base,evil,se", catalogue=own(plugin("evil", source)), epochs=1)
    finally:
        torch.set_default_dtype(torch.float32)
    _, evil, se = record.modules
    assert evil.error is not None
    assert ("changed torch's default dtype" in evil.error) == guarded
    assert (se.error is None) == guarded
