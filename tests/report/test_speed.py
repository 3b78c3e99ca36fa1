"""The speed tables: every number follows from the record, whatever the terminal's width."""

from __future__ import annotations

from io import StringIO
from typing import Any, Literal

import pytest
from rich.console import Console

from agfer_bench.protocol import load_preset
from agfer_bench.records.run import EnvironmentRecord, SizeRecord
from agfer_bench.records.speed import CameraRecord, CameraTimes, PeakRecord, SpeedRow, SpeedRun
from agfer_bench.records.timing import (
    ConditionsRecord,
    DeviceState,
    ModeRecord,
    OfflinePoint,
    Precision,
    SpeedRecord,
    StreamRepeat,
    Trial,
)
from agfer_bench.report.notes import remarks
from agfer_bench.report.speed_notes import notes
from agfer_bench.report.speed_rows import rows_of
from agfer_bench.report.speed_table import to_markdown, to_rich
from tests.report.studies import speed, usual


def _mode(ms: float, **changes: Any) -> ModeRecord:
    values: dict[str, Any] = {
        "precision": "fp32",
        "memory_format": "channels_last",
        "execution": "eager",
        "stream": (
            StreamRepeat(rounds_ms=((ms, ms), (ms + 0.2, ms + 0.2)), warmup=9, settled=True),
            StreamRepeat(rounds_ms=((ms, ms), (ms + 0.1, ms + 0.1)), warmup=9, settled=True),
        ),
        "offline": (OfflinePoint(batch_size=4, images_per_second=(4000 / ms,)),),
        "offline_end": "batch 4 is the largest tried",
        "peak_memory_bytes": int(1e6 * ms),
        "peak_memory_method": "tensor-tracker",
    }
    return ModeRecord(**(values | changes))


def _row(label: str, parameters: int, *modes: ModeRecord, error: str | None = None) -> SpeedRow:
    found = dict(zip(("eager-fp32", "tuned"), modes, strict=False))
    return SpeedRow(
        label=label,
        name=label.split(":")[0],
        options={},
        distribution="a-plugin",
        version="1",
        package_sha256="p",
        source="",
        size=SizeRecord(
            parameters=parameters, block_parameters=1, macs=10 * parameters, layers=None
        ),
        speed=SpeedRecord(modes=found) if found else None,
        error=error,
    )


def _record(drawn: bool = True) -> SpeedRun:
    tuned = _mode(1.5, precision="bf16", fallback="bf16, as written: no kernel", trials=())
    throttled = DeviceState(load_average=3.0, throttling=("hardware thermal slowdown",))
    return SpeedRun(
        protocol=load_preset("quick"),
        environment=EnvironmentRecord(
            device="cpu",
            device_name="a processor",
            threads=2,
            platform="Linux",
            python="3.11",
            packages={},
            revision=None,
            dirty=None,
        ),
        classes=7,
        rows=(
            _row("base", 1000, _mode(2.0), _mode(1.0, precision="bf16")),
            _row("cbam:reduction=8", 1500, _mode(5.0), tuned),
            _row("bad", 1200, error="timing: a-plugin: RuntimeError: no kernel"),
        ),
        conditions=(
            ConditionsRecord(
                process="own", threads=2, before=DeviceState(load_average=1.0), after=throttled
            ),
        ),
        camera=CameraRecord(
            data="synthetic",
            drawn=drawn,
            width=320,
            height=240,
            frames=2,
            without_face=1,
            decode_ms=((1.0, 3.0),),
            crop_ms=((10.0, 20.0),),
            modules={"base": {"eager-fp32": CameraTimes(infer_ms=((2.0, 4.0),))}},
        ),
        peak=PeakRecord(
            side=1024, fp32=1e11, tf32=None, bf16=1e12, copied_bytes=1, bytes_per_second=1e10
        ),
        problems=("plugin x: does not load",),
        finished="2026-01-01T00:00:00+00:00",
    )


