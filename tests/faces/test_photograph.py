"""A large photograph is searched and cut at reduced size, with the crop of the whole one."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from agfer_bench_synthetic.casting import Cast
from PIL import Image

from agfer_bench.faces import photograph
from agfer_bench.faces.cascade import Cascades
from agfer_bench.faces.crop_cache import CropSettings
from agfer_bench.faces.crops import cut, find_crop
from agfer_bench.faces.decode import decode, read_image
from agfer_bench.faces.file_formats import jpeg_size
from agfer_bench.faces.photograph import crop_photograph
from agfer_bench.plugin.specs import FaceImage
from tests.opencv import needs_cascades

LARGE = (2560, 1920)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> FaceImage:
    """Draw a face and enlarge it to 2560 x 1920 pixels."""
    (frame,) = Cast(seed=3).sequence(1, "happiness", [1.0])
    path = tmp_path_factory.mktemp("large") / "face.jpg"
    bgr = cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), LARGE, interpolation=cv2.INTER_CUBIC)
    assert cv2.imwrite(str(path), bgr)
    return FaceImage(path=path, emotion="happiness")


@needs_cascades
@pytest.mark.parametrize(("size", "reductions"), [(48, [4]), (224, [4, 2]), (480, [4, 1])])
def test_the_crop_is_that_of_the_whole_photograph(
    large: FaceImage, size: int, reductions: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    cascades = Cascades.load(None)
    whole = decode(large.path.read_bytes())
    boxes = find_crop(whole, cascades)
    decoded: list[int] = []

    def spy(data: bytes, *, reduce: Any = 1) -> Any:
        decoded.append(reduce)
        return read_image(data, reduce=reduce)

    monkeypatch.setattr(photograph, "read_image", spy)
    outcome = crop_photograph(large, CropSettings(image_size=size), cascades)
    assert decoded == reductions
    assert outcome.boxes is not None
    assert outcome.pixels is not None
    side = boxes.face[2]
    for part in ("face", "eye", "pair", "mouth", "crop"):
        assert np.allclose(outcome.boxes[part], getattr(boxes, part), atol=0.03 * side), part
    # Cut where the search of the small copy found it, from the whole photograph.
    expected = cut(whole, outcome.boxes["crop"], size)
    difference = np.abs(outcome.pixels.astype(int) - expected).mean()
    assert difference < 2


def test_a_whole_image_is_reduced_too(large: FaceImage) -> None:
    outcome = crop_photograph(large, CropSettings(image_size=64, method="none"), None)
    expected = cut(decode(large.path.read_bytes()), (0, 0, *LARGE), 64)
    assert outcome.pixels is not None
    assert np.abs(outcome.pixels.astype(int) - expected).mean() < 2


def test_a_crop_in_grey_is_the_grey_of_the_crop(large: FaceImage) -> None:
    colour, grey = (
        crop_photograph(large, CropSettings(image_size=64, method="none", colour=colour), None)
        for colour in ("rgb", "grey")
    )
    assert colour.pixels is not None
    assert grey.pixels is not None
    assert np.ptp(colour.pixels.astype(int), axis=2).max() > 0
    expected = (colour.pixels @ np.array([0.299, 0.587, 0.114]))[..., None]  # ITU-R BT.601
    assert np.abs(grey.pixels - expected).max() <= 1
    assert np.ptp(grey.pixels, axis=2).max() == 0
    assert (grey.boxes, grey.look and grey.look.colour) == (colour.boxes, True)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}])
def test_the_size_stands_in_the_header(options: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    thumbnail = b"\xff\xd8\xff\xc0\x00\x0b\x08\x00\x01\x00\x01\x01\x01\x11\x00\xff\xd9"
    exif = b"Exif\x00\x00" + thumbnail
    Image.new("RGB", (123, 45)).save(buffer, "JPEG", exif=exif, **options)
    assert jpeg_size(buffer.getvalue()) == (123, 45), "not that of the thumbnail"


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xc0\x00", b"\x89PNG\r\n\x1a\n"])
def test_no_size_where_there_is_none(data: bytes) -> None:
    assert jpeg_size(data) is None


def test_a_large_file_that_is_no_jpeg_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    assert cv2.imwrite(str(path), np.tri(2000, dtype=np.uint8) * 255)
    outcome = crop_photograph(
        FaceImage(path=path, emotion="fear"), CropSettings(image_size=8, method="none"), None
    )
    assert outcome.boxes == {"crop": (0, 0, 2000, 2000)}
