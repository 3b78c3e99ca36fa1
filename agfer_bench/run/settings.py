"""What a run is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from agfer_bench.faces.data import DataSource
from agfer_bench.network.pretrained import Pretrained
from agfer_bench.plugin.catalogue import Chosen
from agfer_bench.plugin.specs import ModuleSpec
from agfer_bench.protocol import Protocol
from agfer_bench.training.execution import ExecutionName

Timing = Literal["measure", "keep", "skip"]
"""What to do about inference times."""


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What to run."""

    modules: tuple[Chosen[ModuleSpec], ...]
    """The rows, base first."""
    source: DataSource
    """The photographs."""
    test: DataSource | None = None
    """The second data set, which every trained network is tested on."""
    protocol: Protocol
    """Every setting."""
    mask: NDArray[np.bool_]
    """(H, W) guidance mask, which `protocol.mask` names."""
    device: torch.device
    """Where to train and to time."""
    out: Path
    """Where jobs and runs are kept."""
    execution: ExecutionName = "auto"
    """How the passes of training are executed; `auto` takes what pays on the device."""
    micro_batch: int | None = None
    """Most images of one pass of training; None for whole batches, or as many as memory takes."""
    pretrained: Pretrained | None = None
    """The weights that `protocol.pretrained` names."""
    fresh: bool = False
    """Whether jobs that are done are done again."""
    checkpoint_seconds: float | None = 300.0
    """Least time between two checkpoints of a training under way, in seconds; 0 writes one after
    each epoch, None none."""
    save_weights: bool = False
    """Whether the final weights of each network are kept with its job."""
    jobs: int = 1
    """Trainings side by side. With more than one, each runs in a process of its own; a script then
    needs `if __name__ == "__main__":`. No number depends on it."""
    threads: int | None = None
    """Threads of torch that each training has on the CPU; None for as many as this process has.
    Timing has those of this process."""
    done: set[str] = field(default_factory=set, compare=False)
    """Keys of the jobs done by this command, which `fresh` does not do once more."""
    timing: Timing = "measure"
    """Whether inference is timed anew, only where a finished run of the same jobs does not tell,
    or not at all (times that such a run tells are then kept as well)."""

    @property
    def training_threads(self) -> int:
        """Threads of torch that each training has on the CPU."""
        return self.threads or torch.get_num_threads()
