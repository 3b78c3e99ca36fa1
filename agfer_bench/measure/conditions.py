"""Conditions of a measurement: clocks, temperature, throttling, load, where they can be told."""

from __future__ import annotations

import os
import statistics
import subprocess
from pathlib import Path

import torch

from agfer_bench.records.timing import DeviceState

_FIELDS = ("clocks.sm", "clocks.max.sm", "temperature.gpu", "power.draw")
_REASONS = ("clocks_event_reasons.active", "clocks_throttle_reasons.active")
"""The second is the name under drivers before 535."""

_REASON_BITS = {
    0x2: "applications clocks setting",
    0x4: "software power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "hardware power brake",
    0x100: "display clock setting",
}
"""Bits of NVML's clocks event reasons (nvml.h); 0x1, idle, is no reason to worry."""

_CPUINFO = Path("/proc/cpuinfo")


def device_state(device: torch.device) -> DeviceState:
    """Return what can be told now; nothing here is an error."""
    state = DeviceState(load_average=_load(), cpu_mhz=_cpu_mhz())
    return _with_gpu(state, device) if device.type == "cuda" else state


def _load() -> float | None:
    try:
        return os.getloadavg()[0]
    except (OSError, AttributeError):  # Windows has none
        return None


def _cpu_mhz() -> float | None:
    try:
        lines = _CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    clocks = [_number(line.split(":", 1)[1]) for line in lines if line.startswith("cpu MHz")]
    known = [clock for clock in clocks if clock is not None]
    return statistics.mean(known) if known else None


def _with_gpu(state: DeviceState, device: torch.device) -> DeviceState:
    for reasons in _REASONS:
        line = _nvidia_smi((*_FIELDS, reasons), device)
        if line is not None:
            return state.model_copy(update=parse_gpu(line))
    return state


def _nvidia_smi(fields: tuple[str, ...], device: torch.device) -> str | None:
    """Return the driver's answer for the GPU that torch uses, or None."""
    # torch numbers the GPUs that CUDA_VISIBLE_DEVICES leaves; nvidia-smi numbers all.
    uuid = getattr(torch.cuda.get_device_properties(device), "uuid", None)
    which = ["-i", f"GPU-{uuid}"] if uuid is not None else []
    try:
        done = subprocess.run(
            [
                "nvidia-smi",
                f"--query-gpu={','.join(fields)}",
                "--format=csv,noheader,nounits",
                *which,
            ],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    lines = done.stdout.strip().splitlines()
    return lines[0] if len(lines) == 1 else None


def parse_gpu(line: str) -> dict[str, float | tuple[str, ...] | None]:
    """Read one line of the driver's answer.

    >>> parse_gpu("1980, 1980, 41, [N/A], 0x0000000000000004")["throttling"]
    ('software power cap',)
    """
    cells = [cell.strip() for cell in line.split(",")]
    if len(cells) != len(_FIELDS) + 1:
        return {}
    names = ("sm_mhz", "sm_max_mhz", "temperature", "power")
    state: dict[str, float | tuple[str, ...] | None] = {
        name: _number(cell) for name, cell in zip(names, cells, strict=False)
    }
    return state | {"throttling": _reasons(cells[-1])}


def _reasons(text: str) -> tuple[str, ...] | None:
    try:
        bits = int(text, 16)
    except ValueError:
        return None
    return tuple(name for bit, name in _REASON_BITS.items() if bits & bit)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