def test_numbers_by_hand() -> None:
    rows = {(row["module"], row["mode"]): row for row in rows_of(_record())}
    base, cbam = rows["base", "eager-fp32"], rows["cbam:reduction=8", "eager-fp32"]
    assert cbam["latency_median_ms"] == pytest.approx(5.05)
    assert cbam["times_25_hz"] == pytest.approx(1000 / 5.05 / 25)
    assert cbam["marginal_ms"] == pytest.approx(3.0)
    assert cbam["marginal_memory_bytes"] == 3_000_000
    assert (cbam["marginal_macs"], cbam["marginal_parameters"]) == (5000, 500)
    assert cbam["throughput_ratio_to_base"] == pytest.approx(2 / 5)
    assert rows["cbam:reduction=8", "tuned"]["marginal_ms"] == pytest.approx(0.5)
    # Frames: 1 + 10 + 2 and 3 + 20 + 4.
    assert base["camera_total_ms"] == pytest.approx((13 + 27) / 2)
    assert base["camera_hz"] == pytest.approx(50)
    assert base["marginal_ms"] is None
    bad = rows["bad", "eager-fp32"]
    assert (bad["hz"], bad["marginal_ms"]) == (None, None)


def test_operations_that_are_not_counted_are_not_compared() -> None:
    record = _record()
    base, cbam, bad = record.rows
    assert cbam.size is not None
    size = cbam.size.model_copy(update={"macs": None, "uncounted": ("mine::scan",)})
    record = record.model_copy(update={"rows": (base, cbam.model_copy(update={"size": size}), bad)})
    rows = {(row["module"], row["mode"]): row for row in rows_of(record)}
    own = rows["cbam:reduction=8", "eager-fp32"]
    assert (own["macs"], own["marginal_macs"], own["marginal_parameters"]) == (None, None, 500)
    lines = [
        [cell.strip() for cell in line.split("|")] for line in to_markdown(record).splitlines()
    ]
    header = next(line for line in lines if "Δ MACs" in line)
    place = header.index("Δ MACs")
    own_lines = lines[lines.index(header) + 2 :]
    cells = [line[place] for line in own_lines if line[1:2] == ["cbam:reduction=8"]][:2]
    assert cells == ["–", "–"]
    told = "Operations of cbam:reduction=8 are not counted: mine::scan has no count."
    assert notes(record).count(told) == 1


def _trial(precision: Precision, ms: float | None) -> Trial:
    error = "no kernel" if ms is None else None
    return Trial(
        precision=precision,
        memory_format="channels_last",
        execution="eager",
        median_ms=ms,
        error=error,
    )


@pytest.mark.parametrize(
    ("tuned", "marked", "said"),
    [
        (
            _mode(1.0, precision="bf16", trials=(_trial("bf16", 1.0), _trial("fp32", 2.0))),
            "tuned",
            "The fastest for one image here: 1.05 ms, eager-fp32 2.05 ms. "
            "Tried: bf16, as written 1.00 ms; fp32, as written 2.00 ms.",
        ),
        (  # a record of 0.1.0, which stopped at bf16
            _mode(3.0, precision="bf16", trials=(_trial("bf16", 3.0),)),
            "eager-fp32",
            "The fastest for one image here is eager-fp32: 2.05 ms, tuned 3.05 ms. "
            "Tried, fp32 not: bf16, as written 3.00 ms.",
        ),
        (
            _mode(1.9, trials=(_trial("bf16", None), _trial("fp32", 2.1))),
            "eager-fp32",
            "Nothing that was tried is faster than fp32 as written. "
            "Tried: fp32, as written 2.10 ms.",
        ),
    ],
)
def test_the_fastest_is_named(tuned: ModeRecord, marked: str, said: str) -> None:
    row = _row("base", 1000, _mode(2.0), tuned)
    record = _record().model_copy(update={"rows": (row,)})
    assert [one["mode"] for one in rows_of(record) if one["fastest"]] == [marked]
    assert any(line.endswith(said) for line in notes(record))
    (line,) = [one for one in to_markdown(record).splitlines() if "(fastest)" in one]
    assert marked in line


def test_one_mode_is_not_the_fastest_of_several() -> None:
    record = _record().model_copy(update={"rows": (_row("base", 1000, _mode(2.0)),)})
    assert [one["fastest"] for one in rows_of(record)] == [None]
    assert "(fastest)" not in to_markdown(record)


