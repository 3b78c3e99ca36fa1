"""Where a difference lies, in words and tables: each class, age group or subject."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from agfer_bench.comparison.contrasts import ROPE, Contrast, p_text
from agfer_bench.comparison.inference import ALPHA, POWER
from agfer_bench.comparison.subgroups import By, Subgroup, Subgroups
from agfer_bench.report.numbers import number, signed
from agfer_bench.report.verdicts import judged_once, to_row

KINDS: dict[By, tuple[str, str]] = {
    "class": ("class", "classes"),
    "age": ("age group", "age groups"),
    "subject": ("subject", "subjects"),
}
"""What a subgroup is called: one, and several."""

_ENDS = 5
"""How many subjects with the largest differences a table shows, and how many with the smallest."""
_FULL_WIDTH, _FIRST = 135, 6
"""Columns of a terminal that hold the whole table, and how many of the table's others do with."""
_TOLD = 12
"""Most verdicts that are told one by one."""
_LARGE = 0.2
"""A difference of one person for which the trainings are counted: 20 points."""


def columns_of(found: Subgroups) -> list[str]:
    """Name the columns of the table."""
    kind, several = KINDS[found.by]
    columns = ["Module", kind.capitalize(), "Verdict", "Δ points", interval_name(found), "p (Holm)"]
    columns += [f"Beyond all {several}", "Detectable"]
    return columns if found.by == "subject" else [*columns, "Subjects"]


def interval_name(found: Subgroups) -> str:
    """Name the intervals: adjusted like the verdict, but for subjects, who are many."""
    return "95 % alone" if found.by == "subject" else "95 % interval"


def interval_of(one: Subgroup, by: By) -> tuple[float, float] | None:
    """Return the interval that is shown: of a subject alone, else adjusted for all."""
    if by == "subject":
        return one.contrast.difference.interval() if one.contrast.difference else None
    return one.contrast.interval


def cells_of(one: Subgroup, by: By) -> list[str]:
    """Return a subgroup's numbers as texts, in points."""
    contrast, interval = one.contrast, interval_of(one, by)
    cells = [
        contrast.first,
        one.name,
        contrast.verdict,
        signed(_known(contrast.estimate)),
        f"{signed(interval[0])} to {signed(interval[1])}" if interval else "–",
        number(contrast.adjusted, 3),
        signed(_known(one.beyond.estimate)),
        _detectable(contrast.detectable),
    ]
    return cells if by == "subject" else [*cells, number(one.subjects, 0)]


def shown(found: Subgroups) -> list[list[Subgroup]]:
    """Return what a table shows of each block: of many subjects only the ends, largest first."""
    blocks = [found.of(one.first) for one in found.whole]
    if found.by != "subject":
        return blocks
    ordered = [ranked(one) for one in blocks]
    return [one if len(one) <= 2 * _ENDS + 1 else [*one[:_ENDS], *one[-_ENDS:]] for one in ordered]


def ranked(found: Sequence[Subgroup]) -> list[Subgroup]:
    """Return the subgroups of a block, the largest difference first."""
    return sorted(found, key=lambda one: -one.contrast.estimate)


def table_of(found: Subgroups, width: int) -> Table:
    """Return the table for a terminal of `width` columns; a narrow one gets fewer columns."""
    kind, _ = KINDS[found.by]
    table = Table(title=f"Difference from base by {kind}", title_justify="left")
    columns = columns_of(found)[: None if width >= _FULL_WIDTH else _FIRST]
    for position, name in enumerate(columns):
        least = len("distinguishable") if name == "Verdict" else None
        side: Literal["left", "right"] = "right" if position > 2 else "left"
        table.add_column(name, justify=side, min_width=least, no_wrap=least is None)
    for rows in shown(found):
        hidden = len(found.of(rows[0].contrast.first)) - len(rows)
        for place, one in enumerate(rows):
            if hidden and place == _ENDS:
                gap = [rows[0].contrast.first, f"… {hidden} more", *[""] * (len(columns) - 2)]
                table.add_row(*map(Text, gap), style="dim")
            bold = "bold" if one.contrast.verdict in ("ahead", "behind") else ""
            table.add_row(*map(Text, cells_of(one, found.by)[: len(columns)]), style=bold)
        table.add_section()
    return table


