"""Image files of every kind, against Pillow and against pictures made by hand."""

from __future__ import annotations

import builtins
import io
import struct
import sys
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from agfer_bench.errors import UserError
from agfer_bench.faces.decode import Unreadable, decode, opencv

Pixels = NDArray[np.uint8]


def _picture(height: int = 48, width: int = 64) -> Pixels:
    """A smooth coloured picture without any symmetry."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    red = 255 * x / (width - 1)
    green = 255 * y / (height - 1)
    blue = 127 * (1 + np.sin(x / 9 + y / 5))
    return np.stack([red, green, blue], axis=-1).round().astype(np.uint8)


PICTURE = _picture()


def _saved(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    buffer = io.BytesIO()
    (image or Image.fromarray(PICTURE)).save(buffer, kind, **options)
    return buffer.getvalue()


def _far(one: Pixels, other: Pixels) -> float:
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_come_back_exactly_and_as_rgb(kind: str) -> None:
    np.testing.assert_array_equal(decode(_saved(kind)), PICTURE)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_jpeg_agrees_with_pillow(options: dict[str, Any]) -> None:
    data = _saved("JPEG", quality=95, **options)
    assert _far(decode(data), np.asarray(Image.open(io.BytesIO(data)))) < 1.5


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(orientation: int) -> None:
    upright = {
        1: PICTURE,
        2: PICTURE[:, ::-1],
        3: PICTURE[::-1, ::-1],
        4: PICTURE[::-1],
        5: PICTURE.transpose(1, 0, 2),
        6: np.rot90(PICTURE, -1),
        7: np.rot90(PICTURE, 2).transpose(1, 0, 2),
        8: np.rot90(PICTURE, 1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = _saved("JPEG", quality=95, subsampling=0, exif=exif)
    assert _far(decode(data), upright) < 2


def test_grey_is_repeated() -> None:
    grey = PICTURE[..., 0]
    data = _saved("PNG", Image.fromarray(grey))
    np.testing.assert_array_equal(decode(data), np.dstack([grey] * 3))


@pytest.mark.parametrize("extension", [".png", ".tiff"])
def test_sixteen_bits_are_scaled_to_eight(extension: str) -> None:
    deep = PICTURE[..., ::-1].astype(np.uint16) * 257
    data = cv2.imencode(extension, deep)[1].tobytes()
    assert np.abs(decode(data).astype(int) - PICTURE.astype(int)).max() <= 1


def test_alpha_is_dropped_and_hidden_colours_show() -> None:
    alpha = np.zeros(PICTURE.shape[:2], np.uint8)
    data = _saved("PNG", Image.fromarray(np.dstack([PICTURE, alpha])))
    np.testing.assert_array_equal(decode(data), PICTURE)


def test_cmyk_jpeg_is_converted() -> None:
    image = Image.fromarray(PICTURE).convert("CMYK")
    data = _saved("JPEG", image, quality=95)
    assert _far(decode(data), PICTURE) < 4


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken(kind: str) -> None:
    red, blue = (Image.new("RGB", (32, 24), colour) for colour in ("red", "blue"))
    data = _saved(kind, red, save_all=True, append_images=[blue], duration=100)
    assert _far(decode(data), np.full((24, 32, 3), (255, 0, 0), np.uint8)) < 4


@pytest.mark.parametrize("reduce", [2, 4, 8])
def test_reduced_decoding_shrinks_and_stays_upright(reduce: Any) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    big = Image.fromarray(_picture(480, 640))
    small = decode(_saved("JPEG", big, quality=95, exif=exif), reduce=reduce)
    turned = np.rot90(_picture(480, 640), -1)
    expected = cv2.resize(
        np.ascontiguousarray(turned),
        (480 // reduce, 640 // reduce),
        interpolation=cv2.INTER_AREA,
    )
    assert _far(small, np.asarray(expected, np.uint8)) < 4


@pytest.mark.parametrize("part", [0.30, 0.60, 0.95])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("GIF", {}),
        ("WEBP", {}),
        ("BMP", {}),
    ],
)
def test_cut_files_are_truncated(kind: str, options: dict[str, Any], part: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = _saved(kind, Image.fromarray(noise), **options)
    decode(data)
    with pytest.raises(Unreadable) as caught:
        decode(data[: int(len(data) * part)])
    assert caught.value.reason == "truncated"


def _with_thumbnail(photo: bytes) -> bytes:
    """A JPEG whose APP1 segment holds another whole JPEG, as cameras write it."""
    thumbnail = _saved("JPEG", Image.fromarray(PICTURE).resize((16, 12)))
    payload = b"Thumb\0" + thumbnail
    return photo[:2] + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + photo[2:]


def test_a_thumbnail_does_not_hide_that_a_jpeg_is_cut() -> None:
    data = _with_thumbnail(_saved("JPEG"))
    assert decode(data).shape == PICTURE.shape
    with pytest.raises(Unreadable, match="truncated"):
        decode(data[:-40])


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_data_after_the_image_are_no_harm(kind: str) -> None:
    data = _saved(kind)
    np.testing.assert_array_equal(decode(data + bytes(range(256)) * 9), decode(data))


def test_a_download_filled_up_with_zeros_is_truncated() -> None:
    data = _saved("JPEG")
    half = len(data) // 2
    with pytest.raises(Unreadable, match="truncated"):
        decode(data[:half] + bytes(len(data) - half))


@pytest.mark.parametrize(
    "data",
    [b"", b"not an image at all\n" * 20, b"\0" * 4096, b"\xff\xd8\xff\xd9", b"<svg></svg>"],
    ids=["empty", "text", "zeros", "bare markers", "svg"],
)
def test_what_is_no_image_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        decode(data)
    assert caught.value.reason == "unreadable"
    assert caught.value.detail
    assert "\n" not in str(caught.value)


def test_missing_system_library_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def fail(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "cv2":
            raise ImportError("libGL.so.1: cannot open shared object file")
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "cv2")
    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(UserError, match=r"libGL\.so\.1.*libgl1 libglib2\.0-0.*headless"):
        opencv()
