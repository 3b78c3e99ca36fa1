"""A training's state on disk, from which another process goes on bit for bit.

What is kept: weights and buffers of the network (its `state_dict`), the optimiser's state, the
history, the peak memory, how batches are split, and the global generators that `seeds.seeded`
governs. A block that keeps anything else between steps (a counter in an attribute, a buffer that is
not persistent) ends in other numbers when its training is resumed: that is its own fault.

A file is read by `torch.load` with `weights_only`, which makes nothing but tensors and plain
values: whoever can write to the folder can spoil a training, and no more.
"""

from __future__ import annotations

import random
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from agfer_bench.errors import describe
from agfer_bench.files import replacing
from agfer_bench.records.run import EpochRecord

LAYOUT: Final = 1
"""Version of the file's layout; one of another is not read."""

_SPARE_BYTES = 2**20
"""What a file takes beside its tensors, at most."""


class Unusable(Exception):
    """A checkpoint does not fit the training; the message says why."""


@dataclass(frozen=True, kw_only=True)
class CheckpointPlace:
    """Where a job keeps its checkpoint, and how often it is written."""

    path: Path
    """The file, absolute: another process may look for it from elsewhere."""
    seconds: float
    """Least time between two, in seconds; 0 for one at each epoch's end."""


@dataclass(frozen=True, kw_only=True)
class BatchParts:
    """How batches are split into passes, and why."""

    micro_batch: int | None
    """Most images of one pass; None for whole batches."""
    reason: str | None
    """Why, where that was not asked for."""


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """What a training goes on with, beside network, optimiser and generators."""

    history: tuple[EpochRecord, ...]
    """The epochs that are done."""
    peak_memory_bytes: int
    """Most bytes of tensors so far."""


class Keeper:
    """Reads and writes the checkpoint of one job.

    Args:
        place: Where; None for a job that keeps none.
        key: SHA-256 of the job's address.
        device: Where it is trained.
        note: Hears of what the user should know.
    """

    def __init__(
        self,
        place: CheckpointPlace | None,
        key: str,
        device: torch.device,
        note: Callable[[str], None],
    ) -> None:
        self._place = place
        self._key = key
        self._device = device
        self._note = note
        self._found: dict[str, Any] | None = None
        self._split = BatchParts(micro_batch=None, reason=None)
        self._last = time.monotonic()

    def find(self) -> BatchParts | None:
        """Read what an earlier process left; None where there is nothing that can be used."""
        if self._place is None or not self._place.path.is_file():
            return None
        try:
            self._found = _read(self._place.path, self._key)
        except Exception as error:  # a damaged file makes torch raise almost anything
            self.refuse(error)
            return None
        return BatchParts(micro_batch=self._found["micro_batch"], reason=self._found["reason"])

    def refuse(self, error: Exception) -> None:
        """Remove a checkpoint that cannot be used, and say so."""
        assert self._place is not None
        self.remove()
        self._note(
            f"{self._place.path} cannot be used ({describe(error)}): removed, training starts anew"
        )

    def begin(self, split: BatchParts) -> None:
        """Take notice of how batches are split in what follows."""
        self._split = split
        self._last = time.monotonic()

    def resume(self, network: nn.Module, optimiser: torch.optim.Optimizer) -> Resumed | None:
        """Put network, optimiser and generators into the state that was found; None without one.

        Tensors of the network stay where they are, so that a captured graph still finds them.

        Raises:
            Unusable: The state does not fit; network and optimiser may be changed.
        """
        found, self._found = self._found, None
        if found is None:
            return None
        try:
            network.load_state_dict(found["network"])
            optimiser.load_state_dict(found["optimiser"])
            resumed = Resumed(
                history=tuple(EpochRecord.model_validate(epoch) for epoch in found["history"]),
                peak_memory_bytes=int(found["peak_memory_bytes"]),
            )
            _set_generators(found["generators"], self._device)
        except Exception as error:
            raise Unusable(describe(error)) from error
        return resumed

    def offer(
        self,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        history: Sequence[EpochRecord],
        peak_memory_bytes: int,
    ) -> None:
        """Write a checkpoint if it is time; where that fails, training goes on without any."""
        if self._place is None or time.monotonic() - self._last < self._place.seconds:
            return
        content = {
            "layout": LAYOUT,
            "job": self._key,
            "micro_batch": self._split.micro_batch,
            "reason": self._split.reason,
            "network": network.state_dict(),
            "optimiser": optimiser.state_dict(),
            "history": [epoch.model_dump() for epoch in history],
            "peak_memory_bytes": peak_memory_bytes,
            "generators": _generators(self._device),
        }
        fault = _write(content, self._place.path)
        if fault is not None:
            self._place = None
            self._note(f"{fault}: training goes on without checkpoints, and starts anew if stopped")
        self._last = time.monotonic()

    def remove(self) -> None:
        """Remove the checkpoint, if there is one."""
        self._found = None
        if self._place is not None:
            discard(self._place.path)


