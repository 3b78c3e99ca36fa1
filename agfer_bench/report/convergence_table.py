"""Head start or higher ceiling, as people read it: terminal, Markdown, JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agfer_bench.comparison.convergence import (
    POPULATION,
    BlockComparison,
    Convergence,
    Cost,
    Effect,
    NetworkCurves,
)
from agfer_bench.comparison.inference import ALPHA, FEWEST_TRAININGS, POWER
from agfer_bench.comparison.learning_curves import FALL, PASSES, SPAN, WINDOW
from agfer_bench.report.notes import DRAWN_NOTICE, remarks, title
from agfer_bench.report.numbers import percent, quantity, signed
from agfer_bench.report.summary import divisions
from agfer_bench.report.table import markdown_table

Lines = list[list[str]]
"""Cells of a table as text, line by line, the columns' names first."""

NONE = "–"
_PART = "three quarters"
"""`DECIDES` in words."""


def title_of(found: Convergence) -> str:
    """Say what was compared, and what the verdicts speak of."""
    return f"Head start or higher ceiling · {POPULATION} · {title(found.record)}"


def verdict_lines(found: Convergence) -> Lines:
    """Return the verdict on each block with the numbers that it rests on."""
    to = "¾ of the way to base" if found.decides is None else f"{percent(found.decides)} %"
    columns = ["Module", "Verdict", "Δ at convergence", f"× ops to {to}", "× ops, own ¾"]
    return [columns, *(_verdict_line(one) for one in found.blocks)]


def _verdict_line(one: BlockComparison) -> list[str]:
    return [
        one.label,
        verdict_text(one),
        points(one.at_convergence),
        times(one.to_base),
        times(one.to_own),
    ]


def verdict_text(one: BlockComparison) -> str:
    """Return the verdict, with what is found against the block."""
    return ", but ".join([one.verdict, " and ".join(one.against)]) if one.against else one.verdict


def curve_lines(found: Convergence) -> Lines:
    """Return accuracies at equal epochs, at equal operations and at convergence."""
    columns = [
        *("Module", f"% at {found.epochs} epochs", "Δ", "Δ at equal ops"),
        *("Plateau at epoch", "% at convergence"),
    ]
    blocks = {one.label: one for one in found.blocks}
    return [columns, *(_curve_line(one, blocks.get(one.label), found) for one in found.networks)]


def _curve_line(one: NetworkCurves, block: BlockComparison | None, found: Convergence) -> list[str]:
    now_KS = one.per_training(lambda curve: curve.at(found.epochs))
    return [
        one.label,
        _spread(now_KS),
        points(block.at_epochs if block else None),
        points(block.at_operations if block else None),
        _plateau(one, found.cap),
        _spread(one.converged),
    ]


def _plateau(one: NetworkCurves, cap: int) -> str:
    known = one.plateau_KS[~np.isnan(one.plateau_KS)]
    missing = one.plateau_KS.size - len(known)
    never = f"{missing} not by {cap}"
    if not len(known):
        return never
    text = f"{known.mean():.0f} ({known.min():.0f} to {known.max():.0f})"
    return f"{text}, {never}" if missing else text


def cost_lines(found: Convergence) -> Lines:
    """Return what it takes each network to each accuracy; none where none is known."""
    if not found.accuracies:
        return []
    blocks = {one.label: one for one in found.blocks}
    lines = [["To", "Module", "Epochs", "Operations", "Seconds", "Reached by", "× base's ops"]]
    for number, accuracy in enumerate(found.accuracies):
        for one in found.networks:
            cost, block = one.cost(accuracy), blocks.get(one.label)
            ratio = NONE
            if block is not None and block.ratios:
                difference = block.ratios[number].difference
                ratio = _times(difference.estimate, difference.interval())
            lines.append([f"{percent(accuracy)} %", one.label, *_cost(cost), ratio])
    return lines


def _cost(cost: Cost) -> list[str]:
    mark = "≥ " if cost.never else ""
    of = cost.reached_KS.size
    return [
        f"{mark}{cost.epochs_KS.mean():.1f}",
        _operations(cost, mark),
        f"{mark}{cost.seconds_KS.mean():.1f}",
        f"{of - cost.never} of {of}",
    ]


