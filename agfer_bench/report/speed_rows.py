"""The speed comparison as data: from a record to a row for each module and mode."""

from __future__ import annotations

from typing import Any

import pandas as pd

from agfer_bench.comparison.marginal import marginal, ratio, throughput_ratio
from agfer_bench.records.run import SizeRecord
from agfer_bench.records.speed import SpeedRow, SpeedRun
from agfer_bench.records.timing import EAGER, TUNED, ModeName, ModeRecord

MODES: tuple[ModeName, ...] = (EAGER, TUNED)
RATES = (25.0, 30.0)
"""The paper's two rates in Hz (section 4), CBAM's and AGFER's; also those of usual cameras."""


def rows_of(record: SpeedRun) -> list[dict[str, Any]]:
    """Return a row for each module and mode; None for what was not measured.

    Times are in milliseconds, memory in bytes, rates in images a second.
    """
    found = []
    for row in record.rows:
        modes = [mode for mode in MODES if row.speed and mode in row.speed.modes]
        found += [_row(record, row, mode) for mode in modes or [EAGER]]
    return found


def frame_of(record: SpeedRun) -> pd.DataFrame:
    """Return the rows as a frame, for CSV."""
    return pd.DataFrame(rows_of(record))


def _row(record: SpeedRun, row: SpeedRow, name: ModeName) -> dict[str, Any]:
    mode = row.speed.modes.get(name) if row.speed else None
    base = record.base
    other = base.speed.modes.get(name) if base and base.speed else None
    size = row.size
    cells: dict[str, Any] = {
        "module": row.label,
        "mode": name,
        "error": row.error or "",
        "precision": mode.precision if mode else None,
        "memory_format": mode.memory_format if mode else None,
        "execution": mode.execution if mode else None,
        "fastest": fastest(row) == name if mode and fastest(row) else None,
        "fallback": mode.fallback if mode else None,
        "largest_difference": mode.largest_difference if mode else None,
    }
    cells |= _stream(mode, other) | _offline(mode, other)
    cells |= {
        "parameters": size.parameters if size else None,
        "block_parameters": size.block_parameters if size else None,
        "macs": size.macs if size else None,
        "peak_memory_bytes": mode.peak_memory_bytes if mode else None,
    }
    cells |= _marginal(record, row, mode, other) | _camera(record, row.label, name)
    return cells | {
        "source": row.source,
        "distribution": row.distribution,
        "version": row.version,
    }


def _stream(mode: ModeRecord | None, base: ModeRecord | None) -> dict[str, Any]:
    cells: dict[str, Any] = {
        "latency_median_ms": mode.median_ms if mode else None,
        "latency_p95_ms": mode.p95_ms if mode else None,
        "passes": mode.passes if mode else None,
        "latency_p99_ms": mode.p99_ms if mode and mode.passes >= 100 else None,
        "hz": mode.hz if mode else None,
    }
    for rate in RATES:
        cells[f"times_{rate:.0f}_hz"] = mode.margin(rate) if mode else None
    return cells | {
        "latency_ratio_to_base": ratio(mode, base) if mode and base else None,
        "repeatability": mode.repeatability if mode else None,
    }


def _offline(mode: ModeRecord | None, base: ModeRecord | None) -> dict[str, Any]:
    best = mode.best if mode else None
    return {
        "best_batch_size": best.batch_size if best else None,
        "images_per_second": best.median if best else None,
        "throughput_ratio_to_base": throughput_ratio(mode, base) if mode and base else None,
        "offline_end": mode.offline_end if mode else None,
    }


def _marginal(
    record: SpeedRun, row: SpeedRow, mode: ModeRecord | None, other: ModeRecord | None
) -> dict[str, Any]:
    base = record.base
    less = None
    if mode and other and row is not base:
        less = marginal(mode, other, fresh=is_fresh(record))
    sizes = (row.size, base.size) if base and row is not base else (None, None)
    own, of_base = sizes
    both = own is not None and of_base is not None
    memory = None
    if less is not None and mode and other:
        bytes_, base_bytes = mode.peak_memory_bytes, other.peak_memory_bytes
        memory = bytes_ - base_bytes if bytes_ is not None and base_bytes is not None else None
    return {
        "marginal_ms": less.estimate_ms if less else None,
        "marginal_low_ms": less.low_ms if less else None,
        "marginal_high_ms": less.high_ms if less else None,
        "marginal_repeats_low_ms": min(less.repeats_ms) if less else None,
        "marginal_repeats_high_ms": max(less.repeats_ms) if less else None,
        "marginal_memory_bytes": memory,
        "marginal_macs": _less(own, of_base),
        "marginal_parameters": own.parameters - of_base.parameters
        if both and own and of_base
        else None,
    }


def _less(own: SizeRecord | None, base: SizeRecord | None) -> int | None:
    """Return the multiply-accumulates of a network less base's; None where either has none."""
    if own is None or base is None or own.macs is None or base.macs is None:
        return None
    return own.macs - base.macs


def fastest(row: SpeedRow) -> ModeName | None:
    """Return the mode with the lowest latency of one image; None where there are not both.

    Where both run alike it is eager fp32: what their times differ by is chance.
    """
    modes = row.speed.modes if row.speed else {}
    if any(name not in modes for name in MODES):
        return None
    if alike(modes[EAGER], modes[TUNED]):
        return EAGER
    return min(MODES, key=lambda name: modes[name].median_ms)


def alike(one: ModeRecord, other: ModeRecord) -> bool:
    """Tell whether two modes run a network in the same type, layout and execution."""
    ways = [(mode.precision, mode.memory_format, mode.execution) for mode in (one, other)]
    return ways[0] == ways[1]


def is_fresh(record: SpeedRun) -> bool:
    """Tell whether each repeat ran in a process of its own, as far as the record knows."""
    return bool(record.conditions) and all(one.process == "own" for one in record.conditions)


def _camera(record: SpeedRun, label: str, name: ModeName) -> dict[str, Any]:
    camera = record.camera
    times = camera.modules.get(label, {}).get(name) if camera else None
    total = camera.total_ms(label, name) if camera else None
    return {
        "camera_decode_ms": camera.decode_median_ms if camera and times else None,
        "camera_crop_ms": camera.crop_median_ms if camera and times else None,
        "camera_infer_ms": times.median_ms if times else None,
        "camera_total_ms": total,
        "camera_hz": 1000 / total if total else None,
    }
