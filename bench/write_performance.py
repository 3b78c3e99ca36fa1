"""Write docs/performance.md from the published records: `python -m bench.write_performance`.

Shapes of the records: `agfer-bench speed` leaves a `record.json`, `pytest bench/
--benchmark-json=FILE` a `benchmark.json`; published ones lie in `results/published/NAME/`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from agfer_bench.files import write_text
from agfer_bench.records.speed import PeakRecord, SpeedRow, SpeedRun
from agfer_bench.records.timing import TUNED, ModeName, ModeRecord
from agfer_bench.report.numbers import number, quantity
from agfer_bench.report.speed_rows import fastest
from agfer_bench.report.table import markdown_table
from agfer_bench.submissions.open import open_speed

ROOT = Path(__file__).parents[1]
PUBLISHED = ROOT / "results" / "published"
PAGE = ROOT / "docs" / "performance.md"

_BYTES = {"fp32": 4, "tf32": 4, "bf16": 2}

INTRODUCTION = """\
# Performance

<!-- Written by `python -m bench.write_performance` from results/published: edit that, not this. -->

## How it is measured
- **Ratios, not times.** Two ways of doing the same take turns in one process; what is compared is
  the median over rounds of their ratio. Times of different runs are not compared.
- **Inference** (`agfer-bench speed`): all networks of a run take turns in each round, in an order
  that rotates; each repeat is a process of its own; passes are timed one by one after a warm-up
  that goes on until times settle. A single image counts from the host's call to the host's knowing
  its result (`perf_counter_ns`; on a GPU with the wait for a CUDA event, since two events would
  leave out launching and waking up); throughput on a GPU is the time between CUDA events. *eager
  fp32* is what the paper's rates compare with; *tuned* is the fastest way for one image of those
  that were tried: bf16, TF32 and fp32, as far as the device has them, each as written, as a CUDA
  graph and by `torch.compile`. Version 0.1.0 took bf16 wherever it worked. *fastest* marks the
  faster of a module's two modes.
- **Training** (`pytest bench/test_training.py bench/test_paper.py`): the engine's epochs against
  `ImageFolder` + `DataLoader` with a worker a core + an eager fp32 loop, same network, same
  batches, on random pictures. *new workers* is the `DataLoader`'s default, *kept workers* its
  `persistent_workers=True`. The first epoch, in which memory is tracked, is left out on both sides.
- **Crops** (`pytest bench/test_crops.py`): the pipeline with a thread a core against a plain loop
  on one core, on drawn frames and portraits: it decodes and searches at full size, eye and mouth in
  the whole face box, with the same cascades, steps and rules, and keeps the same images within
  1 %. A second ratio is to a loop that also limits where it looks for eye and mouth, as the
  pipeline does.
- **Blocks** (`pytest bench/test_blocks.py`): forward and backward of a batch of four at the paper's
  slots. The bar is for maps that lie channels last, as the harness has them.
- **Floor.** A network's operations (two per multiply-accumulate) over the rate of a large matrix
  product in the same precision, and its weights' bytes over the rate of a large copy, both
  measured in the same run; the larger of the two is the floor for one image. Weights that stay in
  a cache can be read faster than memory is copied: then the time for bytes is no floor, and
  networks below a few megabytes may come out below it. Offline, weights are shared by the batch,
  so operations alone are the floor.