def test_what_must_be_said() -> None:
    text = "\n".join(notes(_record()))
    assert "drawn (synthetic) faces" in text
    assert "1 without a face" in text
    assert "cbam:reduction=8, tuned: * bf16, as written: no kernel" in text
    assert "hardware thermal slowdown" in text
    assert "bad failed: timing: a-plugin" in text
    assert "plugin x" in text
    assert "drawn (synthetic)" not in "\n".join(notes(_record(drawn=False)))


def _processes(record: SpeedRun, *kinds: Literal["own", "shared"]) -> SpeedRun:
    one = record.conditions[0]
    conditions = tuple(one.model_copy(update={"process": kind}) for kind in kinds)
    return record.model_copy(update={"conditions": conditions})


def _marginal_interval(record: SpeedRun) -> tuple[float | None, float | None]:
    row = next(r for r in rows_of(record) if (r["module"], r["mode"]) == CBAM)
    return row["marginal_low_ms"], row["marginal_high_ms"]


CBAM = ("cbam:reduction=8", "eager-fp32")


def test_intervals_are_over_processes() -> None:
    record = _record()
    # Differences of cbam's rounds: 3 and 3 in one repeat, 3.4 and 3.4 in the other.
    later = StreamRepeat(rounds_ms=((5.4, 5.4), (5.5, 5.5)), warmup=9, settled=True)
    stream = (_mode(5.0).stream[0], later)
    row = _row("cbam:reduction=8", 1500, _mode(5.0, stream=stream))
    record = record.model_copy(update={"rows": (record.rows[0], row)})
    # Two values: half the width is t(1) = 12.706 times 0.2828 / sqrt(2).
    low, high = _marginal_interval(_processes(record, "own", "own"))
    assert (low, high) == pytest.approx((3.2 - 12.7062 * 0.2, 3.2 + 12.7062 * 0.2), abs=1e-4)
    text = to_markdown(_processes(record, "own", "own"))
    assert "95 % over processes" in text
    assert "That of 2 processes is wide" in text
    assert "bootstrap" not in text
    shared = _processes(record, "shared", "shared")
    assert _marginal_interval(shared) == (None, None)
    assert "all repeats ran in one process" in to_markdown(shared)
    assert "A single process gives no interval" in to_markdown(_record())
    five = _processes(record, "own", "own", "own", "own", "own")
    assert "wide" not in to_markdown(five)


def test_a_long_tail_is_told() -> None:
    """20 passes, of which two take 9 ms: the 95th percentile is 9, three medians of 3."""

    def with_tail(slow: float) -> SpeedRun:
        stream = (StreamRepeat(rounds_ms=((3.0,) * 18 + (slow,) * 2,)),)
        row = _row("base", 1000, _mode(3.0, stream=stream), _mode(1.0))
        return _record().model_copy(update={"rows": (row,)})

    told = [line for line in notes(with_tail(9.0)) if "1 image in 20" in line]
    assert len(told) == 1
    assert told[0].startswith("base, eager-fp32: ")
    assert "9.00 ms or longer, 3.0 times the median of 3.00 ms" in told[0]
    assert not any("1 image in 20" in line for line in notes(with_tail(8.9)))


def test_a_long_tail_is_told_below_a_run() -> None:
    agfer = usual().modules[1]
    slow = agfer.model_copy(update={"speed": speed(((3.0,) * 18 + (9.0,) * 2,))})
    assert not any("1 image in 20" in line for line in remarks(usual()))
    record = usual().model_copy(update={"modules": (usual().modules[0], slow)})
    (told,) = [line for line in remarks(record) if "1 image in 20" in line]
    assert told.startswith("agfer, latency: ")


@pytest.mark.parametrize("width", [80, 110, 145, 200])
def test_nothing_is_cut_off_on_a_narrow_terminal(width: int) -> None:
    console = Console(width=width, file=StringIO())
    console.print(to_rich(_record(), width))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    tables = [line for line in text.splitlines() if line.startswith(("│", "┃"))]
    assert not any("…" in line.replace(" … ", "") for line in tables)
    for number in ("5.050", "+3.000", "20.00", "cbam:reduction=8", "Repeats within", "+5.0 k"):
        assert number in text


def test_markdown_holds_every_table() -> None:
    text = to_markdown(_record())
    for heading in ("Single stream", "Offline", "What the block adds", "Camera to label"):
        assert heading in text
    assert "bf16, eager *" in text
