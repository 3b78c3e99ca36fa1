"""A calibration as people read it: terminal, Markdown, JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agfer_bench.comparison.inference import ALPHA, FEWEST_SUBJECTS, POWER
from agfer_bench.protocol import OFFICIAL
from agfer_bench.records.calibration import CalibrationRecord, PlanRecord, VerdictCounts
from agfer_bench.report.calibration import rate_interval
from agfer_bench.report.notes import DRAWN_NOTICE, title
from agfer_bench.report.numbers import percent
from agfer_bench.report.summary import divisions
from agfer_bench.report.table import markdown_table

Lines = list[list[str]]
"""Cells of a table as text, line by line, the columns' names first."""

_VERDICTS: dict[str, Callable[[VerdictCounts], int]] = {
    "ahead (wrong)": lambda counts: counts.ahead,
    "behind (wrong)": lambda counts: counts.behind,
    "ahead or behind (wrong)": lambda counts: counts.false_positives,
    "equivalent (right)": lambda counts: counts.equivalent,
    "not distinguishable": lambda counts: counts.not_distinguishable,
    "not judged": lambda counts: counts.not_judged,
}
_WITH_A_RATE = ("ahead or behind (wrong)", "equivalent (right)", "not distinguishable")
"""Verdicts that depend on no sign: which of two like networks comes first means nothing."""

_RATE = ("Rate of all %", "95 % interval")
_CORRELATED = 0.1
"""Correlation of trainings with one seed from which it is told."""


def title_of(record: CalibrationRecord) -> str:
    """Say what was calibrated."""
    return f"Calibration · {title(record)}"


def verdict_lines(record: CalibrationRecord) -> Lines:
    """Return how often each verdict was given."""
    lines = [["Verdict", "With base, Holm", "With base, alone", "All pairs, alone", *_RATE]]
    for name, read in _VERDICTS.items():
        counts = [read(one) for one in (record.family, record.single, record.every)]
        rate, interval = "–", "–"
        if name in _WITH_A_RATE:
            rate = percent(counts[-1] / record.every.judged)
            interval = _interval(record, counts[-1])
        lines.append([name, *map(str, counts), rate, interval])
    return lines


def plan_lines(record: CalibrationRecord) -> Lines:
    """Return what it takes to find differences; none where nothing scatters."""
    if not record.plan:
        return []
    lines = [["Difference", "Seeds", f"Subjects with {record.protocol.seeds} seeds"]]
    for one in record.plan:
        seeds = "no number" if one.seeds is None else f"{one.seeds:,}"
        subjects = "–" if one.subjects is None else f"{one.subjects:,}"
        lines.append([_points(one.effect), seeds, subjects])
    return lines


def notes_of(record: CalibrationRecord) -> list[str]:
    """Say in sentences what was found."""
    lines = [DRAWN_NOTICE] if record.drawn else []
    lines += [*_design(record), *_single(record), _all_pairs(record)]
    return lines + _not_moved(record) + _spread(record) + _planned(record)


def to_rich(record: CalibrationRecord) -> RenderableType:
    """Return tables and notes for a terminal."""
    parts: list[RenderableType] = [Text(title_of(record), style="bold")]
    for heading, (columns, *lines) in _tables(record):
        table = Table(title=heading, title_justify="left")
        for position, name in enumerate(columns):
            table.add_column(name, justify="right" if position else "left", no_wrap=True)
        for line in lines:
            table.add_row(*map(Text, line))
        parts.append(table)
    return Group(*parts, *(Text(line, style="dim") for line in notes_of(record)))


def to_markdown(record: CalibrationRecord) -> str:
    """Return title, tables and notes as Markdown."""
    parts = [f"# {title_of(record)}"]
    for heading, (columns, *lines) in _tables(record):
        parts += [f"{heading}:", markdown_table(pd.DataFrame(lines, columns=columns))]
    parts.append("\n".join(f"- {line}" for line in notes_of(record)))
    return "\n\n".join(parts) + "\n"


def to_json(record: CalibrationRecord) -> dict[str, Any]:
    """Return title, notes, the record and the rates that follow from it as plain values."""
    rates = {}
    for name in _WITH_A_RATE:
        count = _VERDICTS[name](record.every)
        low, high = rate_interval(record, count)
        key = name.removesuffix(" (wrong)").removesuffix(" (right)").replace(" ", "_")
        rates[key] = {"rate": count / record.every.judged, "low": low, "high": high}
    return {
        "title": title_of(record),
        "drawn_faces": record.drawn,
        "notes": notes_of(record),
        "rates": rates,
        "record": record.model_dump(mode="json"),
    }


def _tables(record: CalibrationRecord) -> list[tuple[str, Lines]]:
    tables = [("Verdicts on blocks that do nothing", verdict_lines(record))]
    plan = plan_lines(record)
    heading = "What it takes to find a difference"
    return [*tables, (heading, plan)] if plan else tables