def discard(path: Path) -> None:
    """Remove a checkpoint; one that cannot be removed is left."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return


def _read(path: Path, key: str) -> dict[str, Any]:
    """Read a file and find out whether it is whole and the job's."""
    with zipfile.ZipFile(path) as archive:
        if archive.testzip() is not None:  # torch itself does not look at checksums
            raise Unusable("it is damaged")
    content = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, dict) or content.get("layout") != LAYOUT:
        raise Unusable("it is of another version")
    if content.get("job") != key:
        raise Unusable("it is another job's")
    if not isinstance(content["micro_batch"], int | None):
        raise Unusable("it is damaged")
    if not isinstance(content["reason"], str | None):
        raise Unusable("it is damaged")
    return content


def _write(content: dict[str, Any], path: Path) -> str | None:
    """Write a file whole or not at all; say what went wrong, None where nothing did."""
    needed = sum(tensor.untyped_storage().nbytes() for tensor in _tensors(content)) + _SPARE_BYTES
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(path.parent).free
        if free < needed:
            return f"too little space for checkpoints under {path.parent}"
        with replacing(path) as temporary, temporary.open("wb") as file:
            torch.save(content, file)
    except Exception as error:  # the disk, or a state of a stranger's that cannot be written
        stop = next((one for one in _behind(error) if isinstance(one, KeyboardInterrupt)), None)
        if stop is not None:  # torch's archive puts an error of its own in its place
            raise stop from None
        return f"a checkpoint could not be written ({_why(error)})"
    return None


def _tensors(content: Any) -> Iterator[Tensor]:
    if isinstance(content, Tensor):
        yield content
    elif isinstance(content, dict):
        for value in content.values():
            yield from _tensors(value)
    elif isinstance(content, list | tuple):
        for value in content:
            yield from _tensors(value)


def _generators(device: torch.device) -> dict[str, Any]:
    """Return the states of the global generators, as tensors and plain values."""
    version, words, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "python": [version, list(words), gauss],
        "numpy": [
            str(name),
            torch.from_numpy(np.asarray(keys, dtype=np.int64)),
            int(position),
            int(has_gauss),
            float(cached),
        ],
    }


def _set_generators(states: dict[str, Any], device: torch.device) -> None:
    """Put the global generators into states that `_generators` returned."""
    version, words, gauss = states["python"]
    name, keys, *rest = states["numpy"]
    random.setstate((version, tuple(words), gauss))
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(states["torch"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)


def _why(error: BaseException) -> str:
    """Say why nothing could be written: what the system said, if it is behind the error.

    torch's archive raises an error of its own where the disk refuses the archive's end.
    """
    for found in _behind(error):
        if isinstance(found, OSError) and found.strerror:
            return found.strerror
    return describe(error)


def _behind(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that led to it."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
