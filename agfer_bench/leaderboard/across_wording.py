"""What is said of a block over several settings: the result, and what to be wary of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agfer_bench.comparison.contrasts import ROPE
from agfer_bench.comparison.inference import ALPHA
from agfer_bench.comparison.meta_analysis import (
    FEWEST_FOR_ASYMMETRY,
    FEWEST_SETTINGS,
    MetaAnalysis,
    combine,
)
from agfer_bench.leaderboard.setting_effects import SettingEffect
from agfer_bench.leaderboard.site_data import BlockAcross, PooledEffect
from agfer_bench.report.numbers import signed

FEW: Final = 5
"""Settings below which a warning says that they are few."""
_NAMED: Final = 3
"""Settings that a warning names."""

EXPLAINED: Final = (
    "A setting is one combination of host, data set and protocol. All records of one page are one "
    "setting. Pages that differ only in the seed, the division into folds, the second data set or "
    "the decoded pixels count as one setting: the one with most trainings stands for it, or the "
    "newest of these.",
    "Each setting's effect and standard error are those of its page: over subjects (or folds) and "
    "trainings. The mean over settings is a random-effects estimate (Paule and Mandel) with the "
    "interval of Hartung, Knapp, Sidik and Jonkman, adjusted for the number of blocks (Holm).",
    "The prediction interval says what to expect of the block in one new setting of the same kind. "
    "It holds how much settings differ, and how little a few settings tell about that, and is "
    "never narrower than the interval of the mean.",
    f"Whether settings with larger standard errors show other effects is tested for blocks with "
    f"{FEWEST_FOR_ASYMMETRY} settings or more (Egger's regression).",
)
"""What the numbers are."""


def sentence_of(name: str, effects: Sequence[SettingEffect], pooled: PooledEffect) -> str:
    """Say a block's result in words, in points."""
    mean = f"{100 * abs(pooled.effect):.1f} points"
    over = f"on average over {len(effects)} settings"
    ends = f"95 % interval {signed(pooled.interval[0])} to {signed(pooled.interval[1])}"
    p = "p < 0.001" if pooled.p_holm < 0.001 else f"p = {pooled.p_holm:.3f}"
    adjusted = f", adjusted for {pooled.blocks} blocks" if pooled.blocks > 1 else ""
    if pooled.verdict in ("ahead", "behind"):
        side = {"ahead": "ahead of", "behind": "behind"}[pooled.verdict]
        said = f"{name} is {side} base by {mean} {over}"
    elif pooled.verdict == "equivalent":
        said = f"{name} and base are equivalent within {100 * ROPE:g} point {over}"
    else:
        said = f"{name} and base are not distinguishable {over}"
    low, high = (signed(end) for end in pooled.prediction)
    return (
        f"{said} (difference {signed(pooled.effect)}, {ends}, {p}{adjusted}). "
        f"{_where(effects)}, expect {low} to {high} points."
    )


def warnings_of(effects: Sequence[SettingEffect], meta: MetaAnalysis) -> list[str]:
    """Say what keeps a result from being taken at its word; nothing where nothing does.

    Args:
        effects: Those that were put together.
        meta: What came of them.
    """
    return [
        *_of_number(effects, meta),
        *_of_sameness(effects),
        *_of_contradictions(effects, meta),
        *_of_protocols(effects),
    ]


def missing_of(blocks: Sequence[BlockAcross]) -> str:
    """Say in one sentence what it takes for a first block to be judged.

    Args:
        blocks: Those that are not, the ones with most settings first.
    """
    need = (
        f"it takes {FEWEST_SETTINGS} combinations of host, data set and protocol, each with two or "
        "more trainings of every fold of the block and of base (--seeds 3)"
    )
    if not blocks or not blocks[0].settings:
        return f"No block is judged in any setting yet: {need}."
    closest, count = blocks[0], len(blocks[0].settings)
    faces = "drawn faces" if closest.drawn else "photographs"
    return (
        f"No block is judged in {FEWEST_SETTINGS} settings yet ({closest.name} is closest, with "
        f"{count} on {faces}): {need}."
    )


def _where(effects: Sequence[SettingEffect]) -> str:
    """Say what the prediction is for: something that the settings have several of."""
    varied = [
        what
        for what, values in (
            ("host", {one.setting.host for one in effects}),
            ("data set", {one.setting.data for one in effects}),
        )
        if len(values) >= FEWEST_SETTINGS
    ]
    return (
        f"On another {' and '.join(varied)} like these"
        if varied
        else ("In another setting like these")
    )


def _of_number(effects: Sequence[SettingEffect], meta: MetaAnalysis) -> list[str]:
    lines = []
    if len(effects) < FEW:
        lines.append(
            f"Only {len(effects)} settings: they hardly tell how much settings differ (tau), and "
            "the prediction interval is wide for that reason."
        )
    if meta.asymmetry_p is not None and meta.asymmetry_p <= ALPHA:
        lines.append(
            "Effects and standard errors go together (Egger's regression, p = "
            f"{meta.asymmetry_p:.3f}): small trials may have been sent in for their results."
        )
    return lines


def _of_sameness(effects: Sequence[SettingEffect]) -> list[str]:
    """Warn of what all settings share, or some of them."""
    lines = []
    count = len(effects)
    hosts = {one.setting.host for one in effects}
    sets = {one.setting.data for one in effects}
    machines = frozenset[str]().union(*(one.machines for one in effects))
    for name, values in (("host", hosts), ("data set", sets)):
        if len(values) == 1:
            lines.append(
                f"All settings have one {name} ({next(iter(values))}): nothing is said of others."
            )
    if len(hosts) < count or len(sets) < count:
        lines.append(
            f"{count} settings stand on {_count(len(hosts), 'host')} and "
            f"{_count(len(sets), 'data set')}. Settings that share one are not independent, so "
            "that the intervals may be too narrow."
        )
    if len(machines) == 1:
        lines.append(
            f"All records are from machines of one kind ({next(iter(machines))}), perhaps of one "
            "lab: records do not say whose they are."
        )
    return lines


def _of_contradictions(effects: Sequence[SettingEffect], meta: MetaAnalysis) -> list[str]:
    lines = []
    sides = [
        [one.setting.name for one in effects if one.verdict == verdict]
        for verdict in ("ahead", "behind")
    ]
    if all(sides):
        ahead, behind = map(_listed, sides)
        lines.append(
            f"Settings contradict each other: ahead in {ahead}, behind in {behind}. The mean "
            "describes neither."
        )
    for number in meta.outliers:
        others = [one.difference for n, one in enumerate(effects) if n != number]
        rest = combine(
            [one.estimate for one in others if one], [one.error for one in others if one]
        )
        lines.append(
            f"{effects[number].setting.name} does not fit to the other settings; without it the "
            f"mean is {signed(rest.mean)} points. Look into that page before you use the mean."
        )
    return lines


def _of_protocols(effects: Sequence[SettingEffect]) -> list[str]:
    lines = []
    by_image = sum(one.setting.by_image for one in effects)
    if by_image:
        lines.append(
            f"In {by_image} of {len(effects)} settings folds divide single images: the people who "
            "are judged there were trained on as well."
        )
    sources = len({one.source for one in effects})
    if sources > 1:
        lines.append(f"The block's code is not the same in all settings: {sources} versions.")
    return lines


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return "; ".join(names[:_NAMED]) + more