def notes_of(found: Subgroups) -> list[str]:
    """Say what the verdicts are, what they rest on, and what would tell more."""
    judged = [one for one in found.found if one.contrast.difference is not None]
    lines = []
    if judged:
        lines += [_design(found, judged), *_said(found, judged), _limits(found, judged)]
    if found.by == "subject":
        lines += _of_people(found)
    lines += _not_judged(found)
    if judged and found.by == "class" and judged[0].subjects is not None:
        lines.append(
            "Subjects: those who were recognised in the class at least once, by any of these "
            "networks. The record does not tell who shows which class; anybody else counts as "
            "showing none of it."
        )
    return lines


def _design(found: Subgroups, judged: Sequence[Subgroup]) -> str:
    several = KINDS[found.by][1]
    blocks = len({one.contrast.first for one in judged})
    trainings = sorted({n for one in judged for n in one.contrast.difference.trainings})  # type: ignore[union-attr]
    times = f"{trainings[0]}" if len(trainings) == 1 else f"{trainings[0]} to {trainings[-1]}"
    text = (
        f"Judged {judged[0].contrast.population}, with {times} trainings of each fold. The family: "
        f"{_count(blocks, 'block', 'blocks')} against base × {several} and all images, "
        f"{judged[0].contrast.pairs} differences, corrected together (Holm)"
    )
    if found.by == "subject":
        return (
            f"{text}. A person's scatter over trainings counts as no less than the mean of all: "
            "with few images it is often none by chance. Intervals are of each subject alone, for "
            "the eye; verdicts and p are corrected."
        )
    return f"{text}; intervals are adjusted alike."


def _said(found: Subgroups, judged: Sequence[Subgroup]) -> list[str]:
    """Tell each verdict, and whether the difference is another than on all images."""
    kind, several = KINDS[found.by]
    told = [one for one in judged if one.contrast.verdict in ("ahead", "behind", "equivalent")]
    if not told:
        where = "for any subject" if found.by == "subject" else f"in any {kind}"
        return [f"No difference is shown {where}."]
    if len(told) > _TOLD:
        return [f"{len(told)} of {len(judged)} differences are told apart or equivalent."]
    where, other = (
        ("for one subject", "for another")
        if found.by == "subject"
        else (f"in one {kind}", "in another")
    )
    lines = [_sentence(one, found.by) for one in told]
    if any(one.contrast.distinguishable for one in told):
        lines.append(
            f"A block that is ahead {where} and not {other} need not differ between them: "
            f"where a difference is shown, it is tested against that over all {several} as well "
            "(a family of its own)."
        )
    return lines


def _sentence(one: Subgroup, by: By) -> str:
    contrast, beyond, several = one.contrast, one.beyond, KINDS[by][1]
    where = f"subject {one.name}" if by == "subject" else one.name
    interval = interval_of(one, by)
    ends = f" [{signed(interval[0])} to {signed(interval[1])}]" if interval else ""
    points = f"{signed(contrast.estimate)} points{ends}"
    if contrast.verdict == "equivalent":
        return (
            f"{contrast.first} and base are equivalent in {where} within {100 * contrast.rope:g} "
            f"{'point' if contrast.rope == ROPE else 'points'}: {points}."
        )
    against = "ahead of base" if contrast.verdict == "ahead" else "behind base"
    text = f"{contrast.first} is {against} in {where}: {points}."
    if beyond.adjusted is None:
        return text
    further = "more" if beyond.estimate > 0 else "less"
    told = "distinguishable" if beyond.distinguishable else "not distinguishable"
    return (
        f"{text} This is {100 * abs(beyond.estimate):.1f} points {further} than over "
        f"all {several}, and {told} from that (p {p_text(beyond.adjusted)})."
    )


