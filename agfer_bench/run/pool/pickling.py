"""A job on its way to another process: pixels by their file, the module by its name.

Pixels may be larger than memory, and what a stranger offers may hold functions that cannot be
pickled. The other process maps the file and loads the plugin itself.
"""

from __future__ import annotations

import io
import mmap
import pickle
from functools import cache
from importlib.metadata import entry_points
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agfer_bench.errors import PluginError
from agfer_bench.plugin.catalogue import Catalogue, Chosen, Entry
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.plugin.hookspecs import PROJECT
from agfer_bench.plugin.specs import ModuleSpec
from agfer_bench.run.jobs.guarded import AnyJob
from agfer_bench.run.store.address import package_sha256

Identity = tuple[str, str, str]
"""Distribution, version and hash of the sources of a module, as in a job's address."""


def is_installed(entry: Entry[ModuleSpec]) -> bool:
    """Tell whether another process finds the plugin: an installed distribution names its module."""
    return any(
        point.dist is not None
        and (point.dist.name, point.dist.version) == (entry.distribution, entry.version)
        and point.module == entry.module
        for point in entry_points(group=PROJECT)
    )


def pack(job: AnyJob) -> bytes:
    """Write a job down."""
    file = io.BytesIO()
    _Packer(file, pickle.HIGHEST_PROTOCOL).dump(job)
    return file.getvalue()


def unpack(parcel: bytes) -> AnyJob:
    """Read a job in another process.

    Raises:
        PluginError: The module is not on offer here, or not the same.
        OSError: The file of the pixels is gone.
    """
    job: AnyJob = pickle.loads(parcel)
    return job


class _Packer(pickle.Pickler):
    def reducer_override(self, thing: Any) -> Any:
        if isinstance(thing, Chosen):
            return _choose, (thing.entry.spec.name, thing.values, _identity(thing.entry))
        # A part of a map does not know where in the file it begins, and a private map may differ.
        if isinstance(thing, np.memmap) and isinstance(thing.base, mmap.mmap) and thing.mode == "r":
            return _map, (str(thing.filename), thing.dtype, thing.offset, thing.shape)
        return NotImplemented


def _map(path: str, dtype: np.dtype[Any], offset: int, shape: tuple[int, ...]) -> NDArray[Any]:
    return np.memmap(path, dtype, "r", offset, shape)


def _identity(entry: Entry[ModuleSpec]) -> Identity:
    return entry.distribution, entry.version, package_sha256(entry)


def _choose(name: str, values: dict[str, Any], identity: Identity) -> Chosen[ModuleSpec]:
    distribution, version, _ = identity
    entry = _catalogue(distribution).rows.get(name)
    if entry is None:
        raise PluginError(distribution, f"the training process finds no module {name!r}")
    if _identity(entry) != identity:
        found = f"{entry.distribution} {entry.version}"
        what = "other sources" if found == f"{distribution} {version}" else found
        raise PluginError(
            distribution,
            f"{name!r} was changed after the run began: the training process finds {what}, not "
            f"those of {version}; run again",
        )
    return Chosen(entry=entry, values=values)


@cache
def _catalogue(distribution: str) -> Catalogue:
    """Load what a job needs: other plugins, slow or broken, cost its process nothing."""
    return load_catalogue(only={distribution})
