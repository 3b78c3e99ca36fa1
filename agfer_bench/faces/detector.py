"""A plugin's face detector at work: loaded, named by its weights, and safe in threads."""

from __future__ import annotations

import hashlib
import json
import math
import threading
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any, get_args, get_type_hints

from agfer_bench.errors import PluginError, UserError, describe
from agfer_bench.faces.decode import Pixels
from agfer_bench.files import at_home, refuse_odd
from agfer_bench.plugin.catalogue import Catalogue, Chosen
from agfer_bench.plugin.options import parse_choice
from agfer_bench.plugin.sources import hash_sources
from agfer_bench.plugin.specs import DetectorSpec, FoundFace, NoFace
from agfer_bench.protocol import CROPS, is_crop

_REASONS: tuple[str, ...] = get_args(get_type_hints(NoFace)["reason"])


@dataclass(frozen=True, kw_only=True)
class Detector:
    """A face detector that finds a face and five points in it."""

    chosen: Chosen[DetectorSpec]
    """The detector and its options."""
    file: Path | None
    """The user's file of weights."""
    crop: str
    """What a protocol's `crop` says of it: name, options that differ, and hash of the weights."""
    _local: threading.local = field(default_factory=threading.local, repr=False, compare=False)
    """A thread's own detector: libraries keep their scratch space inside."""

    @classmethod
    def load(cls, chosen: Chosen[DetectorSpec], file: Path | None) -> Detector:
        """Load a detector, and hash what it knows.

        Args:
            chosen: The detector and its options.
            file: Its weights.

        Raises:
            UserError: The file is missing, not wanted, or not what the detector reads.
            PluginError: The plugin failed, or its detector does not say what its weights are.
        """
        spec = chosen.entry.spec
        if spec.needs_file and file is None:
            raise UserError(f"--detector {spec.name} needs a file of weights: {spec.name}=FILE")
        if not spec.needs_file and file is not None:
            raise UserError(f"--detector {spec.name} takes no file: write {spec.name} alone")
        digest = _file_sha256(spec.name, file) if file is not None else ""
        first = _load(chosen, file)
        if file is None:
            digest = _weights_sha256(chosen, first)
        crop = f"{chosen.label}@sha256:{digest}"
        if not is_crop(crop):
            raise UserError(
                f"--detector {chosen.label}: records keep the options, of which each value is "
                "made of letters, digits, and . _ + -"
            )
        found = cls(chosen=chosen, file=file, crop=crop)
        found._local.detector = first
        return found

    @property
    def key(self) -> dict[str, str]:
        """What crops depend on beside the weights: the plugin's code."""
        entry = self.chosen.entry
        return {
            "crop": self.crop,
            "distribution": entry.distribution,
            "version": entry.version,
            "package": hash_sources(entry.module),
        }

    def detect(self, rgb: Pixels) -> FoundFace | NoFace:
        """Find the largest face and five points in it.

        Args:
            rgb: Pixels of shape (H, W, 3), uint8.

        Raises:
            PluginError: The plugin failed, or returned something else.
        """
        detector = getattr(self._local, "detector", None)
        if detector is None:
            detector = self._local.detector = _load(self.chosen, self.file)
        owner, name = self.chosen.entry.distribution, self.chosen.entry.spec.name
        try:
            found: Any = detector.detect(rgb)
        except UserError:
            raise
        except (Exception, SystemExit) as error:
            shape = "x".join(map(str, rgb.shape))
            raise PluginError(
                owner, f"{name}: detect failed on {shape} pixels: {describe(error)}"
            ) from error
        if fault := _fault(found):
            raise PluginError(owner, f"{name}: detect returned {fault}")
        return found  # type: ignore[no-any-return]


def choose_detector(catalogue: Catalogue, text: str | None) -> Detector | None:
    """Resolve `--detector NAME[:option=value]...[=FILE]`; None for the paper's cascades.

    Raises:
        UserError: The detector, an option or the file is unknown or wrong.
        PluginError: The plugin failed.
    """
    if text is None or text == CROPS[0]:
        return None
    choice = parse_choice(text, folder=True)
    if choice.name in CROPS:
        raise UserError(
            f"--detector {text}: images are taken as they are with --set crop=none, cropped by "
            "the paper's cascades without --detector"
        )
    chosen = catalogue.choose_detector(choice)
    if choice.folder == "":
        raise UserError(f"--detector {text} names no file after the =")
    file = at_home(Path(choice.folder)) if choice.folder else None
    return Detector.load(chosen, file)


_LARGEST = 2**32
"""Bytes that a detector's file may hold."""


def _file_sha256(name: str, file: Path) -> str:
    try:
        refuse_odd(file.stat(), file, _LARGEST)
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise UserError(
            f"--detector {name}: cannot read {file} ({error.strerror}): name a file of weights"
        ) from None


def _weights_sha256(chosen: Chosen[DetectorSpec], detector: Any) -> str:
    """Hash what a detector without a file says of its weights."""
    entry = chosen.entry
    weights = getattr(detector, "weights", None)
    if not isinstance(weights, str) or not weights:
        raise PluginError(
            entry.distribution,
            f"{entry.spec.name}: weights is {weights!r}, not a text that names them",
        )
    told = json.dumps([entry.distribution, entry.spec.name, weights])
    return hashlib.sha256(told.encode()).hexdigest()


def _load(chosen: Chosen[DetectorSpec], file: Path | None) -> Any:
    spec, owner = chosen.entry.spec, chosen.entry.distribution
    try:
        detector = spec.load(file, **chosen.arguments())
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(owner, f"{spec.name}: load failed: {describe(error)}") from error
    if not callable(getattr(detector, "detect", None)):
        raise PluginError(
            owner, f"{spec.name}: load returned {type(detector).__name__}, which cannot detect"
        )
    return detector


def _fault(found: Any) -> str | None:
    """Say what is wrong with a stranger's answer."""
    if isinstance(found, NoFace):
        if found.reason in _REASONS and isinstance(found.detail, str):
            return None
        return f"{found!r}: the reasons are {', '.join(_REASONS)}"
    if not isinstance(found, FoundFace):
        return f"{type(found).__name__}, neither a FoundFace nor a NoFace"
    try:
        box, *points = astuple(found)
        sizes = [len(box), *map(len, points)]
        numbers = [float(one) for part in (box, *points) for one in part]
    except (TypeError, ValueError):
        return f"{found!r}: a box has four numbers, a point two"
    if sizes != [4, 2, 2, 2, 2, 2] or not all(map(math.isfinite, numbers)):
        return f"{found!r}: a box has four finite numbers, a point two"
    return None
