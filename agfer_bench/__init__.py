"""agfer-bench: does an attention block help, and what does it cost?

What a plugin author needs is here: mark functions with `hookimpl`, return `AttentionSpec`,
`ClassifierSpec`, `DatasetSpec`, `DetectorSpec` or `TrackerSpec`.
"""

from agfer_bench.errors import PluginError, UserError
from agfer_bench.plugin.glance import Fit, Glance
from agfer_bench.plugin.hookspecs import hookimpl
from agfer_bench.plugin.specs import (
    DRAWN_MARKER,
    EMOTIONS,
    PARTS,
    AttentionSpec,
    ClassifierSpec,
    DatasetSpec,
    DetectorSpec,
    EpochEvent,
    FaceClassifier,
    FaceDetector,
    FaceImage,
    FaceTable,
    FoundFace,
    InputImage,
    NoFace,
    Place,
    PreviousMap,
    Slot,
    TrackerSpec,
)

__version__ = "0.1.0"

__all__ = [
    "DRAWN_MARKER",
    "EMOTIONS",
    "PARTS",
    "AttentionSpec",
    "ClassifierSpec",
    "DatasetSpec",
    "DetectorSpec",
    "EpochEvent",
    "FaceClassifier",
    "FaceDetector",
    "FaceImage",
    "FaceTable",
    "Fit",
    "FoundFace",
    "Glance",
    "InputImage",
    "NoFace",
    "Place",
    "PluginError",
    "PreviousMap",
    "Slot",
    "TrackerSpec",
    "UserError",
    "hookimpl",
]
