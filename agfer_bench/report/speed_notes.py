"""What must be said beside the speed tables."""

from __future__ import annotations

from agfer_bench.comparison.marginal import CONFIDENCE
from agfer_bench.records.speed import SpeedRow, SpeedRun
from agfer_bench.records.timing import EAGER, EXECUTION_NAMES, TUNED, DeviceState, ModeRecord, Trial
from agfer_bench.report.latency_tail import tail_note
from agfer_bench.report.numbers import number, quantity
from agfer_bench.report.speed_rows import alike, fastest, is_fresh
from agfer_bench.report.summary import uncounted_note


def title(record: SpeedRun) -> str:
    """Say what was measured, on what."""
    protocol, environment = record.protocol, record.environment
    changes = protocol.told_changes()
    changed = f" with {changes}" if changes else ""
    plural = "" if environment.threads == 1 else "s"
    threads = f", {environment.threads} thread{plural}" if environment.device == "cpu" else ""
    return (
        f"Speed · preset {protocol.preset}{changed} · {protocol.image_size} px, {record.classes} "
        f"classes · {environment.device_name}{threads}"
    )


def notes(record: SpeedRun) -> list[str]:
    """Say what the numbers mean, and what a reader should be warned of."""
    lines = [*_method(record), *_margins(record), *_camera(record), *_device(record)]
    for row in record.rows:
        lines += _row(row)
    return lines + list(record.problems)


def _method(record: SpeedRun) -> list[str]:
    speed = record.protocol.speed
    where = "a fresh process" if speed.fresh else "this process"
    repeats = max(
        (len(m.stream) for row in record.rows if row.speed for m in row.speed.modes.values()),
        default=0,
    )
    return [
        f"Random weights, random images. {repeats} repeat{'' if repeats == 1 else 's'}, each in "
        f"{where}; in a repeat all "
        "networks take turns in rounds. Times are of all passes together (p99 only where these are "
        f"100 or more; here {_passes(record)}), × base is the median of "
        "the rounds' ratios, Repeats within: largest less smallest median of the repeats.",
        "eager-fp32: 32 bits, nothing rounded to TF32, as PyTorch runs it. tuned: of the ways that "
        "the first repeat tried, the fastest for one image; of ways within 3 % the one with the "
        "fewest bits. Batches are run in the same way, though another may be faster for them. "
        "“fastest” marks the faster of a module's two modes on this device; * marks where a way "
        "failed or is not there, see below.",
    ]


def _passes(record: SpeedRun) -> str:
    """Say how many passes of one network were timed."""
    rows = [row.speed for row in record.rows if row.speed]
    counts = sorted({mode.passes for speed in rows for mode in speed.modes.values()})
    return " to ".join(str(count) for count in dict.fromkeys(counts[:1] + counts[-1:])) or "none"


def _margins(record: SpeedRun) -> list[str]:
    return [
        "Δ ms: mean over repeats of the median over rounds of the round's differences. Interval: "
        f"{100 * CONFIDENCE:.0f} %, Student's t over the repeats, each a fresh process. It covers "
        "other processes on this machine, not other days or machines. "
        f"{_intervals(record)}Memory: weights, input and maps of one image, run eagerly.",
    ]


_FEW = 5
"""Fewer processes than this give intervals that are wide for their number alone: Student's t of
3 values is 4.3, that of 5 is 2.8, that of many 2.0."""


def _intervals(record: SpeedRun) -> str:
    """Say why there is no interval, or why it is wide."""
    processes = len(record.conditions)
    if processes > 1 and not is_fresh(record):
        return "Here all repeats ran in one process, which gives no interval. "
    if processes <= 1:
        return "A single process gives no interval (`--repeats 5`). "
    if processes < _FEW:
        return f"That of {processes} processes is wide; `--repeats 10` narrows it. "
    return ""


def _camera(record: SpeedRun) -> list[str]:
    camera = record.camera
    if camera is None:
        return []
    drawn = " These are drawn (synthetic) faces." if camera.drawn else ""
    lost = f"; {camera.without_face} without a face that is found are left out"
    return [
        f"Camera: {camera.frames} images of {camera.data}, the first {camera.width} × "
        f"{camera.height} pixels{lost if camera.without_face else ''}. From the file's bytes to "
        f"the label on the host; total is the median over frames of the sum.{drawn}"
    ]


