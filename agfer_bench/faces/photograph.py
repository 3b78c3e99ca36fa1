"""One photograph to its crop: read, searched at reduced size, cut, or left out with a reason."""

from __future__ import annotations

import hashlib
import stat
from dataclasses import dataclass, fields
from typing import Literal

from agfer_bench.faces.cascade import Cascades
from agfer_bench.faces.crop_cache import CropSettings
from agfer_bench.faces.crops import Box, CropBoxes, NoCrop, cut, find_crop, in_grey
from agfer_bench.faces.decode import Pixels, Unreadable, read_image
from agfer_bench.faces.detector import Detector
from agfer_bench.faces.file_formats import jpeg_size
from agfer_bench.faces.look import LEAST, Look, take_look
from agfer_bench.plugin.specs import FaceImage

Reduction = Literal[1, 2, 4, 8]
_REDUCTIONS: tuple[Reduction, ...] = (8, 4, 2)

LEAST_CONTRAST = 4
"""Grey levels, 0..255, that must lie between the darkest and the brightest pixel of a colour."""


@dataclass(frozen=True, kw_only=True)
class CropResult:
    """What became of one photograph."""

    image: FaceImage
    """The photograph."""
    sha256: str | None = None
    """Of the file; None where it could not be read."""
    pixels: Pixels | None = None
    """The crop, (S, S, 3) RGB; None where it was left out."""
    boxes: dict[str, Box] | None = None
    """The named boxes in pixels of the photograph."""
    size: tuple[int, int] | None = None
    """Width and height of the photograph."""
    look: Look | None = None
    """What is kept of it beside the crop."""
    reason: str | None = None
    """Why it was left out."""
    detail: str = ""
    """One line on that."""
    remark: str | None = None
    """What was assumed about the file's values, as `Decoded.remark`."""


def crop_photograph(
    image: FaceImage, settings: CropSettings, finder: Cascades | Detector | None
) -> CropResult:
    """Read and crop one photograph.

    A large JPEG is decoded at a fraction of its size, which is several times faster: the search
    runs on a small copy anyhow, and the crop is decoded again only if it would be too coarse.

    Args:
        image: The photograph.
        settings: How to crop.
        finder: The cascades or a detector; None takes the image as it is.
    """
    try:
        if not stat.S_ISREG(image.path.stat().st_mode):  # a pipe has no end, nor has /dev/zero
            detail = "no file, but a folder, pipe or device"
            return CropResult(image=image, reason="unreadable", detail=detail)
        data = image.path.read_bytes()
    except OSError as error:
        detail = error.strerror or type(error).__name__
        return CropResult(image=image, reason="unreadable", detail=detail)
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        reduce = _reduction(data, settings.longest_side if finder else settings.image_size)
        decoded = read_image(data, reduce=reduce)
        _refuse_uniform(decoded.pixels)
        boxes = _boxes(decoded.pixels, settings, finder)
        pixels = _cut(data, decoded.pixels, boxes["crop"], reduce, settings.image_size)
        if settings.colour == "grey":
            pixels = in_grey(pixels)
        _refuse_uniform(pixels)
    except (Unreadable, NoCrop) as error:
        return CropResult(image=image, sha256=sha256, reason=error.reason, detail=error.detail)
    return CropResult(
        image=image,
        sha256=sha256,
        pixels=pixels,
        boxes={part: _scaled(box, reduce) for part, box in boxes.items()},
        remark=decoded.remark,
        size=_size(data, decoded.pixels, reduce),
        look=_look(data, decoded.pixels, boxes["crop"], reduce),
    )


def _refuse_uniform(rgb: Pixels) -> None:
    """Refuse what shows nothing: a black row of FER2013, a file whose values all are 0 or 1."""
    # A sample of lines tells most pictures at once.
    for part in (rgb[:: max(1, len(rgb) // 16)], rgb):
        least, most = part.min(axis=(0, 1)), part.max(axis=(0, 1))
        if (most.astype(int) - least).max() >= LEAST_CONTRAST:
            return
    level = ", ".join(map(str, most)) if len(set(most.tolist())) > 1 else str(most[0])
    raise NoCrop("uniform", f"all pixels are alike, near {level} of 255")


def _look(data: bytes, rgb: Pixels, crop: Box, reduce: Reduction) -> Look:
    """Take a look at what was decoded, or at a finer image where that has too few pixels for it."""
    finer, least = reduce, min(rgb.shape[:2])
    while finer > 1 and least * reduce < finer * LEAST:
        finer = _half(finer)
    if finer == reduce:
        return take_look(rgb, crop)
    fine = read_image(data, reduce=finer).pixels
    x, y, width, height = _scaled(crop, reduce // finer)
    # A reduced image's sides are rounded up.
    return take_look(fine, (x, y, min(width, fine.shape[1] - x), min(height, fine.shape[0] - y)))


def _size(data: bytes, rgb: Pixels, reduce: Reduction) -> tuple[int, int]:
    """Return width and height of the upright photograph; a reduced one's sides are rounded up."""
    height, width = rgb.shape[:2]
    stored = jpeg_size(data)
    if reduce == 1 or stored is None:
        return width * reduce, height * reduce
    upright = -(-stored[0] // reduce) == width and -(-stored[1] // reduce) == height
    return stored if upright else (stored[1], stored[0])


def _reduction(data: bytes, least: int) -> Reduction:
    """Return how far a file may be reduced while its longest side keeps `least` pixels."""
    size = jpeg_size(data)
    longest = max(size) if size else 0
    return next((factor for factor in _REDUCTIONS if longest >= factor * least), 1)


def _cut(data: bytes, rgb: Pixels, crop: Box, reduce: Reduction, size: int) -> Pixels:
    """Cut the crop out of the decoded image, or of a finer one where it has too few pixels."""
    finer = reduce
    while finer > 1 and min(crop[2:]) * reduce < finer * size:
        finer = _half(finer)
    if finer == reduce:
        return cut(rgb, crop, size)
    return cut(read_image(data, reduce=finer).pixels, _scaled(crop, reduce // finer), size)


def _half(factor: Reduction) -> Reduction:
    return 4 if factor == 8 else 2 if factor == 4 else 1


def _scaled(box: Box, factor: int) -> Box:
    x, y, width, height = box
    return x * factor, y * factor, width * factor, height * factor


def _boxes(
    rgb: Pixels, settings: CropSettings, finder: Cascades | Detector | None
) -> dict[str, Box]:
    """The named boxes of one photograph, in pixels of what was decoded."""
    if finder is None:
        return {"crop": (0, 0, rgb.shape[1], rgb.shape[0])}
    found: CropBoxes = find_crop(
        rgb, finder, padding=settings.padding, longest_side=settings.longest_side
    )
    return {part.name: getattr(found, part.name) for part in fields(found)}
