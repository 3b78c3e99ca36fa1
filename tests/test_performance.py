"""The page on performance: written from published records, and from nothing else."""

from __future__ import annotations

import json

import pytest

from agfer_bench.records.run import SizeRecord
from agfer_bench.records.speed import PeakRecord
from agfer_bench.submissions.open import open_speed
from bench.write_performance import PAGE, PUBLISHED, floor, page


def test_the_page_is_what_the_records_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(PUBLISHED), (
        "run: python -m bench.write_performance"
    )


def test_every_ratio_of_the_records_meets_its_bar() -> None:
    found = 0
    for path in PUBLISHED.glob("*/benchmark.json"):
        for benchmark in json.loads(path.read_text(encoding="utf-8"))["benchmarks"]:
            for what, entry in benchmark["extra_info"].get("ratios", {}).items():
                found += 1
                least, most = entry["at_least"], entry["at_most"]
                assert least is None or entry["ratio"] >= least, (benchmark["name"], what)
                assert most is None or entry["ratio"] <= most, (benchmark["name"], what)
    assert found > 10


def test_floors_by_hand() -> None:
    record = open_speed(PUBLISHED / "speed-quick-cpu")
    base = record.base
    assert base is not None
    assert base.speed is not None
    size = SizeRecord(parameters=1_000_000, block_parameters=0, macs=50_000_000, layers=None)
    row = base.model_copy(update={"size": size})
    peak = PeakRecord(
        side=1, fp32=1e11, tf32=None, bf16=5e11, copied_bytes=1, bytes_per_second=1e10
    )
    fp32 = floor(row, base.speed.modes["eager-fp32"], peak)
    assert fp32 is not None
    assert fp32.operations_ms == pytest.approx(1.0), "100 M operations at 100 G a second"
    assert fp32.bytes_ms == pytest.approx(0.4), "4 MB at 10 GB a second"
    assert fp32.ms == fp32.operations_ms
    tuned = floor(row, base.speed.modes["tuned"], peak)
    assert tuned is not None
    assert (tuned.operations_ms, tuned.bytes_ms) == pytest.approx((0.2, 0.2))


def test_published_records_name_no_machine() -> None:
    for path in PUBLISHED.glob("*/benchmark.json"):
        assert "node" not in json.loads(path.read_text(encoding="utf-8"))["machine_info"]
