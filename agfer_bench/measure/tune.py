"""The tuned mode: the fastest way to run one image through a network that can be found on a device.

Each arithmetic that the device has (bf16, TF32, fp32) is tried in each execution (as written,
recorded, compiled), on maps that lie channels last, or contiguous where a block fails with that.
All that work take turns, and the fastest is taken. What fails is told.

Shapes in names: B batch, C channels, H height, W width, M classes.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import groupby

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
_WARM_PASSES, _TRIED_PASSES, _TURNS = 3, 5, 3
"""Passes before a way is timed, passes that are timed in a row, and how often that is done."""
TIE = 0.03
"""Ways whose medians differ by less than this share count as equally fast: so few passes do not
tell them apart. The one with the fewest bits is then taken, since it is faster on large batches."""


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

    def tune(self, network: Network, on_try: Callable[[], None] = lambda: None) -> PreparedMode:
        """Find the fastest way to run a network.

        Args:
            network: In fp32, on the device.
            on_try: Called before each way is tried, which may take a minute where it is compiled.

        Raises:
            Exception: What the last way failed with, where all fail.
        """
        ready = self._fastest(network, on_try)
        release_memory()  # of the ways that were not taken
        return ready

    def _fastest(self, network: Network, on_try: Callable[[], None]) -> PreparedMode:
        ways, reason = ladder(network, self.device)
        tried: list[_Candidate] = []
        for _, of_precision in groupby(ways, key=lambda way: way.precision):
            for way in of_precision:
                found = self._executions(network, way, on_try)
                tried += found
                release_memory()
                if any(one.error is None for one in found):
                    break  # the other layout is for blocks that fail in this one
        for _ in range(_TURNS - 1):
            for one in tried:
                self._time(one)
        faults = [f"{_words(one.way)}: {describe(one.error)}" for one in tried if one.error]
        working = [one for one in tried if one.ready and not one.error]
        if not working:
            raise tried[-1].error or NotFinite("no way to run it was tried")
        least = min(one.median_ms for one in working)
        best = next(one for one in working if one.median_ms <= (1 + TIE) * least)
        assert best.ready is not None
        return replace(
            best.ready,
            trials=tuple(one.trial() for one in tried),
            fallback="; ".join([reason, *faults] if reason else faults) or None,
        )

    def _executions(
        self, network: Network, way: Way, on_try: Callable[[], None]
    ) -> list[_Candidate]:
        """Try one arithmetic and layout in each execution, and time a few passes of each."""
        found: list[_Candidate] = []
        for execution in executions(self.device, compiled=self.compiled):
            on_try()
            one = _Candidate(way=replace(way, execution=execution))
            found.append(one)
            like = [other.ready for other in found if other.ready]
            try:
                ready = self.make(network, one.way, like=like)
                with torch.inference_mode(), ready.settings():
                    one.call = ready.bind(ready.input(1, self.image_size))
                    self.clock.single(one.call, _WARM_PASSES)
                one.ready = ready
            except (Exception, SystemExit) as fault:
                self.clock.survive(fault)
                one.error = fault
            self._time(one)
            if one.error and execution == "eager":
                break  # what fails as written fails compiled
        return found

    def _time(self, one: _Candidate) -> None:
        """Time a few passes of a way that works so far."""
        if one.error or one.ready is None or one.call is None:
            return
        try:
            with torch.inference_mode(), one.ready.settings():
                one.times_ms += self.clock.single(one.call, _TRIED_PASSES)
        except (Exception, SystemExit) as fault:
            self.clock.survive(fault)
            one.error = fault

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


@dataclass(kw_only=True)
class _Candidate:
    """One way that is tried."""

    way: Way
    ready: PreparedMode | None = None
    call: Bound | None = None
    times_ms: list[float] = field(default_factory=list)
    error: BaseException | None = None

    @property
    def median_ms(self) -> float:
        return statistics.median(self.times_ms)

    def trial(self) -> Trial:
        return Trial(
            precision=self.way.precision,
            memory_format=self.way.memory_format,
            execution=self.way.execution,
            median_ms=None if self.error else self.median_ms,
            error=describe(self.error) if self.error else None,
        )


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
    """Return the types and layouts to try, fewest bits first, and what is left out and why.

    Of each type the layouts follow one another, channels last first: the other is for blocks that
    cannot do with it.
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