"""


@dataclass(frozen=True, kw_only=True)
class Floor:
    """What one image takes at least."""

    operations_ms: float
    """Operations over the rate of matrix products, in milliseconds."""
    bytes_ms: float
    """Bytes of all weights over the rate of copies, in milliseconds."""

    @property
    def ms(self) -> float:
        """The larger one."""
        return max(self.operations_ms, self.bytes_ms)


def floor(row: SpeedRow, mode: ModeRecord, peak: PeakRecord) -> Floor | None:
    """Return the floor of one image in one mode; None where operations or peak are not known."""
    rate = {"fp32": peak.fp32, "tf32": peak.tf32, "bf16": peak.bf16}[mode.precision]
    if row.size is None or row.size.macs is None or rate is None:
        return None
    size = row.size.parameters * _BYTES[mode.precision]
    return Floor(
        operations_ms=1000 * 2 * row.size.macs / rate,
        bytes_ms=1000 * size / peak.bytes_per_second,
    )


def page(published: Path) -> str:
    """Return the whole page as Markdown."""
    parts = [INTRODUCTION, "## Against plain alternatives"]
    for path in sorted(published.glob("*/benchmark.json")):
        parts.append(_comparisons(json.loads(path.read_text(encoding="utf-8")), path))
    parts.append("## Inference beside its floor")
    for path in sorted(published.glob("speed-*/record.json")):
        record = open_speed(path)
        parts.append(_inference(record, path))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _comparisons(found: dict[str, Any], path: Path) -> str:
    machine = found["machine_info"]
    rows = [
        (name, what, number(entry["ratio"], 2), _bar(entry)) for name, what, entry in _ratios(found)
    ]
    frame = pd.DataFrame(rows, columns=["Benchmark", "Ratio of", "Measured", "Bar"])
    threads = f", {machine['threads']} threads" if machine["kind"] == "cpu" else ""
    starts = pd.DataFrame(
        [(_words(b["name"]), number(b["stats"]["median"], 2)) for b in _start_up(found)],
        columns=["Start-up", "Median s"],
    )
    return (
        f"### {machine['device']}{threads}, torch {machine['torch']}\n\n"
        f"{markdown_table(frame, texts=2)}\n\n{markdown_table(starts)}\n\n"
        "*Kept listing*: `agfer-bench modules` and `data list` as usual; *made anew*: the first "
        "time, or after an installed distribution changed.\n\n"
        f"Source: `{path.relative_to(ROOT).as_posix()}`."
    )


def _start_up(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [b for b in found["benchmarks"] if "test_startup" in b["fullname"]]


def _words(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ").replace("[", " [")


def _ratios(found: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for benchmark in found["benchmarks"]:
        name = _words(benchmark["name"])
        for what, entry in benchmark["extra_info"].get("ratios", {}).items():
            yield name, what, entry


def _bar(entry: dict[str, Any]) -> str:
    if entry["at_least"] is not None:
        return f"≥ {entry['at_least']}"
    return f"≤ {entry['at_most']}" if entry["at_most"] is not None else "–"


def _inference(record: SpeedRun, path: Path) -> str:
    environment, protocol, peak = record.environment, record.protocol, record.peak
    threads = f", {environment.threads} threads" if environment.device == "cpu" else ""
    lines = [
        f"### Preset {protocol.preset}, {environment.device_name}{threads}, "
        f"torch {environment.packages.get('torch', '?')}"
    ]
    if peak is not None:
        bf16 = f", bf16 {quantity(peak.bf16, 'FLOP/s')}" if peak.bf16 else ""
        tf32 = f", TF32 {quantity(peak.tf32, 'FLOP/s')}" if peak.tf32 else ""
        lines.append(
            f"Matrix product: fp32 {quantity(peak.fp32, 'FLOP/s')}{tf32}{bf16}. "
            f"Copy: {quantity(peak.bytes_per_second, 'B/s')}."
        )
    cells = [
        _cells(row, name, mode, peak)
        for row in record.rows
        if row.speed
        for name, mode in row.speed.modes.items()
    ]
    columns = ["Module", "Mode", "Median ms", "Hz", "Operations ms", "Bytes ms", "× floor"]
    columns += ["Images/s offline", "of the product's rate %"]
    lines.append(markdown_table(pd.DataFrame(cells, columns=columns), texts=2))
    lines.append(f"Source: `{path.relative_to(ROOT).as_posix()}`.")
    return "\n\n".join(lines)


def _cells(row: SpeedRow, name: ModeName, mode: ModeRecord, peak: PeakRecord | None) -> list[str]:
    least = floor(row, mode, peak) if peak else None
    rate = mode.best.median if mode.best else None
    return [
        row.label,
        (f"{name}, {mode.precision}, {mode.execution}" if name == TUNED else name)
        + (" (fastest)" if fastest(row) == name else ""),
        number(mode.median_ms, 2),
        number(mode.hz, 0 if mode.hz >= 100 else 1),
        number(least.operations_ms if least else None, 2),
        number(least.bytes_ms if least else None, 2),
        number(mode.median_ms / least.ms if least else None, 1),
        number(rate, 0 if (rate or 0) >= 100 else 1),
        number(rate * least.operations_ms / 10 if least and rate else None, 0),
    ]


if __name__ == "__main__":
    write_text(PAGE, page(PUBLISHED))
