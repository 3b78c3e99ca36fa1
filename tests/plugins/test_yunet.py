"""YuNet by way of OpenCV, with a network of its shape that finds a red square.

The weights of YuNet are no part of the project. The network here has its outputs, by name and
shape: at stride 8 a cell that is red is a face with a known box and known points, all else is none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from agfer_bench_detectors.yunet import load

from agfer_bench.errors import UserError
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.plugin.specs import FoundFace, NoFace

onnx = pytest.importorskip("onnx")

BOX = (0.5, 0.5, np.log(4), np.log(6))
"""Centre within its cell, and logarithms of the sides, in cells of 8 pixels."""
POINTS = (-1, -1.5, 1, -1.5, 0, 0, -0.75, 1.5, 0.75, 1.5)
"""x and y of five points from the cell's corner, in cells."""
CHANNELS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}


def _network(channels: Mapping[str, int] = CHANNELS, *, name: str = "") -> bytes:
    """A network with YuNet's outputs; `name` is put before each of their names."""
    helper, keep = onnx.helper, onnx.numpy_helper.from_array
    nodes: list[Any] = []
    constants: list[Any] = []
    outputs = []
    for stride in (8, 16, 32):
        pool = [f"pool{stride}"]
        sides = [stride, stride]
        nodes.append(
            helper.make_node("MaxPool", ["input"], pool, kernel_shape=sides, strides=sides)
        )
        for kind, size in channels.items():
            weight, bias = np.zeros((size, 3, 1, 1), np.float32), np.zeros(size, np.float32)
            if kind in ("cls", "obj"):
                # Of BGR: red speaks for a face, blue and green against one.
                weight[0, :, 0, 0] = [-1, -1, 0.9 / 255]
                weight *= stride == 8
            else:
                bias[:] = BOX if kind == "bbox" else np.resize(POINTS, size)
            known = f"{kind}_{stride}"
            shape = np.array([1, -1, size], np.int64)
            constants += [
                keep(weight, f"w{known}"),
                keep(bias, f"b{known}"),
                keep(shape, f"s{known}"),
            ]
            nodes += [
                helper.make_node("Conv", [*pool, f"w{known}", f"b{known}"], [f"c{known}"]),
                helper.make_node("Transpose", [f"c{known}"], [f"t{known}"], perm=[0, 2, 3, 1]),
                helper.make_node("Reshape", [f"t{known}", f"s{known}"], [name + known]),
            ]
            outputs.append(
                helper.make_tensor_value_info(
                    name + known, onnx.TensorProto.FLOAT, [1, (640 // stride) ** 2, size]
                )
            )
    image = helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, [1, 3, 640, 640])
    graph = helper.make_graph(nodes, "made", [image], outputs, constants)
    opset = [helper.make_opsetid("", 13)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    return bytes(model.SerializeToString())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "Gewichte für Gesichter"
    path.write_bytes(_network())
    return path


def _picture(*cells: tuple[int, int], colour: tuple[int, int, int] = (255, 0, 0)) -> Any:
    """RGB, 200 x 120 pixels, with coloured cells of 8 pixels."""
    picture = np.zeros((120, 200, 3), np.uint8)
    for column, row in cells:
        picture[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = colour
    return picture


def test_box_and_points_come_out_in_the_pictures_left_and_right(file: Path) -> None:
    found = load(file).detect(_picture((10, 7)))
    # The cell begins at (80, 56).
    expected = FoundFace(
        box=(84 - 16, 60 - 24, 32, 48),
        left_eye=(72, 44),
        right_eye=(88, 44),
        nose=(80, 56),
        left_mouth=(74, 68),
        right_mouth=(86, 68),
    )
    assert isinstance(found, FoundFace)
    for field in dataclasses.fields(FoundFace):
        one, other = (getattr(each, field.name) for each in (found, expected))
        np.testing.assert_allclose(one, other, atol=1e-3, err_msg=field.name)


@pytest.mark.parametrize("colour", [(0, 0, 255), (0, 255, 0), (0, 0, 0), (150, 0, 0)])
def test_a_picture_without_a_face_of_the_score(file: Path, colour: tuple[int, int, int]) -> None:
    assert isinstance(load(file).detect(_picture((10, 7), colour=colour)), NoFace)


def test_the_score_is_an_option(file: Path) -> None:
    # 0.9 of 150 / 255 is the score of this colour.
    dim = _picture((10, 7), colour=(150, 0, 0))
    assert isinstance(load(file, score=0.5).detect(dim), FoundFace)
    assert isinstance(load(file, score=0.95).detect(_picture((10, 7))), NoFace)
    with pytest.raises(UserError, match="yunet:score is a number above 0"):
        load(file, score=1.5)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>Not found</html>",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 232589\n",
        _network()[:-40],
        _network(name="another_"),
        _network({**CHANNELS, "kps": 2}),
        _network({"cls": 1, "obj": 1, "bbox": 4}),
    ],
    ids=["empty", "page", "pointer", "cut", "names", "sizes", "parts"],
)
def test_what_is_no_yunet_is_one_line_that_names_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "faces.onnx"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"yunet: {path} is no YuNet that OpenCV {cv2.__version__} can run")
    assert "face_detection_yunet_2023mar.onnx" in message
    assert "\n" not in message


def test_a_missing_file_and_an_opencv_without_the_class(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="cannot read"):
        load(file / "absent")
    with pytest.raises(UserError, match="needs a file of weights"):
        load(None)
    monkeypatch.delattr(cv2, "FaceDetectorYN")
    with pytest.raises(UserError, match=r"has no FaceDetectorYN.*install opencv-python") as caught:
        load(file)
    assert "\n" not in str(caught.value)


def test_it_is_on_offer(file: Path) -> None:
    from importlib.metadata import EntryPoint

    point = EntryPoint("detectors", "agfer_bench_detectors", "agfer_bench")
    catalogue = load_catalogue([point])
    assert not catalogue.problems
    entry = catalogue.detectors["yunet"]
    assert entry.spec.needs_file
    assert [option.name for option in entry.options] == ["score"]
    assert isinstance(entry.spec.load(file, score=0.5).detect(_picture((3, 3))), FoundFace)