def _operations(cost: Cost, mark: str) -> str:
    if math.isnan(cost.operations):
        return NONE
    return mark + quantity(float(cost.epochs_KS.mean()) * cost.operations)


def points(effect: Effect | None) -> str:
    """Write a difference of accuracies with its interval, in points."""
    if effect is None:
        return NONE
    if effect.interval is None:
        return signed(effect.estimate)
    low, high = effect.interval
    return f"{signed(effect.estimate)} [{signed(low)}, {signed(high)}]"


def times(effect: Effect | None) -> str:
    """Write a ratio with its interval."""
    return NONE if effect is None else _times(effect.estimate, effect.interval)


def _times(log: float, interval: tuple[float, float] | None) -> str:
    ends = "" if interval is None else f" [{_ratio(interval[0])}, {_ratio(interval[1])}]"
    return f"{_ratio(log)}{ends}"


def _ratio(log: float) -> str:
    value = math.exp(min(log, 100.0))
    return f"{value:.2f}" if value < 100 else "> 100"


def _spread(values_KS: NDArray[np.float64]) -> str:
    known = values_KS[~np.isnan(values_KS)]
    if not len(known):
        return NONE
    return percent(float(known.mean()), float(known.std(ddof=1)) if len(known) > 1 else None)


def tables_of(found: Convergence) -> list[tuple[str, Lines]]:
    """Return every table with its heading."""
    tables = [
        ("Verdicts, each block held against base over new trainings", verdict_lines(found)),
        ("Accuracies", curve_lines(found)),
        ("What an accuracy takes", cost_lines(found)),
    ]
    return [(heading, lines) for heading, lines in tables if lines]


def label_columns(columns: Sequence[str]) -> int:
    """Return how many leading columns hold words; the others hold numbers."""
    return 2 if columns[1] in ("Verdict", "Module") else 1


def notes_of(found: Convergence) -> list[str]:
    """Say in sentences what was found, by which rules."""
    lines = [DRAWN_NOTICE] if found.record.drawn else []
    lines += [f"{sentence(one, found)}." for one in found.blocks]
    lines += [f"Not compared: {one}." for one in found.failed]
    if found.base.plateau_KS.shape[1] < FEWEST_TRAININGS:
        lines.append(
            "Another training of the same network has another curve, so one of each fold says "
            "nothing about blocks. The same command with --seeds 3 trains only what is missing."
        )
    return [*lines, *rules_of(found), *_limits(found), *_censored(found), *remarks(found.record)]


def caption_of(found: Convergence) -> str:
    """Say what the figure of the curves shows."""
    folds, seeds = found.base.plateau_KS.shape
    where = divisions(found.record.protocol)
    where = where if folds == 1 else f"each of {where}"
    line = ""
    if found.decides is not None:
        line = f" Dashed: {percent(found.decides)} %, and epoch {found.epochs}."
    return (
        f"Mean recall on the validation folds, at each epoch the mean over {WINDOW} epochs around "
        f"it. Lines: the mean over {folds * seeds} trainings ({seeds} of {where}); "
        "bands: ± one sample standard deviation over them. Points: the mean epoch of convergence. "
        f"Dotted: chance.{line}"
    )


def sentence(one: BlockComparison, found: Convergence) -> str:
    """Return the verdict on a block in plain words."""
    if one.verdict == "not judged" or found.decides is None:
        return f"{one.label}: not judged, since {one.why_not}"
    return (
        f"{one.label}: {verdict_text(one)}. It takes {times(one.to_base)} times base's operations "
        f"to {percent(found.decides)} %, and {times(one.to_own)} times to {_PART} of the way to "
        "its own accuracy at convergence. There it differs from base by "
        f"{points(one.at_convergence)} points"
    )


