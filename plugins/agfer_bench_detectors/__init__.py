"""Face detectors in place of the paper's cascades: YuNet, by way of OpenCV."""

from __future__ import annotations

from agfer_bench import DetectorSpec, hookimpl
from agfer_bench_detectors.yunet import load


@hookimpl
def face_detectors() -> list[DetectorSpec]:
    """Offer the detectors."""
    return [
        DetectorSpec(
            name="yunet",
            load=load,
            summary="YuNet of OpenCV's model zoo: face_detection_yunet_2023mar.onnx",
            source="doi:10.1007/s11633-023-1423-y",
        )
    ]