def _limits(found: Subgroups, judged: Sequence[Subgroup]) -> str:
    sizes = [one.contrast.detectable for one in judged]
    known = sorted(size for size in sizes if size is not None)
    if not known:
        return "Nothing scatters, so that nothing can be said of what would be found."
    if found.by != "subject":
        return (
            f"A true difference of {_points(median(known))} (median; {_points(known[0])} at the "
            f"least, {_points(known[-1])} at the most) would be found with a chance of "
            f"{100 * POWER:.0f} %, that correction included."
        )
    text = (
        f"A single person's true difference would have to be {_points(median(known))} (median) to "
        f"be found with a chance of {100 * POWER:.0f} %, that correction included"
    )
    alpha = ALPHA / judged[0].contrast.pairs
    differences = [one.contrast.difference for one in judged if one.contrast.difference]
    needed = [one.trainings_to_find(_LARGE, alpha) for one in differences if not one.constant]
    counts = sorted(math.inf if count is None else count for count in needed)
    middle = counts[len(counts) // 2]
    if math.isinf(middle):
        return f"{text}."
    return (
        f"{text}. One of {100 * _LARGE:.0f} points takes about {middle:.0f} trainings of each fold."
    )


def _detectable(share: float | None) -> str:
    return ">100" if share is not None and share > 1 else number(share and 100 * share, 1)


def _points(share: float) -> str:
    return f"{100 * share:.1f} points" if share <= 1 else "more than 100 points"


def _of_people(found: Subgroups) -> list[str]:
    """Count who gains, and tell whether people differ more than trainings make them differ."""
    lines = []
    for whole in found.whole:
        estimates = [one.contrast.estimate for one in found.of(whole.first)]
        up = sum(1 for value in estimates if value > 0.0005)
        down = sum(1 for value in estimates if value < -0.0005)
        verdicts = [one.contrast.verdict for one in found.of(whole.first)]
        text = (
            f"{whole.first}: {up} of {len(estimates)} subjects above base, {down} below, "
            f"{len(estimates) - up - down} even; shown are {verdicts.count('ahead')} ahead and "
            f"{verdicts.count('behind')} behind."
        )
        difference = whole.difference
        if difference is not None and difference.unit == "subjects":
            scatter = 100 * math.sqrt(difference.subject * difference.units)
            text += (
                f" Beyond what trainings bring in, people's differences scatter by {scatter:.1f} "
                "points (SD)."
                if scatter >= 0.05
                else " People's differences scatter no more than trainings make them scatter."
            )
        lines.append(text)
    lines.append(
        "A subject's points: what the person adds to the difference, times the number of subjects "
        "of the fold, so that their mean is the difference of the fold. Where everybody has as "
        "many images of each class, it is the difference of the person's own accuracy."
    )
    return lines


def _not_judged(found: Subgroups) -> list[str]:
    """Say why subgroups are not judged, each reason once."""
    silent = [one for one in found.found if one.contrast.difference is None]
    reasons = list(dict.fromkeys(one.contrast.why_not for one in silent))
    once = [reason for reason in reasons if reason.endswith("was trained once on each fold")]
    same = [one for one in silent if "differ by the same" in one.contrast.why_not]
    lines = [
        f"Not judged: {reason}."
        for reason in reasons
        if reason not in once and "differ by the same" not in reason
    ]
    if same:
        kind, several = KINDS[found.by]
        lines.append(
            f"Not judged: {_count(len(same), kind, several)} in which a block differs from base by "
            "the same in every training, so that nothing tells how sure that is."
        )
    return lines + judged_once(once)


def _count(number_of: int, one: str, several: str) -> str:
    return f"{number_of} {one if number_of == 1 else several}"


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def to_rows(found: Subgroups) -> list[dict[str, Any]]:
    """Return each block and subgroup as plain values; differences are 0..1."""
    return [_row(one, found.by) for one in found.found]


def _row(one: Subgroup, by: By) -> dict[str, Any]:
    beyond: Contrast = one.beyond
    ends = interval_of(one, by) or (None, None)
    own = to_row(one.contrast)
    del own["sentence"]
    return {
        "by": by,
        "subgroup": one.name,
        **own,
        "low": ends[0],
        "high": ends[1],
        "subjects": one.subjects,
        "beyond_all": beyond.estimate,
        "beyond_all_low": beyond.interval[0] if beyond.interval else None,
        "beyond_all_high": beyond.interval[1] if beyond.interval else None,
        "beyond_all_p_holm": beyond.adjusted,
        "why_not": one.contrast.why_not,
    }
