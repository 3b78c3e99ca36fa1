"""The tuned mode: the fastest way to run a network that can be found on a device.

The first arithmetic and layout that work are taken, bf16 and channels last before all others, and
of the executions the fastest. What fails is told.

Shapes in names: B batch, C channels, H height, W width, M classes.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from agfer_bench.errors import describe
from agfer_bench.measure.clock import Clock
from agfer_bench.measure.device_memory import release_memory
from agfer_bench.measure.execution import Bound, executions, forward_of, is_compiled
from agfer_bench.measure.modes import PreparedMode, Recast, Way, eager_fp32, random_batch
from agfer_bench.measure.precision import native_bf16, supports_tf32, tuned_settings
from agfer_bench.network.build import Network
from agfer_bench.records.base import MemoryFormat
from agfer_bench.records.timing import EXECUTION_NAMES, Precision, Trial

_COMPARED = 4
"""Random images over which class probabilities are compared."""
_WARM_PASSES, _TRIED_PASSES = 3, 10


class NotFinite(Exception):
    """Outputs are not finite numbers."""


@dataclass(frozen=True, kw_only=True)
class Tuner:
    """Finds the fastest way for one network after another."""

    device: torch.device
    """Where the networks are."""
    clock: Clock
    """The device's clock."""
    image_size: int
    """Side of the input, in pixels."""
    compiled: bool
    """Whether `torch.compile` is tried."""
    recast: Recast = field(default_factory=Recast)
    """Makes the copies in other types and layouts."""

    def tune(self, network: Network) -> PreparedMode:
        """Find the fastest way to run a network.

        Raises:
            Exception: What the last way failed with, where all fail.
        """
        ways, reason = ladder(network, self.device)
        faults = [reason] if reason else []
        trials: list[Trial] = []
        found: list[tuple[float, PreparedMode]] = []
        error: BaseException | None = None
        for way in ways:
            for execution in executions(self.device, compiled=self.compiled):
                tried = replace(way, execution=execution)
                try:
                    ready = self.make(network, tried, like=[one for _, one in found])
                    median = self._median(ready)
                except (Exception, SystemExit) as fault:
                    self.clock.survive(fault)
                    error = fault
                    trials.append(_trial(tried, error=describe(fault)))
                    faults.append(f"{_words(tried)}: {describe(fault)}")
                    if execution == "eager":
                        break  # what fails as written fails compiled
                    continue
                trials.append(_trial(tried, median_ms=median))
                found.append((median, ready))
            release_memory()
            if found:
                break
        if not found:
            raise error or NotFinite("no way to run it was tried")
        _, best = min(found, key=lambda one: one[0])
        return replace(best, trials=tuple(trials), fallback="; ".join(faults) or None)

    def make(
        self, network: Network, way: Way, like: list[PreparedMode] | None = None
    ) -> PreparedMode:
        """Make a network ready to be run in one way, and compare its outputs with eager fp32.

        Args:
            network: In fp32, on the device.
            way: How it is to be run.
            like: The same network made ready for other executions, to be used again.

        Raises:
            Exception: Whatever converting, compiling, capturing or running it raises.
        """
        copied = like[0].network if like else self._in_type(network, way)
        compiled = is_compiled(way.execution)
        known = [one.forward for one in like or [] if is_compiled(one.way.execution) == compiled]
        ready = PreparedMode(
            way=way,
            network=copied,
            forward=known[0] if known else forward_of(copied, way.execution),
            settings=tuned_settings(way.precision, self.device),
        )
        return replace(ready, largest_difference=self._difference(network, ready))

    def _in_type(self, network: Network, way: Way) -> Network:
        """Return a copy in another type and layout, or the network itself where it is that."""
        if way.precision != "bf16" and way.memory_format == network.memory_format:
            return network
        return self.recast(network, way)

    def _difference(self, network: Network, ready: PreparedMode) -> float:
        """Largest absolute difference of class probabilities to eager fp32."""
        exact = eager_fp32(network, self.device)
        like = next(network.parameters())
        images = random_batch(_COMPARED, self.image_size, exact.way, like)
        return max(
            float((one - other).abs().max())
            for one, other in zip(_probabilities(exact, images), _probabilities(ready, images),
                                  strict=True)
        )  # fmt: skip

    def _median(self, ready: PreparedMode) -> float:
        """Latency of one image over a few passes, in milliseconds."""
        with torch.inference_mode(), ready.settings():
            call = ready.bind(ready.input(1, self.image_size))
            self.clock.single(call, _WARM_PASSES)
            return statistics.median(self.clock.single(call, _TRIED_PASSES))


def _probabilities(ready: PreparedMode, images_BCHW: Tensor) -> list[Tensor]:
    """Class probabilities of each image, each of shape (1, M), run one by one."""
    with torch.inference_mode(), ready.settings():
        x_1CHW = ready.input(1, images_BCHW.shape[-1])
        call: Bound = ready.bind(x_1CHW)
        found = []
        for image_CHW in images_BCHW:
            x_1CHW.copy_(image_CHW[None])
            found.append(call().float().softmax(dim=1))
    if not all(bool(one.isfinite().all()) for one in found):
        raise NotFinite("outputs are not finite")
    return found


def ladder(network: Network, device: torch.device) -> tuple[list[Way], str | None]:
    """Return the types and layouts to try, best first, and why the very best is not among them.

    Where a block cannot do with channels last, the other layout is tried in the type at hand
    before a slower type is.
    """
    reasons = []
    precisions: list[Precision] = ["fp32"]
    if supports_tf32(device):
        precisions.insert(0, "tf32")
    if native_bf16(device):
        precisions.insert(0, "bf16")
    else:
        reasons.append("the device has no bf16 of its own")
    formats: list[MemoryFormat] = ["channels_last", "contiguous"]
    if network.memory_format == "contiguous":
        formats.remove("channels_last")
        reasons.append("the block fails with channels last")
    ways = [
        Way(precision=precision, memory_format=memory_format, execution="eager")
        for precision in precisions
        for memory_format in formats
    ]
    return ways, "; ".join(reasons) or None


def _words(way: Way) -> str:
    layout = "channels last" if way.memory_format == "channels_last" else way.memory_format
    return f"{way.precision}, {layout}, {EXECUTION_NAMES[way.execution]}"


def _trial(way: Way, *, median_ms: float | None = None, error: str | None = None) -> Trial:
    return Trial(
        precision=way.precision,
        memory_format=way.memory_format,
        execution=way.execution,
        median_ms=median_ms,
        error=error,
    )
