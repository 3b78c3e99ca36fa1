"""The address of a job: all that its numbers depend on.

A job that has the address of one that is done would end in the same numbers, so it is not run
again. Speed has no address: it is measured anew in every run.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import Any

import timm
import torch

import agfer_bench
from agfer_bench.catalogue import Chosen, Entry
from agfer_bench.protocol import Protocol, fingerprint
from agfer_bench.records import MemoryFormat
from agfer_bench.run.environment import device_name
from agfer_bench.specs import AttentionSpec

_HARNESS = (
    "faces/folds.py",
    "accuracy.py",
    "measure/memory.py",
    "network",
    "run/job.py",
    "seeds.py",
    "training",
)
"""Code of the harness that moves a trained network's numbers."""

Address = dict[str, Any]


def job_address(
    chosen: Chosen[AttentionSpec],
    protocol: Protocol,
    *,
    data_fingerprint: str,
    pixels_sha256: str,
    fold: int,
    device: torch.device,
    memory_format: MemoryFormat,
) -> Address:
    """Return the address of one module trained on one fold."""
    entry = chosen.entry
    return {
        "protocol": protocol.fingerprint,
        "data": data_fingerprint,
        "pixels": pixels_sha256,
        "module": entry.spec.name,
        "options": chosen.values,
        "distribution": entry.distribution,
        "version": entry.version,
        "package": package_sha256(entry),
        "harness": harness_sha256(),
        "device": device_name(device),
        "torch": str(torch.__version__),
        "timm": str(timm.__version__),
        "memory_format": memory_format,
        "threads": torch.get_num_threads() if device.type == "cpu" else 0,
        "fold": fold,
    }


def job_key(address: Address) -> str:
    """SHA-256 (hex) of an address: the name of the job's folder."""
    return fingerprint(address)


def package_sha256(entry: Entry[AttentionSpec]) -> str:
    """Hash the source files of the package that an entry point names.

    Code that the package imports from elsewhere is covered by the distribution's version alone.
    """
    return _hash_module(entry.module)


@cache
def _hash_module(name: str) -> str:
    """Hash the topmost package of a dotted name that is no namespace."""
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        ancestor = ".".join(parts[:end])
        module = sys.modules.get(ancestor)
        origin = getattr(module, "__file__", None)
        if origin is None:
            spec = importlib.util.find_spec(ancestor) if module is None else None
            origin = spec.origin if spec is not None else None
        if origin is not None:
            path = Path(origin)
            return _hash_files(path.parent if path.name == "__init__.py" else path)
    return "unknown"


@cache
def harness_sha256() -> str:
    """Hash the harness's code that moves numbers."""
    root = Path(agfer_bench.__file__).parent
    return fingerprint([_hash_files(root / part) for part in _HARNESS])


def _hash_files(path: Path) -> str:
    files = [path] if path.is_file() else sorted(path.rglob("*.py"))
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.relative_to(path).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
