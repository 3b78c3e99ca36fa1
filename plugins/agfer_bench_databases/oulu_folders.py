"""Where the frames of one spectrum and illumination of OULU-CASIA lie, below a user's folder.

Releases differ in what stands above the subjects: `OriginalImg/VL/Strong`,
`B_OriginalImg/OriginalImg/VL/Strong`, `PreProcess_Img/VL_Acropped/Strong`. So the folders that
hold subjects are looked for, and each is read off the names that stand above it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agfer_bench import UserError
from agfer_bench_databases.tree import Notes, folders_in, misfit, some

SUBJECT = re.compile(r"P[0-9]{3}")

EXPECTED = "[OriginalImg/]VL/Strong/P001/Anger/000.jpeg"

_PREFERENCE = ("original", "b-original", None, "a-cropped", "b-cropped")
"""What `auto` takes first; a variant that no name tells is hardly a cropped one."""

_ILLUMINATIONS = {"strong": "Strong", "weak": "Weak", "dark": "Dark"}
_SPECTRUM = re.compile(r"(VL|NI)(?:[_-]?([AB])[_-]?crop\w*)?", re.IGNORECASE)
_VARIANT = re.compile(r"([AB]_)?(?:OriginalImg|PreProcess(?:_?Img)?)", re.IGNORECASE)
_DEEPEST = 6
"""Levels between a folder that was named and the subjects: one of any name, the rest known."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Which recordings: what the user asks for, or what a folder's names tell (None: nothing)."""

    spectrum: str | None
    """`VL` (visible light) or `NI` (near infrared)."""
    illumination: str | None
    """`Strong`, `Weak` or `Dark`."""
    variant: str | None
    """A value of the option `variant`; of what the user asks for, None stands for `auto`."""

    def __str__(self) -> str:
        """Return the parts that are known."""
        parts = (self.spectrum, self.illumination, self.variant)
        return " ".join(part for part in parts if part) or "of no known name"

    def allows(self, other: Setting) -> bool:
        """Tell whether no known part differs."""
        return all(
            mine is None or its is None or mine == its
            for mine, its in (
                (self.spectrum, other.spectrum),
                (self.illumination, other.illumination),
                (self.variant, other.variant),
            )
        )


@dataclass(frozen=True, kw_only=True)
class Recordings:
    """A folder that holds subjects."""

    folder: Path
    """Holds `P001` and so on."""
    setting: Setting
    """What the names above it tell."""

    @property
    def rank(self) -> tuple[int, int]:
        """Order of preference: what is known before what is not, then the variant."""
        setting = self.setting
        known = (setting.spectrum, setting.illumination)
        place = (*_PREFERENCE, setting.variant).index(setting.variant)
        return known.count(None), place


def find_recordings(folder: Path, wanted: Setting, notes: Notes) -> Path:
    """Find the folder of subjects that the user asks for, in or below the folder that was named.

    Raises:
        UserError: None fits, or two fit equally well.
    """
    there = _all_recordings(folder)
    fitting = sorted((one for one in there if wanted.allows(one.setting)), key=lambda o: o.rank)
    if not fitting:
        raise UserError(_explain(folder, there, wanted))
    best = fitting[0]
    equal = [one.folder for one in fitting if one.rank == best.rank]
    if len(equal) > 1:
        raise UserError(
            f"{folder} holds OULU-CASIA's {best.setting} more than once, as "
            f"{some(path.relative_to(folder).as_posix() for path in equal)}; name one of them"
        )
    _note_choice(folder, best, fitting[1:], notes)
    return best.folder


def _note_choice(folder: Path, best: Recordings, others: list[Recordings], notes: Notes) -> None:
    read = best.folder.relative_to(folder).as_posix()
    if others:
        left = some(one.folder.relative_to(folder).as_posix() for one in others)
        notes.say(f"read from {read}; also there, not read: {left} (option variant chooses)")
    if None in (best.setting.spectrum, best.setting.illumination):
        notes.say(f"the names above the subjects tell only: {best.setting}")


def _all_recordings(folder: Path) -> list[Recordings]:
    """All folders of subjects at or below a folder, each once even where links lead to it."""
    paths = sorted(_holders(folder, _DEEPEST, folder), key=lambda path: (len(path.parts), path))
    once: dict[Path, Path] = {}
    for path in paths:
        once.setdefault(path.resolve(), path)
    found = [Recordings(folder=path, setting=setting_of(path)) for path in once.values()]
    return sorted(found, key=lambda one: one.folder)


def _holders(folder: Path, depth: int, top: Path) -> Iterator[Path]:
    children = folders_in(folder)
    if any(SUBJECT.fullmatch(child.name) for child in children):
        yield folder
    elif depth:
        for child in children:
            # One level of any name is allowed, say the archive's. A link there may lead anywhere.
            if _is_known(child.name) or (folder == top and not child.is_symlink()):
                yield from _holders(child, depth - 1, top)


def _is_known(name: str) -> bool:
    return (
        name.lower() in _ILLUMINATIONS
        or _SPECTRUM.fullmatch(name) is not None
        or _VARIANT.fullmatch(name) is not None
    )


def setting_of(folder: Path) -> Setting:
    """Read the setting off the names of a folder of subjects and those above it.

    >>> str(setting_of(Path("/data/PreProcess_Img/VL_Acropped/Strong")))
    'VL Strong a-cropped'
    """
    # "." has no name of its own, and resolve() would lose the name of a link.
    names = list(reversed(Path(os.path.abspath(folder)).parts))  # noqa: PTH100
    illumination = _ILLUMINATIONS.get(names[0].lower())
    if illumination is not None:
        names = names[1:]
    spectrum = _SPECTRUM.fullmatch(names[0]) if names else None
    if spectrum is None:
        return Setting(spectrum=None, illumination=illumination, variant=None)
    if spectrum[2]:
        variant: str | None = f"{spectrum[2].lower()}-cropped"
    else:
        variant = _variant(names[1:])
    return Setting(spectrum=spectrum[1].upper(), illumination=illumination, variant=variant)


def _variant(names: list[str]) -> str | None:
    """Read the variant off the names above the spectrum, nearest first.

    One release has `B_OriginalImg/OriginalImg/VL`: the outer name tells more.
    """
    variant = None
    for name in names:
        match = _VARIANT.fullmatch(name)
        if match is None:
            break
        if not name.lower().endswith("originalimg"):
            variant = name
        elif match[1] and match[1].upper() == "B_":
            variant = "b-original"
        else:
            variant = variant or "original"
    return variant


def _explain(folder: Path, there: list[Recordings], wanted: Setting) -> str:
    if not there:
        advice = "name the folder that holds OriginalImg, or one below it"
        return misfit("OULU-CASIA", folder, EXPECTED, advice)
    found = some((f"{o.setting} in {o.folder.relative_to(folder).as_posix()}" for o in there), 6)
    return (
        f"{folder} holds no {wanted} of OULU-CASIA: found {found}; "
        "set spectrum, illumination or variant, or name another folder"
    )