def rules_of(found: Convergence) -> list[str]:
    """Say by which rules, fixed beforehand, it was judged."""
    folds, seeds = found.base.plateau_KS.shape
    where = divisions(found.record.protocol)
    where = where if folds == 1 else f"each of {where}"
    lines = [
        f"Trained for {found.cap} epochs at a constant learning rate after the warm-up, "
        f"{seeds} {'time' if seeds == 1 else 'times'} on {where}. The accuracy at an "
        f"epoch is the mean over {WINDOW} epochs around it.",
        f"Convergence: the first epoch, from {found.epochs} on, at which the training loss, "
        f"averaged over {SPAN} epochs, has fallen by no more than {percent(FALL, digits=0)} % of "
        f"its whole fall against the {SPAN} epochs before. The accuracy there is the mean of these "
        f"{SPAN} epochs.",
    ]
    if found.decides is not None:
        lines.append(
            f"Faster: fewer operations than base to {percent(found.decides)} %, {_PART} of the way "
            "from chance to base's accuracy at convergence, and fewer to the same part of the way "
            "to its own. Higher: ahead of base at convergence."
        )
    judged = sum(one.verdict != "not judged" for one in found.blocks)
    if judged:
        lines.append(
            "Each training is paired with base's of the same seed and fold. Verdicts and intervals "
            f"(95 %) are {POPULATION}. The intervals of the verdicts are adjusted for {2 * judged} "
            "questions (Holm), those at equal epochs and operations for "
            f"{_many(judged, 'block')}, those of the last table not at all: no verdict rests on it."
        )
    if judged and found.record.protocol.split == "image":
        lines.append(
            "Folds divide images, not people: everybody who is judged was trained on as well, so "
            "that nothing is said about people whom the networks have not seen."
        )
    device = found.record.environment.device_name
    lines.append(
        "Ops: multiply-accumulates of convolutions and matrix products in training, "
        f"{PASSES} times those of a pass (backward counts as two forward). Seconds: of training "
        f"alone, on {device}, beside what else ran there. ± is the sample standard deviation over "
        "trainings."
    )
    return lines


def _limits(found: Convergence) -> list[str]:
    """Say what could have been found, so that nobody takes `neither` for equal."""
    judged = [one for one in found.blocks if one.verdict != "not judged"]
    if not judged:
        return []
    alpha = ALPHA / (2 * len(judged))
    ceilings = [one.at_convergence.difference.detectable(alpha) for one in judged
                if one.at_convergence]  # fmt: skip
    speeds = [one.to_base.difference.detectable(alpha) for one in judged if one.to_base]
    points = [100 * value for value in ceilings if value is not None]
    ratios = [math.exp(-value) for value in speeds if value is not None]
    if not points or not ratios:
        return []
    return [
        "“Neither” is not “equal”. Found with a chance of "
        f"{100 * POWER:.0f} %, correction included, would be a ceiling {_range(points, 1)} points "
        f"higher, or {_range(ratios, 2)} times base's operations; more --seeds "
        "narrow both."
    ]


