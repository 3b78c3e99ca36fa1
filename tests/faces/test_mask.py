"""The drawn mask and the user's own."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from agfer_bench.errors import UserError
from agfer_bench.faces.mask import default_mask, mask_digest, read_mask


def _at(mask: NDArray[np.bool_], x: float, y: float) -> bool:
    size = len(mask)
    return bool(mask[int(y * size), int(x * size)])


@pytest.mark.parametrize("size", [48, 96, 224])
def test_it_shows_brows_eyes_and_mouth_and_hides_cheeks_and_nose(size: int) -> None:
    mask = default_mask(size)
    assert mask.shape == (size, size)
    assert mask.dtype == bool
    for x, y in [(0.20, 0.29), (0.80, 0.29), (0.22, 0.12), (0.78, 0.12), (0.5, 0.12), (0.5, 0.82)]:
        assert _at(mask, x, y), (x, y)
    for x, y in [(0.5, 0.5), (0.1, 0.6), (0.9, 0.6), (0.02, 0.95), (0.98, 0.95)]:
        assert not _at(mask, x, y), (x, y)


@pytest.mark.parametrize("size", [16, 33, 48, 224, 299])
def test_it_is_symmetric_and_covers_the_same_part_at_every_size(size: int) -> None:
    mask = default_mask(size)
    np.testing.assert_array_equal(mask, mask[:, ::-1])
    assert 0.40 <= mask.mean() <= 0.50


def test_sizes_show_the_same_shapes() -> None:
    large, small = default_mask(240), default_mask(60)
    shrunk = large.reshape(60, 4, 60, 4).mean(axis=(1, 3)) >= 0.5
    assert (shrunk != small).mean() < 0.02


def _write(path: Path, picture: NDArray[np.uint8] | NDArray[np.uint16]) -> Path:
    assert cv2.imwrite(str(path), picture)
    return path


@pytest.mark.parametrize("white", [1, 255])
def test_a_drawn_mask_is_read_back(tmp_path: Path, white: int) -> None:
    mask = default_mask(48)
    path = _write(tmp_path / "mask.png", mask.astype(np.uint8) * white)
    np.testing.assert_array_equal(read_mask(path, 48), mask)


def test_rgb_with_alpha_and_16_bits_are_read_too(tmp_path: Path) -> None:
    mask = default_mask(32)
    grey = mask.astype(np.uint8) * 255
    rgba = _write(tmp_path / "a.png", np.dstack([grey] * 3 + [np.full_like(grey, 255)]))
    deep = _write(tmp_path / "b.png", mask.astype(np.uint16) * 65535)
    np.testing.assert_array_equal(read_mask(rgba, 32), mask)
    np.testing.assert_array_equal(read_mask(deep, 32), mask)


GREY = default_mask(32).astype(np.uint8) * 255


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (GREY[:-1], "32x31 pixels.*32x32"),
        (np.repeat(np.repeat(GREY, 2, 0), 2, 1), "64x64 pixels.*32x32"),
        (np.linspace(0, 255, 32 * 32).reshape(32, 32).astype(np.uint8), "256 grey value"),
        (np.zeros_like(GREY), "1 grey value"),
        (np.full_like(GREY, 255), "1 grey value"),
        (GREY // 2 + 100, "2 grey value.*black"),
        (np.dstack([GREY, 255 - GREY, GREY]), "coloured"),
    ],
)
def test_other_pictures_are_refused_in_one_line(
    tmp_path: Path, picture: NDArray[np.uint8], said: str
) -> None:
    path = _write(tmp_path / "mask.png", picture)
    with pytest.raises(UserError, match=said) as caught:
        read_mask(path, 32)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_text_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.png.*No such file"):
        read_mask(tmp_path / "none.png", 32)
    text = tmp_path / "text.png"
    text.write_text("no picture")
    with pytest.raises(UserError, match=r"text\.png is no picture"):
        read_mask(text, 32)


def test_the_digest_tells_masks_apart() -> None:
    mask = default_mask(32)
    other = mask.copy()
    other[0, 0] ^= True
    assert mask_digest(mask) == mask_digest(mask.copy())
    assert mask_digest(mask) != mask_digest(other)
    flat = np.zeros((4, 4), bool)
    assert mask_digest(flat) != mask_digest(flat.reshape(2, 8))
    assert mask_digest(mask).startswith("sha256:")
