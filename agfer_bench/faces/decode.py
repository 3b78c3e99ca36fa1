"""Bytes of an image file to pixels, or a reason why not.

OpenCV is imported through `opencv`, and only where pixels are read: listings and `--help` work on
a machine where its system libraries are missing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from agfer_bench.errors import UserError
from agfer_bench.faces.file_formats import is_cut, read_netpbm, unread_format, whole

Pixels = NDArray[np.uint8]


class Unreadable(Exception):
    """A file that holds no complete image.

    `reason` is ``unreadable`` or ``truncated``, `detail` one line about this file.
    """

    def __init__(self, reason: Literal["unreadable", "truncated"], detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """What an image file holds."""

    pixels: Pixels
    """(H, W, 3) RGB, upright."""
    remark: str | None = None
    """What was assumed about its values, where the file does not say; the same words for all files
    of a kind, so that they can be counted."""


_REINSTALL = (
    "run `pip uninstall -y opencv-python opencv-python-headless opencv-contrib-python "
    "opencv-contrib-python-headless`, then `pip install opencv-python` (or "
    "opencv-python-headless)"
)


def opencv() -> ModuleType:
    """Import OpenCV.

    Raises:
        UserError: It is missing, a system library that it links is, it does not fit NumPy, or
            parts of it were removed together with another OpenCV package.
    """
    try:
        import cv2
    except ModuleNotFoundError as error:
        if error.name == "cv2":
            raise UserError(
                "OpenCV is not installed: `pip install opencv-python` (or, on a server, "
                "opencv-python-headless)"
            ) from error
        raise UserError(_cannot_import(error)) from error
    except (ImportError, AttributeError) as error:
        raise UserError(_cannot_import(error)) from error
    if not hasattr(cv2, "imdecode"):
        # The folder outlives its package where two packages put files into it.
        raise UserError(
            f"OpenCV is there in part only ({_place(cv2)} has no imdecode), as when one of two "
            f"OpenCV packages is uninstalled: {_REINSTALL}"
        )
    return cv2


def _cannot_import(error: Exception) -> str:
    """Say why OpenCV cannot be imported, and what to do about it."""
    text = " ".join(str(error).split())
    start = f"OpenCV cannot be imported ({text})"
    if re.search(r"numpy|multiarray|_ARRAY_API", text, re.IGNORECASE):
        return (
            f"{start}: it was built for another NumPy than the one installed; run "
            "`pip install --upgrade opencv-python numpy` (or opencv-python-headless)"
        )
    if re.search(r"\.so\b|\.dylib|DLL", text):
        return (
            f"{start}: install the system packages libgl1 libglib2.0-0, or replace opencv-python "
            "by the drop-in opencv-python-headless"
        )
    return f"{start}: its files may be of two packages; {_REINSTALL}"


def _place(module: ModuleType) -> str:
    file = getattr(module, "__file__", None)
    return str(file or next(iter(getattr(module, "__path__", ())), module.__name__))


def decode(data: bytes, *, reduce: Literal[1, 2, 4, 8] = 1) -> Pixels:
    """Decode an image file to RGB, upright; see `read_image`.

    Returns:
        Pixels of shape (H, W, 3), uint8.

    Raises:
        Unreadable: The file holds no image that OpenCV knows, or ends before its image does.
    """
    return read_image(data, reduce=reduce).pixels


def read_image(data: bytes, *, reduce: Literal[1, 2, 4, 8] = 1) -> Decoded:
    """Decode an image file to RGB, upright, and say what had to be assumed.

    The EXIF orientation is applied, other depths are scaled to 8 bits, grey is repeated, CMYK is
    converted, an alpha channel is dropped (what lies under transparent pixels shows), and of an
    animation the first frame is taken.

    Where the header says what white is (PGM, PPM, AVIF), it counts. Files of 16 bits often hold
    8, 10, 12 or 14: then white is that of the smallest of these depths that holds all values, and
    the remark says so.

    Args:
        data: The whole file.
        reduce: Decode at 1/2, 1/4 or 1/8 of both sides: several times faster for a large JPEG.

    Raises:
        Unreadable: The file holds no image that OpenCV knows, or ends before its image does.
    """
    cv2 = opencv()
    if not data:
        raise Unreadable("unreadable", "the file is empty")
    if is_cut(data):
        raise Unreadable("truncated", f"the file ends within the image, after {len(data)} bytes")
    flag = {
        1: cv2.IMREAD_COLOR,
        2: cv2.IMREAD_REDUCED_COLOR_2,
        4: cv2.IMREAD_REDUCED_COLOR_4,
        8: cv2.IMREAD_REDUCED_COLOR_8,
    }[reduce]
    # Of JPEG and AVIF OpenCV knows the depth and scales by it; AVIF of 10 bits may well be dark.
    if not data.startswith(b"\xff\xd8") and data[4:8] != b"ftyp":
        flag |= cv2.IMREAD_ANYDEPTH
    netpbm = read_netpbm(data)
    try:
        bgr = cv2.imdecode(np.frombuffer(netpbm.raw if netpbm else whole(data), np.uint8), flag)
    except cv2.error as error:
        raise Unreadable("unreadable", " ".join(str(error).split())) from error
    if bgr is None:
        raise Unreadable("unreadable", unread_format(data) or _no_image(data))
    # OpenCV's own way is faster, and takes no signed whole numbers or doubles.
    rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=bgr) if bgr.dtype == np.uint8 else bgr[..., ::-1]
    if netpbm is not None and netpbm.white not in (255, 65535):
        return Decoded(pixels=_scaled(np.minimum(rgb, netpbm.white), netpbm.white))
    if rgb.dtype == np.uint8:
        return Decoded(pixels=cast(Pixels, rgb))
    white, remark = _white(rgb)
    return Decoded(pixels=_scaled(rgb, white), remark=remark)


_DEPTHS = (8, 10, 12, 14, 16)
"""Bits that cameras and programs put into files of 16."""


def _white(rgb: NDArray[Any]) -> tuple[int, str | None]:
    """Return the value of white in an image of more than 8 bits, and what that assumes.

    Raises:
        Unreadable: The values are no grey levels.
    """
    least, most = float(rgb.min()), float(rgb.max())
    if not (least >= 0 and most < 65536):  # also false for what is no number
        raise Unreadable(
            "unreadable", f"values from {least:g} to {most:g}, no grey levels: save it with 8 bits"
        )
    if not np.issubdtype(rgb.dtype, np.integer) and most <= 1:
        return 1, "images of fractions, read with white at 1"
    bits = next(bits for bits in _DEPTHS if most < 2**bits)
    if np.issubdtype(rgb.dtype, np.unsignedinteger) and bits == 16:
        return 65535, None
    kind = "16 bits" if np.issubdtype(rgb.dtype, np.integer) else "floating-point numbers"
    return 2**bits - 1, f"images of {kind} that hold no more than {bits}, read as {bits} bits"


def _scaled(rgb: NDArray[Any], white: int) -> Pixels:
    """Scale to 0..255, rounded."""
    return np.ascontiguousarray(np.rint(rgb * (255.0 / white)), np.uint8)


def _no_image(data: bytes) -> str:
    return f"OpenCV finds no image in its {len(data)} bytes"
