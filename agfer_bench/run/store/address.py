"""The address of a job: all that its numbers depend on.

A job that has the address of one that is done would end in the same numbers, so it is not run
again. Speed has no address: `run` measures it anew every time.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

import timm
import torch
from pydantic import JsonValue

import agfer_bench
from agfer_bench.faces.folds import Fold, names_sha256
from agfer_bench.faces.mask import mask_digest
from agfer_bench.measure.environment import device_name
from agfer_bench.plugin.catalogue import Chosen, Entry
from agfer_bench.plugin.sources import files, hash_files, hash_sources
from agfer_bench.plugin.specs import AttentionSpec, ClassifierSpec, ModuleSpec
from agfer_bench.protocol import fingerprint
from agfer_bench.records.run import DataRecord, MemoryFormat
from agfer_bench.run.identity import Identity
from agfer_bench.run.settings import RunSettings

_HARNESS = (
    "faces/folds.py",
    "metrics.py",
    "measure/device_memory.py",
    "measure/memory.py",
    "measure/precision.py",
    "measure/size.py",
    "faces/cross_database.py",
    "faces/data.py",
    "faces/official.py",
    "network",
    "run/jobs/base.py",
    "run/jobs/classifier.py",
    "run/jobs/evaluation.py",
    "run/jobs/network.py",
    "run/jobs/placebos.py",
    "run/jobs/start.py",
    "run/jobs/weights.py",
    "seeds.py",
    "training",
)
"""Code of the harness that moves the numbers of a trained network or classifier."""

_MEASURE = ("measure", "run/costs.py", "run/timing")
"""Code of the harness that measures sizes and times."""

_LIBRARIES = ("numpy", "scipy", "scikit-image", "scikit-learn")
"""Distributions that a classifier's numbers may depend on."""

Address = dict[str, JsonValue]


def job_address(
    chosen: Chosen[AttentionSpec],
    settings: RunSettings,
    *,
    data: DataRecord,
    names: Sequence[str],
    fold: Fold,
    test: DataRecord | None,
    memory_format: MemoryFormat,
    identity: Identity,
) -> Address:
    """Return the address of one network trained on one fold."""
    protocol, device = settings.protocol, settings.device
    return {
        **_shared(chosen, identity, data=data, names=names, fold=fold, test=test),
        "protocol": protocol.fingerprint,
        "curve": protocol.curve_every,
        "mask": mask_digest(settings.mask) if protocol.guidance else None,
        "device": device_name(device),
        "torch": str(torch.__version__),
        "timm": str(timm.__version__),
        "memory_format": memory_format,
        "execution": settings.execution,
        "micro_batch": settings.micro_batch,
        "threads": settings.training_threads if device.type == "cpu" else 0,
    }


def classifier_address(
    chosen: Chosen[ClassifierSpec],
    settings: Address,
    *,
    data: DataRecord,
    names: Sequence[str],
    fold: Fold,
    test: DataRecord | None,
    identity: Identity,
) -> Address:
    """Return the address of one classifier trained on one fold.

    Args:
        chosen: The classifier and its options.
        settings: What the protocol sets for it. The rest of the protocol is about networks, so
            that a run with another host or more epochs trains no classifier again.
        data: The data set.
        names: Names of its images.
        fold: Training and validation images.
        test: The second data set.
        identity: What the classifier is.
    """
    return {
        **_shared(chosen, identity, data=data, names=names, fold=fold, test=test),
        "kind": "classifier",
        "settings": settings,
        "device": device_name(torch.device("cpu")),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }


def _shared(
    chosen: Chosen[ModuleSpec],
    identity: Identity,
    *,
    data: DataRecord,
    names: Sequence[str],
    fold: Fold,
    test: DataRecord | None,
) -> Address:
    """Return what every job's numbers depend on."""
    entry = chosen.entry
    return {
        "data": data.fingerprint,
        "pixels": data.pixels_sha256,
        "classes": list(data.classes),
        "test": [test.fingerprint, test.pixels_sha256] if test else None,
        "module": entry.spec.name,
        "options": dict(chosen.values),
        "distribution": entry.distribution,
        "version": entry.version,
        "code": identity.code_sha256,
        "weights": identity.weights_sha256,
        "harness": harness_sha256(),
        "fold": fold.number,
        # The division itself, since scikit-learn's way of drawing it may change.
        "train": names_sha256(names, fold.train),
        "validation": names_sha256(names, fold.validation),
    }


def job_key(address: Address) -> str:
    """SHA-256 (hex) of an address: the name of the job's folder."""
    return fingerprint(address)


def package_sha256(entry: Entry[ModuleSpec]) -> str:
    """Hash the files of the package that an entry point names, and those it imports beside it.

    Tells quickly whether two processes load the same; `run.identity` looks further.
    """
    return hash_sources(entry.module)


@cache
def harness_sha256() -> str:
    """Hash the harness's code that moves numbers."""
    root = Path(agfer_bench.__file__).parent
    return hash_files([file for part in _HARNESS for file in files(root / part)], root)


@cache
def measure_sha256() -> str:
    """Hash the harness's code that measures sizes and times."""
    root = Path(agfer_bench.__file__).parent
    parts = [file for part in _MEASURE for file in files(root / part)]
    return hash_files(parts, root)
