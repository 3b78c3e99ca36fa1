"""Bytes of an image file to pixels, or a reason why not.

OpenCV is imported through `opencv`, and only where pixels are read: listings and `--help` work on
a machine where its system libraries are missing.
"""

from __future__ import annotations

import re
from types import ModuleType
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from agfer_bench.errors import UserError

Pixels = NDArray[np.uint8]

_JPEG_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd8])")
"""A marker that ends or opens a segment: not a stuffed byte, a restart or a start of image."""

_FRAMES = frozenset(bytes([code]) for code in range(0xC0, 0xD0) if code not in (0xC4, 0xC8, 0xCC))
"""Markers of the segment that gives a JPEG's size."""


class Unreadable(Exception):
    """A file that holds no complete image.

    `reason` is ``unreadable`` or ``truncated``, `detail` one line about this file.
    """

    def __init__(self, reason: Literal["unreadable", "truncated"], detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def opencv() -> ModuleType:
    """Import OpenCV.

    Raises:
        UserError: It is missing, or a system library that it links is.
    """
    try:
        import cv2
    except ImportError as error:
        raise UserError(
            f"OpenCV cannot be imported ({error}): install the system packages libgl1 "
            "libglib2.0-0, or replace opencv-python by the drop-in opencv-python-headless"
        ) from error
    return cv2


def decode(data: bytes, *, reduce: Literal[1, 2, 4, 8] = 1) -> Pixels:
    """Decode an image file to RGB, upright.

    The EXIF orientation is applied, 16 bits are scaled to 8, grey is repeated, CMYK is converted,
    an alpha channel is dropped (what lies under transparent pixels shows), and of an animation
    the first frame is taken.

    Args:
        data: The whole file.
        reduce: Decode at 1/2, 1/4 or 1/8 of both sides: several times faster for a large JPEG.

    Returns:
        Pixels of shape (H, W, 3), uint8.

    Raises:
        Unreadable: The file holds no image that OpenCV knows, or ends before its image does.
    """
    cv2 = opencv()
    if not data:
        raise Unreadable("unreadable", "the file is empty")
    if _is_cut(data):
        raise Unreadable("truncated", f"the file ends within the image, after {len(data)} bytes")
    flag = {
        1: cv2.IMREAD_COLOR,
        2: cv2.IMREAD_REDUCED_COLOR_2,
        4: cv2.IMREAD_REDUCED_COLOR_4,
        8: cv2.IMREAD_REDUCED_COLOR_8,
    }[reduce]
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error as error:
        raise Unreadable("unreadable", " ".join(str(error).split())) from error
    if bgr is None:
        raise Unreadable("unreadable", f"OpenCV finds no image in its {len(data)} bytes")
    return cast(Pixels, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=bgr))


def _is_cut(data: bytes) -> bool:
    """Whether a JPEG, PNG, GIF, WebP or BMP lacks its end.

    Asked of the file's own structure because several OpenCV versions fill what is missing from a
    cut JPEG with grey and say nothing. Other formats are left to their decoders.
    """
    if data.startswith(b"\xff\xd8"):
        return not _jpeg_ends(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return not _png_ends(data)
    if data.startswith((b"GIF87a", b"GIF89a")):
        return not data.rstrip(b"\0").endswith(b";")
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if data.startswith(b"BM"):
        return int.from_bytes(data[2:6], "little") > len(data)
    return False


def _jpeg_ends(data: bytes) -> bool:
    """Whether a JPEG has its end marker.

    Walks segment by segment: an embedded thumbnail has an end marker of its own, and cameras
    append more data after the last one, so neither a plain search nor a look at the tail will do.
    """
    at = 2
    while hit := _JPEG_MARKER.search(data, at):
        if hit[1] == b"\xd9":
            return True
        length = int.from_bytes(data[hit.end() : hit.end() + 2], "big")
        at = hit.end() + length
    return False


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a JPEG from its header, as stored; None for any other file."""
    if not data.startswith(b"\xff\xd8"):
        return None
    at = 2
    while hit := _JPEG_MARKER.search(data, at):
        body = hit.end()
        if hit[1] in _FRAMES and len(data) >= body + 7:
            height, width = data[body + 3 : body + 5], data[body + 5 : body + 7]
            return int.from_bytes(width, "big"), int.from_bytes(height, "big")
        at = body + int.from_bytes(data[body : body + 2], "big")
    return None


def _png_ends(data: bytes) -> bool:
    """Whether a PNG's chunks run up to IEND."""
    at = 8
    while at + 12 <= len(data):
        if data[at + 4 : at + 8] == b"IEND":
            return True
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return False