def _device(record: SpeedRun) -> list[str]:
    lines = []
    if record.peak is not None:
        peak = record.peak
        rates = [f"fp32 {quantity(peak.fp32)}"]
        rates += [f"tf32 {quantity(peak.tf32)}"] if peak.tf32 else []
        rates += [f"bf16 {quantity(peak.bf16)}"] if peak.bf16 else []
        lines.append(
            f"The device at best, in the same process: {', '.join(rates)} floating-point "
            f"operations a second in products of {peak.side} × {peak.side} matrices, "
            f"{quantity(peak.bytes_per_second, 'B')}/s in copies."
        )
    states = [state for one in record.conditions for state in (one.before, one.after)]
    told = [text for text in (_range(states, name, unit) for name, unit in _TOLD) if text]
    if told:
        lines.append(f"Around the repeats: {', '.join(told)}.")
    reasons = sorted({reason for state in states for reason in state.throttling or ()})
    if reasons:
        lines.append(f"The driver held the GPU's clock down: {', '.join(reasons)}.")
    elif any(state.throttling is not None for state in states):
        lines.append("The driver reports no throttling right before and after the rounds.")
    return lines


_TOLD = (
    ("load_average", ""),
    ("cpu_mhz", " MHz"),
    ("sm_mhz", " MHz (GPU)"),
    ("temperature", " °C"),
    ("power", " W"),
)


def _range(states: list[DeviceState], name: str, unit: str) -> str:
    known = [value for state in states if (value := getattr(state, name)) is not None]
    if not known:
        return ""
    digits = 1 if name == "load_average" else 0
    text = number(min(known), digits)
    if number(max(known), digits) != text:
        text += f" to {number(max(known), digits)}"
    return f"load average {text}" if name == "load_average" else f"{text}{unit}"


def _row(row: SpeedRow) -> list[str]:
    lines = []
    tuned = row.speed.modes.get(TUNED) if row.speed else None
    if tuned is not None:
        text = f"{row.label}, tuned: {_way(tuned)}"
        if tuned.largest_difference is not None:
            text += (
                f"; class probabilities differ from eager fp32 by {tuned.largest_difference:.1e} "
                "at most"
            )
        lines.append(f"{text}.{_fastest(row)}{_tried(tuned)}")
        if tuned.fallback:
            lines.append(f"{row.label}, tuned: * {tuned.fallback}")
    if row.speed and not all(
        repeat.settled is not False for mode in row.speed.modes.values() for repeat in mode.stream
    ):
        lines.append(f"{row.label}: times had not settled when the warm-up ended.")
    lines += uncounted_note(row.label, row.size.uncounted if row.size else ())
    for name, mode in row.speed.modes.items() if row.speed else ():
        lines += tail_note(f"{row.label}, {name}", mode)
    if row.error:
        lines.append(f"{row.label} failed: {row.error}")
    return lines


def _way(mode: ModeRecord | Trial) -> str:
    layout = ", contiguous" if mode.memory_format == "contiguous" else ""
    return f"{mode.precision}{layout}, {EXECUTION_NAMES[mode.execution]}"


def _fastest(row: SpeedRow) -> str:
    """Name the fastest way that was measured."""
    modes = row.speed.modes if row.speed else {}
    name, tuned = fastest(row), modes[TUNED]
    if name is None:
        return ""
    eager = modes[EAGER]
    times = {mode: f"{number(one.median_ms, 2)} ms" for mode, one in modes.items()}
    if alike(eager, tuned):
        return " Nothing that was tried is faster than fp32 as written."
    if name == TUNED:
        return f" The fastest for one image here: {times[TUNED]}, eager-fp32 {times[EAGER]}."
    return f" The fastest for one image here is eager-fp32: {times[EAGER]}, tuned {times[TUNED]}."


def _tried(tuned: ModeRecord) -> str:
    """List what was tried; say so where fp32 was not."""
    worked = [one for one in tuned.trials if one.median_ms is not None]
    if not worked:
        return ""
    found = "; ".join(f"{_way(one)} {number(one.median_ms, 2)} ms" for one in worked)
    missing = "" if any(one.precision == "fp32" for one in worked) else ", fp32 not"
    return f" Tried{missing}: {found}."
