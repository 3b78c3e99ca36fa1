"""What must be said beside a table: what its numbers mean, and what is odd about a run."""

from __future__ import annotations

import statistics
from collections.abc import Container, Sequence

from agfer_bench.protocol import OFFICIAL, VGG16, Protocol
from agfer_bench.records.calibration import CalibrationRecord
from agfer_bench.records.run import OVERFIT_POINTS, DataRecord, ModuleRecord, RunRecord
from agfer_bench.report.latency_tail import tail_note
from agfer_bench.report.summary import deviation_over, divisions, uncounted_note

DRAWN_NOTICE = (
    "Measured on drawn (synthetic) faces: shows that everything works, tells nothing about people."
)


def notes(record: RunRecord, differences: Sequence[str] = ()) -> list[str]:
    """Say what the table's numbers mean, and what a reader should be warned of.

    Args:
        record: The run.
        differences: What may be said of differences (`verdicts.notes_on`).
    """
    data, protocol = record.data, record.protocol
    chance = 100 / len(data.classes)
    lines = [DRAWN_NOTICE] if record.drawn else []
    if data.labels == "any":
        lines.append(
            f"Pictures of {len(data.classes)} classes were told apart, no emotions of faces."
        )
    images, lost = _left_out(data)
    who = f" of {data.subjects} subjects" if data.subjects else ""
    lines.append(f"{images}{who}{lost}, {len(data.classes)} classes, chance {chance:.1f} %.")
    lines.append(
        f"Accuracy: mean per-class recall after the last epoch; ± is the sample standard deviation "
        f"(SD) {deviation_over(protocol)}, not an interval, and no test of differences."
    )
    if protocol.guidance:
        lines.append("Masked %: the same with the guidance mask on, as images are trained on.")
    lines += differences
    lines.append(
        f"Gap: training less validation accuracy in points; ! marks {OVERFIT_POINTS:.0f} or more "
        f"(the paper's over-fit criterion). Latency: one image, fp32{_passes(record)}. "
        "Train s: mean per fold, when it was trained."
    )
    lines += width_note(protocol, "Block params")
    lines += [*_classifier_notes(record), *_mask_notes(record), *_baseline_notes(record)]
    return lines + remarks(record)


def width_note(protocol: Protocol, column: str) -> list[str]:
    """Say why a block has fewer parameters than `agfer-bench modules` tells, where it has."""
    if protocol.host != VGG16 or protocol.width == 1:
        return []
    return [
        f"{column}: in a host of width {protocol.width:g}; `agfer-bench modules` counts a block in "
        "the paper's, width 1."
    ]


MASK_POINTS = 3.0
"""A mask that moves an accuracy by more points than these is warned of."""


def _mask_notes(record: RunRecord) -> list[str]:
    """Say where a network is judged on images of another kind than those it was trained on."""
    found = []
    for label, module in _trained(record, "attention").items():
        masked = [fold.masked_accuracy for fold in module.trainings]
        if None in masked:
            continue
        with_mask = 100 * statistics.mean(module.over_folds(lambda f: f.masked_accuracy or 0.0))
        without = 100 * statistics.mean(module.accuracies)
        if abs(with_mask - without) > MASK_POINTS:
            found.append(f"{label} {without:.1f} % without and {with_mask:.1f} % with it")
    if not found:
        return []
    return [
        f"The mask moves accuracies by more than {MASK_POINTS:.0f} points: {'; '.join(found)}. "
        "Networks are trained with it and judged without, and part of a difference may come from "
        "that. Try --set guidance_share=0.5, or --no-guidance."
    ]


_BASELINES = ("linear", "hog-svm")
"""Classifiers that any network should be ahead of."""


def _baseline_notes(record: RunRecord) -> list[str]:
    """Say which networks are not above a simple classifier on the same crops and folds."""
    networks = _trained(record, "attention")
    lines = []
    for label, module in _trained(record, "classifier").items():
        bar = statistics.mean(module.accuracies)
        below = [name for name, one in networks.items() if statistics.mean(one.accuracies) <= bar]
        if module.name in _BASELINES and below:
            lines.append(
                f"Not above {label} ({100 * bar:.1f} %), which has no network: "
                f"{', '.join(below)}. A network that has not learned more than that is no ground "
                "to judge a block on: train longer or with other settings."
            )
    return lines


def _trained(record: RunRecord, kind: str) -> dict[str, ModuleRecord]:
    """Return the rows of a kind that were trained on every fold, by label."""
    return {
        module.label: module
        for module in record.modules
        if module.kind == kind and module.complete(record.protocol)
    }


def _classifier_notes(record: RunRecord) -> list[str]:
    """Say why classifiers of their own have neither size nor speed."""
    names = [module.label for module in record.modules if module.kind == "classifier"]
    if not names:
        return []
    what, their = ("a classifier of its own", "its")
    if len(names) > 1:
        what, their = ("classifiers of their own", "their")
    return [
        f"{', '.join(names)}: {what}, without the host: neither {their} size nor {their} speed is "
        "measured beside networks'. Train s: features and fit, on the CPU."
    ]


