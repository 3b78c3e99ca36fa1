"""From frame to label: frames without a face are counted, and each step has its time."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from agfer_bench.faces.cascade import Cascades
from agfer_bench.measure.camera import crop_frames, infer_frames
from agfer_bench.measure.modes import eager_fp32
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.protocol import load_preset
from agfer_bench.run.timing.networks import SharedHost

CPU = torch.device("cpu")


def _png(height: int, width: int) -> bytes:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cv2.imencode(".png", image)[1].tobytes()


def test_frames_as_they_are() -> None:
    frames = crop_frames([_png(40, 60), _png(30, 30), b"no image"], None, 32, threads=1)
    assert [crop.shape for crop in frames.crops] == [(32, 32, 3)] * 2
    assert len(frames.decode_ms) == len(frames.crop_ms) == 2
    assert min(frames.decode_ms + frames.crop_ms) > 0
    assert frames.size == (60, 40)
    assert frames.without_face == 1


def test_frames_without_a_face_are_left_out() -> None:
    threads = cv2.getNumThreads()
    frames = crop_frames([_png(120, 160)], Cascades.load(None), 32, threads=1)
    assert (frames.crops, frames.without_face) == ([], 1)
    assert cv2.getNumThreads() == threads
    assert crop_frames([], None, 32, threads=1).crops == []


def test_labels_are_those_of_the_network() -> None:
    """The label is the argmax for the normalised crop: the input tensor holds what was timed."""
    protocol = load_preset("quick").with_settings({"image_size": 32})
    (chosen,) = load_catalogue().choose_modules("base")
    network = SharedHost(protocol, 7, CPU).build(chosen, "channels_last")
    frames = crop_frames([_png(40, 60), _png(30, 30)], None, 32, threads=1)
    seen: list[torch.Tensor] = []
    hook = network.register_forward_pre_hook(lambda _, args: seen.append(args[0].clone()))
    times = infer_frames(eager_fp32(network, CPU), frames.crops, warmup=1)
    hook.remove()
    assert len(times) == 2
    for crop, x_1CHW in zip(frames.crops, seen[1:], strict=True):
        expected = (crop.astype(np.float32) - 127.5) / 64
        np.testing.assert_allclose(x_1CHW[0].permute(1, 2, 0).numpy(), expected, atol=1e-6)