def _design(record: CalibrationRecord) -> list[str]:
    """Say what was compared over what."""
    family = record.family
    units = f"{record.units} subjects, " if record.unit == "subjects" else ""
    text = (
        f"{_many(record.blocks, 'block')} that do nothing but nudge their input by rounding were "
        f"compared with base {record.population} ({units}{record.protocol.seeds} trainings "
        f"of {_divisions(record)}), with Holm's correction: "
    )
    if family.judged:
        text += (
            f"{_number(family.ahead)} {_were(family.ahead)} called ahead, {_number(family.behind)} "
            f"behind, {_number(family.equivalent)} equivalent within {_points(record.rope)}, "
            f"{_number(family.not_distinguishable)} not distinguishable."
        )
    else:
        text += "none was judged, since base is not."
    lines = [text]
    if record.unit == "trainings":
        lines.append(
            "The judged images stay the same: nothing is said about other images or people."
        )
    if record.unit == "folds":
        lines.append(
            "Who is in the images is not known: nothing is said about new people."
            if record.data.subjects is None
            else f"Fewer than {FEWEST_SUBJECTS} subjects are too few: judged over folds."
        )
    why = [one.why_not for one in record.networks if one.why_not]
    return lines + ([f"Not judged: {'; '.join(why)}."] if why else [])


def _divisions(record: CalibrationRecord) -> str:
    one = record.protocol.split == OFFICIAL
    return divisions(record.protocol) if one else f"each of {divisions(record.protocol)}"


def _single(record: CalibrationRecord) -> list[str]:
    single = record.single
    if not single.judged:
        return []
    return [
        f"Each compared with base alone, at the {100 * ALPHA:g} % level, "
        f"{_number(single.false_positives)} of {single.judged} {_were(single.false_positives)} "
        f"called ahead or behind, where {ALPHA * single.judged:.1f} are expected. All share the "
        "trainings of base: where these are odd, all comparisons are, so that no interval is given."
    ]


def _all_pairs(record: CalibrationRecord) -> str:
    every = record.every
    rate = every.false_positives / every.judged
    low, _ = rate_interval(record, every.false_positives)
    text = (
        f"Of all {every.judged} pairs, each alone, {_number(every.false_positives)} "
        f"{_were(every.false_positives)} called ahead or behind: {percent(rate)} %, 95 % interval "
        f"{_interval(record, every.false_positives)} %, where {100 * ALPHA:g} % are promised. "
        f"Pairs share networks: the interval counts them as {record.judged - 1} independent ones "
        "(more --blocks narrow it). It speaks of these people, images and folds."
    )
    if low > ALPHA:
        return (
            f"{text} Under this protocol the verdicts find more than there is: do not rely on them."
        )
    return text


def _not_moved(record: CalibrationRecord) -> list[str]:
    same = sum(one.base_weights for one in record.networks[1:])
    if not same:
        return []
    return [
        f"{_many(same, 'block')} ended in the weights of base, to the last bit: rounding did not "
        f"reach {'them' if same > 1 else 'it'} (in bf16 a factor next to 1 is 1), and "
        f"{'they say' if same > 1 else 'it says'} nothing about training."
    ]


def _spread(record: CalibrationRecord) -> list[str]:
    spread = record.spread
    values = [one.accuracy for one in record.networks if not one.why_not]
    lines = [
        f"One training scatters within its fold by {percent(spread.training_sd)} points (SD); a "
        f"network's mean over folds by {percent(spread.seed_sd)} points from seed to seed, at most "
        f"by {percent(spread.largest_seed_sd)}. The means of the {record.judged} networks, which "
        f"all do the same, lie from {percent(min(values))} to {percent(max(values))} % "
        f"(SD {percent(spread.network_sd)})."
    ]
    if spread.shares:
        told = ", ".join(f"{name} {percent(share, digits=0)} %" for name, share in _shares(record))
        lines.append(
            "Where the uncertainty of a difference comes from (variance, median over pairs): "
            f"{told}."
        )
    together = spread.seed_correlation
    if together is not None and together > _CORRELATED:
        lines.append(
            f"Trainings with the same seed correlate (r = {together:.2f}): these blocks change so "
            "little that a part of the scatter is shared and cancels. Blocks that do something "
            "share less of it, so their differences scatter more and take more seeds."
        )
    return lines


def _shares(record: CalibrationRecord) -> list[tuple[str, float]]:
    return sorted(record.spread.shares.items(), key=lambda item: -item[1])


def _planned(record: CalibrationRecord) -> list[str]:
    if not record.plan:
        return ["All networks recognise the same: nothing scatters, and nothing is told of seeds."]
    takes = [
        f"{_points(one.effect)}: {one.seeds:,}" for one in record.plan if one.seeds is not None
    ]
    condition = (
        f"with a chance of {100 * POWER:.0f} %, where {_many(record.planned_pairs, 'block')} "
        f"{'is' if record.planned_pairs == 1 else 'are'} compared with base (median over pairs)"
    )
    lines = []
    if takes:
        lines = [f"Seeds that find a true difference {condition}: {'; '.join(takes)}."]
    return lines + [_limited(record, one) for one in record.plan if one.seeds is None]


def _limited(record: CalibrationRecord, one: PlanRecord) -> str:
    text = f"{_points(one.effect)}: no number of seeds finds it"
    if record.unit != "subjects":
        return f"{text} with these {'folds' if record.unit == 'folds' else 'images'}."
    if one.subjects is None:
        return (
            f"{text} with {record.units} subjects, nor any number of subjects with "
            f"{record.protocol.seeds} seeds: it takes more of both."
        )
    return (
        f"{text} with {record.units} subjects; {one.subjects:,} subjects with "
        f"{record.protocol.seeds} seeds would."
    )


def _interval(record: CalibrationRecord, count: int) -> str:
    low, high = rate_interval(record, count)
    return f"{percent(low)} to {percent(high)}"


def _points(effect: float) -> str:
    return f"{100 * effect:g} {'point' if effect == 0.01 else 'points'}"


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _number(number: int) -> str:
    return str(number) if number else "none"


def _were(number: int) -> str:
    return "was" if number < 2 else "were"
