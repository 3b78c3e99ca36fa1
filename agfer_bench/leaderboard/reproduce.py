"""The command that makes a record again, told from the record alone: no path of any machine.

A command is something that people paste into a shell, so it is built only of texts that mean
nothing there or are quoted for it. A record with other characters in a name gets none.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from agfer_bench.grammar import write
from agfer_bench.leaderboard.sanitize import LABEL, clean
from agfer_bench.protocol import PRESETS, SCRATCH, Protocol, is_detector, load_preset
from agfer_bench.records.run import BASE, DataRecord, RunRecord

_SAFE = re.compile(r"""(?!.*([/=]/|\.\.))[A-Za-z0-9][A-Za-z0-9_.:=,+/'" \[\]-]*""")
"""Values that are no flag and no path, and mean nothing to a shell once they are quoted."""
_OWN_FLAGS = {"preset", "seed", "mask", "pretrained", "speed", "host"}
"""Settings that are not given by `--set`, or one by one."""
_LONGEST = 4000
OURS = "agfer-bench"
"""The distribution that the harness comes in."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to make a record again."""

    command: str | None
    """A line for a shell; None where the record's names do not belong in one."""
    notes: tuple[str, ...]
    """What the reader must put in or know."""


def recipe(record: RunRecord) -> Recipe:
    """Return the command of a record; folders and files stand as FOLDER and FILE."""
    values = [_modules(record), _data(record.data), _data(record.test) if record.test else "none"]
    words = ["agfer-bench", "run", "--modules", values[0], "--data", values[1], "--test", values[2]]
    words += _settings(record.protocol)
    words += ["--device", record.environment.device]
    where = record.environment
    if where.device == "cpu" and where.training_threads is None:
        words += ["--threads", str(where.threads)]  # else trainings have theirs by default
    # All else is the protocol's own: numbers, and words that it knows.
    if not all(map(_SAFE.fullmatch, values)) or sum(map(len, words)) > _LONGEST:
        return Recipe(
            command=None,
            notes=(
                "No command is given: names in this record hold characters that do not belong in "
                "one. The record itself has all settings.",
            ),
        )
    return Recipe(command=shlex.join(words), notes=tuple(_notes(record)))


def _modules(record: RunRecord) -> str:
    labels = [module.label for module in record.modules if module.label != BASE]
    return ",".join(labels) or BASE


def _data(data: DataRecord) -> str:
    options = data.options.items()
    own = [f"{name}={write(value)}" for name, value in options if value not in ("", None)]
    told = ":".join([data.name, *own])
    return told if data.drawn else f"{told}=FOLDER"


def _settings(protocol: Protocol) -> list[str]:
    preset = protocol.preset if protocol.preset in PRESETS else PRESETS[0]
    origin = load_preset(preset)
    words = ["--preset", preset]
    if protocol.host != origin.host:
        words += ["--host", protocol.host]
        # Which brings others with it; whether guidance, depends on the host's layers.
        origin = origin.with_settings({"host": protocol.host, "guidance": not protocol.guidance})
    own = set(_OWN_FLAGS)
    if is_detector(protocol.crop):
        own.add("crop")
        words += ["--detector", f"{protocol.crop.partition('@')[0]}=FILE"]
    if protocol.mask != "default":
        words += ["--mask", "FILE.png"]
    if protocol.pretrained != SCRATCH:
        own.add("normalisation")  # comes with the weights
        words += ["--pretrained", "timm" if protocol.pretrained.startswith("timm") else "FILE"]
        if protocol.normalisation != "pretrained":
            words += ["--set", f"normalisation={protocol.normalisation}"]
    words += _changed(origin, protocol, own, "")
    return [
        *words,
        *_changed(origin.speed, protocol.speed, set(), "speed."),
        "--seed",
        str(protocol.seed),
    ]


def _changed(origin: BaseModel, settings: BaseModel, own: set[str], prefix: str) -> list[str]:
    """Return `--set` for each setting that differs, but for those with a flag of their own."""
    words = []
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if name not in own and value != getattr(origin, name):
            words += ["--set", f"{prefix}{name}={_typed(value)}"]
    return words


def _notes(record: RunRecord) -> list[str]:
    notes = [
        f"Needs {distribution} {version}, which offers {', '.join(labels[:5])}."
        for (distribution, version), labels in _foreign(record).items()
    ]
    if not record.data.drawn or (record.test and not record.test.drawn):
        notes.append("FOLDER is where you keep the data set.")
    if is_detector(record.protocol.crop):
        notes.append(
            f"FILE is the detector's weights with {record.protocol.crop.partition('@')[2]}; leave "
            "=FILE out for a detector that takes no file."
        )
    if record.protocol.mask != "default":
        notes.append(f"FILE.png is the mask with {record.protocol.mask[:80]}.")
    if record.protocol.pretrained != SCRATCH:
        notes.append(f"Pretrained weights: {record.protocol.pretrained[:160]}.")
    return notes


def _foreign(record: RunRecord) -> dict[tuple[str, str], list[str]]:
    """Return the modules of other distributions than ours, by distribution and version."""
    found: dict[tuple[str, str], list[str]] = {}
    for module in record.modules:
        if module.distribution != OURS:
            own = found.setdefault((module.distribution, module.version), [])
            own.append(clean(module.label, LABEL))
    return {(clean(name, 80), clean(version, 40)): own for (name, version), own in found.items()}


def _typed(value: Any) -> str:
    """Write a value as it is typed in a command."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else write(value)
