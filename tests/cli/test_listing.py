"""`modules` and `data list` from their kept listing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from agfer_bench.cli.listing import modules_listing

BLOCK = """
from torch import nn
from agfer_bench import AttentionSpec, hookimpl

@hookimpl
def attention_modules():
    return [AttentionSpec(name="mine", build=build, source="arXiv:1", summary="{summary}")]

def build(slot, *, gain: float = 0.1):
    return nn.Conv2d(slot.channels, slot.channels, 1)
"""

CODE = """
import sys
from agfer_bench.cli.app import main
sys.argv[0] = "agfer-bench"
try:
    main()
finally:
    heavy = {"torch", "timm", "numpy", "pandas", "cv2", "scipy", "sklearn", "my_block"}
    heavy &= set(sys.modules)
    print("loaded", *sorted(heavy), file=sys.stderr)
"""


class Site:
    """A folder of strangers' distributions, a cache folder, and the command."""

    def __init__(self, folder: Path) -> None:
        self.site = folder / "site"
        self.cache = folder / "cache"
        self._time = 1_000_000_000

    def install(self, summary: str, version: str, source: str = BLOCK) -> None:
        """Install the distribution `my-block`, as was done long ago, each time a second later."""
        info = self.site / "my_block-0.7.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (self.site / "my_block.py").write_text(source.format(summary=summary))
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: my-block\nVersion: {version}\n"
        )
        (info / "entry_points.txt").write_text("[agfer_bench]\nblock = my_block\n")
        self._time += 1
        for path in (self.site / "my_block.py", info, *info.iterdir()):
            os.utime(path, (self._time, self._time))

    def __call__(self, *arguments: str, notes: int = 0) -> tuple[str, bool]:
        """Return what was printed, and whether all of it came from the kept listing.

        Args:
            arguments: What is asked for.
            notes: Lines on standard error that are expected.
        """
        path = os.pathsep.join([str(self.site), os.environ.get("PYTHONPATH", "")])
        environment = os.environ | {
            "PYTHONPATH": path,
            "AGFER_BENCH_CACHE": str(self.cache),
            "OMP_NUM_THREADS": "1",
        }
        done = subprocess.run(
            [sys.executable, "-c", CODE, *arguments],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        *lines, loaded = done.stderr.splitlines()
        assert len(lines) == notes, done.stderr
        assert loaded.startswith("loaded")
        assert done.returncode == 0
        return done.stdout, loaded == "loaded"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.slow
def test_listings_are_kept_and_renewed(site: Site) -> None:
    site.install("A block", "0.7")
    made, kept = site("modules", "--json")
    assert not kept
    assert "A block" in made
    assert site("modules", "--json") == (made, True)
    made, kept = site("modules", "mine:gain=0.1")
    assert not kept, "a network with options is looked at anew"
    assert site("modules", "mine") == (made, True), "its default, given from the listing"
    made, kept = site("data", "list")
    assert not kept
    assert site("data", "list") == (made, True)

    site.install("B block", "0.8")
    made, kept = site("modules")
    assert not kept
    assert "B block" in made
    assert "my-block 0.8" in made
    assert site("modules") == (made, True)

    shutil.rmtree(site.site)
    made, kept = site("modules")
    assert not kept
    assert "my-block" not in made


FORTY = """
from torch import nn
from agfer_bench import AttentionSpec, hookimpl

@hookimpl
def attention_modules():
    return [
        AttentionSpec(name=f"mine-{{n}}", build=build, source="", summary="{summary}")
        for n in range(38)
    ] + [
        AttentionSpec(name="raises", build=raises, source="", summary="Raises"),
        AttentionSpec(name="lazy", build=lambda slot: nn.LazyLinear(3), source="", summary="Lazy"),
        AttentionSpec(name="left-out", build=lambda: 1, source="", summary="Takes no slot"),
    ]

def build(slot, *, gain: float = 0.1):
    return nn.Conv2d(slot.channels, slot.channels, 1)

def raises(slot):
    raise RuntimeError("no licence")
"""


@pytest.mark.slow
def test_one_broken_block_costs_the_listing_neither_its_cache_nor_other_rows(site: Site) -> None:
    site.install("A block", "0.7", FORTY)
    made, kept = site("modules", "--json", notes=1)
    assert not kept
    assert site("modules", "--json", notes=1) == (made, True), "nothing heavy is imported"
    rows = {one["name"]: one for one in json.loads(made)["modules"]}
    assert rows["se"]["parameters"]
    assert [rows[f"mine-{n}"]["error"] for n in range(38)] == [""] * 38
    assert (
        "raises: build failed at stage 2 (128 × 112 × 112): RuntimeError"
        in (rows["raises"]["error"])
    )
    assert "lazy: parameters at stage 2 (128 × 112 × 112): " in rows["lazy"]["error"]
    assert "left-out" not in rows
    made, kept = site("modules", "raises", notes=1)
    assert "no licence" in made
    assert not kept, "one that failed is looked at anew when it is asked for"
    assert site("modules", "mine-3", "mine-4", notes=1)[1]


@pytest.mark.parametrize("where", ["at import", "in build"])
def test_a_failure_is_tried_again(
    where: str,
    plugin: Callable[[str, str], EntryPoint],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check = "import os\n{indent}if 'LICENCE' not in os.environ: raise RuntimeError('no licence')\n"
    source = BLOCK.format(summary="A block")
    if where == "at import":
        source = check.format(indent="") + source
    else:
        source = source.replace("return nn", check.format(indent="    ") + "    return nn")
    points = [plugin("flaky", source)]
    monkeypatch.setattr("agfer_bench.plugin.finder.entry_points", lambda group: points)
    monkeypatch.setenv("AGFER_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LICENCE", raising=False)
    assert "no licence" in str(modules_listing())
    monkeypatch.setenv("LICENCE", "yes")
    listing = modules_listing()
    assert not listing["problems"]
    assert [(one["name"], one["error"]) for one in listing["modules"]] == [("mine", "")]
