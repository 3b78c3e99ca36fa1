"""One repeat: networks built, tuned, timed in turn, in whichever process this is."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import torch

from agfer_bench.errors import PluginError, UserError, describe
from agfer_bench.faces.detector import Detector
from agfer_bench.faces.prepare import find_finder
from agfer_bench.measure.camera import Frames, crop_frames, infer_frames
from agfer_bench.measure.clock import clock_for
from agfer_bench.measure.conditions import device_state
from agfer_bench.measure.device_memory import free_memory, release_memory
from agfer_bench.measure.footprint import Footprint, measure_footprint
from agfer_bench.measure.modes import PreparedMode, Way, eager_fp32
from agfer_bench.measure.offline import Batched, Search, Throughput, batch_sizes
from agfer_bench.measure.peak import measure_peak
from agfer_bench.measure.single_stream import Contender, time_streams
from agfer_bench.measure.tune import Tuner
from agfer_bench.network.build import Network
from agfer_bench.plugin.catalogue import Chosen
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.plugin.specs import AttentionSpec
from agfer_bench.records.speed import CameraRecord, CameraTimes, PeakRecord
from agfer_bench.records.timing import EAGER, ConditionsRecord, DeviceState, ModeName, StreamRepeat
from agfer_bench.run.timing.merge import Key, speed_records
from agfer_bench.run.timing.messages import (
    RepeatJob,
    RepeatResult,
    TimedDetector,
    TimedModule,
    TimingFailure,
)
from agfer_bench.run.timing.networks import SharedHost

Heard = Callable[[str, str | None, float], None]
"""Told what is being done, for which module, and the share of it that is done, 0..1."""

Choose = Callable[[TimedModule], Chosen[AttentionSpec]]
"""Finds a block in a catalogue."""


def run_repeat(
    job: RepeatJob, choose: Choose, heard: Heard, process: Literal["own", "shared"]
) -> RepeatResult:
    """Measure all modules of a job side by side; a module that fails is named, the others stand."""
    return _Repeat(job=job, choose=choose, heard=heard, process=process).run()


@dataclass(kw_only=True)
class _Repeat:
    job: RepeatJob
    choose: Choose
    heard: Heard
    process: Literal["own", "shared"]
    ready: dict[Key, PreparedMode] = field(default_factory=dict)
    streams: dict[Key, StreamRepeat] = field(default_factory=dict)
    footprints: dict[Key, Footprint] = field(default_factory=dict)
    throughputs: dict[Key, Throughput] = field(default_factory=dict)
    failures: dict[str, TimingFailure] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.device = torch.device(self.job.device)
        self.clock = clock_for(self.device)
        self.image_size = self.job.protocol.image_size

    def run(self) -> RepeatResult:
        wanted = self.job.wanted
        self._make_ready()
        before, after = self._time()
        if wanted.memory:
            self._weigh()
        if wanted.largest_batch is not None:
            self._search(wanted.largest_batch)
        camera = self._camera()
        speeds = speed_records(self.ready, self.streams, self.footprints, self.throughputs)
        return RepeatResult(
            speeds=speeds,
            failures=self.failures,
            conditions=self._conditions(before, after) if speeds else None,
            camera=camera,
            peak=self._peak() if wanted.peak else None,
            notes=tuple(self.notes),
        )

    @contextmanager
    def _guarded(self, label: str, where: str) -> Iterator[None]:
        try:
            yield
        except (Exception, SystemExit) as error:
            self.clock.survive(error)
            self._fail(label, where, error)

    def _fail(self, label: str, where: str, error: BaseException) -> None:
        """Strike a module out, all its modes with it."""
        owner = next(m.distribution for m in self.job.modules if m.label == label)
        text = describe(error)
        named = text if isinstance(error, PluginError) else f"{owner}: {text}"
        trace = "".join(traceback.format_exception(error))
        self.failures.setdefault(label, TimingFailure(where=where, text=named, trace=trace))
        for known in (self.ready, self.streams, self.footprints, self.throughputs):
            for key in [key for key in known if key[0] == label]:
                del known[key]

    def _make_ready(self) -> None:
        """Build every network and find its tuned way."""
        hosts = SharedHost(self.job.protocol, self.job.classes, self.device)
        tuner = Tuner(
            device=self.device,
            clock=self.clock,
            image_size=self.image_size,
            compiled=self.job.wanted.compiled,
        )
        for number, module in enumerate(self.job.modules):
            share = number / len(self.job.modules)
            self.heard("getting ready", module.label, share)
            # Ways are many, and compiling takes minutes: each is a sign of life.
            on_try = partial(self.heard, "getting ready", module.label, share)
            with self._guarded(module.label, "timing"):
                network = hosts.build(self.choose(module), module.memory_format)
                for mode in self.job.wanted.modes:
                    self.ready[module.label, mode] = self._in_mode(
                        network, mode, tuner, module.label, on_try
                    )

    def _in_mode(
        self,
        network: Network,
        mode: ModeName,
        tuner: Tuner,
        label: str,
        on_try: Callable[[], None],
    ) -> PreparedMode:
        if mode == EAGER:
            return eager_fp32(network, self.device)
        known = self.job.ways.get(label)
        if known is None:
            return tuner.tune(network, on_try)
        way = Way(
            precision=known.precision,
            memory_format=known.memory_format,
            execution=known.execution,
        )
        return tuner.make(network, way)

    def _time(self) -> tuple[DeviceState, DeviceState]:
        """Time single images."""
        contenders: dict[Key, Contender] = {}
        for key, one in list(self.ready.items()):
            self.heard("getting ready", key[0], 1.0)
            with self._guarded(key[0], "timing"), torch.inference_mode(), one.settings():
                call = one.bind(one.input(1, self.image_size))
                contenders[key] = Contender(call=call, settings=one.settings)
        contenders = {key: one for key, one in contenders.items() if key in self.ready}
        before: list[DeviceState] = []
        with torch.inference_mode():
            found = time_streams(
                contenders,
                self.clock,
                self.job.protocol.speed,
                before_rounds=lambda: before.append(device_state(self.device)),
                on_turn=lambda key, share: self.heard("single stream", key[0], share),
            )
        after = device_state(self.device)
        self.streams = found.repeats
        for key, error in found.failures.items():
            self._fail(key[0], "timing", error)
        return before[0], after

    def _weigh(self) -> None:
        """Measure the memory of one image."""
        for number, (key, one) in enumerate(list(self.ready.items())):
            self.heard("memory", key[0], number / len(self.ready))
            with self._guarded(key[0], "measuring its memory"), one.settings():
                self.footprints[key] = measure_footprint(one.network, one.input(1, self.image_size))

    def _search(self, largest: int) -> None:
        """Measure throughput over batch sizes."""
        contenders = {key: self._batched(key, one) for key, one in self.ready.items()}
        if not contenders:
            return
        sizes = batch_sizes(largest)

        def on_turn(key: Key, size: int) -> None:
            self.heard("offline", key[0], sizes.index(size) / len(sizes))

        search = Search(
            contenders,
            self.clock,
            seconds=self.job.protocol.speed.seconds,
            free_bytes=free_memory(self.device),
            on_turn=on_turn,
        )
        with torch.inference_mode():
            search.over(sizes)
        self.throughputs = search.found
        for key, error in search.failures.items():
            self._fail(key[0], "timing batches", error)

    def _batched(self, key: Key, one: PreparedMode) -> Batched:
        label, mode = key
        footprint = self.footprints.get(key)
        return Batched(
            bind=lambda size: one.bind(one.input(size, self.image_size)),
            bytes_per_image=footprint.maps if footprint else 0,
            sizes=self.job.sizes.get(label, {}).get(mode),
            settings=one.settings,
        )

    def _camera(self) -> CameraRecord | None:
        """Time the way from frame to label."""
        wanted = self.job.wanted.frames
        if wanted is None or not self.ready:
            return None
        self.heard("camera", None, 0.0)
        frames = self._frames()
        if not frames.crops:
            self.notes.append(f"Camera: none of the {frames.without_face} frames of {wanted.data} "
                              "holds a face that is found.")  # fmt: skip
            return None
        infer: dict[str, dict[ModeName, CameraTimes]] = {}
        for number, ((label, mode), one) in enumerate(list(self.ready.items())):
            self.heard("camera", label, number / len(self.ready))
            with self._guarded(label, "timing frames"):
                times = infer_frames(one, frames.crops)
                infer.setdefault(label, {})[mode] = CameraTimes(infer_ms=(times,))
        return CameraRecord(
            data=wanted.data,
            drawn=wanted.drawn,
            width=frames.size[0],
            height=frames.size[1],
            frames=len(frames.crops),
            without_face=frames.without_face,
            decode_ms=(tuple(frames.decode_ms),),
            crop_ms=(tuple(frames.crop_ms),),
            modules={label: times for label, times in infer.items() if label not in self.failures},
        )

    def _frames(self) -> Frames:
        wanted = self.job.wanted.frames
        assert wanted is not None
        detector = _load_detector(wanted.detector) if wanted.detector else None
        return crop_frames(
            [path.read_bytes() for path in wanted.paths],
            find_finder(self.job.protocol.crop, wanted.cascades, detector),
            self.image_size,
            self.job.threads,
        )

    def _peak(self) -> PeakRecord | None:
        self.heard("peak", None, 0.0)
        self.ready.clear()
        release_memory()
        try:
            return measure_peak(self.device)
        except Exception as error:
            self.clock.survive(error)
            self.notes.append(f"The device's own rates could not be measured: {describe(error)}")
            return None

    def _conditions(self, before: DeviceState, after: DeviceState) -> ConditionsRecord:
        return ConditionsRecord(
            process=self.process, threads=torch.get_num_threads(), before=before, after=after
        )


def _load_detector(wanted: TimedDetector) -> Detector:
    """Find a detector among the installed plugins, and load it.

    Raises:
        UserError: No installed plugin offers it, or it does not load its file.
    """
    entry = load_catalogue(only={wanted.distribution}).detectors.get(wanted.name)
    if entry is None:
        raise UserError(f"no installed plugin offers the detector {wanted.name!r}")
    return Detector.load(Chosen(entry=entry, values=wanted.options), wanted.file)
