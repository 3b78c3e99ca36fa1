"""agfer-bench: does an attention block help, and what does it cost?

What a plugin author needs is here: mark functions with `hookimpl`, return `AttentionSpec`,
`ClassifierSpec`, `DatasetSpec` or `TrackerSpec`.
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
    EpochEvent,
    FaceClassifier,
    FaceImage,
    FaceTable,
    Place,
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
    "EpochEvent",
    "FaceClassifier",
    "FaceImage",
    "FaceTable",
    "Fit",
    "Glance",
    "Place",
    "PluginError",
    "Slot",
    "TrackerSpec",
    "UserError",
    "hookimpl",
]
