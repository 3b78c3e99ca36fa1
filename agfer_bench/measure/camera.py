"""From a camera's frame to a label: decode, find and cut the face, infer; one frame at a time.

Shapes in names: C channels, H height, W width.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from agfer_bench.faces.cascade import Cascades
from agfer_bench.faces.crops import NoCrop, cut, find_crop
from agfer_bench.faces.decode import Pixels, Unreadable, decode, opencv
from agfer_bench.faces.detector import Detector
from agfer_bench.measure.modes import PreparedMode

_MEAN, _STD = 127.5, 64.0
"""Of the usual order; times do not depend on the values."""


@dataclass(kw_only=True)
class Frames:
    """Crops of the frames that hold a face, and how long they took."""

    crops: list[Pixels] = field(default_factory=list)
    """(S, S, 3) each."""
    decode_ms: list[float] = field(default_factory=list)
    """Milliseconds of each, bytes to pixels."""
    crop_ms: list[float] = field(default_factory=list)
    """Milliseconds of each, pixels to crop."""
    size: tuple[int, int] = (0, 0)
    """Width and height of the first frame with a face."""
    without_face: int = 0
    """Frames that are left out."""


def crop_frames(
    frames: Sequence[bytes], finder: Cascades | Detector | None, image_size: int, threads: int
) -> Frames:
    """Decode and crop frames, timed one by one, after the first was done once untimed.

    Args:
        frames: Image files.
        finder: The cascades or a detector; None takes frames as they are.
        image_size: Side of the crop, in pixels.
        threads: Those that OpenCV may use: as many as the network.
    """
    cv2 = opencv()
    before = cv2.getNumThreads()
    cv2.setNumThreads(threads)
    found = Frames()
    try:
        if frames:
            _crop(frames[0], finder, image_size, Frames())  # the detectors are made
        for data in frames:
            _crop(data, finder, image_size, found)
    finally:
        cv2.setNumThreads(before)
    return found


def _crop(data: bytes, finder: Cascades | Detector | None, image_size: int, found: Frames) -> None:
    started = time.perf_counter_ns()
    try:
        rgb = decode(data)
        decoded = time.perf_counter_ns()
        height, width = rgb.shape[:2]
        box = find_crop(rgb, finder).crop if finder else (0, 0, width, height)
        crop = cut(rgb, box, image_size)
    except (Unreadable, NoCrop):
        found.without_face += 1
        return
    found.decode_ms.append((decoded - started) / 1e6)
    found.crop_ms.append((time.perf_counter_ns() - decoded) / 1e6)
    found.size = found.size if found.crops else (width, height)
    found.crops.append(crop)


def infer_frames(
    ready: PreparedMode, crops: Sequence[Pixels], warmup: int = 3
) -> tuple[float, ...]:
    """Time a network from crop to label on the host, in milliseconds a frame.

    Normalising, the copy to the device and the way back are in it.
    """
    device = next(ready.network.parameters()).device
    with torch.inference_mode(), ready.settings():
        x_1CHW = ready.input(1, crops[0].shape[0])
        call = ready.bind(x_1CHW)
        for _ in range(warmup):
            _label(crops[0], x_1CHW, call, device)
        times = []
        for crop in crops:
            started = time.perf_counter_ns()
            _label(crop, x_1CHW, call, device)
            times.append((time.perf_counter_ns() - started) / 1e6)
    return tuple(times)


def _label(crop: Pixels, x_1CHW: Tensor, call: Callable[[], Tensor], device: torch.device) -> int:
    pixels: Any = crop
    pixels_HWC = torch.from_numpy(pixels).to(device)
    x_1CHW.copy_(((pixels_HWC.float() - _MEAN) / _STD).permute(2, 0, 1)[None])
    return int(call().argmax(dim=1))  # waits for the device
