"""Cost of the networks: rate, layers, parameters, training time, memory (section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from agfer_bench.protocol import load_preset
from agfer_bench.records.run import ModuleRecord, RunRecord
from agfer_bench.report.numbers import count, number, quantity
from agfer_bench.report.paper.comparisons import paired
from agfer_bench.report.paper.document import Section, Table
from agfer_bench.report.paper.measured import (
    COMPARED,
    Comparison,
    complete_folds,
    find_module,
    over_folds,
    signed,
    spread,
)
from agfer_bench.report.paper.published import Value, published
from agfer_bench.report.paper.study import Study
from agfer_bench.report.paper.welch import Spread, welch
from agfer_bench.report.summary import uncounted_note


def efficiency_section(study: Study) -> Section:
    """Times, sizes, and what CBAM costs and brings over AGFER."""
    record = study.main
    tables = [_times(record), _sizes(record)]
    pair = (find_module(record, "cbam"), find_module(record, "agfer"))
    if pair[0] is not None and pair[1] is not None:
        tables.append(_cbam_over_agfer(record, pair[0], pair[1]))
    return Section(title="Efficiency", items=tuple(tables))


@dataclass(frozen=True, kw_only=True)
class _Times:
    """Times of one module, as far as they were measured."""

    hz: float | None
    """Images a second."""
    median_ms: float | None
    """Median latency of one image in milliseconds."""
    minutes: Spread | None
    """Training time of a network over folds, in minutes."""
    memory: int | None
    """Most bytes of any fold."""


def _times_of(module: ModuleRecord, record: RunRecord) -> _Times:
    speed = module.speed
    peaks = [
        peak
        for fold in complete_folds(module, record)
        if (peak := fold.peak_memory_bytes) is not None
    ]
    return _Times(
        hz=speed.hz if speed else None,
        median_ms=speed.median_ms if speed else None,
        minutes=over_folds(module, record, lambda fold: fold.training_seconds, 1 / 60),
        memory=max(peaks, default=None),
    )


def _times(record: RunRecord) -> Table:
    known, paper = published().efficiency, load_preset("paper")
    rows, data = [], []
    for module in record.modules:
        times = _times_of(module, record)
        hz, minutes = known.hz.get(module.label), known.training_minutes.get(module.label)
        trained = times.minutes.mean if times.minutes else None
        rows.append(
            (
                module.label,
                number(times.hz, 1),
                number(hz, 0),
                signed(_less(times.hz, hz), 1),
                number(times.median_ms, 2),
                times.minutes.text() if times.minutes else number(None, 0),
                number(minutes, 0),
                signed(_less(trained, minutes), 1),
                quantity(times.memory, "B"),
            )
        )
        data.append(
            {
                "module": module.label,
                "hz": times.hz,
                "published_hz": hz,
                "latency_median_ms": times.median_ms,
                "training_minutes_mean": trained,
                "training_minutes_sd": times.minutes.sd if times.minutes else None,
                "published_training_minutes": minutes,
                "peak_memory_bytes": times.memory,
            }
        )
    frame = pd.DataFrame(data)
    return Table(
        name="efficiency-times",
        title="Section 4: inference rate, training time and memory",
        columns=(
            "Module",
            "Hz",
            "Published Hz (another machine)",
            "Difference",
            "Median ms",
            "Training, min ± SD",
            "Published min (another machine)",
            "Difference",
            "Peak memory",
        ),
        rows=tuple(rows),
        notes=(
            f"Published times are of another machine ({published().machine}), without a "
            f"deviation, and of the whole network at {paper.image_size} × {paper.image_size} "
            f"pixels, {paper.epochs} epochs: the differences "
            f"tell of machines first{_smaller(record)}.",
            f"Measured on {record.environment.device_name}. Hz: 1000 / median latency of one "
            "image, fp32, all networks timed in turn. Training: mean of the folds' summed epochs, "
            "± sample standard deviation (SD) over folds; validation is not in it. Peak memory: "
            "most bytes of tensors in training, over all folds.",
        ),
        data=frame.astype({"peak_memory_bytes": "Int64"}),
    )


def _smaller(record: RunRecord) -> str:
    """Say how the network or its training departs from the paper's, where it does."""
    protocol, paper = record.protocol, load_preset("paper")
    words = [
        text
        for text, same in (
            (f"{protocol.width:g} of the width", protocol.width == paper.width),
            (f"{protocol.image_size} pixels", protocol.image_size == paper.image_size),
            (f"{protocol.epochs} epochs", protocol.epochs == paper.epochs),
        )
        if not same
    ]
    return f", and of another network and training (here {', '.join(words)})" if words else ""


