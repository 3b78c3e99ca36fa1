"""Image files of every kind, against Pillow and against pictures made by hand."""

from __future__ import annotations

import builtins
import io
import struct
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from agfer_bench.errors import UserError
from agfer_bench.faces.decode import Unreadable, decode, opencv, read_image

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


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ImportError("DLL load failed while importing cv2"), "opencv-python-headless"),
        (ImportError("numpy._core.multiarray failed to import"), "another NumPy.*upgrade"),
        (AttributeError("_ARRAY_API not found"), "another NumPy.*upgrade"),
        (AttributeError("partially initialized module 'cv2' has no attribute 'gapi'"), "uninstall"),
        (ImportError("recursion is detected during loading of cv2 extensions"), "uninstall -y"),
        (ModuleNotFoundError("No module named 'cv2'", name="cv2"), "not installed: `pip install"),
    ],
)
def test_an_opencv_that_cannot_be_imported_is_told_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    real = builtins.__import__

    def fail(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "cv2":
            raise error
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "cv2")
    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(UserError, match=message) as caught:
        opencv()
    assert "\n" not in str(caught.value)
    assert ("libgl1" in str(caught.value)) == ("DLL" in str(error))


def test_what_is_left_of_a_removed_opencv_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A folder of data files is all that stays: Python takes it for a namespace package."""
    (tmp_path / "cv2" / "data").mkdir(parents=True)
    monkeypatch.delitem(sys.modules, "cv2")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(sys, "meta_path", [PathFinder])
    with pytest.raises(UserError, match=r"in part only .*uninstall -y opencv-python") as caught:
        opencv()
    assert str(tmp_path / "cv2") in str(caught.value)


@pytest.mark.parametrize("extension", [".png", ".tiff"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_sixteen_bits_that_hold_fewer_are_scaled_by_these_and_told(
    extension: str, bits: int
) -> None:
    deep = np.rint(PICTURE[..., ::-1] / 255 * (2**bits - 1)).astype(np.uint16)
    found = read_image(cv2.imencode(extension, deep)[1].tobytes())
    assert np.abs(found.pixels.astype(int) - PICTURE).max() <= 1
    assert found.remark == f"images of 16 bits that hold no more than {bits}, read as {bits} bits"


def test_sixteen_bits_that_hold_sixteen_are_no_remark() -> None:
    deep = PICTURE.astype(np.uint16) * 66  # up to 16830, above 14 bits
    found = read_image(cv2.imencode(".png", deep[..., ::-1])[1].tobytes())
    assert found.remark is None
    assert np.abs(found.pixels - deep / 257).max() <= 0.5


@pytest.mark.parametrize(("white", "words"), [(1, "fractions"), (255, "floating-point numbers")])
def test_floating_point_files_are_scaled_and_told(white: int, words: str) -> None:
    floats = (PICTURE[..., ::-1] / 255 * white).astype(np.float32)
    found = read_image(cv2.imencode(".tiff", floats)[1].tobytes())
    assert np.abs(found.pixels.astype(int) - PICTURE).max() <= 1
    assert found.remark is not None
    assert words in found.remark


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float64])
def test_other_numbers_are_scaled_and_told(kind: type) -> None:
    found = read_image(cv2.imencode(".tiff", 3 * PICTURE[..., ::-1].astype(kind))[1].tobytes())
    assert np.abs(found.pixels - 3 * PICTURE.astype(float) / 1023 * 255).max() <= 0.5
    assert found.remark is not None
    assert found.remark.endswith("hold no more than 10, read as 10 bits")


@pytest.mark.parametrize("value", [float("nan"), -1.0, 1e6])
def test_floating_point_files_of_no_grey_levels_are_unreadable(value: float) -> None:
    floats = np.full((8, 8, 3), 0.5, np.float32)
    floats[2, 3] = value
    with pytest.raises(Unreadable, match="no grey levels: save it with 8 bits"):
        decode(cv2.imencode(".tiff", floats)[1].tobytes())


def test_a_dark_avif_of_ten_bits_stays_dark() -> None:
    dark = PICTURE.astype(np.uint16)[..., ::-1] // 2
    data = cv2.imencode(".avif", dark, [cv2.IMWRITE_AVIF_DEPTH, 10])[1].tobytes()
    assert _far(decode(data), (PICTURE // 8).astype(np.uint8)) < 3


def _netpbm(kind: int, white: int, values: NDArray[Any]) -> bytes:
    """Write a PGM or PPM by hand, with a comment where the format allows one."""
    height, width = values.shape[:2]
    header = f"P{kind}\n# made by hand\n{width} {height}\n{white}\n".encode()
    if kind in (2, 3):
        return header + " ".join(map(str, values.ravel())).encode()
    return header + values.astype(">u2" if white > 255 else "u1").tobytes()


@pytest.mark.parametrize("white", [1, 15, 100, 255, 300, 4095, 65535])
@pytest.mark.parametrize("kind", [2, 3, 5, 6])
def test_white_is_what_the_header_of_a_pgm_says(kind: int, white: int) -> None:
    picture = PICTURE if kind in (3, 6) else PICTURE[..., 0]
    values = np.rint(picture / 255 * white).astype(int)
    expected = np.rint(values * 255 / white)
    found = decode(_netpbm(kind, white, values))
    assert np.abs(found - (expected if kind in (3, 6) else expected[..., None])).max() <= 1
    # A dark picture is no reason to scale further.
    assert decode(_netpbm(kind, white, values // 2)).max() <= 128


def test_a_cut_ppm_is_truncated() -> None:
    data = _netpbm(6, 99, PICTURE // 3)
    assert decode(data + b"more").shape == PICTURE.shape
    with pytest.raises(Unreadable, match="truncated"):
        decode(data[:-1])


@pytest.mark.parametrize("height", [48, -48])
def test_a_bmp_counts_its_pixels_and_not_its_size_field(height: int) -> None:
    narrow = Image.fromarray(PICTURE[:, :61])  # 183 bytes a row, and 1 of padding
    data = bytearray(_saved("BMP", narrow))
    if height < 0:  # rows from the top
        data[22:26] = struct.pack("<i", height)
    expected = decode(bytes(data))
    for stated in (0, len(data) - 7, len(data) + 2, len(data) + 999):
        data[2:6] = struct.pack("<I", stated)
        np.testing.assert_array_equal(decode(bytes(data)), expected)
    np.testing.assert_array_equal(decode(bytes(data[:-1])), expected)
    with pytest.raises(Unreadable, match="truncated"):
        decode(bytes(data[:-2]))


def test_a_gif_is_whole_when_its_first_frame_is() -> None:
    red, blue = (Image.new("RGB", (32, 24), colour) for colour in ("red", "blue"))
    data = _saved("GIF", red, save_all=True, append_images=[blue], comment=b"; no end;")
    expected = decode(data)
    for tail in (b"\r\n", b"\x1a", b"<!-- cached -->", bytes(9)):
        np.testing.assert_array_equal(decode(data + tail), expected)
    np.testing.assert_array_equal(decode(data[:-1]), expected)
    np.testing.assert_array_equal(decode(data[:-20]), expected)  # the second frame is cut
    with pytest.raises(Unreadable, match="truncated"):
        decode(data[: len(_saved("GIF", red)) - 20])


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200), "a HEIC image"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heix" + bytes(200), "a HEIC image"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif" + bytes(200), "an AVIF image that is damaged"),
        (b"\xff\x0a" + bytes(200), "a JPEG XL image"),
    ],
)
def test_formats_that_opencv_does_not_know_are_named(data: bytes, what: str) -> None:
    with pytest.raises(Unreadable, match=f"{what}.*convert it to PNG or JPEG"):
        decode(data)
