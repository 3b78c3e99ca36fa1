"""What the tests of runs share: runs on a tiny data set, and blocks of strangers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import torch

from agfer_bench.faces.data import DataSource
from agfer_bench.faces.mask import default_mask
from agfer_bench.plugin.catalogue import Catalogue
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.plugin.options import parse_choice
from agfer_bench.progress import Silent
from agfer_bench.protocol import load_preset
from agfer_bench.records.run import RunRecord
from agfer_bench.run.runner import run
from agfer_bench.run.settings import RunSettings, Timing

TINY: dict[str, Any] = {
    "crop": "none",
    "image_size": 32,
    "folds": 2,
    "epochs": 2,
    "batch_size": 8,
    "seeds": 1,
    # Fresh processes cannot see the plugins that tests make up.
    "speed": {"repeats": 1, "fresh": False, "warmup": 1, "rounds": 2, "passes": 1, "seconds": 0},
}

HEAD = """
import torch
from torch import nn
from agfer_bench import AttentionSpec, hookimpl

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.calls = 0
    def forward(self, x):
        self.calls += 1
        {forward}

KEPT = {{}}

def build(slot):
    {build}

@hookimpl
def attention_modules():
    return [AttentionSpec(name="{name}", build=build, source="", summary="")]
"""


@dataclass
class Runs:
    """Runs on the tiny data set with its own output folder."""

    blobs: Path
    folder: Path

    def settings(
        self,
        modules: str = "base,se",
        *,
        catalogue: Catalogue | None = None,
        test: Path | None = None,
        out: str = "out",
        fresh: bool = False,
        jobs: int = 1,
        timing: Timing = "measure",
        **changes: Any,
    ) -> RunSettings:
        catalogue = catalogue or own()
        protocol = load_preset("quick").with_settings(TINY | changes)

        def source(folder: Path) -> DataSource:
            return DataSource(
                readers={},
                chosen=catalogue.choose_dataset(parse_choice("image-folder")),
                folder=folder,
                cascades=None,
                cache=self.folder / "cache",
                workers=1,
            )

        return RunSettings(
            modules=tuple(catalogue.choose_rows(modules)),
            source=source(self.blobs),
            test=source(test) if test else None,
            protocol=protocol,
            mask=default_mask(protocol.image_size),
            device=torch.device("cpu"),
            out=self.folder / out,
            fresh=fresh,
            jobs=jobs,
            timing=timing,
        )

    def __call__(
        self, modules: str = "base,se", *, catalogue: Catalogue | None = None, **rest: Any
    ) -> tuple[RunRecord, Path]:
        catalogue = catalogue or own()
        return run(self.settings(modules, catalogue=catalogue, **rest), catalogue, Silent())


def own(*more: EntryPoint) -> Catalogue:
    """Return the catalogue of our own distribution, and of what is handed in."""
    ours = [p for p in entry_points(group="agfer_bench") if p.dist and p.dist.name == "agfer-bench"]
    return load_catalogue([*ours, *more])


def without_times(record: RunRecord) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(record.model_dump_json())
    del content["finished"], content["conditions"]
    for module in content["modules"]:
        del module["speed"]
        for fold in [*module["folds"], *(fold for folds in module["repeats"] for fold in folds)]:
            del fold["fit_seconds"]
            for epoch in fold["history"]:
                del epoch["seconds"]
    return content


def install(site: Path, name: str, source: str) -> None:
    """Put a distribution where an installer would: a module, its metadata, its entry point."""
    module = name.replace("-", "_")
    (site / f"{module}.py").write_text(source)
    info = site / f"{module}-0.7.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.7\n")
    (info / "entry_points.txt").write_text(f"[agfer_bench]\nblock = {module}\n")
