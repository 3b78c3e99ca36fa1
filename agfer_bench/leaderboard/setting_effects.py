"""What each page says of each of its blocks, and in which setting.

A setting is one host, one data set and one protocol, as a page has them. Pages that differ in
nothing but the seed and what follows from it (how folds divide the images), the second data set, or
the pixels that an image library made of the same images are one setting: they judge the same people
in the same way. All records of a page are one setting, whatever machine they are from.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from agfer_bench.comparison.contrasts import Verdict
from agfer_bench.comparison.inference import Difference
from agfer_bench.comparison.meta_analysis import why_not_combined
from agfer_bench.leaderboard.comparing import Compared, Standing
from agfer_bench.leaderboard.model import Page, PageEntry
from agfer_bench.leaderboard.sanitize import LABEL, clean, shorten
from agfer_bench.leaderboard.site_data import PageListing
from agfer_bench.protocol import fingerprint
from agfer_bench.records.run import BASE, ModuleRecord

_CONSTANT = "it differs from base by the same in every fold and training"
_TRAININGS_ALONE = (
    "its official split is judged over trainings alone, so that its standard error leaves out how "
    "other images would differ"
)
_NAME = 90
"""Characters of a setting's name."""
_PROTOCOL = 160
"""Characters of what is told of its protocol."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a page has in common, as far as settings are told apart by it."""

    key: str
    """Equal for pages of one setting."""
    file: str
    """The page, below the site."""
    name: str
    """What it is called: the host and the data."""
    protocol: str
    """Title of the page, and what its settings change."""
    host: str
    """The network that blocks stand in."""
    data: str
    """Name of the data set."""
    drawn: bool
    """Whether its faces are drawn."""
    by_image: bool
    """Whether folds divide single images, so that people who are judged were trained on."""


@dataclass(frozen=True, kw_only=True)
class SettingEffect:
    """What one page says of one block."""

    block: tuple[str, ...]
    """What makes modules of two pages one block: distribution, name and options that are on."""
    label: str
    """Its label."""
    source: tuple[str, str]
    """Version and hash of its source, which may differ from setting to setting."""
    setting: Setting
    """Where."""
    machines: frozenset[str]
    """Names of the devices that its records are from."""
    trainings: int
    """Trainings of each fold that it rests on; 0 without a whole record."""
    finished: float
    """When the newest of its records ended, in seconds since 1970."""
    verdict: Verdict
    """What its page says of it, held against base."""
    difference: Difference | None
    """Its accuracy less that of base, as its page judges it; None where that is not usable."""
    why_not: str
    """Why it is not; empty where it is."""


def effects_of(page: Page, listing: PageListing, compared: Compared) -> tuple[SettingEffect, ...]:
    """Return what a page says of each of its blocks; base and classifiers of their own are none.

    Args:
        page: The records.
        listing: The same as it is shown.
        compared: What was found on it.
    """
    record = page.entries[0].submission.record
    changes = f" ({listing.changes})" if listing.changes else ""
    protocol = record.protocol.model_copy(update={"seed": 0})
    setting = Setting(
        key=fingerprint([protocol.ground, record.data.fingerprint]),
        file=listing.file,
        name=clean(f"{record.protocol.host} · {clean(record.data.name, LABEL)}", _NAME),
        protocol=shorten(f"{listing.title}{changes}", _PROTOCOL),
        host=record.protocol.host,
        data=clean(record.data.name, LABEL),
        drawn=record.data.drawn,
        by_image=record.protocol.split == "image",
    )
    return tuple(
        _effect(page.entries[one.number], one, setting, compared.why_no_base)
        for one in compared.standings
        if _is_block(page.entries[one.number].module)
    )


def _is_block(module: ModuleRecord) -> bool:
    return module.kind == "attention" and module.label != BASE


def _options(module: ModuleRecord) -> str:
    """Return what a block's options make of it: one that is off is as one that was not there yet.

    Later versions of the harness have more options, and records tell all that there were.
    """
    on = {name: value for name, value in module.options.items() if value is not False}
    return json.dumps(on, sort_keys=True)


def _effect(
    entry: PageEntry, standing: Standing, setting: Setting, why_no_base: str
) -> SettingEffect:
    module, contrast = entry.module, standing.against_base
    difference = contrast.difference if contrast else None
    if contrast is None:
        why_not = standing.why_not or f"nothing is said against base ({why_no_base})"
    elif difference is None:
        why_not = _CONSTANT
    elif difference.unit == "trainings":
        why_not = _TRAININGS_ALONE
    else:
        why_not = why_not_combined(difference.estimate, difference.error)
    return SettingEffect(
        block=(module.distribution, module.name, _options(module)),
        label=module.label,
        source=(module.version, module.package_sha256),
        setting=setting,
        machines=frozenset(
            clean(one.record.environment.device_name, LABEL) for one in entry.results if one.whole
        ),
        trainings=len(standing.entrant.trainings) if standing.entrant else 0,
        finished=max(one.age[0].timestamp() for one in entry.results),
        verdict=contrast.verdict if contrast else "not judged",
        difference=None if why_not else difference,
        why_not=clean(why_not),
    )
