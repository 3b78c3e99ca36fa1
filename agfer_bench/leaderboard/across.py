"""Blocks over several pages: what their settings say together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from agfer_bench.comparison.entrants import unique
from agfer_bench.comparison.inference import ALPHA, Difference, holm
from agfer_bench.comparison.meta_analysis import FEWEST_SETTINGS, MetaAnalysis, combine
from agfer_bench.leaderboard.across_wording import missing_of, sentence_of, warnings_of
from agfer_bench.leaderboard.rows import rounded
from agfer_bench.leaderboard.sanitize import clean, shorten
from agfer_bench.leaderboard.setting_effects import SettingEffect
from agfer_bench.leaderboard.site_data import Across, BlockAcross, PooledEffect, SettingRow

TWICE: Final = "its setting counts already, with as many trainings or more"
_TEXT: Final = 1000
"""Characters of a sentence: it may name several settings."""


def across(effects: Sequence[SettingEffect]) -> Across:
    """Put together what all pages say of each block; photographs and drawn faces apart."""
    blocks = [
        block
        for drawn in (False, True)
        for block in _blocks([one for one in effects if one.setting.drawn is drawn], drawn)
    ]
    judged = [one for one in blocks if one.pooled is not None]
    others = [one for one in blocks if one.pooled is None]
    judged.sort(key=lambda one: -one.pooled.prediction[0] if one.pooled else 0.0)
    others.sort(key=lambda one: -len(one.settings))
    missing = None if judged else clean(missing_of(others), _TEXT)
    return Across(blocks=(*judged, *others), missing=missing)


@dataclass(frozen=True, kw_only=True)
class _Group:
    """One block on one kind of faces."""

    effects: tuple[SettingEffect, ...]
    """One for each setting, largest first."""
    left_out: tuple[str, ...]
    """Why the others do not count."""

    @property
    def differences(self) -> list[Difference]:
        return [one.difference for one in self.effects if one.difference is not None]

    def combined(self) -> MetaAnalysis | None:
        """Return what the settings say together; None where they are too few."""
        if len(self.effects) < FEWEST_SETTINGS:
            return None
        found = self.differences
        return combine([one.estimate for one in found], [one.error for one in found])


def _blocks(effects: Sequence[SettingEffect], drawn: bool) -> list[BlockAcross]:
    """Put together the effects of blocks on one kind of faces."""
    by_block: dict[tuple[str, ...], list[SettingEffect]] = defaultdict(list)
    for one in effects:
        by_block[one.block].append(one)
    groups = {block: _group(by_block[block]) for block in sorted(by_block)}
    names = _names(by_block)
    found = {block: meta for block, own in groups.items() if (meta := own.combined()) is not None}
    adjusted = dict(zip(found, holm([one.p for one in found.values()]), strict=True))
    return [
        BlockAcross(
            name=names[block],
            drawn=drawn,
            settings=_rows(own),
            left_out=tuple(sorted(Counter(own.left_out).items())),
            pooled=_pooled(names[block], own, found[block], float(adjusted[block]), len(found))
            if block in found
            else None,
        )
        for block, own in groups.items()
    ]


def _group(effects: Sequence[SettingEffect]) -> _Group:
    """Keep an effect for each setting: that of most trainings, then the newest."""
    counted: dict[str, SettingEffect] = {}
    left_out = []
    for one in sorted(effects, key=lambda one: (-one.trainings, -one.finished, one.setting.file)):
        if one.difference is None:
            left_out.append(one.why_not)
        elif one.setting.key in counted:
            left_out.append(TWICE)
        else:
            counted[one.setting.key] = one
    ordered = sorted(
        counted.values(), key=lambda one: -one.difference.estimate if one.difference else 0.0
    )
    names = unique([one.setting.name for one in ordered])
    return _Group(
        effects=tuple(
            replace(one, setting=replace(one.setting, name=name))
            for name, one in zip(names, ordered, strict=True)
        ),
        left_out=tuple(left_out),
    )


def _names(by_block: dict[tuple[str, ...], list[SettingEffect]]) -> dict[tuple[str, ...], str]:
    """Name blocks by their labels, with the distribution where several have the same."""
    blocks = sorted(by_block)
    labels = [min(one.label for one in by_block[block]) for block in blocks]
    told = [
        shorten(label) + ("" if labels.count(label) == 1 else f" ({clean(block[0], 24)})")
        for label, block in zip(labels, blocks, strict=True)
    ]
    return dict(zip(blocks, unique(told), strict=True))


def _rows(group: _Group) -> tuple[SettingRow, ...]:
    return tuple(
        SettingRow(
            name=one.setting.name,
            protocol=one.setting.protocol,
            page=one.setting.file,
            host=one.setting.host,
            data=one.setting.data,
            over=f"{found.units} {found.unit}, {one.trainings} trainings",
            effect=rounded(found.estimate),
            error=rounded(found.error),
            interval=_of_shares(found.interval() or (found.estimate, found.estimate)),
        )
        for one, found in zip(group.effects, group.differences, strict=True)
    )


def _pooled(
    name: str, group: _Group, meta: MetaAnalysis, adjusted: float, family: int
) -> PooledEffect:
    """Return a block's effect over its settings, its p value adjusted for the family of blocks."""
    verdict = meta.verdict(adjusted)
    assert verdict != "not judged", "a meta-analysis judges"
    # Adjusted, so that it excludes 0 where the corrected test does.
    level = ALPHA * meta.p / adjusted if meta.p > 0 else ALPHA / family
    low, high = meta.interval(level)
    # A new setting is never known better than the mean, as it is shown.
    prediction = min(low, meta.prediction[0]), max(high, meta.prediction[1])
    made = PooledEffect(
        verdict=verdict,
        effect=rounded(meta.mean),
        interval=_of_shares((low, high)),
        p=rounded(meta.p),
        p_holm=rounded(adjusted),
        blocks=family,
        prediction=_of_shares(prediction),
        tau=rounded(meta.tau),
        tau_interval=(rounded(meta.tau_interval[0]), rounded(meta.tau_interval[1])),
        q=rounded(meta.q),
        q_p=rounded(meta.q_p),
        i2=rounded(meta.i2),
        sentence="",
        warnings=(),
    )
    return replace(
        made,
        sentence=clean(sentence_of(name, group.effects, made), _TEXT),
        warnings=tuple(clean(line, _TEXT) for line in warnings_of(group.effects, meta)),
    )


def _of_shares(interval: tuple[float, float]) -> tuple[float, float]:
    """Return an interval of a difference of accuracies, which lies between -1 and 1."""
    return rounded(max(-1.0, interval[0])), rounded(min(1.0, interval[1]))
