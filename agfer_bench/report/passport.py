"""A passport as tables and sentences, and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from agfer_bench.passport.build import Group, Passport, Shared
from agfer_bench.report.notes import DRAWN_NOTICE

TOLD = 5
"""Most names, sizes or groups that are told one by one; JSON has them all."""


def to_json(passport: Passport) -> dict[str, Any]:
    """Return a passport as JSON, with every name."""
    return {
        **asdict(passport),
        "copies": passport.copies,
        "label_conflicts": len(passport.conflicts),
        "two_subjects": len(passport.two_subjects),
    }


def class_rows(passport: Passport) -> list[tuple[str, ...]]:
    """Return class, images, subjects of each class."""
    people = passport.classes_of_subjects
    return [
        (name, str(number), str(people[name]) if name in people else "–")
        for name, number in passport.classes.items()
    ]


def to_markdown(passport: Passport) -> str:
    """Return a passport as a page in Markdown."""
    lines = [f"# Passport of {passport.name}", "", "| class | images | subjects |", "|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in class_rows(passport)]
    lines += ["", *(f"- {line}" for line in sentences(passport)), ""]
    return "\n".join(lines)


def sentences(passport: Passport) -> list[str]:
    """Say what a passport holds, a line for each matter."""
    lost = _counts(passport.excluded)
    lines = [DRAWN_NOTICE] if passport.drawn else []
    lines.append(f"{passport.images} images{f' (left out: {lost})' if lost else ''}.")
    lines.append(_people(passport))
    lines.append(
        f"Sizes in pixels: {_counts(passport.sizes)}; {passport.colour} with colour, "
        f"{passport.images - passport.colour} grey."
    )
    lines += _copies(passport)
    for fault, names in passport.faults.items():
        lines.append(f"Crops {fault}: {len(names)}{_named(names)}.")
    if passport.shared is not None:
        lines += _shared(passport.shared)
    return [*lines, *passport.notes]


def _people(passport: Passport) -> str:
    counts = list(passport.subjects.values())
    if not counts:
        return "Subjects: not known."
    unknown = f", {passport.without_subject} images of nobody known"
    return (
        f"Subjects: {len(counts)}, with {min(counts)} to {max(counts)} images each, median "
        f"{statistics.median(counts):g}{unknown if passport.without_subject else ''}."
    )


def _copies(passport: Passport) -> list[str]:
    if not passport.groups:
        lines = ["Copies: none."]
    else:
        equal = sum(group.exact for group in passport.groups)
        lines = [
            f"Copies: {passport.copies} images, in {len(passport.groups)} groups, {equal} of them "
            f"of equal files alone{_listed(passport.groups)}."
        ]
        if passport.across_folds is not None:
            lines.append(
                f"Across folds: {passport.across_folds} images would have a copy among the "
                "training images of their fold; duplicates=group, the default, has none."
            )
    if passport.crowded:
        lines.append(
            f"{passport.crowded} images look like so many others that they were not compared with "
            "all: copies of them may be missed."
        )
    for groups, what in (
        (passport.conflicts, "Labels that contradict each other among copies"),
        (passport.two_subjects, "One picture under two subjects"),
    ):
        lines.append(f"{what}: {len(groups)} groups{_listed(groups)}.")
    return lines


def _shared(shared: Shared) -> list[str]:
    lines = [
        f"Shared with {shared.name}: {len(shared.pairs)} pairs of copies, {shared.exact} of the "
        f"same bytes, {shared.conflicts} with different labels"
        f"{_named([f'{a} = {b}' for a, b in shared.pairs])}."
    ]
    if not shared.classes:
        lines.append(f"{shared.name} has no class in common: neither can be tested on the other.")
    return lines


def _listed(groups: Sequence[Group]) -> str:
    return _named([_group(group) for group in groups])


def _group(group: Group) -> str:
    mirrored = ", mirrored" if group.mirrored else ""
    return f"{' = '.join(_few(group.names))} ({', '.join(group.emotions)}{mirrored})"


def _named(names: Sequence[str]) -> str:
    return f": {'; '.join(_few(names))}" if names else ""


def _few(names: Sequence[str]) -> list[str]:
    rest = len(names) - TOLD
    return [*names[:TOLD], f"and {rest} more"] if rest > 0 else list(names)


def _counts(numbers: Mapping[str, int]) -> str:
    shown: Iterable[str] = [f"{name} {number}" for name, number in numbers.items()]
    return ", ".join(_few(list(shown)))