def _range(values: Sequence[float], digits: int) -> str:
    low, high = (f"{end:.{digits}f}" for end in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _censored(found: Convergence) -> list[str]:
    lines = []
    for accuracy in found.accuracies:
        never = {one.label: one.cost(accuracy).never for one in found.networks}
        told = [f"{count} of {label}" for label, count in never.items() if count]
        if told:
            lines.append(
                f"{percent(accuracy)} % was not reached by epoch {found.cap} in trainings: "
                f"{', '.join(told)}. Each counts with all {found.cap} epochs: the means with ≥ are "
                "too small, and the ratios are rough."
            )
    return lines


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def to_rich(found: Convergence) -> RenderableType:
    """Return tables and notes for a terminal."""
    parts: list[RenderableType] = [Text(title_of(found), style="bold")]
    for heading, (columns, *lines) in tables_of(found):
        table = Table(title=heading, title_justify="left")
        for position, name in enumerate(columns):
            words = position < label_columns(columns)
            table.add_column(Text(name), justify="left" if words else "right")
        previous = lines[0][0] if lines else ""
        for line in lines:
            if columns[0] == "To" and line[0] != previous:
                table.add_section()
            previous = line[0]
            table.add_row(*map(Text, line))
        parts.append(table)
    return Group(*parts, *(Text(line, style="dim") for line in notes_of(found)))


def to_markdown(found: Convergence) -> str:
    """Return title, tables, curves and notes as Markdown."""
    parts = [f"# {title_of(found)}"]
    for heading, (columns, *lines) in tables_of(found):
        frame = pd.DataFrame(lines, columns=columns)
        parts += [f"{heading}:", markdown_table(frame, texts=label_columns(columns))]
    parts.append("![Accuracy against epochs and operations](figures/convergence.png)")
    parts.append(caption_of(found))
    parts.append("\n".join(f"- {line}" for line in notes_of(found)))
    return "\n\n".join(parts) + "\n"


def to_json(found: Convergence) -> dict[str, Any]:
    """Return title, notes, verdicts and costs as plain values; accuracies are 0..1."""
    return {
        "title": title_of(found),
        "drawn_faces": found.record.drawn,
        "population": POPULATION,
        "notes": notes_of(found),
        "epochs": found.epochs,
        "cap": found.cap,
        "decides": found.decides,
        "blocks": [_block(one, found) for one in found.blocks],
        "networks": [_network(one, found) for one in found.networks],
    }


def _block(one: BlockComparison, found: Convergence) -> dict[str, Any]:
    effects = {
        "accuracy_at_epochs": one.at_epochs,
        "accuracy_at_operations": one.at_operations,
        "accuracy_at_convergence": one.at_convergence,
        "log_operations_to_base": one.to_base,
        "log_operations_to_own": one.to_own,
    }
    return {
        "label": one.label,
        "verdict": one.verdict,
        "against": list(one.against),
        "why_not": one.why_not,
        "sentence": sentence(one, found),
        **{name: _effect(effect) for name, effect in effects.items()},
    }


def _effect(effect: Effect | None) -> dict[str, Any] | None:
    if effect is None:
        return None
    low, high = effect.interval or (None, None)
    return {
        "difference": effect.estimate,
        "low": low,
        "high": high,
        "p": effect.p,
        "p_holm": effect.adjusted,
    }


def _network(one: NetworkCurves, found: Convergence) -> dict[str, Any]:
    return {
        "label": one.label,
        "operations_per_epoch": one.operations if one.counted else None,
        "plateau_epochs": _rows(one.plateau_KS),
        "accuracy_at_convergence": _rows(one.converged),
        "costs": [_cost_json(one.cost(to)) for to in found.accuracies],
    }


def _cost_json(cost: Cost) -> dict[str, Any]:
    return {
        "accuracy": cost.accuracy,
        "epochs": _rows(cost.epochs_KS),
        "operations": _rows(cost.epochs_KS * cost.operations),
        "seconds": _rows(cost.seconds_KS),
        "reached": cost.reached_KS.tolist(),
    }


def _rows(values_KS: NDArray[np.float64]) -> list[list[float | None]]:
    """Return (K, S) numbers as lists, a fold each; None for NaN."""
    return [[None if math.isnan(value) else float(value) for value in row] for row in values_KS]


def frame_of(found: Convergence) -> pd.DataFrame:
    """Return every training, one a row, for CSV."""
    rows = []
    for one in found.networks:
        now_KS = one.per_training(lambda curve: curve.at(found.epochs))
        costs = [(to, one.cost(to)) for to in found.accuracies]
        for k, s in np.ndindex(one.plateau_KS.shape):
            row: dict[str, Any] = {
                "module": one.label,
                "fold": k + 1,
                "seed": found.record.protocol.seed + s,
                "accuracy_at_epochs": now_KS[k, s],
                "plateau_epoch": one.plateau_KS[k, s],
                "accuracy_at_convergence": one.converged[k, s],
                "operations_per_epoch": one.operations,
            }
            for to, cost in costs:
                name = f"{100 * to:.1f}_percent"
                row[f"epochs_to_{name}"] = cost.epochs_KS[k, s]
                row[f"seconds_to_{name}"] = cost.seconds_KS[k, s]
                row[f"reached_{name}"] = bool(cost.reached_KS[k, s])
            rows.append(row)
    return pd.DataFrame(rows).assign(drawn_faces=found.record.drawn)
