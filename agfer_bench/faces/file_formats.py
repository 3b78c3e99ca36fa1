"""What an image file's own structure says: whether it is whole, how large, what white is.

Asked of the bytes because OpenCV does not: several versions fill what is missing from a cut JPEG
with grey and say nothing, and none minds the highest value that a binary PGM names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_JPEG_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd8])")
"""A marker that ends or opens a segment: not a stuffed byte, a restart or a start of image."""

_FRAMES = frozenset(bytes([code]) for code in range(0xC0, 0xD0) if code not in (0xC4, 0xC8, 0xCC))
"""Markers of the segment that gives a JPEG's size."""

_GAP = rb"(?:[ \t\r\n\v\f]|#[^\r\n]*[\r\n])+"
_NETPBM = re.compile(
    rb"P([2356])" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})[ \t\r\n\v\f]"
)
"""The header of a PGM (2 as text, 5) or PPM (3, 6): width, height, highest value."""

_GIF = (b"GIF87a", b"GIF89a")
_HEIC = (b"hei", b"hev", b"mif1", b"msf1")
_CONVERT = "convert it to PNG or JPEG, say with ImageMagick"


@dataclass(frozen=True, kw_only=True)
class Netpbm:
    """A PGM or PPM file."""

    raw: bytes
    """The file with another header: OpenCV then gives the values as they are stored."""
    white: int
    """The highest value by the header, 1..65535."""
    whole: bool
    """Whether all pixels are there; of values as text that is not looked at."""


def read_netpbm(data: bytes) -> Netpbm | None:
    """Read the header of a PGM or PPM; None for any other file."""
    header = _NETPBM.match(data)
    if header is None:
        return None
    kind, (width, height, white) = int(header[1]), (int(header[place]) for place in (2, 3, 4))
    if not 1 <= white <= 65535:
        return None
    channels, size = 3 if kind in (3, 6) else 1, 1 if white < 256 else 2
    raw = data[: header.start(4)] + (b"255" if size == 1 else b"65535") + data[header.end(4) :]
    if kind in (2, 3):
        raw += b"\n"  # without a last line end OpenCV misses the last value
    need = header.end() + width * height * channels * size
    return Netpbm(raw=raw, white=white, whole=kind in (2, 3) or len(data) >= need)


def is_cut(data: bytes) -> bool:
    """Whether a JPEG, PNG, GIF, WebP, BMP, PGM or PPM lacks some of its image.

    What counts is whether the pixels are there: sizes in headers are often a little wrong, and
    bytes behind the image are no harm. Other formats are left to their decoders.
    """
    if data.startswith(b"\xff\xd8"):
        return not _jpeg_ends(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return not _png_ends(data)
    if data.startswith(_GIF):
        return _first_frame(data) is None
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if data.startswith(b"BM"):
        return len(data) < _bitmap(data)[0]
    netpbm = read_netpbm(data)
    return netpbm is not None and not netpbm.whole


def whole(data: bytes) -> bytes:
    """Return a file with what writers leave out at its end, for decoders that miss it.

    A GIF ends behind its first frame, whatever followed, and a BMP has the padding of its last
    row. Other files are returned as they are.
    """
    if data.startswith(_GIF):
        end = _first_frame(data)
        return data if end is None else data[:end] + b";"
    if data.startswith(b"BM"):
        least, full = _bitmap(data)
        return data + bytes(full - len(data)) if least <= len(data) < full else data
    return data


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


def unread_format(data: bytes) -> str | None:
    """Say what an image is that OpenCV cannot decode, and what to do; None if that is not known."""
    if data[4:8] == b"ftyp":
        end = min(int.from_bytes(data[:4], "big"), len(data), 256)
        brands = [data[at : at + 4] for at in range(8, end, 4)]
        if any(brand.startswith(b"avi") for brand in brands):
            return f"an AVIF image that is damaged, or that this OpenCV cannot decode: {_CONVERT}"
        if any(brand.startswith(_HEIC) for brand in brands):
            return f"a HEIC image, which OpenCV cannot decode: {_CONVERT}"
    if data.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL ")):
        return f"a JPEG XL image, which OpenCV cannot decode: {_CONVERT}"
    return None


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


def _png_ends(data: bytes) -> bool:
    """Whether a PNG's chunks run up to IEND."""
    at = 8
    while at + 12 <= len(data):
        if data[at + 4 : at + 8] == b"IEND":
            return True
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return False


def _first_frame(data: bytes) -> int | None:
    """Where a GIF's first frame ends; None where the file ends before.

    Source: CompuServe 1990, Graphics Interchange Format, version 89a.
    """
    at = 13 + _colours(data, 10)
    while at < len(data):
        if data[at] == 0x2C:
            return _behind_blocks(data, at + 11 + _colours(data, at + 9))
        if data[at] != 0x21:
            return len(data)  # no image at all, or damaged: the decoder will say so
        behind = _behind_blocks(data, at + 2)
        if behind is None:
            return None
        at = behind
    return None


def _colours(data: bytes, at: int) -> int:
    """Bytes of the table of colours that a packed field announces."""
    packed = data[at] if at < len(data) else 0
    return 3 << ((packed & 7) + 1) if packed & 0x80 else 0


def _behind_blocks(data: bytes, at: int) -> int | None:
    """Where a chain of a GIF's data blocks ends; None where the file ends before."""
    while at < len(data):
        length = data[at]
        at += 1 + length
        if length == 0:
            return at
    return None


def _bitmap(data: bytes) -> tuple[int, int]:
    """Bytes that a BMP must have for all its pixels, and with the padding of its last row."""

    def number(at: int, size: int = 4) -> int:
        return int.from_bytes(data[at : at + size], "little", signed=True)

    stated, offset = number(2), number(10)
    if len(data) < 34:
        return max(stated, 34), max(stated, 34)
    if number(14) == 12:
        width, height, bits, packing = number(18, 2), number(20, 2), number(24, 2), 0
    else:
        width, height, bits, packing = number(18), number(22), number(28, 2), number(30)
    if packing not in (0, 3, 6):  # run lengths: the header knows their size
        size = offset + number(34)
        return (size, size) if number(34) > 0 else (stated, stated)
    row, rows = (width * bits + 31) // 32 * 4, abs(height)
    return offset + row * (rows - 1) + (width * bits + 7) // 8, offset + row * rows