def _sizes(record: RunRecord) -> Table:
    known = published().efficiency
    rows, data = [], []
    for module in record.modules:
        size, layers = module.size, known.layers.get(module.label)
        values: dict[str, Any] = {
            "block_parameters": size.block_parameters if size else None,
            "parameters": size.parameters if size else None,
            "macs": size.macs if size else None,
            "layers": size.layers if size else None,
            "published_layers": layers,
        }
        rows.append(
            (
                module.label,
                count(values["block_parameters"]),
                count(values["parameters"]),
                quantity(values["macs"]),
                count(values["layers"]),
                count(layers),
                signed(_less(values["layers"], layers), 0),
            )
        )
        data.append({"module": module.label} | values)
    whole = ("block_parameters", "parameters", "macs", "layers", "published_layers")
    width = "" if record.protocol.width == 1 else f", {record.protocol.width:g} of its width here"
    return Table(
        name="efficiency-sizes",
        title="Section 4: parameters, operations and layers",
        columns=(
            "Module",
            "Block parameters",
            "Network parameters",
            "MACs",
            "Layers",
            "Published layers",
            "Difference",
        ),
        rows=tuple(rows),
        notes=(
            f"The paper gives {known.base_layers} layers and {quantity(known.base_parameters)} "
            "parameters for the base network (section 2.1): these are of VGG16 as made for "
            "ImageNet, with its last pool and 1000 classes, not of the network that was trained.",
            f"Measured: the host at stride {record.protocol.stride}{width}, for "
            f"{len(record.data.classes)} classes. MACs: multiply-accumulates for one image. "
            "Layers: in the paper's count, the guidance layer included.",
            *(
                line
                for module in record.modules
                if module.size
                for line in uncounted_note(module.label, module.size.uncounted)
            ),
        ),
        data=pd.DataFrame(data).astype(dict.fromkeys(whole, "Int64")),
    )


def _cbam_over_agfer(record: RunRecord, cbam: ModuleRecord, agfer: ModuleRecord) -> Table:
    known = published()
    complete = cbam.complete(record.protocol) and agfer.complete(record.protocol)
    sizes = (cbam.size, agfer.size)
    one, other = (_times_of(module, record) for module in (cbam, agfer))
    more, layers = None, None
    if sizes[0] and sizes[1]:
        more = 100 * (sizes[0].parameters - sizes[1].parameters) / sizes[1].parameters
        layers = _less(sizes[0].layers, sizes[1].layers)
    minutes = _less(*(t.minutes.mean if t.minutes else None for t in (one, other)))
    lines = [
        (
            "accuracy, points",
            paired(cbam, agfer) if complete else None,
            known.cbam_over_agfer.accuracy,
            2,
        ),
        ("parameters, %", _single(more), Value(mean=known.cbam_over_agfer.parameters), 2),
        ("layers", _single(layers), _gap(known.efficiency.layers), 0),
        ("rate, Hz", _single(_less(one.hz, other.hz)), _gap(known.efficiency.hz), 1),
        ("training, min", _single(minutes), _gap(known.efficiency.training_minutes), 2),
    ]
    # The printed deviation is no deviation of differences: it gives no interval.
    compared = [
        (name, Comparison(measured=m, published=p, marked=p.sd is not None), digits)
        for name, m, p, digits in lines
    ]
    means, folds = known.figure_7.mean, known.folds
    printed = welch(means["cbam"].over(folds), means["agfer"].over(folds))
    assert printed is not None
    return Table(
        name="cbam-over-agfer",
        title="Section 4: CBAM less AGFER",
        columns=("Quantity", "Measured", *COMPARED),
        rows=tuple((name, *each.cells(digits)) for name, each, digits in compared),
        notes=(
            f"Accuracy: taken fold by fold; ± is the sample standard deviation (SD) of the "
            f"{record.protocol.folds} differences. * The printed ± is what the two networks' "
            "printed deviations differ by, not a deviation of differences: no interval.",
            "What the paper's printed means and deviations carry: CBAM less AGFER "
            f"{means['cbam'].mean - means['agfer'].mean:.2f} points, 95 % interval (Welch, {folds} "
            f"folds on both sides) {printed.text()}, p = {printed.p_text()}.",
            "Parameters: per cent of AGFER's network. The paper does not state its reduction R. "
            "The printed 0.1 % fits R = 4 to 8 in a network of the 138 million parameters that it "
            "gives, and R = 2 or 3 in the host of preset paper (docs/protocol.md). Published "
            "layers, rate and training time: differences of the printed numbers; rate and time "
            "are of another machine.",
        ),
        data=pd.DataFrame([{"quantity": name} | each.data() for name, each, _ in compared]),
    )


def _single(value: float | None) -> Spread | None:
    return spread([] if value is None else [value])


def _gap(values: Mapping[str, float]) -> Value:
    return Value(mean=values["cbam"] - values["agfer"])


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other