def _passes(record: RunRecord) -> str:
    """Say over how many passes latencies are medians, and how far repeats differ."""
    modes = [one for m in record.modules if m.speed and (one := m.speed.eager) is not None]
    if not modes:
        return ""
    rounds = [times for repeat in modes[0].stream for times in repeat.rounds_ms]
    text = f", median of {sum(map(len, rounds))} passes in {len(rounds)} interleaved rounds"
    spreads = [value for mode in modes if (value := mode.repeatability) is not None]
    if not spreads:
        return text
    where = "fresh processes" if record.protocol.speed.fresh else "repeats"
    return (
        f"{text} of {len(modes[0].stream)} {where}, whose medians lie within "
        f"{100 * max(spreads):.1f} % of each other"
    )


def remarks(record: RunRecord) -> list[str]:
    """Say what is odd about a run: its data, its modules, the plugins around it."""
    absent = sorted(
        {
            (fold.fold + 1, name)
            for module in record.modules
            for fold in module.trainings
            for name, row in zip(record.data.classes, fold.confusion, strict=True)
            if not any(row)
        }
    )
    official = record.protocol.split == OFFICIAL

    def place(fold: int) -> str:
        return "The part that is judged" if official else f"Fold {fold}"

    lines = [
        f"{place(fold)} has no validation image of {name}: its accuracy is over the other classes."
        for fold, name in absent
    ]
    lines += record.data.notes
    lines += _test_notes(record.test) if record.test else []
    for module in record.modules:
        stuck = module.single_class_folds
        if stuck:
            where = "" if official else f" in fold {', '.join(map(str, stuck))}"
            lines.append(f"{module.label} predicts a single class{where}.")
        lines += uncounted_note(module.label, module.size.uncounted if module.size else ())
        lines += _execution_notes(module)
        if module.speed and module.speed.eager:
            lines += tail_note(f"{module.label}, latency", module.speed.eager)
        if module.memory_format == "contiguous":
            why = module.memory_format_reason
            lines.append(
                f"{module.label} runs on contiguous maps, slower than channels last, "
                f"with which it fails{f': {why}' if why else ''}."
            )
        lines += [f"{module.label} {mark}." for mark in module.marks]
        if module.size and module.size.frozen_parameters:
            lines.append(
                f"{module.label}: {module.size.frozen_parameters:,} further parameters are "
                "frozen, that is not trained; they are not in the counts."
            )
        if module.error:
            lines.append(f"{module.label} failed: {module.error}")
    return lines + list(record.problems)


def _execution_notes(module: ModuleRecord) -> list[str]:
    """Say where training was not executed as the others' was."""
    folds = module.trainings
    split = {(f.micro_batch, f.micro_batch_reason) for f in folds if f.micro_batch_reason}
    lines = [
        f"{module.label} was trained in parts of at most {size} images a pass ({reason}); their "
        "gradients add up to the batch's, but for a batch normalisation and what dropout drops."
        for size, reason in sorted(split, key=str)
    ]
    fallbacks = sorted({f.execution_fallback for f in folds if f.execution_fallback})
    return lines + [f"{module.label} was trained eagerly: {reason}" for reason in fallbacks]


def remarks_of(runs: Sequence[tuple[str, RunRecord]]) -> list[str]:
    """Say what is odd about several runs: first of all of them, then of each by its name."""
    found = [(name, remarks(record)) for name, record in runs]
    everywhere = [line for line in found[0][1] if all(line in lines for _, lines in found)]
    own = [f"{name}: {line}" for name, lines in found for line in lines if line not in everywhere]
    return everywhere + own


def _left_out(data: DataRecord) -> tuple[str, str]:
    """Return `kept of read images`, and what was left out in brackets."""
    kept, read = sum(data.images_kept.values()), sum(data.images_read.values())
    lost = "; ".join(f"{reason} {n}" for reason, n in data.excluded.items())
    return f"{kept} of {read} images", f" (left out: {lost})" if lost else ""


def _test_notes(test: DataRecord) -> list[str]:
    """Say what the cross-database test was made on."""
    images, lost = _left_out(test)
    chance = 100 / len(test.classes)
    return [
        f"Cross-database test: {images} of {test.name}{lost}, {len(test.classes)} classes "
        f"(an even guess among them {chance:.1f} %), "
        "all judged by the network of every fold. "
        "Over all: per fold the mean of the age groups.",
        *(f"{test.name}: {note}" for note in test.notes),
    ]


def title(record: RunRecord | CalibrationRecord, without: Container[str] = ()) -> str:
    """Say what a table is about: preset and what was changed in it, split, data, device.

    Args:
        record: What was run.
        without: Settings that the table itself tells.
    """
    changes = record.protocol.told_changes(without)
    changed = f" with {changes}" if changes else ""
    data = record.data.name + (f", tested on {record.test.name}" if record.test else "")
    drawn = " (drawn faces)" if record.drawn else ""
    environment = record.environment
    threads = f", {environment.threads} threads" if environment.device == "cpu" else ""
    protocol = record.protocol
    split = "" if "split" in without else f"{protocol.split} "
    folds = f"{protocol.folds} {split}folds"
    if protocol.split == OFFICIAL:
        folds = divisions(protocol)
    return (
        f"Preset {protocol.preset}{changed} · {folds} · "
        f"{data}{drawn} · {environment.device_name}{threads}"
    )
